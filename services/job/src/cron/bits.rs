//! Sets of small numbers as bits.

/// Returns true if `bits` has the number `n`.
pub(super) fn has(bits: u64, n: i8) -> bool {
    u32::try_from(n).is_ok_and(|n| bits.checked_shr(n).is_some_and(|bits| bits & 1 == 1))
}

pub(super) fn first(bits: u64) -> Option<i8> {
    (bits != 0).then(|| bits.trailing_zeros() as i8)
}

pub(super) fn last(bits: u64) -> Option<i8> {
    (bits != 0).then(|| 63 - bits.leading_zeros() as i8)
}

/// Returns the first number of `bits` above `n`.
pub(super) fn above(bits: u64, n: i8) -> Option<i8> {
    let n = u32::try_from(n).ok()?;
    first(bits & u64::MAX.checked_shl(n + 1).unwrap_or(0))
}

/// Returns the last number of `bits` below `n`.
pub(super) fn below(bits: u64, n: i8) -> Option<i8> {
    let n = u32::try_from(n).ok()?;
    last(bits & !u64::MAX.checked_shl(n).unwrap_or(0))
}
