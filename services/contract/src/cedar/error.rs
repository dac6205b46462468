//! The error of an invalid condition, with its place.

/// An error in a condition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}")]
pub struct ConditionError {
    at: usize,
    problem: String,
}

impl ConditionError {
    pub(super) fn new(at: usize, problem: impl Into<String>) -> Self {
        let problem = problem.into();
        Self { at, problem }
    }

    /// The place in the text, in bytes from 0.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}
