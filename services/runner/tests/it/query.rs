//! Tests `json.query` and `csv.query`: what they read, and what they refuse.

use std::os::unix::fs::symlink;

use runner::{FileError, Workspace};
use serde_json::{Value, json};

use crate::call::Ground;
use crate::files::{call, write};

const JSON: &str = r#"{"a/b": [1, {"n": null, "big": 18446744073709551615}], "é": "x", "": true}"#;
const CSV: &str = "name,city,note\r\nAnn,Bonn,\"a, \"\"b\"\"\r\nc\"\r\nBob,Köln,\r\nEve,Bonn,x\r\n";

fn json_query(workspace: &Workspace, path: &str, pointers: &Value) -> Result<Value, FileError> {
    let args = json!({"path": path, "pointers": pointers});
    let output = call(workspace, "json.query", &args)?;
    let mut output: Value = serde_json::from_slice(&output).unwrap();
    Ok(output.get_mut("values").unwrap().take())
}

fn csv_query(workspace: &Workspace, args: &Value) -> Result<Value, FileError> {
    let output = call(workspace, "csv.query", args)?;
    Ok(serde_json::from_slice(&output).unwrap())
}

#[test]
fn pointers_name_places_of_json() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.json", JSON).unwrap();
    for (pointer, found, value) in [
        ("/a~1b/0", true, json!(1)),
        ("/a~1b/1/n", true, Value::Null),
        ("/a~1b/1/big", true, json!(u64::MAX)),
        ("/é", true, json!("x")),
        ("/", true, json!(true)),
        ("/a~1b/2", false, Value::Null),
        ("/a~1b/00", false, Value::Null),
        ("/é/0", false, Value::Null),
        ("", true, serde_json::from_str(JSON).unwrap()),
    ] {
        let values = json_query(&workspace, "a.json", &json!([pointer])).unwrap();
        let expected = json!([{"pointer": pointer, "found": found, "value": value}]);
        assert_eq!(values, expected, "{pointer}");
    }
    let both = json_query(&workspace, "a.json", &json!(["/é", "/none", "/é"])).unwrap();
    assert_eq!(both.as_array().unwrap().len(), 3);
}

#[test]
fn what_is_no_strict_json_or_no_place_is_refused() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.json", JSON).unwrap();
    write(&workspace, "twice.json", r#"{"a": 1, "a": 2}"#).unwrap();
    write(&workspace, "open.json", "{\n\"a\": ").unwrap();
    write(&workspace, "deep.json", &"[".repeat(100_000)).unwrap();
    write(
        &workspace,
        "many.json",
        &format!("[\"{}\"]", "x".repeat(600_000)),
    )
    .unwrap();
    for (path, pointers, words) in [
        ("twice.json", json!([""]), "duplicate key"),
        ("open.json", json!([""]), "line 2"),
        ("deep.json", json!([""]), "no strict JSON"),
        ("many.json", json!(["/0", ""]), "the values is larger"),
        ("a.json", json!(["a"]), "no JSON Pointer"),
        ("a.json", json!([]), "1 to 100"),
        ("a.json", json!(vec![""; 101]), "1 to 100"),
        (
            "a.json",
            json!([format!("/{}", "x".repeat(1_024))]),
            "no JSON Pointer",
        ),
    ] {
        let refused = actor::chain(&json_query(&workspace, path, &pointers).unwrap_err());
        assert!(refused.contains(words), "{path} {pointers}: {refused}");
    }
}

#[test]
fn rows_are_selected_by_values_of_columns() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.csv", CSV).unwrap();
    let all = csv_query(&workspace, &json!({"path": "a.csv"})).unwrap();
    let expected = json!({
        "columns": ["name", "city", "note"],
        "rows": [
            {"name": "Ann", "city": "Bonn", "note": "a, \"b\"\r\nc"},
            {"name": "Bob", "city": "Köln", "note": ""},
            {"name": "Eve", "city": "Bonn", "note": "x"},
        ],
        "matched": 3,
    });
    assert_eq!(all, expected);
    let args =
        json!({"path": "a.csv", "columns": ["name"], "equals": {"city": "Bonn"}, "rows_max": 1});
    let found = csv_query(&workspace, &args).unwrap();
    assert_eq!(found["rows"], json!([{"name": "Ann"}]));
    assert_eq!(found["matched"], 2);
    let both = json!({"path": "a.csv", "equals": {"city": "Bonn", "name": "Bob"}});
    assert_eq!(csv_query(&workspace, &both).unwrap()["rows"], json!([]));
    write(&workspace, "b.csv", "\u{feff}n;m\n1;2\n").unwrap();
    let args = json!({"path": "b.csv", "separator": ";"});
    let found = csv_query(&workspace, &args).unwrap();
    assert_eq!(found["rows"], json!([{"n": "1", "m": "2"}]));
    write(&workspace, "empty.csv", "").unwrap();
    let none = csv_query(&workspace, &json!({"path": "empty.csv"})).unwrap();
    assert_eq!(none, json!({"columns": [], "rows": [], "matched": 0}));
}

#[test]
fn results_of_tables_are_bounded_and_counted() {
    let ground = Ground::new();
    let workspace = ground.open();
    let row = format!("{}\n", "x".repeat(1_023));
    let text = format!("n\n{}", row.repeat(3_000));
    std::fs::write(ground.workspace.join("a.csv"), text).unwrap();
    let found = csv_query(&workspace, &json!({"path": "a.csv", "rows_max": 10_000})).unwrap();
    assert_eq!(found["rows"].as_array().unwrap().len(), 1_024);
    assert_eq!(found["matched"], 3_000);
    let found = csv_query(&workspace, &json!({"path": "a.csv"})).unwrap();
    assert_eq!(found["rows"].as_array().unwrap().len(), 1_000);
}

#[test]
fn what_is_no_table_is_refused_and_says_why() {
    let ground = Ground::new();
    let workspace = ground.open();
    write(&workspace, "a.csv", CSV).unwrap();
    write(&workspace, "odd.csv", "a,b\n1,2,3\n").unwrap();
    write(&workspace, "twice.csv", "a,a\n1,2\n").unwrap();
    std::fs::write(ground.workspace.join("latin.csv"), b"a\n\xe9\n").unwrap();
    std::fs::write(
        ground.workspace.join("large.csv"),
        vec![b'a'; 16 * 1024 * 1024 + 1],
    )
    .unwrap();
    for (args, words) in [
        (json!({"path": "odd.csv"}), "is no table"),
        (json!({"path": "latin.csv"}), "is no table"),
        (json!({"path": "large.csv"}), "the file is larger"),
        (json!({"path": "twice.csv"}), "several columns `a`"),
        (
            json!({"path": "a.csv", "columns": ["none"]}),
            "no column `none`, but name, city, note",
        ),
        (
            json!({"path": "a.csv", "equals": {"none": "x"}}),
            "no column `none`",
        ),
        (json!({"path": "a.csv", "rows_max": 10_001}), "`rows_max`"),
        (
            json!({"path": "a.csv", "separator": "a"}),
            "`separator` is none",
        ),
        (
            json!({"path": "a.csv", "separator": "\""}),
            "`separator` is none",
        ),
        (
            json!({"path": "a.csv", "separator": "é"}),
            "`separator` is none",
        ),
        (json!({"path": "a.csv", "separator": ";;"}), "schema"),
    ] {
        let refused = actor::chain(&csv_query(&workspace, &args).unwrap_err());
        assert!(refused.contains(words), "{args}: {refused}");
    }
}

#[test]
fn queries_read_only_plain_files_of_the_workspace() {
    let ground = Ground::new();
    std::fs::write(ground.root.join("key"), "[1]").unwrap();
    symlink("../key", ground.workspace.join("link")).unwrap();
    symlink("..", ground.workspace.join("up")).unwrap();
    std::fs::hard_link(ground.root.join("key"), ground.workspace.join("hard")).unwrap();
    let workspace = ground.open();
    for path in [
        "link",
        "up/key",
        "hard",
        "up",
        "none",
        "../key",
        "/etc/passwd",
    ] {
        assert!(
            json_query(&workspace, path, &json!([""])).is_err(),
            "{path}"
        );
        assert!(
            csv_query(&workspace, &json!({ "path": path })).is_err(),
            "{path}"
        );
    }
}
