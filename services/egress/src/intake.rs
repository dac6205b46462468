//! The way of an answer from the connection: scrubbed as it arrives, and shown to whoever waits.

use std::time::Duration;

use contract::{Answer, AnswerKind, HttpTool};

use crate::credential::Credential;
use crate::live::{LiveAnswer, Pieces};

/// The time within which each next part of an answer arrives.
const PART: Duration = Duration::from_secs(15);

/// The bounds of an answer, and what it meets on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Intake<'a> {
    /// Most bytes, as sent and as decoded.
    pub(crate) bytes_max: u64,
    /// The time within which each next part arrives.
    pub(crate) part: Duration,
    /// The answer that is shown while it arrives; none if nothing is.
    answer: Option<&'a Answer>,
    /// The secret that is taken out, whoever answers.
    credential: Option<&'a Credential>,
    pieces: Option<&'a Pieces>,
}

impl<'a> Intake<'a> {
    /// The way of answers to requests of the tool, of at most `wall`.
    pub(crate) fn new(
        tool: &'a HttpTool,
        wall: Duration,
        credential: Option<&'a Credential>,
        pieces: Option<&'a Pieces>,
    ) -> Self {
        let answer = tool.answer();
        Self {
            bytes_max: tool.limits().answer_bytes_max,
            // A model that thinks says nothing meanwhile.
            part: match answer.kind {
                AnswerKind::Events => wall,
                AnswerKind::Json | AnswerKind::Text | AnswerKind::Nothing => PART,
            },
            answer: Some(answer),
            credential,
            pieces,
        }
    }

    /// The way of an answer that nobody is shown, with at most so many bytes.
    pub(crate) const fn unseen(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            part: PART,
            answer: None,
            credential: None,
            pieces: None,
        }
    }

    /// Begins to take the body of an answer with this code.
    pub(crate) fn begin(&self, code: u16) -> Taken<'a> {
        let shown = self.answer.zip(self.pieces);
        let shown = shown.filter(|(answer, _)| answer.status.contains(&code));
        Taken {
            credential: self.credential,
            live: shown.and_then(|(answer, pieces)| LiveAnswer::new(answer.kind, pieces)),
            bytes: Vec::new(),
        }
    }
}

/// The body of an answer, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    credential: Option<&'a Credential>,
    live: Option<LiveAnswer<'a>>,
    /// Scrubbed.
    bytes: Vec<u8>,
}

impl Taken<'_> {
    /// Takes the next bytes. Those that may be the beginning of the secret wait for more.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match self.credential {
            Some(credential) => self.keep(&credential.push(bytes)),
            None => self.keep(bytes),
        }
    }

    fn keep(&mut self, scrubbed: &[u8]) {
        if let Some(live) = &mut self.live {
            live.add(scrubbed);
        }
        self.bytes.extend_from_slice(scrubbed);
    }

    /// Returns the whole body.
    pub(crate) fn end(mut self) -> Vec<u8> {
        if let Some(credential) = self.credential {
            let rest = credential.end();
            self.keep(&rest);
        }
        std::mem::take(&mut self.bytes)
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        // What waits of an answer that broke off stands before no other text.
        if let Some(credential) = self.credential {
            drop(credential.end());
        }
    }
}
