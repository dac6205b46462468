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
