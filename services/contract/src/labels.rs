//! Labels of the data that a task has read, and the flow actions on outward calls.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

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

    /// Returns true if anybody may have written the data.
    #[must_use]
    pub fn is_untrusted(self) -> bool {
        self.integrity == Integrity::Untrusted
    }

    /// Returns true if nobody outside may read the data.
    #[must_use]
    pub fn is_secret(self) -> bool {
        self.secrecy == Secrecy::Secret
    }

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

/// The labels of an output, and of single fields of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputLabels {
    /// The labels of the whole output.
    pub labels: Labels,
    /// The paths of fields that a trusted program writes although the rest may be anybody's, such as ids and sizes.
    pub(crate) trusted: Arc<BTreeSet<String>>,
}

/// The labels of an output as written in a catalogue.
#[derive(Debug, Clone, Deserialize)]
#[serde(
    untagged,
    expecting = "`output` is \"trusted\", \"untrusted\", or { integrity, secrecy }, perhaps with `fields`"
)]
pub(crate) enum WrittenOutput {
    Word(Integrity),
    Both(WrittenOutputLabels),
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct WrittenOutputLabels {
    integrity: Integrity,
    secrecy: Secrecy,
    #[serde(default)]
    fields: BTreeMap<String, Integrity>,
}

impl WrittenOutput {
    /// The labels of the whole output.
    pub(crate) fn labels(&self) -> Labels {
        match self {
            Self::Word(integrity) => WrittenLabels::Word(*integrity).into(),
            Self::Both(WrittenOutputLabels {
                integrity, secrecy, ..
            }) => Labels {
                integrity: *integrity,
                secrecy: *secrecy,
            },
        }
    }

    /// The labels of single fields, by path.
    pub(crate) fn fields(&self) -> &BTreeMap<String, Integrity> {
        static NONE: BTreeMap<String, Integrity> = BTreeMap::new();
        match self {
            Self::Word(_) => &NONE,
            Self::Both(both) => &both.fields,
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
