//! What `doctor` found: good, or bad with a fix; a finding that is bad and has none cannot be made.

use serde::Serialize;

use deployment::tailnet::sidecar::Known;

use crate::{Error, Output};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    /// What was looked at.
    what: String,
    /// Whether it is good.
    ok: bool,
    /// What was seen.
    text: String,
    /// What to do about it; stands there exactly if it is not good.
    #[serde(skip_serializing_if = "Option::is_none")]
    fix: Option<String>,
}

/// Something that is not good, and what to do about it.
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

    /// An error, which says what is wrong and may say more.
    pub(super) fn of(error: &dyn std::error::Error, fix: impl Into<String>) -> Self {
        Self::new(actor::chain(error), fix)
    }

    /// The same, with what can be seen of it from outside before it.
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
    /// Whether it is good.
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

    /// # Errors
    /// [`Error::Found`] if anything is not good.
    pub(super) fn report(self, out: &Output) -> Result<(), Error> {
        out.print(&self.0, || {
            let lines: Vec<_> = self.0.iter().map(Finding::line).collect();
            lines.join("\n")
        });
        match self.0.iter().filter(|finding| !finding.ok).count() {
            0 => Ok(()),
            bad => Err(Error::Found(format!(
                "{bad} of {} checks found something",
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
