#![doc = include_str!("../README.md")]

mod cron;
mod document;
mod duration;
mod field_bound;
mod message;
mod messages;
mod policies;
mod rule;
mod slots;
mod value;
mod when;
mod whens;
mod zone;

pub use cron::{Cron, NotCron};
pub use document::{DOCUMENT_BYTES_MAX, INPUTS_MAX, Job, PURPOSE_CHARS_MAX, SLOTS_MAX};
pub use duration::parse as duration_ms;
pub use field_bound::{BOUND_FIX, BOUND_KEYS, scalar};
pub use message::{
    BATCH_BYTES_MAX, BATCH_MAX, BODY_BYTES_MAX, Batch, DEBOUNCE_MS_MAX, FIELDS_MAX, FieldBound,
    Messages, NotTaken, RATE_MS_MAX, RATE_RUNS_MAX, Rate, VALUE_CHARS_MAX, batch_of,
};
pub use policies::{
    ATTEMPTS_MAX, BACKOFF_MS_MAX, DEADLINE_MS_MAX, JITTER_MS_MAX, MISFIRES_MAX, Misfire, Overlap,
    Retry,
};
pub use rule::{NotRule, RULE_COUNT_MAX, RULE_TIMES_MAX, Rule};
pub use when::{AfterOutcome, EVERY_MS_MAX, EVERY_MS_MIN, When};
pub use zone::{NoZone, Zone, moment};
