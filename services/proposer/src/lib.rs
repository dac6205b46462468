#![doc = include_str!("../README.md")]

mod open_grants;

pub use open_grants::{EXPIRY_MARGIN_MS, End, Heard, OpenGrants};
