//! Tests the pages on a stream of really signed events.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot have ends it"
)]

#[cfg(test)]
mod config;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod story;
#[cfg(test)]
mod world;
