//! Why a condition cannot be used, and where.

/// Why a condition is refused.
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

    /// Where in the text, in bytes from 0.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }
}
