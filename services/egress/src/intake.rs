//! The way of an answer from the connection: scrubbed as it arrives, and shown to whoever waits.

use std::path::Path;
use std::time::Duration;

use contract::{Answer, AnswerKind, HttpTool};

use crate::credential::Credential;
use crate::fault::Fault;
use crate::live::{LiveAnswer, Pieces};
use crate::spool::Spool;

/// The time within which each next part of an answer arrives.
const PART: Duration = Duration::from_secs(15);
/// Most bytes of an answer without success to a request for a download.
const ERROR_BYTES_MAX: u64 = 64 << 10;

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
    /// The folder of downloads.
    folder: &'a Path,
}

impl<'a> Intake<'a> {
    /// The way of answers to requests of the tool, of at most `wall`; downloads have at most `granted` bytes and are kept
    /// in `folder`.
    pub(crate) fn new(
        tool: &'a HttpTool,
        (wall, granted): (Duration, u64),
        (credential, pieces): (Option<&'a Credential>, Option<&'a Pieces>),
        folder: &'a Path,
    ) -> Self {
        let answer = tool.answer();
        let bytes_max = tool.limits().answer_bytes_max;
        Self {
            bytes_max: match answer.kind {
                AnswerKind::Download => bytes_max.min(granted),
                AnswerKind::Json | AnswerKind::Text | AnswerKind::Nothing | AnswerKind::Events => {
                    bytes_max
                }
            },
            // A model that thinks says nothing meanwhile.
            part: match answer.kind {
                AnswerKind::Events => wall,
                AnswerKind::Json
                | AnswerKind::Text
                | AnswerKind::Nothing
                | AnswerKind::Download => PART,
            },
            answer: Some(answer),
            credential,
            pieces,
            folder,
        }
    }

    /// The way of an answer that nobody is shown, with at most so many bytes.
    pub(crate) fn unseen(bytes_max: u64) -> Self {
        Self {
            bytes_max,
            part: PART,
            answer: None,
            credential: None,
            pieces: None,
            folder: Path::new(""),
        }
    }

    /// The way of a next answer of the call, after answers with so many bytes.
    pub(crate) fn after(self, bytes: u64) -> Self {
        Self {
            bytes_max: self.bytes_max.saturating_sub(bytes),
            ..self
        }
    }

    fn is_success(&self, code: u16) -> bool {
        self.answer
            .is_some_and(|answer| answer.status.contains(&code))
    }

    fn is_download(&self) -> bool {
        self.answer
            .is_some_and(|answer| answer.kind == AnswerKind::Download)
    }

    /// Most bytes of an answer with this code, as sent and as decoded.
    pub(crate) fn bytes_max_of(&self, code: u16) -> u64 {
        if self.is_download() && !self.is_success(code) {
            return self.bytes_max.min(ERROR_BYTES_MAX);
        }
        self.bytes_max
    }

    /// Begins to take the body of an answer with this code.
    ///
    /// # Errors
    /// [`Fault::Disk`]
    pub(crate) async fn begin(&self, code: u16) -> Result<Taken<'a>, Fault> {
        let shown = self
            .answer
            .zip(self.pieces)
            .filter(|_| self.is_success(code));
        let spool = if self.is_download() && self.is_success(code) {
            Some(Spool::new(self.folder).await?)
        } else {
            None
        };
        Ok(Taken {
            credential: self.credential,
            hits: self.credential.map_or(0, Credential::hits),
            live: shown.and_then(|(answer, pieces)| LiveAnswer::new(answer.kind, pieces)),
            bytes: Vec::new(),
            spool,
        })
    }
}

/// The body of an answer, as far as it has arrived.
#[derive(Debug)]
pub(crate) struct Taken<'a> {
    credential: Option<&'a Credential>,
    /// The finds before this body.
    hits: u64,
    live: Option<LiveAnswer<'a>>,
    /// Scrubbed.
    bytes: Vec<u8>,
    /// The place of a download instead.
    spool: Option<Spool>,
}

impl Taken<'_> {
    /// Takes the next bytes. Those that may be the beginning of the secret wait for more.
    ///
    /// # Errors
    /// [`Fault::Disk`], and [`Fault::SecretInFile`] of a download with the secret.
    pub(crate) async fn add(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        match self.credential {
            Some(credential) => {
                let scrubbed = credential.push(bytes);
                self.keep(&scrubbed).await
            }
            None => self.keep(bytes).await,
        }
    }

    async fn keep(&mut self, scrubbed: &[u8]) -> Result<(), Fault> {
        if let Some(live) = &mut self.live {
            live.add(scrubbed);
        }
        let Some(spool) = &mut self.spool else {
            self.bytes.extend_from_slice(scrubbed);
            return Ok(());
        };
        // A file with a marker in it is neither the file of the host nor one without its traces.
        if self.credential.map_or(0, Credential::hits) > self.hits {
            return Err(Fault::SecretInFile);
        }
        spool.add(scrubbed).await
    }

    /// Returns the whole body: its bytes, or the file of a download.
    ///
    /// # Errors
    /// As [`Taken::add`].
    pub(crate) async fn end(mut self) -> Result<(Vec<u8>, Option<Spool>), Fault> {
        if let Some(credential) = self.credential {
            let rest = credential.end();
            self.keep(&rest).await?;
        }
        Ok((std::mem::take(&mut self.bytes), self.spool.take()))
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
