//! The clock and the randomness of a process: the only place that asks the system for either.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus_schema::{Salt, Time};
use uuid::Uuid;

/// Time and randomness; clones share them.
#[derive(Clone, Debug)]
pub struct Clock(Source);

#[derive(Clone, Debug)]
enum Source {
    System { started: std::time::Instant },
    Fake(Arc<Mutex<Fake>>),
}

#[derive(Debug)]
struct Fake {
    wall: Time,
    elapsed: Duration,
    drawn: u64,
}

impl Clock {
    /// The system's.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn system() -> Self {
        Self(Source::System {
            started: std::time::Instant::now(),
        })
    }

    /// One that stands still until told to move, and draws the same numbers each time.
    #[must_use]
    pub fn fake(wall: Time) -> Self {
        Self(Source::Fake(Arc::new(Mutex::new(Fake {
            wall,
            elapsed: Duration::ZERO,
            drawn: 0,
        }))))
    }

    /// Moves a fake clock; a system clock goes by itself.
    pub fn advance(&self, by: Duration) {
        if let Source::Fake(fake) = &self.0 {
            let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
            fake.elapsed += by;
            fake.wall = fake
                .wall
                .plus_ms(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Sets a fake clock back, as a person does; the time that has passed stays passed.
    pub fn set_back(&self, by: Duration) {
        if let Source::Fake(fake) = &self.0 {
            let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
            fake.wall = Time::from_ns(fake.wall.ns().saturating_sub(ns(by)));
        }
    }

    /// The wall clock: for people to read; nothing is decided by it.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn wall(&self) -> Time {
        match &self.0 {
            Source::System { .. } => {
                let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
                let ns = since.map_or(0, |since| {
                    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
                });
                Time::from_ns(ns)
            }
            Source::Fake(fake) => fake.lock().unwrap_or_else(PoisonError::into_inner).wall,
        }
    }

    /// Time since the process started; never goes back.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        match &self.0 {
            Source::System { started } => started.elapsed(),
            Source::Fake(fake) => fake.lock().unwrap_or_else(PoisonError::into_inner).elapsed,
        }
    }

    /// A fresh UUIDv7.
    #[must_use]
    pub fn uuid(&self) -> Uuid {
        let random: [u8; 10] = self.bytes();
        let ms = u64::try_from(self.wall().ns() / 1_000_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(ms, &random).into_uuid()
    }

    /// A fresh salt.
    #[must_use]
    pub fn salt(&self) -> Salt {
        Salt::new(self.bytes())
    }

    /// A pause of up to `most`, so that two who collided do not collide again.
    #[must_use]
    pub fn jitter(&self, most: Duration) -> Duration {
        most * u32::from(self.bytes::<1>()[0]) / 255
    }

    fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System { .. } => {
                getrandom::fill(&mut bytes).expect("the kernel gives random numbers after boot");
            }
            Source::Fake(fake) => {
                let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
                fake.drawn += 1;
                let digest = bus_schema::Digest::of(&[&fake.drawn.to_be_bytes()]);
                for (to, from) in bytes.iter_mut().zip(digest.as_bytes()) {
                    *to = *from;
                }
            }
        }
        bytes
    }
}

/// How much later than all before it a message may come before bus time is taken to have gone back.
const LATE: Duration = Duration::from_secs(1);

/// Bus time between messages: the stored time of a message, and what has passed since it came. It needs no
/// clock of this machine to be right, and is never ahead of the server's for longer than until the next message.
#[derive(Clone, Copy, Debug, Default)]
pub struct BusClock {
    /// The least distance seen between arrival (time since the process started) and stored time, since bus time
    /// last went back.
    offset_ns: Option<i64>,
}

impl BusClock {
    /// Takes in a message that was stored then and has come now, `elapsed` after the process started. `live`: it
    /// was waited for, and nothing had come after it. Says by how much bus time has gone back with it: the
    /// server's clock was set back. A message that was only held up looks the same for as long as no other comes.
    /// To be behind costs time; to be ahead would be to see every grant as lapsed, for ever.
    pub fn saw(&mut self, stored: Time, elapsed: Duration, live: bool) -> Option<Duration> {
        let offset = ns(elapsed).saturating_sub(stored.ns());
        let least = self.offset_ns.unwrap_or(offset);
        let late = Duration::from_nanos(u64::try_from(offset.saturating_sub(least)).unwrap_or(0));
        let back = live && late > LATE;
        self.offset_ns = Some(if back { offset } else { least.min(offset) });
        back.then_some(late)
    }

    /// Bus time now; none before the first message.
    #[must_use]
    pub fn now(&self, elapsed: Duration) -> Option<Time> {
        self.offset_ns
            .map(|offset| Time::from_ns(ns(elapsed).saturating_sub(offset)))
    }
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
