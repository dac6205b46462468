//! `contract diff`: what another version of a contract changes, with calls that both versions decide.

use super::{parse, read_catalogue, read_text};
use crate::{Dir, Error, args::DiffArguments, output::Output};

/// Prints what the new version changes against the old one.
///
/// # Errors
/// [`Error::Document`] with what is wrong with a contract or the tools; [`Error::Found`] if some calls are decided
/// differently.
pub fn diff(dir: &Dir, arguments: &DiffArguments, out: &Output) -> Result<(), Error> {
    let tools = arguments.tools.clone().unwrap_or_else(|| dir.catalogue());
    let tools = read_catalogue(&tools)?;
    let read = |path: &std::path::Path| {
        let text = read_text(path)?;
        parse(&path.display().to_string(), &text, &tools)
    };
    let (old, new) = (read(&arguments.old)?, read(&arguments.new)?);
    let found = policy::diff(&old, &new, &tools);
    out.print(&found, || found.text());
    match found.entries.len() {
        0 => Ok(()),
        1 => Err(Error::Found(
            "the contracts differ in one rule or limit".to_owned(),
        )),
        many => Err(Error::Found(format!(
            "the contracts differ in {many} rules and limits"
        ))),
    }
}
