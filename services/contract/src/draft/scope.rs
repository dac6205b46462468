//! The scope of a draft: the tools that it leaves out, and the model that works on the words.

use std::collections::BTreeSet;

use crate::catalogue::Tool;

/// The scope of a draft.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DraftScope {
    /// The tools that it leaves out.
    pub without: BTreeSet<String>,
    /// The model that works on the words; none without one.
    pub model: Option<ModelRule>,
}

/// The rule that permits the calls of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelRule {
    /// The name of the rule.
    pub rule: String,
    /// The tool of the model.
    pub tool: String,
    /// The lines of the rule, without its tokens.
    pub lines: String,
    /// The tokens that are reserved for a call.
    pub tokens: u64,
    /// Most tokens of one task.
    pub tokens_max: u64,
}

impl ModelRule {
    /// Writes the rule.
    pub(super) fn text(&self) -> String {
        format!(
            "\n# The model that works on the task.\n{}\ntokens = {} # reserved for each call\n",
            self.lines, self.tokens
        )
    }
}

impl DraftScope {
    /// Returns true if the draft has its own rule about a tool.
    pub(super) fn has(&self, tool: &Tool) -> bool {
        let name = tool.name().as_str();
        let is_model = self.model.as_ref().is_some_and(|model| model.tool == name);
        !is_model && !self.without.contains(name)
    }

    /// Writes the limit of tokens, if a model uses some.
    pub(super) fn limit(&self) -> String {
        let model = self.model.as_ref();
        model.map_or_else(String::new, |model| {
            format!("tokens = {}\n", model.tokens_max)
        })
    }

    /// Writes the line of a rule whose calls use no tokens: a limit of tokens needs it.
    pub(super) const fn no_tokens(&self) -> &'static str {
        match self.model {
            Some(_) => "tokens = 0\n",
            None => "",
        }
    }
}
