#![doc = include_str!("../README.md")]

mod deadlines;
mod fetches;
mod open_grants;

pub use deadlines::{DRAFTS_AT_ONCE, expire};
pub use fetches::{Fetches, Found};
pub use open_grants::{EXPIRY_MARGIN_MS, End, Heard, OpenGrants};
