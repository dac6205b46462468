//! Tests the scheduler's core on a stream of really signed events.

#[cfg(test)]
mod batches;
#[cfg(test)]
mod config;
#[cfg(test)]
mod retries;
#[cfg(test)]
mod runs;
#[cfg(test)]
mod starts;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod triggers;
