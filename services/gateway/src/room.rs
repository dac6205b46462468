//! Room for so many guests at a time: when it is full, whoever comes takes the place of the guest that has let the
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

/// The places, and who holds them.
#[derive(Debug)]
pub(crate) struct Room {
    size: usize,
    /// How long a guest is kept at most.
    kept: Duration,
    guests: Mutex<Guests>,
    /// A place is free, or one more guest gives way.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Guests {
    present: BTreeMap<u64, Guest>,
    /// Counts what guests do, so that all that they do has an order.
    turn: u64,
}

#[derive(Debug)]
struct Guest {
    state: State,
    /// The turn since which it is in this state.
    since: u64,
    leave: Arc<Notify>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It came, and nobody has looked yet at what it brought.
    New,
    /// The gateway waits for it.
    Awaited,
    /// The gateway works for it.
    TaskEntry(Instant),
    /// It was asked to give way.
    Leaving,
}

impl State {
    fn gives_way(self, now: Instant) -> bool {
        match self {
            Self::Awaited => true,
            Self::TaskEntry(until) => until <= now,
            Self::New | Self::Leaving => false,
        }
    }
}

impl Guests {
    fn next_turn(&mut self) -> u64 {
        self.turn += 1;
        self.turn
    }

    /// Asks the guest that has been awaited for longest to give way.
    fn displace(&mut self) -> bool {
        let now = Instant::now();
        let giving_way = self.present.values_mut();
        let giving_way = giving_way.filter(|guest| guest.state.gives_way(now));
        let Some(oldest) = giving_way.min_by_key(|guest| guest.since) else {
            return false;
        };
        oldest.state = State::Leaving;
        oldest.leave.notify_one();
        true
    }

    /// When the next of those that are kept gives way.
    fn next_end(&self) -> Option<Instant> {
        let kept = self.present.values();
        let kept = kept.filter_map(|guest| match guest.state {
            State::TaskEntry(until) => Some(until),
            State::New | State::Awaited | State::Leaving => None,
        });
        kept.min()
    }
}

impl Room {
    /// One of `size` places, whose guests are kept for at most as long as `kept`.
    pub(crate) fn new(size: usize, kept: Duration) -> Arc<Self> {
        Arc::new(Self {
            size,
            kept,
            guests: Mutex::default(),
            changed: Notify::new(),
        })
    }

    /// A place, once another guest has left it if there is none; waits only while all guests are kept.
    pub(crate) async fn enter(self: &Arc<Self>) -> Place {
        let mut displaced = false;
        loop {
            let changed = self.changed.notified();
            let next_end = {
                let mut guests = self.guests();
                if guests.present.len() < self.size {
                    return self.seat(&mut guests);
                }
                displaced = displaced || guests.displace();
                guests.next_end().filter(|_| !displaced)
            };
            match next_end {
                Some(end) => drop(timeout_at(end, changed).await),
                None => changed.await,
            }
        }
    }

    fn seat(self: &Arc<Self>, guests: &mut Guests) -> Place {
        let (turn, leave) = (guests.next_turn(), Arc::new(Notify::new()));
        let guest = Guest {
            state: State::New,
            since: turn,
            leave: Arc::clone(&leave),
        };
        guests.present.insert(turn, guest);
        Place {
            room: Arc::clone(self),
            guest: turn,
            leave,
        }
    }

    fn guests(&self) -> MutexGuard<'_, Guests> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A guest's place, until it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    room: Arc<Room>,
    guest: u64,
    leave: Arc<Notify>,
}

impl Place {
    /// Keeps the place, because the gateway works for the guest; `false` if it has to be left.
    #[must_use]
    pub(crate) fn keep(&self) -> bool {
        self.turn(State::TaskEntry(Instant::now() + self.room.kept))
    }

    /// Gives way from now on, behind all who do already, because the gateway waits for the guest.
    pub(crate) fn give_way(&self) {
        self.turn(State::Awaited);
    }

    /// Returns when the place has to be left. A guest that is new gives way only from here on, so that what it
    /// brought along is looked at first.
    pub(crate) async fn displaced(&self) {
        if self.is_new() {
            self.give_way();
        }
        self.leave.notified().await;
    }

    fn is_new(&self) -> bool {
        let guests = self.room.guests();
        let guest = guests.present.get(&self.guest);
        guest.is_some_and(|guest| guest.state == State::New)
    }

    /// Changes the guest's state, unless it is leaving.
    fn turn(&self, state: State) -> bool {
        let mut guests = self.room.guests();
        let turn = guests.next_turn();
        let guest = guests.present.get_mut(&self.guest);
        let Some(guest) = guest.filter(|guest| guest.state != State::Leaving) else {
            return false;
        };
        (guest.state, guest.since) = (state, turn);
        drop(guests);
        self.room.changed.notify_waiters();
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.room.guests().present.remove(&self.guest);
        self.room.changed.notify_waiters();
    }
}
