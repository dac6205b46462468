//! Drafts the narrowest contract that could do a task, from its text: reads are allowed, writes are bound to the values
//! of the text, and everything else is asked about.

use diagnostic::is_hidden;
use jiff::civil::Date;
use serde_json::{Map, Value};

use super::roles::{ArgumentRole, kinds, role};
use super::scope::DraftScope;
use super::text::{DraftHeader, host_line, slug, table};
use crate::catalogue::{Catalogue, Effect, Risk, Tool};
use crate::contract::Contract;
use crate::labels::{Integrity, Secrecy};
use crate::parse::source::TASK_CHARS_MAX;
use crate::toml_text::{key, quoted, quoted_list};
use crate::words::{WordKind, Words};

/// Maximum length of a reason, in characters.
const REASON_CHARS_MAX: usize = 300;
/// Maximum length of a task text as it stands in the contract, in bytes.
const TASK_BYTES_MAX: usize = 100 << 10;
/// Maximum number of values that one comment shows.
const SEEN_MAX: usize = 4;
/// The name of the rule about everything that reads.
const READS: &str = "reads";

/// One rule of a draft, from the most to the least that it says.
type Versions = Vec<String>;

/// Writes a draft for tasks with exactly this text: one rule for what only reads; for each other tool a rule that takes only values of the text, or an
/// ask, or a deny if its risk is high. Each bound has a comment with the words that it comes from, and each allowed
/// write has tests. Without a given name, the name is built from the first words of the task.
#[must_use]
pub fn draft_of_text(header: &DraftHeader, words: &str, catalogue: &Catalogue) -> String {
    draft_in_scope(header, words, catalogue, &DraftScope::default())
}

/// Writes such a draft within a scope: without some tools, and with the rule of the model that works on the words.
#[must_use]
pub fn draft_in_scope(
    header: &DraftHeader,
    words: &str,
    catalogue: &Catalogue,
    scope: &DraftScope,
) -> String {
    let read = Words::new(words, Date::constant(2000, 1, 1));
    let (mut rules, mut left_out) = (Vec::new(), Vec::new());
    let mut used = vec![READS.to_owned()];
    let all = pieces((&read, words), catalogue, &mut used, scope);
    for (name, versions) in all {
        let fits = |version: &&String| {
            let trial = [rules.as_slice(), &[String::clone(version)]].concat();
            let text = whole(header, words, (&trial, &[]), (catalogue, scope));
            Contract::parse("draft", &text, catalogue).is_ok()
        };
        match versions.iter().find(fits) {
            Some(version) => rules.push(version.clone()),
            None => left_out.push(name),
        }
    }
    whole(header, words, (&rules, &left_out), (catalogue, scope))
}

/// Returns the versions of each rule, with the tools that it is about.
fn pieces(
    (read, words): (&Words<'_>, &str),
    catalogue: &Catalogue,
    used: &mut Vec<String>,
    scope: &DraftScope,
) -> Vec<(String, Versions)> {
    let harmless = |tool: &&Tool| {
        tool.effects().are_all(Effect::Read)
            && tool.risk() != Some(Risk::High)
            && tool.output().secrecy != Secrecy::Secret
            && tool.secret().is_none()
    };
    let tools = || catalogue.tools().filter(|tool| scope.has(tool));
    let reads: Vec<&str> = tools()
        .filter(harmless)
        .map(|tool| tool.name().as_str())
        .collect();
    let mut all = Vec::new();
    if let Some(model) = &scope.model {
        used.push(model.rule.clone());
        all.push((model.tool.clone(), vec![model.text()]));
    }
    if !reads.is_empty() {
        let text = format!(
            "\n# These change nothing and let nothing leave. Remove those that the task does not need.\n\
             [[allow]]\nname = {}\ntools = {}\n{}",
            quoted(READS),
            list(&reads),
            scope.no_tokens()
        );
        all.push((reads.join(", "), vec![text]));
    }
    for tool in tools().filter(|tool| !harmless(tool)) {
        let name = unused(slug(tool.name().as_str()), used);
        let versions = versions((read, words), tool, &name, scope);
        all.push((tool.name().to_string(), versions));
    }
    all
}

fn list(names: &[&str]) -> String {
    let each: Vec<String> = names.iter().map(|name| quoted(name)).collect();
    format!("[{}]", each.join(", "))
}

fn unused(name: String, used: &mut Vec<String>) -> String {
    let mut free = name.clone();
    let mut place = 2;
    while used.contains(&free) {
        free = format!("{name}-{place}");
        place += 1;
    }
    used.push(free.clone());
    free
}

/// Writes the head and the rules.
fn whole(
    header: &DraftHeader,
    words: &str,
    (rules, left_out): (&[String], &[String]),
    (catalogue, scope): (&Catalogue, &DraftScope),
) -> String {
    let DraftHeader {
        name,
        purpose,
        owner,
        expires,
        folders: _,
    } = header;
    let name = if name.is_empty() {
        let first: Vec<&str> = words.split_whitespace().take(5).collect();
        slug(&first.join(" "))
    } else {
        name.clone()
    };
    let mut text = String::from(
        "# A draft of what the task needs. Read each rule, remove the tools that it does not need, and add a [[test]] for\n\
         # what must never happen.\n#\n# The task:\n",
    );
    for line in words.lines() {
        text.push_str(&format!("#   {}\n", visible(line)));
    }
    text.push_str(&format!(
        "contract = {}\nversion = 1\npurpose = {}\nowner = {}\nexpires = {expires}\n",
        quoted(&name),
        quoted(purpose),
        quoted(owner)
    ));
    text.push_str(&header.folder_lines());
    text.push_str(&host_line(catalogue, |name| {
        rules.iter().any(|rule| rule.contains(&quoted(name)))
    }));
    if is_bound(words) {
        text.push_str(&format!(
            "task = {} # only for this text; without this line, for every task\n",
            quoted(words)
        ));
    }
    let read = Words::new(words, Date::constant(2000, 1, 1));
    let timed = [WordKind::Date, WordKind::Time];
    if timed.iter().any(|kind| !read.mentions(*kind).is_empty()) {
        text.push_str(
            "# zone = \"Europe/Berlin\" # of the days and times of the task; without it, UTC\n",
        );
    }
    if rules.is_empty() {
        text.push_str("allow = []\n");
    }
    text.push_str("\n[limits] # of one task\ncalls = 100\nwall_time = \"30m\"\n");
    text.push_str(&scope.limit());
    text.extend(rules.iter().map(String::as_str));
    for name in left_out {
        text.push_str(&format!("\n# Left out: {}\n", visible(name)));
    }
    text
}

/// Returns true if the draft is only for this text.
fn is_bound(words: &str) -> bool {
    !words.is_empty()
        && !words.contains('\0')
        && words.chars().count() <= TASK_CHARS_MAX
        && quoted(words).len() <= TASK_BYTES_MAX
}

/// Replaces what cannot be seen by spaces.
fn visible(text: &str) -> String {
    text.replace(is_hidden, " ")
}

/// Returns the versions of the rule about a tool that does not only read.
fn versions(
    (read, words): (&Words<'_>, &str),
    tool: &Tool,
    name: &str,
    scope: &DraftScope,
) -> Versions {
    let required: Vec<&str> = tool.required().collect();
    let roles: Vec<ArgumentRole> = tool
        .arguments()
        .names()
        .filter_map(|argument| role(read, tool, argument, required.contains(&argument)))
        .collect();
    let bound = |argument: &&str| roles.iter().any(|role| role.argument == **argument);
    let complete = !roles.is_empty() && required.iter().all(bound);
    let risky = tool.risk() == Some(Risk::High);
    let mut versions = Vec::new();
    if complete {
        let kind = if risky { "ask" } else { "allow" };
        let rule = bound_rule(begun(tool, kind, name, scope), &roles);
        // The text of the tests is that of the contract.
        if is_bound(words) {
            versions.extend(tests(tool, kind, &roles).map(|tests| format!("{rule}{tests}")));
        }
        versions.push(rule);
    }
    let kind = if risky { "deny" } else { "ask" };
    versions.push(open_rule(tool, begun(tool, kind, name, scope)));
    versions
}

/// Writes the description of a tool and the lines that every rule about it has.
fn begun(tool: &Tool, kind: &str, name: &str, scope: &DraftScope) -> String {
    let effect = match tool.effects().most() {
        Effect::Read => "changes nothing",
        Effect::Write => "changes something of the owner's",
        Effect::Tell => "tells a host that the contract names something",
        Effect::Outward => "lets something leave",
    };
    let output = match tool.output().integrity {
        Integrity::Trusted => "",
        Integrity::Untrusted => "; anybody may have written what it returns",
    };
    let (what, about) = (what(tool), quoted(tool.name().as_str()));
    let mut text = format!(
        "\n# {what} It {effect}{output}.\n[[{kind}]]\nname = {}\ntool = {about}\n",
        quoted(name)
    );
    if let Some(secret) = tool.secret().filter(|_| kind != "deny") {
        text.push_str(&format!("secrets = [{}]\n", quoted(secret.as_str())));
    }
    if kind == "ask" {
        text.push_str(&format!("reason = {}\n", quoted(&what)));
    }
    if kind != "deny" {
        text.push_str(scope.no_tokens());
    }
    text
}

fn what(tool: &Tool) -> String {
    let what: String = tool.description().chars().take(REASON_CHARS_MAX).collect();
    let what = visible(&what);
    if what.trim().is_empty() {
        format!("`{}` is used.", tool.name())
    } else {
        what
    }
}

/// Writes a rule that takes only values of the text, after its first lines.
fn bound_rule(mut text: String, roles: &[ArgumentRole]) -> String {
    for role in roles {
        let after = if role.after.is_empty() {
            String::new()
        } else {
            format!(", after = {}", quoted_list(&role.after))
        };
        let origin = format!("{{ from = {{ task = \"{}\"{after} }} }}", role.kind);
        let bound = if role.list {
            format!("{{ every = {origin} }}")
        } else {
            origin
        };
        let seen = role.seen.iter().take(SEEN_MAX);
        let seen: Vec<String> = seen
            .map(|(value, words)| format!("{} in «{}»", visible(value), visible(words)))
            .collect();
        let seen = seen.join("; ");
        text.push_str(&format!(
            "where.{} = {bound} # {seen}\n",
            key(&role.argument)
        ));
    }
    text.push_str("only = true # every other argument is left out\n");
    text
}

/// Writes an ask or a deny about every call of a tool, after its first lines, with possible bounds as comments.
fn open_rule(tool: &Tool, mut text: String) -> String {
    for argument in tool.arguments().names() {
        let types = tool.arguments().types(argument);
        let first = types.iter().find(|one| *one != "null");
        let suggested = kinds(tool, argument).first();
        let hint = match (first.map(String::as_str), suggested) {
            (Some("string" | "integer" | "number"), Some(kind)) => {
                format!(
                    "{{ from = {{ task = \"{kind}\" }} }} # {} in the task",
                    kind.said()
                )
            }
            (Some("array"), Some(kind)) => {
                format!("{{ every = {{ from = {{ task = \"{kind}\" }} }} }}")
            }
            (Some("string"), None) => "[\"…\"]".to_owned(),
            (Some("integer" | "number"), None) => "{ min = 0, max = 100 }".to_owned(),
            (Some("boolean"), _) => "false".to_owned(),
            (Some("array"), None) => "{ length = { max = 10 } }".to_owned(),
            (Some(_) | None, _) => continue,
        };
        text.push_str(&format!("# where.{} = {hint}\n", key(argument)));
    }
    text
}

/// Writes a test of the values of the text, and one of another value; `None` if one depends on the day.
fn tests(tool: &Tool, kind: &str, roles: &[ArgumentRole]) -> Option<String> {
    let mut args = Map::new();
    for role in roles {
        args.insert(role.argument.clone(), role.example.clone()?);
    }
    let mut text = test(tool, &args, kind);
    let strange = roles.iter().find_map(|role| {
        let other = match role.kind {
            WordKind::Email => Value::from("somebody.else@other.example"),
            WordKind::Iban => Value::from("GB82WEST12345698765432"),
            WordKind::Url => Value::from("https://other.example/"),
            WordKind::Path => Value::from("other/place.txt"),
            WordKind::Date => Value::from("1999-12-31"),
            WordKind::Any
            | WordKind::Time
            | WordKind::Amount
            | WordKind::Number
            | WordKind::Name
            | WordKind::Word
            | WordKind::Quoted => return None,
        };
        let other = if role.list {
            Value::from(vec![other])
        } else {
            other
        };
        let mut args = args.clone();
        args.insert(role.argument.clone(), other);
        Some(args)
    });
    if let Some(args) = strange {
        text.push_str(&test(tool, &args, "deny"));
    }
    Some(text)
}

fn test(tool: &Tool, args: &Map<String, Value>, expect: &str) -> String {
    format!(
        "\n[[test]]\ncall = {{ tool = {}, args = {} }}\nexpect = \"{expect}\"\n",
        quoted(tool.name().as_str()),
        table(args)
    )
}
