//! Checks that the sentences of a contract are complete, and compares those of the examples with their files.

use std::collections::BTreeMap;
use std::path::PathBuf;

use contract::{Catalogue, Contract, Sentence, show};
use serde::Deserialize;

pub(crate) const EXAMPLES: [&str; 7] = [
    "customer",
    "home-automation",
    "inbox-triage",
    "invoice-refunds",
    "release-notes",
    "stocktake",
    "travel-booking",
];

#[derive(Deserialize)]
struct Rules {
    rules: String,
    tools: Option<String>,
}

fn folder(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The contracts of the conformance set, each with its tools.
pub(crate) fn contracts() -> Vec<(Contract, Catalogue)> {
    let files = std::fs::read_dir(folder("tests/conformance")).unwrap();
    let mut paths: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "toml"));
    paths.sort();
    let read = |path: &PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        let Rules { rules, tools } = toml::from_str(&text).unwrap();
        let tools = tools.map_or_else(crate::tools, |own| {
            Catalogue::parse(own.as_bytes()).unwrap()
        });
        (crate::contract(&rules, &tools), tools)
    };
    paths.iter().map(read).collect()
}

/// The contract of an example, with its tools.
pub(crate) fn example(name: &str) -> (Contract, Catalogue) {
    let at = folder("../../deploy/examples").join(name);
    let tools = Catalogue::parse(&std::fs::read(at.join("tools.json")).unwrap()).unwrap();
    let text = std::fs::read_to_string(at.join("contract.toml")).unwrap();
    let contract = Contract::parse("contract.toml", &text, &tools).unwrap();
    (contract, tools)
}

/// Returns the sentences of each rule.
fn sentences(contract: &Contract, tools: &Catalogue) -> BTreeMap<String, String> {
    let shown = show(contract, tools);
    let all = shown.sections.iter().flat_map(|section| &section.sentences);
    let whole = |one: &Sentence| {
        let parts = one.conditions.iter().chain(&one.more);
        format!(
            "{} {}",
            one.text,
            parts.cloned().collect::<Vec<_>>().join(" / ")
        )
    };
    all.filter_map(|one| Some((one.rule.clone()?, whole(one))))
        .collect()
}

#[test]
fn golden_every_example_says_what_its_file_says() {
    let write = std::env::var_os("GOLDEN").is_some_and(|how| how == "write");
    for name in EXAMPLES {
        let at = folder("../../deploy/examples").join(name);
        let (contract, tools) = example(name);
        let shown = format!("{}\n", show(&contract, &tools).text());
        let golden = at.join("contract.txt");
        if write {
            std::fs::write(&golden, &shown).unwrap();
        }
        let expected = std::fs::read_to_string(&golden).unwrap_or_default();
        assert_eq!(shown, expected, "{}", golden.display());
    }
}

/// The contracts of the conformance set and of the examples.
fn all_contracts() -> Vec<(Contract, Catalogue)> {
    let mut all = contracts();
    all.extend(EXAMPLES.iter().map(|name| example(name)));
    all
}

#[test]
fn no_sentence_is_long_or_stacks_its_negations() {
    const WORDS_MAX: usize = 40;
    let mut long = Vec::new();
    for (contract, tools) in all_contracts() {
        let text = show(&contract, &tools).text();
        for line in text.lines() {
            // A quoted text is the owner's, the tool's or the file's.
            let own: Vec<&str> = line.split('"').step_by(2).collect();
            let own = own.join("\"");
            let sentences = own.split(". ");
            let most = sentences.map(|one| one.split_whitespace().count()).max();
            let stacked = [
                "is none that",
                "anything but",
                "not a value that is not",
                "such that",
            ];
            if most > Some(WORDS_MAX) || stacked.iter().any(|words| own.contains(words)) {
                long.push(line.to_owned());
            }
        }
    }
    assert!(long.is_empty(), "{}:\n{}", long.len(), long.join("\n"));
}

#[test]
fn every_rule_has_one_sentence_of_its_own() {
    let contracts = contracts();
    assert!(contracts.len() >= 35, "{}", contracts.len());
    for (contract, tools) in &contracts {
        let sentences = sentences(contract, tools);
        let ids: Vec<String> = contract.rules().map(|rule| rule.id.to_string()).collect();
        assert_eq!(sentences.len(), ids.len());
        assert!(ids.iter().all(|id| sentences.contains_key(id)));
    }
}

#[test]
fn rules_that_say_different_things_have_different_sentences() {
    let mut said: BTreeMap<String, String> = BTreeMap::new();
    for (contract, tools) in contracts() {
        let sentences = sentences(&contract, &tools);
        for rule in contract.rules() {
            let text = rule.to_string();
            let name = format!("name = \"{}\"\n", rule.id);
            let text = text.replace(&name, "");
            let sentence = sentences[rule.id.as_str()].clone();
            let before = said.entry(sentence).or_insert_with(|| text.clone());
            assert_eq!(*before, text);
        }
    }
    assert!(said.len() >= 90, "{}", said.len());
}

#[test]
fn leaving_any_part_of_a_rule_out_changes_its_sentence() {
    let mut tried = 0;
    for (contract, tools) in contracts() {
        // Roles are keys of the head, and a rule alone has no head.
        if !contract.roles().is_empty() {
            continue;
        }
        let sentences = sentences(&contract, &tools);
        for rule in contract.rules() {
            let text = rule.to_string();
            for line in text.lines().filter(|line| !line.starts_with("[[")) {
                if line.starts_with("name =") || line.starts_with("expires =") {
                    continue;
                }
                let without = text.replace(&format!("{line}\n"), "");
                let Ok(other) = crate::parse(&crate::text(&without), &tools) else {
                    continue;
                };
                let left: Vec<String> = self::sentences(&other, &tools).into_values().collect();
                assert_ne!(left, [sentences[rule.id.as_str()].clone()], "{line}");
                tried += 1;
            }
        }
    }
    assert!(tried >= 100, "{tried}");
}

#[test]
fn limits_roles_and_the_end_have_their_sentences() {
    let tools = crate::tools();
    let contract = crate::contract(
        "starts = 2026-01-01\nprincipal = [\"session\", \"job:nightly\"]\n\
         [limits]\ncalls = 7\nwall_time = \"90m\"\noutput_bytes = 1024\ntokens = 5000\nbytes_out = 3\nmessages = 2\n\
         spend = \"EUR 9.50\"\n[limits.hour]\ncalls = 11\n[limits.day]\ncalls = 12\n[limits.contract]\ncalls = 13\n\
         [[allow]]\ntool = \"mail.send\"\nspend = \"nothing\"\ntokens = 1",
        &tools,
    );
    let text = show(&contract, &tools).text();
    for part in [
        "from the start of 2026-01-01 (UTC) until the end of 2036-12-31 (UTC)",
        "tasks that a person starts and the scheduled job `nightly`",
        "at most 7 calls",
        "at most 1 hour and 30 minutes of running time",
        "at most 1 KiB of results",
        "at most 5,000 tokens of a model",
        "at most 3 bytes that leave",
        "at most 2 calls that let something leave",
        "at most EUR 9.50",
        "in one hour: at most 11 calls",
        "in one day: at most 12 calls",
        "as long as the contract holds: at most 13 calls",
        "`mail.send` is described as",
        "waits for the owner's yes",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
}

#[test]
fn quotas_of_rules_about_one_tool_are_shown_as_their_sum() {
    let tools = crate::tools();
    let rule = |name: &str, quota: &str| {
        format!(
            "[[allow]]\nname = \"{name}\"\ntool = \"mail.send\"\nwhere.to = \"{name}@x.example\"\n{quota}\n"
        )
    };
    let shown = |rules: &str| show(&crate::contract(rules, &tools), &tools).text();
    let both = rule("ann", "calls = 1") + &rule("bob", "calls = 2");
    let said = "Its 2 rules together permit `mail.send` at most 3 times in one task.";
    assert!(shown(&both).contains(said), "{}", shown(&both));
    let one = rule("ann", "calls = 1") + &rule("bob", "");
    assert!(!shown(&one).contains("together permit"), "{}", shown(&one));
}

#[test]
fn the_folders_that_a_program_may_read_are_named() {
    let tools = |folders: &str| {
        let text = format!(
            r#"[{{"name": "t.x", "description": "Looks up.", "effect": "read", "output": "trusted",
                "input_schema": {{"type": "object", "properties": {{}}, "additionalProperties": false}},
                "exec": {{"program": "/usr/bin/x", "sha256": {{"/usr/bin/x": "ab"}}, "argv": []{folders}}}}}]"#
        );
        Catalogue::parse(text.as_bytes()).unwrap()
    };
    let shown = |folders: &str| {
        let tools = tools(folders);
        show(
            &crate::contract("[[allow]]\ntool = \"t.x\"", &tools),
            &tools,
        )
        .text()
    };
    let text = shown(r#", "folders": ["/srv/a\u001b", "/srv/b"]"#);
    let said =
        "it may also read everything in \"/srv/a\\u001b\" and \"/srv/b\", which it cannot change.";
    assert!(text.contains(said), "{text}");
    assert!(!shown("").contains("also read"));
}
