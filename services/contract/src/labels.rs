//! Holds the labels of what a task has seen, and says what a rule makes of a call that lets something leave.

use serde::{Deserialize, Serialize};

/// Whether something may carry somebody else's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// Written by the owner or by a program the owner trusts.
    Trusted,
    /// May have been written by anybody.
    Untrusted,
}

/// Who may learn something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrecy {
    /// Anybody.
    Public,
    /// The owner and whom the contract names.
    Private,
    /// Nobody outside.
    Secret,
}

/// The labels of one output, or of all that a task has seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// Who may have written it.
    pub integrity: Integrity,
    /// Who may learn it.
    pub secrecy: Secrecy,
}

impl Labels {
    /// Those of a task that has seen nothing but the owner's words.
    pub const START: Self = Self {
        integrity: Integrity::Trusted,
        secrecy: Secrecy::Public,
    };

    /// The labels of both together: on each axis the more careful one.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            integrity: self.integrity.max(other.integrity),
            secrecy: self.secrecy.max(other.secrecy),
        }
    }
}

/// Labels as a catalogue or a line of calls writes them.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum WrittenLabels {
    Word(Integrity),
    Both(Labels),
}

impl From<WrittenLabels> for Labels {
    /// A bare word means `private`.
    fn from(written: WrittenLabels) -> Self {
        match written {
            WrittenLabels::Word(integrity) => Self {
                integrity,
                secrecy: Secrecy::Private,
            },
            WrittenLabels::Both(labels) => labels,
        }
    }
}

/// What a rule makes of a call that lets something leave while the task has seen something it should not follow,
/// or not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowAction {
    /// It is refused.
    Refuse,
    /// A person is asked.
    Ask,
    /// It is permitted.
    Allow,
}

impl FlowAction {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Allow, Self::Ask, Self::Refuse];

    /// The word of the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Ask => "ask",
            Self::Allow => "allow",
        }
    }
}
