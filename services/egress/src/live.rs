//! Cuts an answer that is still arriving into pieces, and says them to whoever waits.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use actor::Bus;
use bus_schema::{ActionId, PIECE_BYTES_MAX, Piece, TaskId};
use contract::AnswerKind;
use tokio::sync::mpsc;

use crate::events::Events;

/// Most pieces of a call that wait; more are lost.
const WAITING_MAX: usize = 256;
/// The time for the pieces that wait at the end of a call.
const LAST: Duration = Duration::from_millis(100);

/// The way out for the pieces of one call. It never waits: a piece that does not fit is lost, and leaves a gap.
#[derive(Debug)]
pub struct Pieces {
    out: mpsc::Sender<(u32, String)>,
    next: AtomicU32,
}

impl Pieces {
    /// Makes one, with the pieces and their places.
    #[must_use]
    pub fn new() -> (Self, mpsc::Receiver<(u32, String)>) {
        let (out, waiting) = mpsc::channel(WAITING_MAX);
        let next = AtomicU32::new(0);
        (Self { out, next }, waiting)
    }

    fn send(&self, text: String) {
        let nth = self.next.fetch_add(1, Ordering::Relaxed);
        if text.len() <= PIECE_BYTES_MAX {
            self.out.try_send((nth, text)).ok();
        }
    }
}

/// Says the pieces of one call as they come.
pub(crate) async fn say(
    bus: Option<&Bus<bus_schema::Egress>>,
    (task, action): (TaskId, ActionId),
    mut pieces: mpsc::Receiver<(u32, String)>,
) {
    while let Some((nth, text)) = pieces.recv().await {
        let Some(bus) = bus else {
            continue;
        };
        bus.say(Piece {
            task,
            action,
            nth,
            text,
        })
        .await;
    }
}

/// Returns the result of a call, while its pieces are said beside it; those that wait at its end have a moment.
pub(crate) async fn beside<T>(call: impl Future<Output = T>, said: impl Future<Output = ()>) -> T {
    let mut said = pin!(said);
    let output = tokio::select! {
        output = call => output,
        never = async { said.as_mut().await; std::future::pending::<T>().await } => never,
    };
    tokio::time::timeout(LAST, said).await.ok();
    output
}

/// The part of an answer that is not said yet.
#[derive(Debug)]
pub(crate) struct LiveAnswer<'a> {
    form: Form,
    pieces: &'a Pieces,
}

#[derive(Debug)]
enum Form {
    Events(Events),
    /// The bytes of a character that has not arrived as a whole.
    Text(Vec<u8>),
}

impl<'a> LiveAnswer<'a> {
    /// Begins an answer; none of a kind that has no pieces.
    pub(crate) fn new(kind: AnswerKind, pieces: &'a Pieces) -> Option<Self> {
        let form = match kind {
            AnswerKind::Events => Form::Events(Events::default()),
            AnswerKind::Text => Form::Text(Vec::new()),
            AnswerKind::Json | AnswerKind::Nothing | AnswerKind::Download => return None,
        };
        Some(Self { form, pieces })
    }

    /// Takes the next bytes.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        match &mut self.form {
            Form::Events(events) => {
                // The whole answer has the fault.
                for event in events.push(bytes).unwrap_or_default() {
                    self.pieces.send(event.data);
                }
            }
            Form::Text(held) => {
                held.extend_from_slice(bytes);
                for chunk in text_of(held) {
                    self.pieces.send(chunk);
                }
            }
        }
    }
}

/// Takes the whole characters off the beginning, in texts of at most the size of a piece.
fn text_of(held: &mut Vec<u8>) -> Vec<String> {
    let mut texts = Vec::new();
    loop {
        let end = held.len().min(PIECE_BYTES_MAX);
        let part = held.get(..end).unwrap_or_default();
        let whole = match std::str::from_utf8(part) {
            Ok(text) => text.len(),
            Err(error) => error.valid_up_to(),
        };
        if whole == 0 {
            return texts;
        }
        let taken: Vec<u8> = held.drain(..whole).collect();
        texts.push(String::from_utf8_lossy(&taken).into_owned());
    }
}
