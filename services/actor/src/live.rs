//! Live messages: their numbers, the check of audit's heads, and the newest head.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use bus_schema::{Body, Head, Live as _, Verifier, wire};

use crate::LogHead;

/// Bits for the live messages of one process; the rest is its place in the stream.
const COUNT_BITS: u32 = 28;

/// The numbers of live messages: higher in each later process, independent of clocks.
#[derive(Debug, Default)]
pub struct Numbers(AtomicU64);

impl Numbers {
    /// Starts at the place `seq` of the process's first event, which is after that of every earlier process.
    pub fn begin(&self, seq: u64) {
        self.0.fetch_max(seq << COUNT_BITS, Ordering::Relaxed);
    }

    /// Returns the next number; before [`Numbers::begin`] it may be lower than numbers of earlier processes.
    pub fn draw(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}

/// Returns the head in a message on its subject, with its number; none if audit did not sign it as a head. The check
/// is needed because others can make the server send messages there.
pub fn said(verifier: &mut Verifier, body: &[u8], signature: &str) -> Option<(Head, u64)> {
    verifier.check_message(Head::BY, body, signature).ok()?;
    let said: Body<Head> = wire::decode(body).ok()?;
    let is_head = said.subject == Head::subject() && said.author == Head::BY;
    is_head.then_some((said.fact, said.seq))
}

/// Audit's newest head.
#[derive(Debug, Clone, Default)]
pub struct Heads {
    newest: Option<(Head, Duration, u64)>,
}

impl Heads {
    /// Takes a genuine head with its number, received `elapsed` after the process started. `began` is the place of the
    /// process's own first event.
    pub fn hear(&mut self, head: Head, number: u64, began: Option<u64>, elapsed: Duration) {
        // A repeated head is no sign of life.
        let newer = self
            .newest
            .as_ref()
            .is_none_or(|(_, _, last)| number > *last);
        // Nor is a head that does not cover this process's first event: it could have been kept until now.
        let since = began.is_some_and(|began| head.size > began);
        if newer && since {
            self.newest = Some((head, elapsed, number));
        }
    }

    /// Returns the newest head and its age.
    #[must_use]
    pub fn newest(&self, elapsed: Duration) -> Option<LogHead> {
        self.newest.as_ref().map(|(head, at, _)| LogHead {
            head: head.clone(),
            age: elapsed.saturating_sub(*at),
        })
    }
}
