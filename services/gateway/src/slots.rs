//! A limit on concurrent connections or uploads: if all slots are taken, a new holder displaces the one that has let the
//! gateway wait for longest.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use tokio::{
    sync::Notify,
    time::{Instant, timeout_at},
};

/// The slots and their holders.
#[derive(Debug)]
pub(crate) struct Slots {
    size: usize,
    /// The maximum time that a holder is kept.
    kept: Duration,
    holders: Mutex<Holders>,
    /// The signal that a slot is free or another holder can be displaced.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Holders {
    present: BTreeMap<u64, Holder>,
    /// A counter that orders the holders' changes of state.
    turn: u64,
}

#[derive(Debug)]
struct Holder {
    state: State,
    /// The turn at which it entered this state.
    since: u64,
    leave: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It is new: its first input is not read yet.
    New,
    /// The gateway waits for it.
    Awaited,
    /// The gateway works for it, and keeps it until this instant.
    Working(Instant),
    /// It was displaced and is leaving.
    Leaving,
}

impl State {
    fn gives_way(self, now: Instant) -> bool {
        match self {
            Self::Awaited => true,
            Self::Working(until) => until <= now,
            Self::New | Self::Leaving => false,
        }
    }
}

impl Holders {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Displaces the holder that has been awaited for longest; returns false if no holder gives way.
    fn displace(&mut self) -> bool {
        let now = Instant::now();
        let giving_way = self.present.values_mut();
        let giving_way = giving_way.filter(|holder| holder.state.gives_way(now));
        let Some(oldest) = giving_way.min_by_key(|holder| holder.since) else {
            return false;
        };
        oldest.state = State::Leaving;
        oldest.leave.notify_one();
        true
    }

    /// The time at which the next kept holder gives way.
    fn next_end(&self) -> Option<Instant> {
        let kept = self.present.values();
        let kept = kept.filter_map(|holder| match holder.state {
            State::Working(until) => Some(until),
            State::New | State::Awaited | State::Leaving => None,
        });
        kept.min()
    }
}

impl Slots {
    /// `size` slots; a holder is kept for at most `kept`.
    pub(crate) fn new(size: usize, kept: Duration) -> Arc<Self> {
        Arc::new(Self {
            size,
            kept,
            holders: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// Takes a slot, and displaces a holder if none is free; waits only while all holders are kept or leaving.
    pub(crate) async fn enter(self: &Arc<Self>) -> Slot {
        let mut displaced = false;
        loop {
            let changed = self.changed.notified();
            let next_end = {
                let mut holders = self.holders();
                if holders.present.len() < self.size {
                    return self.take(&mut holders);
                }
                displaced = displaced || holders.displace();
                holders.next_end().filter(|_| !displaced)
            };
            match next_end {
                Some(end) => drop(timeout_at(end, changed).await),
                None => changed.await,
            }
        }
    }

    fn take(self: &Arc<Self>, holders: &mut Holders) -> Slot {
        let (turn, leave) = (holders.next_turn(), Arc::new(Notify::new()));
        let holder = Holder {
            state: State::New,
            since: turn,
            leave: Arc::clone(&leave),
        };
        holders.present.insert(turn, holder);
        Slot {
            slots: Arc::clone(self),
            holder: turn,
            leave,
        }
    }

    fn holders(&self) -> MutexGuard<'_, Holders> {
        self.holders.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A holder's slot; dropping it frees the slot.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    holder: u64,
    leave: Arc<Notify>,
}

impl Slot {
    /// Keeps the slot, because the gateway works for the holder; returns false if the holder was displaced.
    #[must_use]
    pub(crate) fn keep(&self) -> bool {
        self.turn(State::Working(Instant::now() + self.slots.kept))
    }

    /// Gives way from now on, after all that already do, because the gateway waits for the holder.
    pub(crate) fn give_way(&self) {
        self.turn(State::Awaited);
    }

    /// Returns when the holder is displaced. A new holder gives way only from here on, so that its first input is
    /// read first.
    pub(crate) async fn displaced(&self) {
        if self.is_new() {
            self.give_way();
        }
        self.leave.notified().await;
    }

    fn is_new(&self) -> bool {
        let holders = self.slots.holders();
        let holder = holders.present.get(&self.holder);
        holder.is_some_and(|holder| holder.state == State::New)
    }

    /// Changes the holder's state; returns false if the holder is leaving.
    fn turn(&self, state: State) -> bool {
        let mut holders = self.slots.holders();
        let turn = holders.next_turn();
        let holder = holders.present.get_mut(&self.holder);
        let Some(holder) = holder.filter(|holder| holder.state != State::Leaving) else {
            return false;
        };
        (holder.state, holder.since) = (state, turn);
        drop(holders);
        self.slots.changed.notify_waiters();
        true
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.slots.holders().present.remove(&self.holder);
        self.slots.changed.notify_waiters();
    }
}
