//! Changes of settings and their way back: nothing of the person's is lost.

use std::{fs, path::Path};

use serde_json::{Value, json};

use super::{Format, Setting, SettingEdit};

fn setting(file: &Path, keys: &[&str], change: SettingEdit) -> Setting {
    let mut setting = Setting::json(file, keys, change);
    if file.extension().is_some_and(|ending| ending == "toml") {
        setting.format = Format::Toml;
    }
    setting
}

fn value(file: &Path) -> Value {
    let text = fs::read_to_string(file).unwrap();
    match file.extension().unwrap().to_str().unwrap() {
        "toml" => toml::from_str(&text).unwrap(),
        _ => serde_json::from_str(&text).unwrap(),
    }
}

#[test]
fn a_new_file_is_created_with_its_folder_and_removed_again() {
    let folder = tempfile::tempdir().unwrap();
    for name in [".a/settings.json", ".b/config.toml"] {
        let file = folder.path().join(name);
        let entry = SettingEdit::Set(json!({"command": "x", "args": ["a b", "\"c\""]}));
        let set = setting(&file, &["servers", "ours"], entry).apply().unwrap();
        let added = SettingEdit::Add(vec![json!("p"), json!("q")]);
        let added = setting(&file, &["list"], added).apply().unwrap();
        let expected = json!({
            "servers": {"ours": {"command": "x", "args": ["a b", "\"c\""]}}, "list": ["p", "q"],
        });
        assert_eq!(value(&file), expected);
        assert!(added.undo().unwrap() && set.undo().unwrap());
        assert!(!file.exists(), "{name}");
    }
}

#[test]
fn values_of_the_person_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let json_text = r#"{"permission": "ask", "deny": ["mine", "p"], "other": {"x": 1}}"#;
    let toml_text =
        "# My settings.\npermission = \"ask\"\ndeny = [\"mine\", \"p\"]\n\n[other]\nx = 1 # one\n";
    for (name, text) in [("a.json", json_text), ("b.toml", toml_text)] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let before = value(&file);
        let changes = [
            (vec!["permission"], SettingEdit::Set(json!(false))),
            (vec!["deny"], SettingEdit::Add(vec![json!("p"), json!("q")])),
            (vec!["other", "y"], SettingEdit::Set(json!("new"))),
            (vec!["new", "a.b", "c"], SettingEdit::Set(json!("trusted"))),
        ];
        let made: Vec<_> = changes
            .into_iter()
            .map(|(keys, change)| setting(&file, &keys, change).apply().unwrap())
            .collect();
        let now = value(&file);
        assert_eq!(now["deny"], json!(["mine", "p", "q"]));
        assert_eq!(now["new"]["a.b"]["c"], "trusted");
        assert!(made.iter().rev().all(|change| change.undo().unwrap()));
        assert_eq!(value(&file), before, "{name}");
    }
    let text = fs::read_to_string(folder.path().join("b.toml")).unwrap();
    assert!(
        text.contains("# My settings.") && text.contains("# one"),
        "{text}"
    );
}

#[test]
fn a_value_that_was_changed_since_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let set = setting(&file, &["x"], SettingEdit::Set(json!(1)))
        .apply()
        .unwrap();
    let add = setting(&file, &["list"], SettingEdit::Add(vec![json!("p")]));
    let add = add.apply().unwrap();
    fs::write(&file, r#"{"x": 2, "list": ["p", "theirs"]}"#).unwrap();
    assert!(!set.undo().unwrap());
    assert!(add.undo().unwrap());
    assert_eq!(value(&file), json!({"x": 2, "list": ["theirs"]}));
}

#[test]
fn settings_that_cannot_be_changed_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text, part) in [
        ("a.json", "{\"x\": 1, // remark\n}", "a.json: key must be"),
        ("b.json", "{\"x\": 1}", "`x` is no list"),
        ("c.json", "{\"x\": [1]}", "has no table around it"),
        ("d.toml", "x = = 1", "d.toml"),
        ("e.json", "[]", "has no table around it"),
    ] {
        let file = folder.path().join(name);
        fs::write(&file, text).unwrap();
        let keys: &[&str] = if name == "c.json" {
            &["x", "y"]
        } else {
            &["x"]
        };
        let error = setting(&file, keys, SettingEdit::Add(vec![json!(1)])).apply();
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains(part) && error.contains("move the file away"),
            "{error}"
        );
        assert_eq!(fs::read_to_string(&file).unwrap(), text);
    }
}
