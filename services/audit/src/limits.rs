//! Bounds of the log.

/// Most bytes of an encoded entry: entry bundles give lengths as 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;
/// Most bytes of a signed checkpoint that are read.
pub const MAX_NOTE_BYTES: usize = 16_384;
/// Most entries of a log.
pub const MAX_SIZE: u64 = 1 << 40;
