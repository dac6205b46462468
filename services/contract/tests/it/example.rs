//! Checks that the shipped example is accepted and works as its first screen states.

use contract::{Call, Catalogue, Contract, Record, Verdict, decide};

use crate::view;

const TOOLS: &[u8] = include_bytes!("../../../../deploy/examples/stocktake/tools.json");
const TEXT: &str = include_str!("../../../../deploy/examples/stocktake/contract.toml");

#[test]
fn stocktake_lists_reads_adds_up_asks_and_refuses() {
    let tools = Catalogue::parse(TOOLS).unwrap();
    let contract =
        Contract::parse("contract.toml", TEXT, &tools).unwrap_or_else(|found| panic!("{found}"));
    let say = |tool: &str, args: &str| {
        let call = Call {
            tool,
            args: args.as_bytes(),
        };
        serde_json::to_value(decide(
            &contract,
            &tools,
            &view(0, &Record::default()),
            &call,
        ))
        .unwrap()
    };
    assert_eq!(
        say("file.list", r#"{"path":".","pattern":"*.txt"}"#)["verdict"],
        "granted"
    );
    assert_eq!(
        say("invoice.total", r#"{"paths":["a.txt","b.txt"]}"#)["verdict"],
        "granted"
    );
    assert_eq!(
        say("invoice.total", r#"{"paths":["a.txt","../b.txt"]}"#)["verdict"],
        "refused"
    );
    assert_eq!(
        say("file.write", r#"{"path":"report.md","text":"x"}"#)["verdict"],
        "ask"
    );
    let refused = say("file.delete", r#"{"path":"a.txt"}"#);
    assert_eq!(refused["rule"], "default");
    assert_eq!(
        refused["fix"],
        "add to the contract:\n[[ask]]\ntool = \"file.delete\"\nwhere.path = \"a.txt\"\n\
         reason = \"this call cannot be undone, or moves money\"\nexpires = \"900s\""
    );
}

#[test]
fn unknown_tool_stays_unknown_with_any_clock() {
    let tools = Catalogue::parse(TOOLS).unwrap();
    let contract = Contract::parse("contract.toml", TEXT, &tools).unwrap();
    for now_ms in [i64::MIN, -1, 0, contract.expires_ms() - 1] {
        let call = Call {
            tool: "file.erase",
            args: b"{}",
        };
        let verdict = decide(&contract, &tools, &view(now_ms, &Record::default()), &call);
        assert!(matches!(
            verdict,
            Verdict::Refused {
                code: contract::Code::UnknownTool,
                ..
            }
        ));
        assert!(contract.in_force("c", TEXT, now_ms).is_ok());
    }
    let late = contract
        .in_force("contract.toml", TEXT, contract.expires_ms())
        .unwrap_err();
    assert_eq!((late.shown()[0].line(), late.shown()[0].column()), (5, 12));
    assert_eq!(
        contract.digest(),
        bus_schema::Digest::of(&[TEXT.as_bytes()])
    );
}

/// A contract over the other file tools that ship; its tests say what it means.
const SHELF: &str = r#"
contract = "shelf"
version = 1
purpose = "Tidy notes"
owner = "The test"
expires = 2036-12-31

[[allow]]
tool = "file.search"
where.path = { path = "notes/**" }
where.pattern = { length = { max = 100 } }
only = true

[[allow]]
name = "tidy"
tool = "file.move"
where.path = { path = "notes/**" }
where.to = { path = "notes/old/*" }
where.overwrite = { present = false }

[[allow]]
name = "bring-back"
tool = "file.move"
where.path = { from = { tool = "file.trash", field = "to" } }
where.to = { from = { tool = "file.trash", field = "path" } }
where.overwrite = { present = false }

[[allow]]
tool = "file.trash"
where.path = { path = "notes/*.md" }

[[allow]]
tool = "text.diff"
where.path = { path = "notes/*" }
where.to = { path = "notes/*" }

[[ask]]
tool = "file.patch"
where.path = { path = "notes/*" }
reason = "A note is changed."
expires = "15m"

[[test]]
call = { tool = "file.search", args = { path = "notes/2026", pattern = "rent" } }
expect = "allow"

[[test]]
call = { tool = "file.search", args = { path = ".", pattern = "rent" } }
expect = "deny"

[[test]]
call = { tool = "file.search", args = { path = "notes/a", pattern = "rent", regex = true } }
expect = "deny"

[[test]]
call = { tool = "file.move", args = { path = "notes/a.md", to = "notes/old/a.md" } }
expect = "allow"

[[test]]
call = { tool = "file.move", args = { path = "notes/a.md", to = "notes/old/../../keys" } }
expect = "deny"

[[test]]
call = { tool = "file.move", args = { path = "notes/../keys", to = "notes/old/a.md" } }
expect = "deny"

[[test]]
call = { tool = "file.move", args = { path = "notes/a.md", to = "notes/old/a.md", overwrite = true } }
expect = "deny"

[[test]]
name = "after-a-search"
earlier = [{ tool = "file.search", args = { path = "notes/a", pattern = "x" } }]
call = { tool = "file.move", args = { path = "notes/a.md", to = "notes/old/a.md" } }
expect = "ask"

[[test]]
earlier = [{ tool = "file.search", args = { path = "notes/a", pattern = "x" } }]
call = { tool = "file.trash", args = { path = "notes/a.md" } }
expect = "allow"

[[test]]
earlier = [{ tool = "file.trash", args = { path = "notes/a.md" }, result = { path = "notes/a.md", to = ".trash/0/notes/a.md" } }]
call = { tool = "file.move", args = { path = ".trash/0/notes/a.md", to = "notes/a.md" } }
expect = "allow"

[[test]]
earlier = [{ tool = "file.trash", args = { path = "notes/a.md" }, result = { path = "notes/a.md", to = ".trash/0/notes/a.md" } }]
call = { tool = "file.move", args = { path = ".trash/1/keys", to = "notes/a.md" } }
expect = "deny"

[[test]]
call = { tool = "text.diff", args = { path = "notes/a.md", to = "keys" } }
expect = "deny"

[[test]]
call = { tool = "file.patch", args = { path = "notes/a.md", diff = "@@ -1 +1 @@" } }
expect = "ask"

[[test]]
call = { tool = "file.patch", args = { path = "keys", diff = "@@ -1 +1 @@" } }
expect = "deny"
"#;

#[test]
fn file_tools_are_bounded_by_their_paths_and_by_what_the_task_did() {
    let tools = Catalogue::parse(TOOLS).unwrap();
    Contract::parse("shelf.toml", SHELF, &tools).unwrap_or_else(|found| panic!("{found}"));
    // The tests of the contract can fail.
    let wider = SHELF.replace("{ path = \"notes/old/*\" }", "{ path = \"**\" }");
    assert_ne!(wider, SHELF);
    let wider = wider.replace("to = \"notes/old/../../keys\"", "to = \"keys\"");
    assert!(Contract::parse("shelf.toml", &wider, &tools).is_err());
}
