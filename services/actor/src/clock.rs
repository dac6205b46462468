//! The clock and the randomness of a process, and bus time. Only this file asks the system for time and randomness.

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
    /// The system's clock and randomness.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "this is where time comes from")]
    pub fn system() -> Self {
        Self(Source::System {
            started: std::time::Instant::now(),
        })
    }

    /// A clock for tests: it moves only on request, and draws the same numbers each time.
    #[must_use]
    pub fn fake(wall: Time) -> Self {
        Self(Source::Fake(Arc::new(Mutex::new(Fake {
            wall,
            elapsed: Duration::ZERO,
            drawn: 0,
        }))))
    }

    /// Moves a fake clock forward; does nothing to a system clock.
    pub fn advance(&self, by: Duration) {
        if let Source::Fake(fake) = &self.0 {
            let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
            fake.elapsed += by;
            fake.wall = fake
                .wall
                .plus_ms(u64::try_from(by.as_millis()).unwrap_or(u64::MAX));
        }
    }

    /// Sets a fake wall clock back; the elapsed time does not change.
    pub fn set_back(&self, by: Duration) {
        if let Source::Fake(fake) = &self.0 {
            let mut fake = fake.lock().unwrap_or_else(PoisonError::into_inner);
            fake.wall = Time::from_ns(fake.wall.ns().saturating_sub(ns(by)));
        }
    }

    /// The wall clock: for people; no decision uses it.
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

    /// A random pause of up to `most`, so that two processes that collided do not collide again.
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

/// Most extra delay of a message; above it, bus time counts as set back.
const LATE: Duration = Duration::from_secs(1);

/// Bus time between messages: the stored time of a message plus the time since it came. It does not need a correct
/// clock on this machine, and is ahead of the server's at most until the next message.
#[derive(Clone, Copy, Debug, Default)]
pub struct BusClock {
    /// The least difference between arrival (time since the process started) and stored time, since bus time was last
    /// set back.
    offset_ns: Option<i64>,
}

impl BusClock {
    /// Takes the time of a message that was stored at `stored` and came `elapsed` after the process started. `live`
    /// means that it was waited for and is the last one. Returns the time by which the server's clock was set back.
    /// A message that was only delayed looks the same until another comes. A bus time that is behind costs time; one
    /// that is ahead would make every grant look expired for ever.
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
