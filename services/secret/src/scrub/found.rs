//! The result of looking for a value at the beginning of a text.

/// The result of looking at the beginning of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Found {
    /// It does not begin so.
    No,
    /// The text ends before that can be told.
    More,
    /// This many bytes are the value.
    Bytes(usize),
}

impl Found {
    /// Returns the stronger one of two.
    pub(super) fn or(self, other: Self) -> Self {
        match (self, other) {
            (Self::Bytes(one), Self::Bytes(two)) => Self::Bytes(one.max(two)),
            (Self::Bytes(one), Self::No | Self::More)
            | (Self::No | Self::More, Self::Bytes(one)) => Self::Bytes(one),
            (Self::More, Self::No | Self::More) | (Self::No, Self::More) => Self::More,
            (Self::No, Self::No) => Self::No,
        }
    }
}
