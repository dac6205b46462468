//! Doubt: an executor that finds a different stream from the one it has read acts only after the owner adopts it.

use std::cmp::Ordering;

use bus_schema::{AuthorId, Digest, DoubtFact, Meta, StreamDoubted};
use serde::{Deserialize, Serialize};

/// The health text of an executor in doubt.
pub const IN_DOUBT: &str = "this is a different stream from the one it has read: nothing is claimed; find out who replaced or \
                            restored it, then run `contractual stream adopt`";

/// The last position of an executor in a stream that it does not find again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    lost_seq: u64,
    lost: Digest,
    is_said: bool,
}

impl Doubt {
    /// Returns true if the stream holds the doubt.
    #[must_use]
    pub const fn is_said(&self) -> bool {
        self.is_said
    }

    /// The fact that records the doubt.
    #[must_use]
    pub const fn fact(&self) -> StreamDoubted {
        StreamDoubted {
            lost_seq: self.lost_seq,
            lost: self.lost,
        }
    }
}

/// The standing of an executor in the stream; kept beside its projection, and never lost with a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    doubt: Option<Doubt>,
    /// The place at which the owner adopted this stream; 0 without an adoption.
    adopted: u64,
    /// A recent position and the message there: a snapshot may be much older, or useless to a later version.
    stood: Option<(u64, Digest)>,
}

impl Standing {
    /// The doubt, if any.
    #[must_use]
    pub const fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// Notes the last folded message if it is after the noted one; returns `true` if so.
    pub fn stand(&mut self, seq: u64, digest: Digest) -> bool {
        let is_further = self.stood.is_none_or(|(stood, _)| seq > stood);
        if is_further {
            self.stood = Some((seq, digest));
        }
        is_further
    }

    /// Returns true if the stream lacks the noted message. After the message at `before`, the stream's next one is at
    /// `seq` with this digest; `is_last` means that none comes after it.
    #[must_use]
    pub fn misses(&self, before: u64, seq: u64, digest: Digest, is_last: bool) -> bool {
        self.stood.is_some_and(|(stood, noted)| {
            before < stood
                && match seq.cmp(&stood) {
                    Ordering::Less => is_last,
                    Ordering::Equal => digest != noted,
                    Ordering::Greater => true,
                }
        })
    }

    /// Starts a doubt: the stream lacks the last folded message, at `seq`, or the message noted after it. An earlier
    /// doubt stays, because only the first one knows the executor's last position.
    pub fn lose(&mut self, seq: u64, digest: Digest) {
        let noted = self.stood.filter(|(stood, _)| *stood > seq);
        let (lost_seq, lost) = match self.doubt {
            Some(first) => (first.lost_seq, first.lost),
            None => noted.unwrap_or((seq, digest)),
        };
        *self = Self {
            doubt: Some(Doubt {
                lost_seq,
                lost,
                is_said: false,
            }),
            adopted: 0,
            stood: None,
        };
    }

    /// Handles a genuine fact about the doubt of `me`; returns `true` if something changed. An adoption that names
    /// another message than the lost one belongs to another doubt.
    pub fn heed(&mut self, me: AuthorId, meta: &Meta, fact: &DoubtFact) -> bool {
        let Some(doubt) = &mut self.doubt else {
            return false;
        };
        match fact {
            DoubtFact::StreamDoubted(_, said) => {
                let is_mine = meta.by == me && said.lost == doubt.lost && !doubt.is_said;
                doubt.is_said |= is_mine;
                is_mine
            }
            DoubtFact::StreamAdopted(_, said) => {
                let ends =
                    meta.by == AuthorId::Owner && said.executor == me && said.lost == doubt.lost;
                if ends {
                    self.doubt = None;
                    self.adopted = meta.seq;
                }
                ends
            }
        }
    }

    /// Returns true if a grant at `seq` of the stream may not be claimed.
    #[must_use]
    pub const fn bars(&self, seq: u64) -> bool {
        self.doubt.is_some() || seq <= self.adopted
    }
}
