//! Tests that the runner executes the tools of the newest catalogue that the owner signed, and no others.

use actor::Core as _;
use bus_schema::testing::key;
use bus_schema::{AuthorId, CatalogueSigned, Deployment, DraftGrant, Owner, RefusalCode};
use contract::Catalogue;
use executor::Input;
use serde_json::Value;

use crate::core::{claimed, declined};
use crate::stream::{Stream, Wants, contract, document, draft, envelope, sealed, task};

/// The catalogue with a change in one entry.
fn with(name: &str, change: impl Fn(&mut Value)) -> Vec<u8> {
    let mut tools: Vec<Value> = serde_json::from_slice(&document()).unwrap();
    let tool = tools.iter_mut().find(|tool| tool["name"] == name).unwrap();
    change(tool);
    let text = serde_json::to_vec(&tools).unwrap();
    Catalogue::document(&text).unwrap().0
}

fn described(name: &str) -> Vec<u8> {
    with(name, |tool| tool["description"] = "another".into())
}

/// A grant of another task than `draft` has.
fn of_other_task(n: u128, tool: &str) -> DraftGrant {
    let task = task(2);
    DraftGrant {
        task,
        ..draft(n, tool)
    }
}

/// The catalogue with another digest of the program of `sh`.
fn with_another_program() -> Vec<u8> {
    with("sh", |tool| {
        let files = tool.pointer_mut("/exec/sha256").unwrap();
        for digest in files.as_object_mut().unwrap().values_mut() {
            *digest = "0".repeat(64).into();
        }
    })
}

#[test]
fn without_a_signed_catalogue_every_grant_is_declined() {
    let mut stream = Stream::without_catalogue();
    stream.sign(contract(), envelope());
    stream.core.input(Input::Probed(Ok(())));
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoCatalogue));
    let trouble = stream.core.trouble().unwrap();
    assert!(trouble.contains("contractual tool add"), "{trouble}");
    stream.sign_catalogue(1, &document());
    stream.install(&document());
    assert_eq!(stream.wants(), claimed(1));
    assert_eq!(stream.core.trouble(), None);
}

#[test]
fn a_grant_waits_until_the_newest_catalogue_was_read() {
    let mut stream = Stream::new();
    let newer = described("sh");
    stream.sign_catalogue(2, &newer);
    stream.ready(draft(1, "file.write"));
    stream.ready(of_other_task(2, "sh"));
    assert_eq!(stream.wants(), Wants::default());
    // That of another signature is none of the newest.
    stream.install(&document());
    assert_eq!(stream.wants(), Wants::default());
    stream.install(&newer);
    let wants = stream.wants();
    assert_eq!(wants.claims, claimed(1).claims);
    assert_eq!(wants.appends, declined(2, RefusalCode::Tool).appends);
}

#[test]
fn only_a_higher_version_replaces_a_catalogue() {
    let mut stream = Stream::new();
    for version in [0, 1] {
        stream.sign_catalogue(version, &described("file.write"));
        stream.install(&document());
        stream.ready(draft(u128::from(version) + 1, "file.write"));
    }
    assert_eq!(stream.wants().claims.len(), 1, "one chain takes one claim");
    stream.restart();
    assert_eq!(stream.wants().appends, []);
}

#[test]
fn a_catalogue_of_another_signer_is_junk() {
    for signer in [AuthorId::Policy, AuthorId::Runner] {
        let mut stream = Stream::new();
        let document = sealed(&described("file.write")).content();
        stream.log.keys.insert(AuthorId::Owner, key(signer));
        let version = 2;
        let fact = CatalogueSigned { version, document };
        assert!(!stream.say::<Owner, _>(Deployment, fact));
        stream.ready(draft(1, "file.write"));
        assert_eq!(stream.wants().appends, []);
        assert_eq!(stream.core.trouble(), None);
    }
}

#[test]
fn only_the_tool_of_a_changed_program_is_declined_and_health_says_what_to_write() {
    let mut stream = Stream::new();
    let changed = with_another_program();
    stream.sign_catalogue(2, &changed);
    stream.install(&changed);
    stream.ready(draft(1, "sh"));
    stream.ready(of_other_task(2, "file.write"));
    let wants = stream.wants();
    assert_eq!(wants.claims, claimed(2).claims);
    assert_eq!(wants.appends, declined(1, RefusalCode::Tool).appends);
    let trouble = stream.core.trouble().unwrap();
    for part in [
        "the tool `sh`",
        "\"sha256\": {",
        "contractual tool pin",
        "contractual tool add",
    ] {
        assert!(trouble.contains(part), "{trouble}");
    }
}

#[test]
fn erased_or_unreadable_catalogue_has_no_tool() {
    for document in [None, Some(&b"[ ]"[..]), Some(b"{}"), Some(b"")] {
        let installed = runner::read_tools(document);
        let name = "file.write".parse().unwrap();
        assert_eq!(installed.digest(&name), None);
        let trouble = installed.trouble().unwrap();
        assert!(trouble.contains("contractual tool add"), "{trouble}");
    }
}

#[test]
fn every_name_of_a_built_in_tool_is_one() {
    for name in runner::Tool::built_in_names() {
        assert!(runner::Tool::built_in(name).is_some(), "{name}");
    }
    assert_eq!(runner::Tool::built_in("file.other"), None);
}
