//! The reason that a text is no cron expression.

/// The reason that a text is no cron expression, and what to write instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {fix}")]
pub struct NotCron {
    /// The problem.
    pub problem: String,
    /// The repair.
    pub fix: String,
}

impl NotCron {
    pub(super) fn new(problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}
