//! The pieces of answers that are still arriving, for those who follow a task.

use std::{pin::pin, sync::Arc};

use actor::{Bus, Error};
use bus_schema::{Gateway, Piece, TaskId};
use futures::StreamExt as _;
use tokio::sync::broadcast::{self, error::RecvError};

/// Most pieces that wait for a reader; a slower one misses the oldest.
const WAITING_MAX: usize = 256;

/// The pieces, shared by all readers.
#[derive(Debug)]
pub(crate) struct Pieces(broadcast::Sender<Arc<Piece>>);

impl Default for Pieces {
    fn default() -> Self {
        Self(broadcast::channel(WAITING_MAX).0)
    }
}

impl Pieces {
    /// Follows the pieces of one task.
    pub(crate) fn subscribe(&self, task: TaskId) -> TaskPieces {
        TaskPieces {
            task,
            all: self.0.subscribe(),
        }
    }
}

/// The pieces of one task.
#[derive(Debug)]
pub(crate) struct TaskPieces {
    task: TaskId,
    all: broadcast::Receiver<Arc<Piece>>,
}

impl TaskPieces {
    /// Returns the next piece; none once the gateway stops.
    pub(crate) async fn next(&mut self) -> Option<Arc<Piece>> {
        loop {
            match self.all.recv().await {
                Ok(piece) if piece.task == self.task => return Some(piece),
                Ok(_) | Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return None,
            }
        }
    }
}

/// Hears pieces until the gateway stops.
pub(crate) async fn hear(bus: Bus<Gateway>, pieces: Arc<Pieces>) -> Result<(), Error> {
    let mut heard = pin!(bus.hear::<Piece>().await?);
    while let Some(piece) = heard.next().await {
        // Nobody may follow a task.
        pieces.0.send(Arc::new(piece)).ok();
    }
    Ok(())
}
