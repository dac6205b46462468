//! Defines the outcome of a task, its reason, and the sentence that describes it.

use serde::{Deserialize, Serialize};

use crate::playbook::{Playbook, Step};
use crate::progress::{State, StepRef};

/// The outcome of a task.
///
/// Texts in it may quote field names of outputs, so they belong into content, not into facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Outcome {
    /// Every action succeeded.
    Succeeded,
    /// It ran to its end and passed over some actions, as its playbook states.
    SucceededWithExceptions {
        /// The steps with such actions, in order, at least one.
        exceptions: Vec<Exceptions>,
    },
    /// A step stopped it.
    Failed {
        /// The first item, in the order of the playbook, that stopped it; item 0 when the list of
        /// a `for_each` step is what is wrong.
        at: StepRef,
        /// The reason.
        reason: Reason,
    },
    /// An output that it still needs was erased.
    Erased {
        /// The item that needs it; item 0 when the list of a `for_each` step is built from it.
        at: StepRef,
        /// The item that produced it.
        of: StepRef,
    },
}

/// The numbers of unsuccessful items of a step that the task passed over.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exceptions {
    /// Position of the step in the playbook.
    pub step: u16,
    /// Items that were refused.
    pub refused: u16,
    /// Items that failed.
    pub failed: u16,
    /// Items that may or may not have happened.
    pub unknown: u16,
    /// Items, or 1 for a whole list, that were never proposed because a reference failed.
    pub unresolved: u16,
    /// True if it was refused or failed, and the steps under its `otherwise` ran instead.
    #[serde(default)]
    pub otherwise: bool,
}

/// The reason that a step stopped its task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum Reason {
    /// Its action was refused.
    Refused,
    /// Its action failed, the last of this many attempts.
    Failed {
        /// Attempts made.
        attempts: u8,
    },
    /// Nobody claimed its action in time, the last of this many attempts.
    Lapsed {
        /// Attempts made.
        attempts: u8,
    },
    /// Its action may or may not have happened, the last of this many attempts.
    Unknown {
        /// Attempts made.
        attempts: u8,
    },
    /// A reference names nothing.
    Unresolved {
        /// The reference's source text.
        reference: String,
        /// The value that was found instead.
        found: String,
    },
    /// The condition of its repetition was not met, this many times.
    Never {
        /// The times that it ran, at most.
        times: u16,
    },
    /// It waits for something that is no duration and no moment in reach.
    Wait {
        /// The beginning of the text.
        text: String,
    },
    /// Its arguments cannot be proposed.
    Args {
        /// The problem, as a continuation of "the arguments are".
        problem: String,
    },
}

impl Outcome {
    /// Returns one sentence for a person.
    #[must_use]
    pub fn sentence(&self, playbook: &Playbook) -> String {
        match self {
            Self::Succeeded => "Every action succeeded.".into(),
            Self::SucceededWithExceptions { exceptions } => {
                let each = exceptions.iter().map(|e| e.phrase(playbook));
                let each = each.collect::<Vec<_>>().join("; ");
                format!("The playbook ran to its end, with exceptions: {each}.")
            }
            Self::Failed { at, reason } => {
                format!(
                    "{} {}.",
                    capitalized(&subject(playbook, *at)),
                    reason.predicate()
                )
            }
            Self::Erased { at, of } => format!(
                "{} needs the output of {}, which was erased; run the task again.",
                capitalized(&subject(playbook, *at)),
                subject(playbook, *of),
            ),
        }
    }
}

impl Exceptions {
    fn phrase(&self, playbook: &Playbook) -> String {
        let counts = [
            (self.refused, "refused"),
            (self.failed, "failed"),
            (self.unknown, "unknown"),
            (self.unresolved, "not proposed"),
        ];
        let said = counts.iter().filter(|(count, _)| *count > 0);
        let said = said.map(|(count, what)| format!("{count} {what}"));
        let step = playbook.step(self.step);
        let id = step.map_or("?", |step| step.id().as_str());
        let branches = step
            .filter(|_| self.otherwise)
            .map_or(&[][..], Step::branches);
        let branches = branches.iter().filter_map(|at| playbook.step(*at));
        let branches: Vec<_> = branches.map(|step| format!("`{}`", step.id())).collect();
        let instead = if branches.is_empty() {
            String::new()
        } else {
            format!(", so {} came instead", branches.join(" and "))
        };
        format!(
            "step `{id}`: {}{instead}",
            said.collect::<Vec<_>>().join(", ")
        )
    }

    /// Counts of a step that has passed over nothing.
    pub(crate) fn of(step: u16) -> Self {
        Self {
            step,
            ..Self::default()
        }
    }

    /// Counts an item that ended without success.
    pub(crate) fn count(&mut self, state: State) {
        match state {
            State::Refused => self.refused += 1,
            State::Failed | State::Lapsed => self.failed += 1,
            State::Unknown => self.unknown += 1,
            State::Proposed | State::Asked | State::Granted | State::Succeeded => {}
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        (self.refused, self.failed, self.unknown, self.unresolved) == (0, 0, 0, 0)
    }
}

impl Reason {
    fn predicate(&self) -> String {
        match self {
            Self::Refused => "was refused".into(),
            Self::Failed { attempts } => format!("failed at attempt {attempts}"),
            Self::Lapsed { attempts } => {
                format!("was not claimed in time at attempt {attempts}")
            }
            Self::Unknown { attempts } => {
                format!("may or may not have happened at attempt {attempts}")
            }
            Self::Unresolved { reference, found } => {
                format!("failed: `{reference}` names nothing, because {found}")
            }
            Self::Never { times } => {
                format!("failed: its `until` was not met after {times} times")
            }
            Self::Wait { text } => format!(
                "failed: {text:?} is no duration from 1s to 31d and no moment within 31 days"
            ),
            Self::Args { problem } => format!("failed: its arguments are {problem}"),
        }
    }
}

fn subject(playbook: &Playbook, at: StepRef) -> String {
    match playbook.step(at.step) {
        Some(step) if step.has_items() => format!("item {} of step `{}`", at.item, step.id()),
        Some(step) => format!("step `{}`", step.id()),
        None => format!("step {}", at.step),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|c| c.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}
