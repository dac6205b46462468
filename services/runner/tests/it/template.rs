//! Tests that arguments fill a template exactly and never become options or shell text.

use runner::{ArgsError, ExecTool, ExecToolEntry, ToolError};
use serde_json::{Value, json};

fn tool(argv: &Value) -> Result<ExecTool, ToolError> {
    let entry: ExecToolEntry = serde_json::from_value(json!({
        "program": "printf", "argv": argv, "writable": false,
        "limits": {
            "wall_ms": 1000, "cpu_ms_max": 1000, "output_bytes_max": 1000, "memory_bytes_max": 100_000_000,
            "processes_max": 4, "file_bytes_max": 0, "files_open_max": 16,
        },
    }))
    .unwrap();
    ExecTool::try_from(entry.pinned().unwrap())
}

fn value(name: &str, kind: &str, prefix: &str) -> Value {
    json!({"value": {"name": name, "kind": kind, "prefix": prefix}})
}

fn name() -> String {
    "a".to_owned()
}

#[test]
fn values_take_their_places() {
    let argv = json!([{"literal": "-k"}, value("n", "integer", "--key="), {"literal": "--"}, value("a", "list", ""), value("t", "text", "")]);
    let filled = tool(&argv)
        .unwrap()
        .argv(&json!({"n": -2, "a": ["-x", "$(id) b"], "t": ""}));
    assert_eq!(
        filled.unwrap(),
        ["-k", "--key=-2", "--", "-x", "$(id) b", ""]
    );
}

#[test]
fn a_value_that_looks_like_an_option_is_refused() {
    for (kind, given) in [
        ("text", json!("-rf")),
        ("list", json!(["b", "-rf"])),
        ("integer", json!(-1)),
    ] {
        let tool = tool(&json!([value("a", kind, ""), {"literal": "--"}])).unwrap();
        assert_eq!(
            tool.argv(&json!({"a": given})),
            Err(ArgsError::Option { name: name() }),
            "{kind}"
        );
    }
}

#[test]
fn arguments_that_do_not_fit_are_refused() {
    let tool = tool(&json!([value("a", "text", "")])).unwrap();
    assert_eq!(
        tool.argv(&json!({})),
        Err(ArgsError::Missing { name: name() })
    );
    assert_eq!(
        tool.argv(&json!({"a": 1})),
        Err(ArgsError::Type { name: name() })
    );
    assert_eq!(
        tool.argv(&json!({"a": "x\0y"})),
        Err(ArgsError::Nul { name: name() })
    );
    assert_eq!(tool.argv(&json!(["a"])), Err(ArgsError::NotObject));
    assert_eq!(
        tool.argv(&json!({"a": "x".repeat(200_000)})),
        Err(ArgsError::TooLarge)
    );
    let unknown = tool.argv(&json!({"a": "x", "cwd": "/"}));
    assert_eq!(
        unknown,
        Err(ArgsError::Unknown {
            name: "cwd".to_owned()
        })
    );
}

#[test]
fn a_catalogue_entry_is_checked_when_it_is_read() {
    let found = tool(&json!([])).unwrap();
    assert!(found.program().is_absolute());
    let mut entry = serde_json::to_value(&found).unwrap();
    entry["program"] = json!("bin/printf");
    assert!(serde_json::from_value::<ExecTool>(entry.clone()).is_err());
    entry["program"] = json!("/bin/sh");
    entry["cwd"] = json!("/");
    assert!(serde_json::from_value::<ExecTool>(entry).is_err());
    assert!(tool(&json!([value("a", "text", ""), value("a", "list", "")])).is_err());
    let mut entry = crate::call::sh("true");
    entry.limits.wall_ms = 0;
    let error = ExecTool::try_from(entry).unwrap_err();
    assert_eq!(
        error,
        ToolError::Limit {
            limit: "wall_ms",
            min: 1,
            max: 3_600_000
        }
    );
}
