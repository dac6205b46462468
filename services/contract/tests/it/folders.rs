//! Checks that a contract says where its calls act: in its text, its envelope, its description and its differences.

use bus_schema::{ContractFolders, wire};
use contract::{Contract, Drift, ReadNow, diff, drift, envelope, show};

fn contract(head: &str) -> Contract {
    crate::contract(
        &format!("{head}\n[[allow]]\ntool = \"note.read\""),
        &crate::tools(),
    )
}

fn folders(workspace: Option<&str>, read: &[&str]) -> ContractFolders {
    ContractFolders {
        workspace: workspace.map(|name| name.parse().unwrap()),
        read: read.iter().map(|name| name.parse().unwrap()).collect(),
    }
}

#[test]
fn the_envelope_has_the_folders_of_the_text() {
    let tools = crate::tools();
    for (head, expected) in [
        ("", folders(None, &[])),
        ("workspace = \"main\"", folders(None, &[])),
        ("workspace = \"photos\"", folders(Some("photos"), &[])),
        ("folders = [\"b\", \"a\"]", folders(None, &["a", "b"])),
        (
            "workspace = \"photos\"\nfolders = [\"reference\"]",
            folders(Some("photos"), &["reference"]),
        ),
    ] {
        let contract = contract(head);
        assert_eq!(*contract.folders(), expected, "{head}");
        assert_eq!(envelope(&contract, &tools).folders, expected, "{head}");
    }
}

#[test]
fn the_envelope_of_a_contract_without_folders_has_the_bytes_of_before() {
    let envelope = envelope(&contract(""), &crate::tools());
    let bytes = wire::encode(&envelope);
    let named = |key: &[u8]| bytes.windows(key.len()).any(|part| part == key);
    assert!(named(b"approvers"));
    assert!(!named(b"folders"));
}

#[test]
fn the_description_and_the_difference_say_where_calls_act() {
    let tools = crate::tools();
    let (plain, there) = (
        contract(""),
        contract("workspace = \"photos\"\nfolders = [\"reference\", \"data\"]"),
    );
    let text = show(&there, &tools).text();
    for part in [
        "- Its file tools and programs act in the workspace `photos`, and in no other.",
        "may also read the folders `@data` and `@reference`",
        "cannot change anything there.",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    assert!(!show(&plain, &tools).text().contains("workspace"));
    let found = diff(&plain, &there, &tools);
    let rules: Vec<&str> = found
        .entries
        .iter()
        .map(|entry| entry.rule.as_str())
        .collect();
    assert_eq!(rules, ["workspace", "folders"]);
    assert!(
        found
            .entries
            .iter()
            .all(|entry| entry.before.is_none() && entry.after.is_some())
    );
    assert!(found.calls.is_empty());
    assert!(diff(&there, &there, &tools).entries.is_empty());
}

#[test]
fn an_envelope_with_other_folders_than_the_text_is_drift() {
    let tools = crate::tools();
    let signed = envelope(&contract("workspace = \"photos\""), &tools);
    let entries = contract::entries(&tools, &signed);
    let pins = contract::pins(
        &tools,
        bus_schema::Sealed::new(bus_schema::Salt::new([7; 32]), &entries)
            .unwrap()
            .content(),
    );
    let found = |now: &Contract| -> Option<Drift> {
        let now = envelope(now, &tools);
        let now = ReadNow {
            catalogue: &tools,
            envelope: Ok(&now),
        };
        drift((&pins, &signed), Some(&entries), &now)
    };
    assert!(found(&contract("workspace = \"photos\"")).is_none());
    let text = found(&contract("")).unwrap().text();
    assert!(text.contains("/folders"), "{text}");
}
