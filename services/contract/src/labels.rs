//! Labels of the data that a task has read, and the flow actions on outward calls.

use serde::{Deserialize, Serialize};

/// The trust in the author of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Integrity {
    /// Written by the owner or by a program the owner trusts.
    Trusted,
    /// May have been written by anybody.
    Untrusted,
}

/// The permitted readers of data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Secrecy {
    /// Anybody.
    Public,
    /// The owner and the people that the contract names.
    Private,
    /// Nobody outside.
    Secret,
}

/// The labels of one output, or of all data that a task has read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Labels {
    /// The trust in the author.
    pub integrity: Integrity,
    /// The permitted readers.
    pub secrecy: Secrecy,
}

impl Labels {
    /// The labels of a task that has read only the task text.
    pub const START: Self = Self {
        integrity: Integrity::Trusted,
        secrecy: Secrecy::Public,
    };

    /// Joins two labels: on each axis the more careful one.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        Self {
            integrity: self.integrity.max(other.integrity),
            secrecy: self.secrecy.max(other.secrecy),
        }
    }
}

/// Labels as written in a catalogue or a line of calls.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(untagged)]
pub(crate) enum WrittenLabels {
    Word(Integrity),
    Both(Labels),
}

impl From<WrittenLabels> for Labels {
    /// Converts written labels; a single word implies `private`.
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

/// The action on an outward call after the task has read untrusted data
/// or a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FlowAction {
    /// The call is refused.
    Refuse,
    /// A person is asked.
    Ask,
    /// The call is permitted.
    Allow,
}

impl FlowAction {
    /// All actions.
    pub(crate) const ALL: [Self; 3] = [Self::Allow, Self::Ask, Self::Refuse];

    /// The word in the contract.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Ask => "ask",
            Self::Allow => "allow",
        }
    }
}
