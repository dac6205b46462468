//! The demo of calls to a host outside.

use serde_json::Value;

use crate::cli::{end, program};

#[test]
fn the_demo_of_a_call_outside_proves_that_the_secret_stands_nowhere() {
    let ended = end(&mut program(None, &["demo", "--net", "--json"]));
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let report: Value = serde_json::from_str(ended.printed.lines().last().unwrap()).unwrap();
    assert_eq!(report["outcome"], "succeeded");
    assert_eq!(report["requests"], 2);
    assert_eq!(report["verified"], true);
    assert!(report["files"].as_u64() > Some(50), "{report}");
    assert!(report["recorded"].as_u64() > Some(15), "{report}");
    let outcomes: Vec<String> = ended
        .printed
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|event| event["kind"] == "action.finished")
        .map(|event| event["body"]["fact"]["outcome"].to_string())
        .collect();
    assert_eq!(outcomes, ["\"succeeded\"", "\"failed\"", "\"failed\""]);
}

#[test]
fn the_demo_of_a_call_outside_takes_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let ended = end(&mut program(Some(folder.path()), &["demo", "--net"]));
    assert_eq!(ended.code, Some(64), "{ended:?}");
    assert!(ended.said.contains("omit --dir"), "{ended:?}");
}
