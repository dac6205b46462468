//! `tool check`: checks tools without a deployment.

use std::path::PathBuf;

use clap::Args;
use deployment::read_catalogue_text;
use serde_json::json;

use super::{entry, programs::Programs};
use crate::{Error, Output};

/// `tool check …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual tool check word-count.json\n\n\
    Checks each tool as `tool add` does: its schemas, effect, risk and labels, its template, its limits, and the program \
    and its files on this machine.\n\n\
    Exit codes: 0 good · 64 a tool is not valid")]
pub(crate) struct Arguments {
    /// One tool, or a list of tools, such as word-count.json.
    file: PathBuf,
    /// Names of the tools to check; all of the file if left out.
    names: Vec<String>,
}

impl Arguments {
    pub(super) fn run(&self, out: &Output) -> Result<(), Error> {
        let text = read_catalogue_text(&self.file)?;
        let file = self.file.display().to_string();
        let entries = entry::read(&file, &text, &self.names, &Programs::Here(None), &|_| false);
        let entries = entries.map_err(|found| Error::Document(found.to_string()))?;
        let names: Vec<_> = entries.iter().map(|entry| entry.name.as_str()).collect();
        let open = entries.iter().filter(|entry| entry.is_pinned);
        let open: Vec<_> = open.map(|entry| entry.name.as_str()).collect();
        let words: Vec<&String> = entries
            .iter()
            .filter_map(|entry| entry.words.as_ref())
            .collect();
        let said = json!({"tools": names, "without_digests": open, "words": words});
        out.print(&said, || {
            let mut text = format!("good: {}", names.join(", "));
            if !open.is_empty() {
                text.push_str(&format!(
                    "\nnote     `tool add` fills in the digests of {}",
                    open.join(", ")
                ));
            }
            for words in &words {
                text.push_str(&format!("\nnote     {words}"));
            }
            text
        });
        Ok(())
    }
}
