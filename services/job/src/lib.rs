#![doc = include_str!("../README.md")]

mod cron;
mod document;
mod duration;
mod value;
mod when;
mod zone;

pub use cron::{Cron, NotCron};
pub use document::{
    DOCUMENT_BYTES_MAX, Job, MISFIRES_MAX, Misfire, Overlap, PURPOSE_CHARS_MAX, SLOTS_MAX,
};
pub use when::{EVERY_MS_MAX, EVERY_MS_MIN, When};
pub use zone::{NoZone, Zone};
