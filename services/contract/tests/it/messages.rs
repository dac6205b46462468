//! Compares the diagnostics of each broken contract in `tests/errors` with the golden file.
//!
//! To add a case, add a `.toml` there; to accept new messages, copy the file that the failing
//! test names over the golden one.

use std::fmt::Write as _;
use std::path::Path;

use contract::Contract;

#[test]
fn every_broken_contract_is_explained() {
    let tools = crate::tools();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/errors");
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| {
        path.extension()
            .is_some_and(|extension| extension == "toml")
    });
    files.sort();
    let mut found = String::new();
    for path in &files {
        let name = path.file_name().unwrap().to_str().unwrap();
        let text = std::fs::read_to_string(path).unwrap();
        let Err(errors) = Contract::parse(name, &text, &tools) else {
            panic!("{name} is accepted");
        };
        for one in errors.shown() {
            assert!(!one.fix().is_empty(), "{one}");
        }
        writeln!(found, "{errors}\n").unwrap();
    }
    assert!(
        files.len() >= 20,
        "only {} broken contracts were found",
        files.len()
    );
    let golden = std::fs::read_to_string(folder.join("golden.txt")).unwrap_or_default();
    if golden != found {
        let new = Path::new(env!("CARGO_TARGET_TMPDIR")).join("golden.txt");
        std::fs::write(&new, &found).unwrap();
        panic!(
            "the messages differ; compare {} with tests/errors/golden.txt",
            new.display()
        );
    }
}
