//! Findings of `doctor`: each is good, or is bad and has a fix.

use serde::Serialize;

use deployment::tailnet::sidecar::Known;

use crate::{Error, Output};

/// The result of one check.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// The name of the check.
    what: String,
    /// True if the check found no problem.
    ok: bool,
    /// The observation.
    text: String,
    /// The fix; present exactly if the finding is bad.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// A problem and its fix.
#[derive(Debug, Clone)]
pub(super) struct Fault {
    seen: String,
    fix: String,
}

impl Fault {
    pub(super) fn new(seen: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            seen: seen.into(),
            fix: fix.into(),
        }
    }

    /// Makes a fault of an error with its causes.
    pub(super) fn of(error: &dyn std::error::Error, fix: impl Into<String>) -> Self {
        Self::new(actor::chain(error), fix)
    }

    /// Adds another observation.
    pub(super) fn and_also(self, seen: &str) -> Self {
        Self::new(format!("{}; {seen}", self.seen), self.fix)
    }

    /// Puts the observed state before the problem.
    pub(super) fn while_it_is(self, state: &str) -> Self {
        Self::new(format!("{state}: {}", self.seen), self.fix)
    }
}

impl From<Known> for Fault {
    fn from(known: Known) -> Self {
        Self::new(known.seen, known.fix)
    }
}

#[derive(Debug, Default)]
pub(super) struct Findings(Vec<Finding>);

impl Findings {
    /// Adds the result of a check; returns true if it is good.
    pub(super) fn note(&mut self, what: impl Into<String>, seen: Result<String, Fault>) -> bool {
        let ok = seen.is_ok();
        let (text, fix) = match seen {
            Ok(text) => (text, None),
            Err(Fault { seen, fix }) => (seen, Some(fix)),
        };
        self.0.push(Finding {
            what: what.into(),
            ok,
            text,
            fix,
        });
        ok
    }

    /// Prints all findings.
    ///
    /// # Errors
    /// [`Error::Found`] if a finding is bad.
    pub(super) fn report(self, out: &Output) -> Result<(), Error> {
        out.print(&self.0, || {
            let lines: Vec<_> = self.0.iter().map(Finding::line).collect();
            lines.join("\n")
        });
        match self.0.iter().filter(|finding| !finding.ok).count() {
            0 => Ok(()),
            bad => Err(Error::Found(format!(
                "{bad} of {} checks found a problem",
                self.0.len()
            ))),
        }
    }
}

impl Finding {
    fn line(&self) -> String {
        let mark = if self.ok { "ok  " } else { "BAD " };
        let fix = self.fix.iter().map(|fix| format!("; {fix}"));
        format!(
            "{mark} {:<22} {}{}",
            self.what,
            self.text.trim_end(),
            fix.collect::<String>()
        )
    }
}
