//! Defines the bounds of a task's work.

/// Largest number of retries after the first attempt.
pub const RETRIES_MAX: u8 = 5;
/// Largest number of items of one `for_each` step.
pub const ITEMS_MAX: usize = 1_000;
/// Longest canonical arguments of one action, in bytes.
pub const ARGS_BYTES_MAX: usize = 64 * 1024;
/// Largest number of attempts of one item.
pub(crate) const ATTEMPTS_MAX: u8 = 1 + RETRIES_MAX;
