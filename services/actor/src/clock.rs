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

/// Bus time between messages: the stored time of a message, and what has passed since it came. It needs no
/// clock of this machine to be right, and is never ahead of the server's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct BusClock {
    /// The least distance seen between arrival (time since the process started) and stored time.
    offset_ns: Option<i64>,
}

impl BusClock {
    pub(crate) fn saw(&mut self, stored: Time, elapsed: Duration) {
        let offset = ns(elapsed).saturating_sub(stored.ns());
        self.offset_ns = Some(self.offset_ns.map_or(offset, |least| least.min(offset)));
    }
    pub(crate) fn now(&self, elapsed: Duration) -> Option<Time> {
        self.offset_ns
            .map(|offset| Time::from_ns(ns(elapsed).saturating_sub(offset)))
    }
}

fn ns(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}
