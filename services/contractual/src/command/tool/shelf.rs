//! `tool shelf`: the tools that ship as entries for common programs, and where those programs come from.

use std::path::Path;

use contract::Catalogue;
use serde_json::Value;

use crate::{Error, Output};

/// The help of `tool shelf` after its arguments.
pub(super) const HELP: &str = "Example: contractual tool shelf --json >shelf.json\n\n\
    `tool add --shelf NAME…` signs tools of the shelf with the digests of this machine's programs. With --json it prints \
    their entries, which can be changed and added as any other.\n\n\
    Exit codes: 0 listed";

/// The file that `tool add --shelf` reads, as errors name it.
pub(super) const FILE: &str = "the shelf";

/// Programs, each with the package of Debian that has it.
const PACKAGES: [(&str, &str); 7] = [
    ("bsdtar", "libarchive-tools"),
    ("git", "git"),
    ("jq", "jq"),
    ("pdftotext", "poppler-utils"),
    ("python3", "python3"),
    ("sqlite3", "sqlite3"),
    ("w3m", "w3m"),
];

/// Prints the tools of the shelf, one on each line.
pub(super) fn run(out: &Output) -> Result<(), Error> {
    let catalogue = Catalogue::parse(runner::SHELF.as_bytes())
        .map_err(|error| Error::Document(error.to_string()))?;
    let entries: Vec<&Value> = catalogue.tools().map(contract::Tool::entry).collect();
    out.print(&entries, || {
        let lines = catalogue.tools().map(|tool| {
            let (name, effect) = (tool.name(), tool.effects().most().word());
            let program = tool.program().unwrap_or_default();
            let state = if is_here(program) {
                program.to_owned()
            } else {
                format!("{program} is missing: {}", installing(program))
            };
            format!("{name:<20} {effect:<8} {state}")
        });
        lines.collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// Returns what to do about a missing program, named by a JSON text.
pub(super) fn missing_program(program: &str) -> String {
    let program: String = serde_json::from_str(program).unwrap_or_default();
    let how = installing(&program);
    format!("{how}, or name another one by its absolute path")
}

/// Returns how to install a program.
fn installing(program: &str) -> String {
    let name = Path::new(program)
        .file_name()
        .and_then(|name| name.to_str());
    let package = PACKAGES.iter().find(|(known, _)| Some(*known) == name);
    package.map_or_else(
        || "install the program".to_owned(),
        |(_, package)| format!("install the program (`apt install {package}` on Debian)"),
    )
}

fn is_here(program: &str) -> bool {
    let mut folders = runner::SYSTEM_PATH.split(':').map(Path::new);
    folders.any(|folder| folder.join(program).is_file())
}
