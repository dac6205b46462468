//! Events: authors, subjects and encoding of facts, and the parsing of stored messages.

use std::fmt;

use serde::{Deserialize, Serialize, de::DeserializeOwned, de::IgnoredAny};

use crate::{Author, AuthorId, Chain, Content, Digest, EventId, TaskId, Time, wire};

/// Most bytes of an event's body; the stream refuses more.
pub const EVENT_BYTES_MAX: usize = 8 << 10;
/// The version of the envelope.
pub const ENVELOPE_V: u8 = 2;
/// Header: an Ed25519 signature over exactly the body, lower-case hexadecimal.
pub const HEADER_SIGNATURE: &str = "Contractual-Sig";
/// Header: the schema, for people with a plain `nats` command line; not signed, not read by actors.
pub const HEADER_SCHEMA: &str = "Contractual-Schema";

/// The scope of an event: one task, or the deployment as a whole.
pub trait Scope: Copy + fmt::Debug + Send + Sync + 'static {
    /// Takes the scope from the envelope's task.
    fn parse(task: Option<TaskId>) -> Option<Self>;
    /// The task, if it is one.
    fn task(self) -> Option<TaskId>;
}

/// The deployment as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deployment;

impl Scope for Deployment {
    fn parse(task: Option<TaskId>) -> Option<Self> {
        task.is_none().then_some(Self)
    }
    fn task(self) -> Option<TaskId> {
        None
    }
}

impl Scope for TaskId {
    fn parse(task: Option<TaskId>) -> Option<Self> {
        task
    }
    fn task(self) -> Option<TaskId> {
        Some(self)
    }
}

/// A fact, with the schema `<KIND>.v<V>`; its subject is a [`Subject`].
pub trait Event: Serialize + DeserializeOwned + fmt::Debug + Send + Sync + 'static {
    /// Its scope.
    type Scope: Scope;
    /// `<noun>.<past-verb>`.
    const KIND: &'static str;
    /// The version of its shape.
    const V: u16;
    /// The authors that may publish it.
    const BY: &'static [AuthorId];
    /// The contents that it names, if any.
    fn contents(&self) -> Vec<Content> {
        Vec::new()
    }
}

/// The right of an author to publish `E`; each comes from one line of the table in `facts.rs`.
pub trait CanPublish<E: Event>: Author {}

/// A parsed subject of an event: `event.<author>.<task>.<noun>.<past-verb>`, with `-` for no task; of an author with
/// one chain `event.<author>.<noun>.<past-verb>`. The server looks for the last message of a chain among all its
/// subjects, so those of one chain must not grow in number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject<'a> {
    /// The author that may publish there.
    pub by: AuthorId,
    /// The task, if it is named there.
    pub task: Option<TaskId>,
    /// `<noun>.<past-verb>`.
    pub kind: &'a str,
}

impl<'a> Subject<'a> {
    /// Parses one.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let rest = text.strip_prefix("event.")?;
        let (by, rest) = rest.split_once('.')?;
        let by: AuthorId = by.parse().ok()?;
        let (task, kind) = match by.chain() {
            Chain::Whole => (None, rest),
            Chain::PerTask => match rest.split_once('.')? {
                ("-", kind) => (None, kind),
                (task, kind) => (Some(task.parse().ok()?), kind),
            },
        };
        let (noun, verb) = kind.split_once('.')?;
        let plain = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
        (plain(noun) && plain(verb)).then_some(Self { by, task, kind })
    }
}

impl fmt::Display for Subject<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.by.chain(), self.task) {
            (Chain::Whole, _) => write!(f, "event.{}.{}", self.by, self.kind),
            (Chain::PerTask, Some(task)) => write!(f, "event.{}.{task}.{}", self.by, self.kind),
            (Chain::PerTask, None) => write!(f, "event.{}.-.{}", self.by, self.kind),
        }
    }
}

/// The signed body of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Body<F> {
    /// [`ENVELOPE_V`].
    pub v: u8,
    /// The subject it was published to; a copy elsewhere is junk.
    pub subject: String,
    /// `<KIND>.v<V>`.
    pub schema: String,
    /// The author.
    pub author: AuthorId,
    /// The task that it is about, if any.
    pub task: Option<TaskId>,
    /// Its place in the author's chain, from 1.
    pub seq: u64,
    /// SHA-256 of the body before it in the chain, [`Digest::ZERO`] at the first.
    pub prev: Digest,
    /// Its id.
    pub id: EventId,
    /// The event that caused this one.
    pub cause: Option<EventId>,
    /// The time by the author's clock: for people; no decision uses it.
    pub at: Time,
    /// The fact.
    pub fact: F,
}

/// A message as the stream holds it.
#[derive(Debug, Clone, Copy)]
pub struct Raw<'a> {
    /// The subject it is stored under.
    pub subject: &'a str,
    /// The header [`HEADER_SIGNATURE`].
    pub signature: Option<&'a str>,
    /// The payload.
    pub body: &'a [u8],
    /// Its place in the stream.
    pub seq: u64,
    /// The time at which the server stored it: bus time.
    pub stored: Time,
}

/// The reason why a stored message is not an event. Readers skip and count it; audit logs it.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, thiserror::Error,
)]
#[serde(rename_all = "snake_case")]
pub enum Junk {
    /// Not a subject of an event, or of an unknown author.
    #[error("not an event's subject, or an unknown author")]
    Subject,
    /// Larger than [`EVENT_BYTES_MAX`].
    #[error("larger than an event may be")]
    Oversize,
    /// No signature, or not 128 hexadecimal digits.
    #[error("no signature")]
    Unsigned,
    /// No key of the author is valid at this place of the stream.
    #[error("no key of the author is valid at this place")]
    NoKey,
    /// The signature does not fit.
    #[error("wrong signature")]
    Signature,
    /// Not canonical MessagePack of the expected shape.
    #[error("malformed")]
    Malformed,
    /// Signed for another subject, task or deployment.
    #[error("signed for another subject, task or deployment")]
    Copied,
    /// An unknown kind, or a kind that this author may not publish.
    #[error("unknown kind")]
    Kind,
    /// An unknown version of a kind or of the envelope.
    #[error("unknown version")]
    Version,
    /// At or before the last event of its chain.
    #[error("replayed or reordered")]
    Replayed,
    /// Its sequence is not the next in its chain, or its `prev` is not the digest of the event before it.
    #[error("does not continue its chain")]
    Chain,
}

/// The part of a body that is the same for every fact.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EventHeader {
    #[serde(rename = "v")]
    _v: IgnoredAny,
    pub(crate) subject: String,
    pub(crate) schema: String,
    pub(crate) author: AuthorId,
    pub(crate) task: Option<TaskId>,
    pub(crate) seq: u64,
    pub(crate) prev: Digest,
    pub(crate) id: EventId,
    pub(crate) cause: Option<EventId>,
    pub(crate) at: Time,
    #[serde(rename = "fact")]
    _fact: IgnoredAny,
}

#[derive(Deserialize)]
struct Versioned {
    v: u8,
}

impl EventHeader {
    pub(crate) fn peek(body: &[u8]) -> Result<Self, Junk> {
        let malformed = |_| Junk::Malformed;
        // Read first and alone: another version may have other fields.
        let Versioned { v } = wire::peek(body).map_err(malformed)?;
        if v != ENVELOPE_V {
            return Err(Junk::Version);
        }
        wire::peek(body).map_err(malformed)
    }
}

/// The facts that one reader folds: an enum made by [`crate::reads!`].
pub trait Facts: Sized + Send + 'static {
    /// The kinds, each with the authors whose events are read.
    const READS: &'static [(&'static [AuthorId], &'static str)];
    /// Decodes a body that is already known to be genuine.
    ///
    /// # Errors
    /// [`Junk::Kind`], [`Junk::Version`] or [`Junk::Malformed`].
    fn parse(subject: Subject<'_>, schema: &str, body: &[u8]) -> Result<Self, Junk>;
}

/// Decodes the fact of a genuine body, if it is an `E`.
///
/// # Errors
/// As [`Facts::parse`].
pub fn parse_fact<E: Event>(
    subject: Subject<'_>,
    schema: &str,
    body: &[u8],
) -> Result<(E::Scope, E), Junk> {
    if subject.kind != E::KIND || !E::BY.contains(&subject.by) {
        return Err(Junk::Kind);
    }
    let version = schema
        .strip_prefix(E::KIND)
        .and_then(|rest| rest.strip_prefix(".v"));
    if version.ok_or(Junk::Malformed)? != E::V.to_string() {
        return Err(Junk::Version);
    }
    let body: Body<E> = wire::decode(body).map_err(|_| Junk::Malformed)?;
    let scope = E::Scope::parse(body.task).ok_or(Junk::Subject)?;
    Ok((scope, body.fact))
}

/// Decodes a genuine message as another reader folds it; returns none if that reader does not fold it.
#[must_use]
pub fn read_as<F: Facts>(raw: &Raw<'_>) -> Option<F> {
    let subject = Subject::parse(raw.subject)?;
    let head = EventHeader::peek(raw.body).ok()?;
    F::parse(subject, &head.schema, raw.body).ok()
}

/// Makes the enum of the facts that one reader folds, with subjects and decoder.
#[macro_export]
macro_rules! reads { ($(#[$doc:meta])* $F:ident = $($E:ident)*) => {
    $(#[$doc])*
    #[derive(Debug, Clone)]
    pub enum $F { $(
        #[doc = concat!("See [`", stringify!($E), "`].")]
        $E(<$E as $crate::Event>::Scope, Box<$E>),
    )* }
    impl $crate::Facts for $F {
        const READS: &'static [(&'static [$crate::AuthorId], &'static str)] =
            &[$((<$E as $crate::Event>::BY, <$E as $crate::Event>::KIND)),*];
        fn parse(subject: $crate::Subject<'_>, schema: &str, body: &[u8]) -> Result<Self, $crate::Junk> {
            match subject.kind {
                $(<$E as $crate::Event>::KIND =>
                    $crate::parse_fact::<$E>(subject, schema, body).map(|(scope, fact)| Self::$E(scope, Box::new(fact))),)*
                _ => Err($crate::Junk::Kind),
            }
        }
    }
} }

/// Makes the types of all facts and their table, where it is used.
macro_rules! facts { ($(
    $(#[doc = $doc:literal])*
    $kind:literal v $v:literal by $($A:ident)+, of $S:ty: $E:ident
    { $($(#[$fdoc:meta])* $f:ident: $t:ty),* $(,)? } $(contents $body:expr)?;
)*) => {
    $(
        $(#[doc = $doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $E { $($(#[$fdoc])* pub $f: $t),* }
        impl Event for $E {
            type Scope = $S;
            const KIND: &'static str = $kind;
            const V: u16 = $v;
            const BY: &'static [AuthorId] = &[$(AuthorId::$A),+];
            $(fn contents(&self) -> Vec<Content> { let contents: fn(&Self) -> Vec<Content> = $body; contents(self) })?
        }
        $(impl CanPublish<$E> for crate::$A {})+
    )*

    /// All facts.
    pub const FACTS: &[Spec] = &[$(Spec {
        kind: $kind,
        v: $v,
        by: <$E as Event>::BY,
        of_task: !matches!(stringify!($S).as_bytes(), b"Deployment"),
        doc: concat!($($doc, "\n"),*),
        fields: &[$(concat!(stringify!($f), ": ", stringify!($t))),*],
        json: |subject, schema, body| {
            parse_fact::<$E>(subject, schema, body)?;
            let body: Body<$E> = wire::decode(body).map_err(|_| Junk::Malformed)?;
            serde_json::to_value(body).map_err(|_| Junk::Malformed)
        },
        contents: |subject, schema, body| {
            parse_fact::<$E>(subject, schema, body).map(|(_, fact)| fact.contents())
        },
    }),*];
} }
pub(crate) use facts;
