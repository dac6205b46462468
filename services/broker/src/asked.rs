//! A request for a secret that has no answer yet.

use bus_schema::{Content, NotReleased, Release, Renew};
use tokio::sync::oneshot;

use crate::effect::{Renewal, Reply};
use crate::sealed::Stored;

/// A request without an answer.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) release: Release,
    /// True once the caller has waited long enough for what is still to be read.
    pub(crate) is_late: bool,
    /// The sealed secret, by the content that was fetched.
    pub(crate) stored: Option<(Content, Stored)>,
    reply: oneshot::Sender<Reply>,
}

impl Asked {
    pub(crate) const fn new(release: Release, reply: oneshot::Sender<Reply>) -> Self {
        Self {
            release,
            is_late: false,
            stored: None,
            reply,
        }
    }

    /// Answers it. The caller may have gone away.
    pub(crate) fn answer(self, reply: Reply) {
        self.reply.send(reply).ok();
    }

    /// Returns what was fetched under a content.
    pub(crate) fn stored(&self, content: &Content) -> Option<&Stored> {
        let (of, stored) = self.stored.as_ref()?;
        (of == content).then_some(stored)
    }
}

/// A renewal that is not on record yet.
#[derive(Debug)]
pub(crate) struct AskedRenewal {
    pub(crate) release: Release,
    pub(crate) version: u32,
    pub(crate) renewal: Renewal,
    pub(crate) is_late: bool,
    reply: oneshot::Sender<Result<(), NotReleased>>,
}

impl AskedRenewal {
    pub(crate) fn new(
        renew: Renew,
        renewal: Renewal,
        reply: oneshot::Sender<Result<(), NotReleased>>,
    ) -> Self {
        let Renew {
            action,
            secret,
            version,
            sealed: _,
        } = renew;
        Self {
            release: Release { action, secret },
            version,
            renewal,
            is_late: false,
            reply,
        }
    }

    /// Answers it. The caller may have gone away.
    pub(crate) fn answer(self, reply: Result<(), NotReleased>) {
        self.reply.send(reply).ok();
    }
}
