//! Finds the tools of a draft that a person calls too much, by their names, parts of their names, or what they do.

use std::collections::BTreeSet;

use contract::{Catalogue, Contract, Effect, Tool};
use diagnostic::escaped;

use crate::model_line::is_model;

/// The words that name nothing.
const IGNORED: [&str; 20] = [
    "without", "no", "not", "never", "too", "much", "is", "are", "it", "may", "the", "a", "an",
    "and", "or", "do", "any", "please", "all", "that",
];

/// Returns the tools that the words name.
///
/// # Errors
/// The problem: a word that names nothing, or no word at all.
pub(crate) fn tools(
    said: &str,
    contract: &Contract,
    catalogue: &Catalogue,
) -> Result<BTreeSet<String>, String> {
    let envelope = contract::envelope(contract, catalogue);
    let permitted = |tool: &&Tool| envelope.tools.iter().any(|one| one.name == *tool.name());
    let tools: Vec<&Tool> = catalogue
        .tools()
        .filter(permitted)
        .filter(|tool| !is_model(tool.name().as_str()))
        .collect();
    let mut found = BTreeSet::new();
    let lower = said.to_lowercase();
    let words = lower.split(|c: char| c.is_whitespace() || ",;:!?\"'`".contains(c));
    let words = words.map(|word| word.trim_matches('.'));
    let words = words.filter(|word| !word.is_empty() && !IGNORED.contains(word));
    for word in words {
        let named = tools.iter().filter(|tool| is_named(tool, word));
        let before = found.len();
        found.extend(named.map(|tool| tool.name().to_string()));
        if found.len() == before && !found.iter().any(|name| name == word) {
            let names: Vec<&str> = tools.iter().map(|tool| tool.name().as_str()).collect();
            return Err(format!(
                "`{}` names nothing in the draft; name a tool, or say reads, changes or sends. Its tools: {}",
                escaped(word),
                names.join(", ")
            ));
        }
    }
    if found.is_empty() {
        return Err("answer yes, no or edit, or name what is too much".to_owned());
    }
    Ok(found)
}

/// Returns true if a word is the name of a tool, a part of it, or what the tool does.
fn is_named(tool: &Tool, word: &str) -> bool {
    let name = tool.name().as_str();
    if word.contains('.') {
        return name == word;
    }
    let does: &[&str] = match tool.effects().most() {
        Effect::Read => &["read"],
        Effect::Write => &["change", "write"],
        Effect::Tell | Effect::Outward => &["send"],
    };
    let parts = name.split(|c: char| !c.is_alphanumeric());
    let mut known = parts.chain(does.iter().copied());
    known.any(|part| is_form(part, word))
}

/// Returns true if `word` is `part`, or a form of it: `writes` and `writing` of `write`.
fn is_form(part: &str, word: &str) -> bool {
    let stem = part.strip_suffix('e').unwrap_or(part);
    word == part
        || word.strip_suffix('s') == Some(part)
        || word.strip_suffix("ing") == Some(part)
        || word.strip_suffix("ing") == Some(stem)
}

#[cfg(test)]
mod tests {
    use super::is_form;

    #[test]
    fn a_form_of_a_verb_is_found_and_another_word_is_not() {
        for word in ["write", "writes", "writing"] {
            assert!(is_form("write", word), "{word}");
        }
        for word in ["sends", "sending"] {
            assert!(is_form("send", word), "{word}");
        }
        for word in ["writer", "read", "ing", "s", ""] {
            assert!(!is_form("write", word), "{word}");
        }
    }
}
