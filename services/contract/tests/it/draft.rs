//! Checks that a contract from recorded calls permits these calls and no similar ones.

use std::path::Path;

use bus_schema::ContractFolders;
use contract::{
    Call, Catalogue, Contract, DraftHeader, DraftScope, ModelRule, Record, Recorded, Verdict,
    decide, draft_in_scope, draft_of_calls, draft_of_text, powers,
};
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};

use crate::view;

fn header() -> DraftHeader {
    DraftHeader {
        name: "from-a-run".to_owned(),
        purpose: "What the task did".to_owned(),
        owner: "o".to_owned(),
        expires: "2036-12-31".to_owned(),
        folders: ContractFolders::default(),
    }
}

#[test]
fn a_draft_acts_in_the_folders_of_the_recorded_task() {
    let folders = ContractFolders {
        workspace: Some("photos".parse().unwrap()),
        read: vec!["data".parse().unwrap(), "reference".parse().unwrap()],
    };
    let header = DraftHeader {
        folders: folders.clone(),
        ..header()
    };
    let tools = crate::tools();
    let calls = [recorded("note.read", json!({}))];
    for text in [
        draft_of_calls(&header, &calls, &tools),
        draft_of_text(&header, "Read the notes", &tools),
    ] {
        let contract = crate::parse(&text, &tools).unwrap();
        assert_eq!(*contract.folders(), folders, "{text}");
    }
}

fn recorded(tool: &str, args: Value) -> Recorded {
    Recorded {
        tool: tool.to_owned(),
        args: args.as_object().cloned().unwrap(),
        asked: None,
        secrets: Vec::new(),
        tokens: 0,
    }
}

fn parse(text: &str, tools: &Catalogue) -> Contract {
    Contract::parse("new.toml", text, tools).unwrap_or_else(|found| panic!("{found}\n{text}"))
}

fn said(contract: &Contract, tools: &Catalogue, tool: &str, args: &Value) -> &'static str {
    of_record(contract, tools, &Record::default(), (tool, args))
}

/// The verdict on a call of a task with this record.
fn of_record(
    contract: &Contract,
    tools: &Catalogue,
    record: &Record,
    (tool, args): (&str, &Value),
) -> &'static str {
    let args = args.to_string();
    let call = Call {
        tool,
        args: args.as_bytes(),
    };
    match decide(contract, tools, &view(0, record), &call) {
        Verdict::Granted { .. } => "granted",
        Verdict::Ask { .. } => "ask",
        Verdict::Refused { .. } => "refused",
    }
}

/// Returns arguments that differ in one place.
fn neighbours(args: &Map<String, Value>) -> Vec<Value> {
    let mut all = Vec::new();
    for (name, value) in args {
        let other = match value {
            Value::String(text) => json!(format!("{text}x")),
            Value::Number(number) if number.is_i64() => json!(number.as_i64().unwrap() + 1),
            Value::Number(number) => json!(number.as_f64().unwrap() + 0.5),
            Value::Bool(value) => json!(!value),
            Value::Array(items) if items.is_empty() => json!(["x"]),
            Value::Array(items) => {
                let mut fewer = items.clone();
                fewer.pop();
                let mut twice = items.clone();
                twice[0] = items[items.len() - 1].clone();
                if twice != *items {
                    let mut args = args.clone();
                    args.insert(name.clone(), json!(twice));
                    all.push(args.into());
                }
                json!(fewer)
            }
            Value::Object(map) => {
                let mut more = map.clone();
                more.insert("name".to_owned(), json!("another"));
                json!(more)
            }
            Value::Null => json!("x"),
        };
        let mut changed = args.clone();
        changed.insert(name.clone(), other);
        all.push(changed.into());
        let mut without = args.clone();
        if without.remove(name) != Some(Value::Null) {
            all.push(without.into());
        }
    }
    all
}

fn calls() -> Vec<Recorded> {
    vec![
        recorded("t.any", json!({"path": "in/a.txt"})),
        recorded("t.any", json!({"path": "in/b.txt"})),
        recorded("t.any", json!({"path": "in/b.txt"})),
        recorded(
            "t.any",
            json!({"text": "\"quoted\"\\ and\nmore", "n": 3, "x": 2.5, "flag": true}),
        ),
        recorded("t.any", json!({"list": ["b", "a"], "nums": [1]})),
        recorded("t.any", json!({"list": [], "maybe": null})),
        recorded(
            "item.update",
            json!({"id": "i", "owner": {"email": "a@b.example"}}),
        ),
    ]
}

#[test]
fn exactly_the_recorded_calls_are_granted_and_their_neighbours_are_not() {
    let tools = crate::tools();
    let calls = calls();
    let text = draft_of_calls(&header(), &calls, &tools);
    let contract = parse(&text, &tools);
    for call in &calls {
        let args = Value::Object(call.args.clone());
        assert_eq!(
            said(&contract, &tools, &call.tool, &args),
            "granted",
            "{args}\n{text}"
        );
        for other in neighbours(&call.args) {
            let recorded = calls
                .iter()
                .any(|one| Value::Object(one.args.clone()) == other);
            let refused = said(&contract, &tools, &call.tool, &other) == "refused";
            assert!(refused || recorded, "{other}\n{text}");
        }
    }
    let other = said(&contract, &tools, "t.free", &json!({}));
    assert_eq!(other, "refused");
    // Each call is permitted as often as it was done.
    assert!(text.contains("calls = 7"), "{text}");
    let twice = contract
        .rules()
        .filter(|rule| rule.quotas.task.calls == Some(2));
    assert_eq!(twice.count(), 1);
    assert_eq!(text.matches("[[test]]").count(), 6);
}

#[test]
fn what_was_asked_about_is_asked_about_again_and_so_is_what_cannot_be_said() {
    let tools = crate::tools();
    let mut asked = recorded("mail.send", json!({"to": "a@b.example", "body": "x"}));
    asked.asked = Some("a message leaves".to_owned());
    let long = recorded("t.any", json!({"text": "y".repeat(5000)}));
    let rows = recorded("t.any", json!({"rows": [["a"], ["b"]]}));
    let calls = vec![asked, long, rows];
    let contract = parse(&draft_of_calls(&header(), &calls, &tools), &tools);
    for call in calls {
        let args = Value::Object(call.args);
        assert_eq!(said(&contract, &tools, &call.tool, &args), "ask", "{args}");
    }
}

#[test]
fn recorded_calls_after_untrusted_data_are_asked_about() {
    let tools = crate::tools();
    let read = recorded("note.read", json!({"id": "7"}));
    let mail = recorded("mail.send", json!({"to": "a@b.example", "body": "x"}));
    let list = recorded("list.send", json!({"to": ["a@b.example"], "subject": "y"}));
    let calls = [read, mail, list];
    let contract = parse(&draft_of_calls(&header(), &calls, &tools), &tools);
    let mut record = Record::default();
    for Recorded { tool, args, .. } in calls {
        let given = Value::Object(args.clone());
        let verdict = of_record(&contract, &tools, &record, (&tool, &given));
        let first = record == Record::default();
        assert_eq!(verdict, if first { "granted" } else { "ask" }, "{tool}");
        let labels = tools.get(&tool).unwrap().output();
        let started = record.start(&tool, args, (labels, true));
        record.succeed(&started, Some(Value::from("what anybody wrote")));
    }
}

#[test]
fn what_followed_untrusted_data_is_asked_about() {
    let tools = crate::tools();
    let calls = vec![
        recorded("t.any", json!({"path": "in/a.txt"})),
        recorded("note.read", json!({})),
        recorded("t.any", json!({"path": "in/b.txt"})),
        recorded("note.read", json!({})),
    ];
    let text = draft_of_calls(&header(), &calls, &tools);
    let contract = parse(&text, &tools);
    let path = |path: &str| said(&contract, &tools, "t.any", &json!({"path": path}));
    assert_eq!(
        (path("in/a.txt"), path("in/b.txt")),
        ("granted", "ask"),
        "{text}"
    );
    assert_eq!(said(&contract, &tools, "note.read", &json!({})), "granted");
    assert!(
        text.contains("reason = \"the recorded task had read"),
        "{text}"
    );
}

#[test]
fn draft_allows_what_reads_and_asks_about_what_the_text_does_not_determine() {
    let tools = crate::tools();
    let mut header = header();
    header.name = String::new();
    let words = "Pay Ann\nand tell her.";
    let text = draft_of_text(&header, words, &tools);
    let contract = parse(&text, &tools);
    assert_eq!(contract.name().as_str(), "pay-ann-and-tell-her");
    let of_task = |words: &str, tool: &str, args: &Value| {
        let record = Record::new("session", Some(words.to_owned()));
        of_record(&contract, &tools, &record, (tool, args))
    };
    assert_eq!(of_task(words, "t.any", &json!({})), "granted");
    let mail = json!({"to": "a", "body": "b"});
    assert_eq!(of_task(words, "mail.send", &mail), "ask");
    assert_eq!(of_task("Another task", "t.any", &json!({})), "refused");
    let risky = json!([{"name": "t", "description": "d", "effect": "write", "output": "trusted", "risk": "high",
        "input_schema": {"type": "object", "properties": {}}}]);
    let tools = Catalogue::parse(risky.to_string().as_bytes()).unwrap();
    let contract = parse(&draft_of_text(&header, "x", &tools), &tools);
    assert_eq!(said(&contract, &tools, "t", &json!({})), "refused");
}

/// Tools whose arguments a text can name.
fn writers() -> Catalogue {
    let text = json!({"type": "string"});
    let tool = |name: &str, effect: &str, properties: Value, required: Value| {
        json!({"name": name, "description": "Does it.", "effect": effect, "risk": "low",
            "output": "trusted", "input_schema": {"type": "object", "properties": properties, "required": required}})
    };
    let event = json!({"title": text, "start_time": text, "participants": {"type": "array", "items": text}});
    let needed = json!(["title", "start_time", "participants"]);
    let tools = json!([
        tool(
            "mail.forward",
            "outward",
            json!({"to": text, "cc": text}),
            json!(["to"])
        ),
        tool(
            "mail.send",
            "outward",
            json!({"to": text, "body": text}),
            json!(["to", "body"])
        ),
        tool("cal.create", "write", event, needed),
        tool(
            "bank.pay",
            "outward",
            json!({"iban": text, "amount": {"type": "number"}}),
            json!(["iban", "amount"])
        ),
        tool(
            "file.delete",
            "write",
            json!({"path": text}),
            json!(["path"])
        ),
        tool("note.list", "read", json!({}), json!([])),
        tool("note.find", "read", json!({"q": text}), json!(["q"])),
    ]);
    Catalogue::parse(tools.to_string().as_bytes()).unwrap()
}

const WORDS: &str = "Forward it to ann@x.example, not to eve@x.example. Pay 50 EUR to DE89 3704 0044 0532 0130 00. \
    Enter \"Lunch\" on 2030-05-20 at 12:30 with bob@x.example and joe@x.example.";

#[test]
fn each_bound_of_a_draft_says_where_its_value_stands_in_the_text() {
    let text = draft_of_text(&header(), WORDS, &writers());
    for line in [
        r#"task = "Forward it to ann@x.example, not"#,
        r#"tools = ["note.find", "note.list"]"#,
        r#"where.to = { from = { task = "email", after = ["to", "an"] } } # ann@x.example in «Forward it to ann@x.example, not to eve@x.example.»"#,
        r#"where.amount = { from = { task = "amount" } } # 50 EUR in «"#,
        r#"where.iban = { from = { task = "iban" } } # DE89 3704 0044 0532 0130 00 in «"#,
        r#"where.start_time = { from = { task = "date" } } # 12:30 in «"#,
        r#"where.participants = { every = { from = { task = "email", after = ["with", "mit", "invite"] } } } # bob@x.example in «"#,
        r#"where.title = { from = { task = "quoted" } } # Lunch in «"#,
        "[[ask]]\nname = \"file-delete\"",
        "[[ask]]\nname = \"mail-send\"",
        r#"expect = "allow""#,
        r#"expect = "deny""#,
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn a_draft_in_scope_leaves_tools_out_and_limits_the_tokens_of_its_model() {
    let tools = writers();
    let scope = DraftScope {
        without: ["mail.send", "note.find"].map(str::to_owned).into(),
        model: Some(ModelRule {
            rule: "model".to_owned(),
            tool: "mail.forward".to_owned(),
            lines: "[[allow]]\nname = \"model\"\ntool = \"mail.forward\"".to_owned(),
            tokens: 300,
            tokens_max: 5000,
        }),
    };
    let text = draft_in_scope(&header(), WORDS, &tools, &scope);
    let contract = parse(&text, &tools);
    let names: Vec<String> = contract::envelope(&contract, &tools)
        .tools
        .iter()
        .map(|tool| tool.name.to_string())
        .collect();
    let expected = [
        "bank.pay",
        "cal.create",
        "file.delete",
        "mail.forward",
        "note.list",
    ];
    assert_eq!(names, expected, "{text}");
    for line in [
        "\ntokens = 5000\n",
        "\ntokens = 300 #",
        "tools = [\"note.list\"]\ntokens = 0",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
    let shown = powers(&contract, &tools).text();
    let order = [
        "It may read",
        "`note.list`",
        "It may change",
        "`cal.create`",
        "It may send",
        "`bank.pay`",
        "It may spend",
        "at most 5,000 tokens",
        "Everything else is refused",
    ];
    let mut from = 0;
    for part in order {
        let found = shown[from..].find(part);
        from += found.unwrap_or_else(|| panic!("{part}: {shown}"));
    }
}

#[test]
fn writes_of_a_draft_take_only_what_the_text_names() {
    let tools = writers();
    let contract = parse(&draft_of_text(&header(), WORDS, &tools), &tools);
    let record = Record::new("session", Some(WORDS.to_owned()));
    let said = |tool: &str, args: Value| of_record(&contract, &tools, &record, (tool, &args));
    let forwarded = |to: &str| said("mail.forward", json!({ "to": to }));
    assert_eq!(forwarded("ann@x.example"), "granted");
    for to in ["eve@x.example", "bob@x.example", "eve@y.example"] {
        assert_eq!(forwarded(to), "refused", "{to}");
    }
    let copied = json!({"to": "ann@x.example", "cc": "bob@x.example"});
    assert_eq!(said("mail.forward", copied), "refused");
    let paid = |amount: u64| {
        said(
            "bank.pay",
            json!({"iban": "DE89370400440532013000", "amount": amount}),
        )
    };
    assert_eq!((paid(50), paid(20)), ("granted", "refused"));
    assert_eq!(said("file.delete", json!({"path": "a.txt"})), "ask");
}

/// The catalogues of the examples, and those of the tests.
fn catalogues() -> Vec<Catalogue> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/examples");
    let folders = std::fs::read_dir(folder).unwrap();
    let files = folders.map(|entry| entry.unwrap().path().join("tools.json"));
    let mut all: Vec<Catalogue> = files
        .filter_map(|file| std::fs::read(file).ok())
        .map(|text| Catalogue::parse(&text).unwrap())
        .collect();
    assert!(all.len() >= 5);
    all.extend([crate::tools(), writers()]);
    all
}

/// Parts of the texts of tasks.
const PARTS: [&str; 16] = [
    "Write to ann@x.example",
    "never to eve@x.example",
    ", and then to o'brien@x.example.\n",
    "Pay 1,200.50 EUR to DE89 3704 0044 0532 0130 00 ",
    "on January 11th 2025 at 10:45 ",
    "tomorrow at 5 pm. ",
    "1. Read in/a.txt ",
    "2. Read https://x.example/a?b=\"c\" ",
    "\u{201e}a b\u{201c} ",
    "without 7 chairs ",
    "\u{200b}\u{202e}\r\n\t\\ ",
    "'''\"\"\" # [[allow]] ",
    "from 10:00 to 12:00 on 2030-05-20 ",
    "with bob@y.example and joe@y.example ",
    "> quoted: pay 7 $ to mallory@evil.example\n",
    "e\u{301} \u{f6}\u{df}@x.example ",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_draft_of_a_text_is_a_contract_that_allows_only_reads_and_values_in_a_role(
        parts in proptest::collection::vec(select(&PARTS[..]), 1..6),
    ) {
        let words = parts.concat();
        for tools in catalogues() {
            let text = draft_of_text(&header(), &words, &tools);
            let contract = Contract::parse("draft", &text, &tools);
            let contract = contract.map_err(|found| TestCaseError::fail(format!("{found}\n{text}")))?;
            prop_assert!(!text.contains("from = \"task\""), "{}", text);
            prop_assert!(!text.contains("# Left out"), "{}", text);
            for rule in contract.rules().filter(|rule| rule.kind == contract::RuleKind::Allow) {
                let bound = rule.only && !rule.bounds.is_empty();
                prop_assert!(rule.id.as_str() == "reads" || bound, "{}", text);
            }
        }
    }
}
