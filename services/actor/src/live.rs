//! Live messages: how they are numbered, what counts as audit's word, and which head of the log is the newest.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bus_schema::{Body, Head, Live as _, Verifier, wire};

use crate::LogHead;

/// Bits for the live messages of one process; the rest is its place in the stream.
const COUNT_BITS: u32 = 28;

/// Numbers live messages: higher in each later process, whatever its clock says.
#[derive(Debug, Default)]
pub struct Numbers(AtomicU64);

impl Numbers {
    /// The process's first event was stored at `seq`: no earlier process has one as late.
    pub fn begin(&self, seq: u64) {
        self.0.fetch_max(seq << COUNT_BITS, Ordering::Relaxed);
    }

    /// The next number; before [`Numbers::begin`] it says nothing about earlier processes.
    pub fn draw(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// The head that a message on its subject brings, with its number; none if audit did not say it, and say it as a
/// head: the server sends there whatever somebody has it send.
pub fn said(verifier: &mut Verifier, body: &[u8], signature: &str) -> Option<(Head, u64)> {
    verifier.check_message(Head::BY, body, signature).ok()?;
    let said: Body<Head> = wire::decode(body).ok()?;
    let is_head = said.subject == Head::subject() && said.author == Head::BY;
    is_head.then_some((said.fact, said.seq))
}

/// The newest word of audit about its log.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    newest: Option<(Head, Duration, u64)>,
}

impl Heads {
    /// Takes in a genuine head with its number, heard `elapsed` after the process started. `began` is the place
    /// of the process's own first event.
    pub fn hear(&mut self, head: Head, number: u64, began: Option<u64>, elapsed: Duration) {
        // A head that was said before is no sign of life.
        let newer = self
            .newest
            .as_ref()
            .is_none_or(|(_, _, last)| number > *last);
        // Nor is one that does not know of this process: it could have been kept until now.
        let since = began.is_some_and(|began| head.size > began);
        if newer && since {
            self.newest = Some((head, elapsed, number));
        }
    }

    /// The newest one, and how long ago it came.
    #[must_use]
    pub fn newest(&self, elapsed: Duration) -> Option<LogHead> {
        self.newest.as_ref().map(|(head, at, _)| LogHead {
            head: head.clone(),
            age: elapsed.saturating_sub(*at),
        })
    }
}
