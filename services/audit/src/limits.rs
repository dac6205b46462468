//! The limits of the log.

/// The maximum size of an encoded entry: entry bundles store lengths as 16 bits.
pub const MAX_ENTRY_BYTES: usize = 65_535;
/// The maximum size of a signed checkpoint.
pub const MAX_NOTE_BYTES: usize = 16_384;
/// The maximum number of entries of a log.
pub const MAX_SIZE: u64 = 1 << 40;
