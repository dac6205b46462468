//! The event stream of one task: reads server-sent events and reconnects after a break.

use std::time::Duration;

use bus_schema::{Piece, TaskId};
use futures::{Stream, stream};
use http_body_util::BodyExt as _;
use hyper::{StatusCode, body::Incoming};

use super::{Client, Error};
use crate::api::{Event, PIECES, PIECES_QUERY};

/// The read timeout; the gateway sends a comment every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);
/// The maximum number of failed attempts in a row.
const TRIES_MAX: u32 = 10;
/// The first and the longest backoff between two attempts.
const PAUSE: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The maximum size of one event on the wire.
const FRAME_BYTES_MAX: usize = 256 << 10;

/// An item of a followed task.
#[derive(Debug, Clone)]
pub enum Followed {
    /// An event.
    Event(Event),
    /// A piece of an answer that is still arriving; pieces can be lost.
    Piece(Piece),
}

/// One reader of one task.
pub(super) struct Follower {
    client: Client,
    task: TaskId,
    pieces: bool,
    last: u64,
    body: Option<Incoming>,
    frames: Frames,
    tries: u32,
    over: bool,
}

impl Follower {
    /// A reader that also asks for pieces of answers if `pieces` is true.
    pub(super) fn new(client: Client, task: TaskId, pieces: bool) -> Self {
        let frames = Frames::default();
        Self {
            client,
            task,
            pieces,
            last: 0,
            body: None,
            frames,
            tries: 0,
            over: false,
        }
    }

    pub(super) fn all(self) -> impl Stream<Item = Result<Followed, Error>> + Send {
        stream::unfold(self, Self::next)
    }

    async fn next(mut self) -> Option<(Result<Followed, Error>, Self)> {
        while !self.over {
            if let Some(frame) = self.frames.next() {
                let Ok(followed) = frame.read() else {
                    self.over = true;
                    return Some((Err(self.client.not_gateway(200)), self));
                };
                if let Followed::Event(event) = &followed {
                    self.last = event.seq;
                    self.over = event.ends_task();
                }
                self.tries = 0;
                return Some((Ok(followed), self));
            }
            let Err(error) = self.read().await else {
                continue;
            };
            self.body = None;
            self.frames = Frames::default();
            self.tries += 1;
            if !error.is_passing() || self.tries >= TRIES_MAX {
                self.over = true;
                return Some((Err(error), self));
            }
            let pause = PAUSE.0.saturating_mul(1 << self.tries.min(8)).min(PAUSE.1);
            tokio::time::sleep(pause).await;
        }
        None
    }

    /// Reads the next frame; connects first if there is no connection.
    async fn read(&mut self) -> Result<(), Error> {
        let Some(body) = &mut self.body else {
            let query = if self.pieces {
                format!("?{PIECES_QUERY}")
            } else {
                String::new()
            };
            let path = format!("/v1/tasks/{}/events{query}", self.task);
            let mut request = self.client.get(&path);
            if self.last > 0 {
                request = request.header("Last-Event-ID", self.last.to_string());
            }
            let response = self.client.send(request, Vec::new()).await?;
            self.over = response.status() == StatusCode::NO_CONTENT;
            self.body = Some(response.into_body());
            return Ok(());
        };
        let frame = tokio::time::timeout(SILENCE, body.frame()).await;
        let frame = frame.map_err(|_| Error::Silent(self.client.base.clone()))?;
        let Some(frame) = frame else {
            // A regular end, because the access expired: the next connection uses a fresh access.
            self.tries = 0;
            return Err(Error::BrokeOff);
        };
        let frame = frame.map_err(|_| Error::BrokeOff)?;
        let taken = frame.into_data().is_ok_and(|data| self.frames.take(&data));
        if taken {
            Ok(())
        } else {
            Err(self.client.not_gateway(200))
        }
    }
}

/// One event as sent: its name and its data.
#[derive(Default)]
struct Frame {
    name: String,
    data: String,
}

impl Frame {
    fn read(&self) -> Result<Followed, serde_json::Error> {
        if self.name == PIECES {
            serde_json::from_str(&self.data).map(Followed::Piece)
        } else {
            serde_json::from_str(&self.data).map(Followed::Event)
        }
    }
}

/// A decoder that joins lines to events.
#[derive(Default)]
struct Frames {
    bytes: Vec<u8>,
    next: Frame,
}

impl Frames {
    /// Takes bytes; returns false if the unfinished event is too long.
    fn take(&mut self, bytes: &[u8]) -> bool {
        let bounded = self.bytes.len() + self.next.data.len() <= FRAME_BYTES_MAX;
        self.bytes.extend_from_slice(bytes);
        bounded
    }

    /// The next complete event.
    fn next(&mut self) -> Option<Frame> {
        while let Some(end) = self.bytes.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.bytes.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            let line = line.trim_end_matches(['\n', '\r']);
            let value = |value: &str| value.strip_prefix(' ').unwrap_or(value).to_owned();
            if let Some(data) = line.strip_prefix("data:") {
                self.next.data.push_str(&value(data));
            } else if let Some(name) = line.strip_prefix("event:") {
                self.next.name = value(name);
            } else if line.is_empty() && !self.next.data.is_empty() {
                return Some(std::mem::take(&mut self.next));
            }
        }
        None
    }
}
