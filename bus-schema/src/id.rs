//! Identifiers, digests, keys, names and times, with their parsers.

use std::{fmt, str::FromStr};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// A text is not a valid value of its type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {wanted}")]
pub struct Invalid {
    wanted: &'static str,
    found: String,
}

impl Invalid {
    pub(crate) fn new(wanted: &'static str, found: &str) -> Self {
        // A hostile text must not fill a log: only its start is kept.
        Self {
            wanted,
            found: found.chars().take(80).collect(),
        }
    }
}

macro_rules! ids { ($($(#[$doc:meta])* $T:ident;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(transparent)]
    pub struct $T(Uuid);

    impl $T {
        /// Wraps a UUIDv7 made by the caller, who owns clock and randomness.
        #[must_use]
        pub const fn new(uuid: Uuid) -> Self { Self(uuid) }
        /// The bare UUID.
        #[must_use]
        pub const fn uuid(self) -> Uuid { self.0 }
    }
    impl fmt::Display for $T {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.hyphenated().fmt(f) }
    }
    impl fmt::Debug for $T {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
    }
    impl FromStr for $T {
        type Err = Invalid;
        /// Only the lower-case hyphenated form, so that one id has one subject.
        fn from_str(text: &str) -> Result<Self, Invalid> {
            let wrong = || Invalid::new("a lower-case hyphenated UUID", text);
            let uuid = Uuid::try_parse(text).map_err(|_| wrong())?;
            if uuid.hyphenated().to_string() == text { Ok(Self(uuid)) } else { Err(wrong()) }
        }
    }
)* } }

ids! {
    /// One proposed action.
    ActionId;
    /// One installation with its bus, its owner and its log.
    DeploymentId;
    /// One device of the owner.
    DeviceId;
    /// One event.
    EventId;
    /// One task that a person submitted.
    TaskId;
}

macro_rules! bytes { ($($(#[$doc:meta])* $T:ident $n:literal $what:literal;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
    pub struct $T([u8; $n]);

    impl $T {
        /// Wraps the raw bytes.
        #[must_use]
        pub const fn new(bytes: [u8; $n]) -> Self { Self(bytes) }
        /// The raw bytes.
        #[must_use]
        pub const fn as_bytes(&self) -> &[u8; $n] { &self.0 }
    }
    impl fmt::Display for $T {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(&HEXLOWER.encode(&self.0))
        }
    }
    impl fmt::Debug for $T {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { fmt::Display::fmt(self, f) }
    }
    impl FromStr for $T {
        type Err = Invalid;
        fn from_str(text: &str) -> Result<Self, Invalid> {
            let wrong = || Invalid::new($what, text);
            let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| wrong())?;
            Ok(Self(bytes.try_into().map_err(|_| wrong())?))
        }
    }
    impl TryFrom<&[u8]> for $T {
        type Error = Invalid;
        fn try_from(bytes: &[u8]) -> Result<Self, Invalid> {
            let wrong = || Invalid::new($what, &HEXLOWER.encode(bytes.get(..$n).unwrap_or(bytes)));
            Ok(Self(bytes.try_into().map_err(|_| wrong())?))
        }
    }
    impl Serialize for $T {
        fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
            if s.is_human_readable() { s.collect_str(self) } else { s.serialize_bytes(&self.0) }
        }
    }
    impl<'de> Deserialize<'de> for $T {
        fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
            if d.is_human_readable() {
                String::deserialize(d)?.parse().map_err(de::Error::custom)
            } else {
                let bytes = <serde_bytes::ByteBuf>::deserialize(d)?;
                Self::try_from(bytes.as_slice()).map_err(de::Error::custom)
            }
        }
    }
)* } }

bytes! {
    /// A SHA-256 digest; 64 lower-case hexadecimal digits as text.
    Digest 32 "64 lower-case hexadecimal digits";
    /// An Ed25519 public key.
    PublicKey 32 "an Ed25519 public key of 64 lower-case hexadecimal digits";
    /// An X25519 public key that secrets are sealed to.
    SealingPublicKey 32 "an X25519 public key of 64 lower-case hexadecimal digits";
    /// The random id of one attempt to pair a device.
    PairingId 16 "a pairing id of 32 lower-case hexadecimal digits";
    /// Random bytes that a device signs to sign in.
    Challenge 32 "a challenge of 64 lower-case hexadecimal digits";
    /// 32 random bytes that keep a digest from being guessed.
    Salt 32 "a salt of 64 lower-case hexadecimal digits";
    /// An Ed25519 signature.
    Signature 64 "an Ed25519 signature of 128 lower-case hexadecimal digits";
}

/// Bytes of any length: raw in MessagePack, lower-case hexadecimal as text.
pub(crate) mod hex_as_text {
    use super::{Deserialize as _, Deserializer, HEXLOWER, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(bytes: &[u8], s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            s.serialize_str(&HEXLOWER.encode(bytes))
        } else {
            s.serialize_bytes(bytes)
        }
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        if d.is_human_readable() {
            let text = String::deserialize(d)?;
            HEXLOWER.decode(text.as_bytes()).map_err(de::Error::custom)
        } else {
            serde_bytes::deserialize(d)
        }
    }
}

impl Digest {
    /// The digest of nothing before the first event of a chain.
    pub const ZERO: Self = Self([0; 32]);

    /// SHA-256 over the concatenation of `parts`.
    #[must_use]
    pub fn of(parts: &[&[u8]]) -> Self {
        let mut hash = Sha256::new();
        for part in parts {
            hash.update(part);
        }
        Self(hash.finalize().into())
    }
}

macro_rules! names { ($($(#[$doc:meta])* $T:ident $max:literal $extra:literal $what:literal;)*) => { $(
    $(#[$doc])*
    #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(try_from = "String", into = "String")]
    pub struct $T(String);

    impl $T {
        /// The name as text.
        #[must_use]
        pub fn as_str(&self) -> &str { &self.0 }
    }
    impl fmt::Display for $T {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(&self.0) }
    }
    impl fmt::Debug for $T {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { self.0.fmt(f) }
    }
    impl FromStr for $T {
        type Err = Invalid;
        fn from_str(text: &str) -> Result<Self, Invalid> { text.to_owned().try_into() }
    }
    impl TryFrom<String> for $T {
        type Error = Invalid;
        fn try_from(text: String) -> Result<Self, Invalid> {
            let own = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || $extra.contains(&b);
            let first = text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
            let rest = text.bytes().all(own);
            if first && rest && text.len() <= $max { Ok(Self(text)) } else { Err(Invalid::new($what, &text)) }
        }
    }
    impl From<$T> for String {
        fn from(name: $T) -> Self { name.0 }
    }
)* } }

names! {
    /// An argument of a tool, such as `amount` or `address.city`.
    ArgumentName 64 b"-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ" "an argument name of at most 64 letters, digits, '-', '_' and '.'";
    /// The name of a contract, such as `invoice-stocktake`.
    ContractName 64 b"-_" "a name of at most 64 lower-case letters, digits, '-' and '_'";
    /// The name of a device, such as `Phone`.
    DeviceName 32 b"-_. ABCDEFGHIJKLMNOPQRSTUVWXYZ" "a device name of at most 32 letters, digits, spaces, '-', '_' and '.'";
    /// The name of a job, such as `weekly-report`.
    JobName 64 b"-_" "a job name of at most 64 lower-case letters, digits, '-' and '_'";
    /// A rule of a contract (`allow.2`, or the rule's own name), or the built-in check that decided.
    RuleId 64 b"-_." "a rule id of at most 64 lower-case letters, digits, '-', '_' and '.'";
    /// The name of a workspace, or of a folder that is only read, at the runner.
    FolderName 64 b"-_" "a folder name of at most 64 lower-case letters, digits, '-' and '_'";
    /// The name of a secret.
    SecretName 64 b"-_." "a secret name of at most 64 lower-case letters, digits, '-', '_' and '.'";
    /// A step of a playbook.
    StepName 64 b"-_" "a step name of at most 64 lower-case letters, digits, '-' and '_'";
    /// A tool, such as `file.read`; upper and lower case differ.
    ToolName 64 b"-_.ABCDEFGHIJKLMNOPQRSTUVWXYZ" "a tool name of at most 64 letters, digits, '-', '_' and '.'";
    /// A program version, such as `0.1.0`.
    Version 32 b"-.+" "a version of at most 32 characters such as 0.1.0";
}

/// A moment in nanoseconds since the Unix epoch, UTC; RFC 3339 as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time(i64);

impl Time {
    /// A moment given in nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn from_ns(ns: i64) -> Self {
        Self(ns)
    }
    /// Nanoseconds since the Unix epoch.
    #[must_use]
    pub const fn ns(self) -> i64 {
        self.0
    }
    /// This moment plus `ms` milliseconds, at most the last representable moment.
    #[must_use]
    pub const fn plus_ms(self, ms: u64) -> Self {
        let ns = if ms > i64::MAX as u64 / 1_000_000 {
            i64::MAX
        } else {
            ms as i64 * 1_000_000
        };
        Self(self.0.saturating_add(ns))
    }
    /// Milliseconds from `earlier` to this moment; 0 if `earlier` is later.
    #[must_use]
    pub const fn ms_since(self, earlier: Self) -> u64 {
        let ns = self.0.saturating_sub(earlier.0);
        if ns < 0 {
            0
        } else {
            ns.unsigned_abs() / 1_000_000
        }
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Time {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let wrong = || Invalid::new("an RFC 3339 time", text);
        let time: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        Ok(Self(time.as_nanosecond().try_into().map_err(|_| wrong())?))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if s.is_human_readable() {
            match jiff::Timestamp::from_nanosecond(i128::from(self.0)) {
                Ok(time) => s.collect_str(&time),
                Err(_) => s.serialize_i64(self.0),
            }
        } else {
            s.serialize_i64(self.0)
        }
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        if d.is_human_readable() {
            String::deserialize(d)?.parse().map_err(de::Error::custom)
        } else {
            i64::deserialize(d).map(Self)
        }
    }
}
