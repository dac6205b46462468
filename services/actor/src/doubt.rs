//! Whether an executor may act in the stream that it reads: not in another one than it stood in, until the owner adopts
//! that one.

use std::cmp::Ordering;

use bus_schema::{AuthorId, Digest, DoubtFact, Meta, StreamDoubted};
use serde::{Deserialize, Serialize};

/// What an executor in doubt says of itself.
pub const IN_DOUBT: &str = "this is another stream than the one it stood in: nothing is claimed; find out who replaced or \
                            restored it, then run `contractual stream adopt`";

/// Where an executor stood in a stream that it does not find again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    lost_seq: u64,
    lost: Digest,
    is_said: bool,
}

impl Doubt {
    /// Whether the stream holds it.
    #[must_use]
    pub const fn is_said(&self) -> bool {
        self.is_said
    }

    /// What there is to say of it.
    #[must_use]
    pub const fn fact(&self) -> StreamDoubted {
        StreamDoubted {
            lost_seq: self.lost_seq,
            lost: self.lost,
        }
    }
}

/// How an executor stands to the stream; kept beside its projection, and never lost with a snapshot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    doubt: Option<Doubt>,
    /// Where the owner adopted this stream; 0 if nobody had to.
    adopted: u64,
    /// Where it stood lately, and the message there: a snapshot may be much older, or be of no use to a later version.
    stood: Option<(u64, Digest)>,
}

impl Standing {
    /// What is doubted.
    #[must_use]
    pub const fn doubt(&self) -> Option<&Doubt> {
        self.doubt.as_ref()
    }

    /// Notes the last message that was folded, if it is further than what was noted; `true` if so.
    pub fn stand(&mut self, seq: u64, digest: Digest) -> bool {
        let is_further = self.stood.is_none_or(|(stood, _)| seq > stood);
        if is_further {
            self.stood = Some((seq, digest));
        }
        is_further
    }

    /// Whether the stream does not hold the message that was noted: behind the one at `before`, its next one is at `seq`
    /// and has this digest; `is_last` says that there is none behind that.
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

    /// Takes in that the stream does not hold the message that was folded last, at `seq`, or noted after it. A doubt that
    /// stands already stays: only the first one knows where the executor acted last.
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

    /// Takes in a genuine fact about the doubt of `me`; `true` if something changed. An adoption that names another
    /// message than the lost one is of another time.
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

    /// Whether what was granted at `seq` of the stream may not be claimed.
    #[must_use]
    pub const fn bars(&self, seq: u64) -> bool {
        self.doubt.is_some() || seq <= self.adopted
    }
}
