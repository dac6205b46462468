//! Bounds of a task's work.

use crate::playbook::RETRIES_MAX;

/// Most items of one `for_each` step.
pub const ITEMS_MAX: usize = 1_000;
/// Most bytes of the canonical arguments of one action.
pub const ARGS_BYTES_MAX: usize = 64 * 1024;
/// Most attempts of one item.
pub(crate) const ATTEMPTS_MAX: u8 = 1 + RETRIES_MAX;
