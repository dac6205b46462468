//! The verifier: turns stored messages into facts, given only the owner's public key.

use std::collections::{BTreeMap, VecDeque};

use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};

use crate::{
    AuthorId, Chain, DeploymentId, Digest, EVENT_BYTES_MAX, Event as _, EventId, Facts, Junk,
    PublicKey, Raw, RosterChanged, Signature, SignedEvent, Subject, TaskId, Time,
    event::EventHeader, facts::Spec, parse_fact,
};

/// The data of a genuine event beside its fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meta {
    /// Its author.
    pub by: AuthorId,
    /// The task that it is about.
    pub task: Option<TaskId>,
    /// Its id.
    pub id: EventId,
    /// The event that caused it.
    pub cause: Option<EventId>,
    /// Its place in the stream.
    pub seq: u64,
    /// Bus time.
    pub stored: Time,
    /// The time by the author's clock: for people.
    pub at: Time,
}

/// A genuine event. Only the verifier makes one, after it has checked signature, author, subject and chain.
#[derive(Debug)]
pub struct Seen<F> {
    meta: Meta,
    fact: F,
}

impl<F> Seen<F> {
    /// The data beside the fact.
    #[must_use]
    pub const fn meta(&self) -> &Meta {
        &self.meta
    }
    /// The fact.
    #[must_use]
    pub const fn fact(&self) -> &F {
        &self.fact
    }
    /// Returns both parts.
    #[must_use]
    pub fn into_parts(self) -> (Meta, F) {
        (self.meta, self.fact)
    }
}

/// The result of reading a stored message.
#[derive(Debug)]
pub enum Read<F> {
    /// A fact that this reader folds.
    Fact(Seen<F>),
    /// A genuine event of a kind that this reader does not fold.
    Other(Meta),
    /// Not an event.
    Junk(Junk),
}

/// An event of the owner or of policy has a version that this program does not know.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{by} published {schema} at {seq}, which this version does not know: upgrade this program")]
pub struct TooOld {
    /// The author.
    pub by: AuthorId,
    /// The schema.
    pub schema: String,
    /// Its place in the stream.
    pub seq: u64,
}

/// The end of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tip {
    /// The place of the last event in its chain; 0 before the first.
    pub seq: u64,
    /// SHA-256 of its body.
    pub digest: Digest,
}

impl Tip {
    /// The tip before the first event.
    pub const START: Self = Self {
        seq: 0,
        digest: Digest::ZERO,
    };
}

/// The chains in which a reader checks every link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChainScope {
    /// All of them.
    Everything,
    /// One author's own and the owner's; all others must only move forward.
    Own(AuthorId),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Window {
    key: PublicKey,
    from_seq: u64,
    to_seq: Option<u64>,
}

/// Most own events that are remembered to skip their signature checks; older ones are checked like all others.
const MADE_MAX: usize = 256;

/// An event that this process signed.
#[derive(Debug, Clone)]
struct Made {
    key: PublicKey,
    signature: Signature,
    body: Vec<u8>,
}

/// The state of reading one stream from its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Verifier {
    owner: PublicKey,
    sees: ChainScope,
    deployment: Option<DeploymentId>,
    keys: BTreeMap<AuthorId, Vec<Window>>,
    tips: BTreeMap<(AuthorId, Option<TaskId>), Tip>,
    /// The last message of each of the reader's own subtrees, junk included, for the compare-and-set of appends.
    subtrees: BTreeMap<Option<TaskId>, u64>,
    now: Time,
    junk: BTreeMap<Junk, u64>,
    #[serde(skip)]
    unpacked: BTreeMap<PublicKey, VerifyingKey>,
    #[serde(skip)]
    made: VecDeque<Made>,
}

impl Verifier {
    /// Makes a verifier at the start of a stream, which trusts `owner`.
    #[must_use]
    pub fn new(owner: PublicKey, sees: ChainScope) -> Self {
        Self {
            owner,
            sees,
            deployment: None,
            keys: BTreeMap::new(),
            tips: BTreeMap::new(),
            subtrees: BTreeMap::new(),
            now: Time::default(),
            junk: BTreeMap::new(),
            unpacked: BTreeMap::new(),
            made: VecDeque::new(),
        }
    }

    /// The deployment, once the first roster was read.
    #[must_use]
    pub const fn deployment(&self) -> Option<DeploymentId> {
        self.deployment
    }
    /// The owner's key.
    #[must_use]
    pub const fn owner(&self) -> PublicKey {
        self.owner
    }
    /// The stored time of the last message.
    #[must_use]
    pub const fn now(&self) -> Time {
        self.now
    }
    /// The number of junk messages, by kind.
    #[must_use]
    pub const fn junk(&self) -> &BTreeMap<Junk, u64> {
        &self.junk
    }
    /// The key that `author` signs with now.
    #[must_use]
    pub fn key(&self, author: AuthorId) -> Option<PublicKey> {
        if author == AuthorId::Owner {
            return Some(self.owner);
        }
        let last = self.keys.get(&author)?.last()?;
        last.to_seq.is_none().then_some(last.key)
    }
    /// The end of the chain that an event of `author` about `task` continues.
    #[must_use]
    pub fn tip(&self, author: AuthorId, task: Option<TaskId>) -> Tip {
        self.tips
            .get(&chain(author, task))
            .copied()
            .unwrap_or(Tip::START)
    }
    /// The place in the stream of the last message in the own subtree that an event about `task` continues.
    #[must_use]
    pub fn subtree(&self, me: AuthorId, task: Option<TaskId>) -> u64 {
        self.subtrees.get(&chain(me, task).1).copied().unwrap_or(0)
    }

    /// Remembers an event that this process has signed with `key`. When the same bytes are read back, their signature
    /// needs no check; everything else is still checked.
    pub fn made(&mut self, key: PublicKey, event: &SignedEvent) {
        if self.made.len() == MADE_MAX {
            self.made.pop_front();
        }
        self.made.push_back(Made {
            key,
            signature: event.signature,
            body: event.body.clone(),
        });
    }

    /// Reads the next message of the stream.
    ///
    /// # Errors
    /// [`TooOld`] if owner or policy used an unknown version: reading on would be a guess.
    pub fn read<F: Facts>(&mut self, raw: &Raw<'_>) -> Result<Read<F>, TooOld> {
        self.now = self.now.max(raw.stored);
        self.note_subtree(raw);
        let (subject, head) = match self.check(raw) {
            Ok(checked) => checked,
            Err(Junk::Version) => return self.unknown_version(raw, "a newer envelope"),
            Err(junk) => return Ok(self.count(junk)),
        };
        let parsed = match self.roster(&subject, &head, raw) {
            Ok(()) => match F::parse(subject, &head.schema, raw.body) {
                Err(Junk::Kind) => self.other(&subject, &head, raw).map(|()| None),
                parsed => parsed.map(Some),
            },
            Err(junk) => Err(junk),
        };
        let meta = Meta {
            by: subject.by,
            task: subject.task,
            id: head.id,
            cause: head.cause,
            seq: raw.seq,
            stored: raw.stored,
            at: head.at,
        };
        match parsed {
            Ok(Some(fact)) => {
                self.advance(&subject, &head, raw);
                Ok(Read::Fact(Seen { meta, fact }))
            }
            Ok(None) => {
                self.advance(&subject, &head, raw);
                Ok(Read::Other(meta))
            }
            Err(junk) => {
                // The author did sign it, so the chain continues after it.
                self.advance(&subject, &head, raw);
                if junk == Junk::Version {
                    return self.unknown_version(raw, &head.schema);
                }
                Ok(self.count(junk))
            }
        }
    }

    /// Verifies a signed message that is not in the stream.
    ///
    /// # Errors
    /// Returns the reason if it is not `author`'s.
    pub fn check_message(
        &mut self,
        author: AuthorId,
        body: &[u8],
        signature: &str,
    ) -> Result<(), Junk> {
        let key = self.key(author).ok_or(Junk::NoKey)?;
        self.check_signature(key, body, signature)
    }

    /// Stops at unknown versions of owner and policy, because their events are orders; skips those of all others.
    fn unknown_version<F>(&mut self, raw: &Raw<'_>, schema: &str) -> Result<Read<F>, TooOld> {
        match Subject::parse(raw.subject).map(|subject| subject.by) {
            Some(by @ (AuthorId::Owner | AuthorId::Policy)) => Err(TooOld {
                by,
                schema: schema.to_owned(),
                seq: raw.seq,
            }),
            _ => Ok(self.count(Junk::Version)),
        }
    }

    fn other(&self, subject: &Subject<'_>, head: &EventHeader, raw: &Raw<'_>) -> Result<(), Junk> {
        let spec = Spec::of(subject.kind).filter(|spec| spec.by.contains(&subject.by));
        let spec = spec.ok_or(Junk::Kind)?;
        // Audit also checks the form of facts that it does not fold.
        if self.sees == ChainScope::Everything {
            spec.contents(*subject, &head.schema, raw.body)?;
        }
        Ok(())
    }

    /// Returns true if this reader checks every link of `author`'s chains.
    fn sees_whole(&self, author: AuthorId) -> bool {
        match self.sees {
            ChainScope::Everything => true,
            ChainScope::Own(me) => me == author || author == AuthorId::Owner,
        }
    }

    fn count<F>(&mut self, junk: Junk) -> Read<F> {
        *self.junk.entry(junk).or_default() += 1;
        Read::Junk(junk)
    }

    fn note_subtree(&mut self, raw: &Raw<'_>) {
        let ChainScope::Own(me) = self.sees else {
            return self.note_subtree_of(AuthorId::Audit, raw);
        };
        self.note_subtree_of(me, raw);
    }

    fn note_subtree_of(&mut self, me: AuthorId, raw: &Raw<'_>) {
        let rest = raw
            .subject
            .strip_prefix("event.")
            .and_then(|rest| rest.strip_prefix(me.name()));
        let Some(token) = rest.and_then(|rest| rest.strip_prefix('.')?.split('.').next()) else {
            return;
        };
        let task = match (me.chain(), token) {
            (Chain::Whole, _) | (Chain::PerTask, "-") => None,
            (Chain::PerTask, token) => match token.parse() {
                Ok(task) => Some(task),
                Err(_) => return,
            },
        };
        self.subtrees.insert(task, raw.seq);
    }

    fn check<'a>(&mut self, raw: &Raw<'a>) -> Result<(Subject<'a>, EventHeader), Junk> {
        let named = Subject::parse(raw.subject).ok_or(Junk::Subject)?;
        if raw.body.len() > EVENT_BYTES_MAX {
            return Err(Junk::Oversize);
        }
        let signature = raw.signature.ok_or(Junk::Unsigned)?;
        let key = self.key_at(named.by, raw.seq).ok_or(Junk::NoKey)?;
        self.check_signature(key, raw.body, signature)?;
        let head = EventHeader::peek(raw.body)?;
        let subject = Subject {
            task: head.task,
            ..named
        };
        // The subject printed again must be equal: the envelope's task must be the subject's.
        if head.subject != raw.subject
            || head.author != named.by
            || subject.to_string() != raw.subject
        {
            return Err(Junk::Copied);
        }
        let tip = self.tip(subject.by, subject.task);
        if head.seq <= tip.seq {
            return Err(Junk::Replayed);
        }
        if self.sees_whole(subject.by) && (head.seq != tip.seq + 1 || head.prev != tip.digest) {
            return Err(Junk::Chain);
        }
        Ok((subject, head))
    }

    fn check_signature(
        &mut self,
        key: PublicKey,
        body: &[u8],
        signature: &str,
    ) -> Result<(), Junk> {
        let signature: Signature = signature.parse().map_err(|_| Junk::Unsigned)?;
        let is_made = |made: &Made| {
            made.signature == signature && made.key == key && made.body.as_slice() == body
        };
        if let Some(at) = self.made.iter().position(is_made) {
            self.made.remove(at);
            return Ok(());
        }
        let signature = ed25519_dalek::Signature::from_bytes(signature.as_bytes());
        let unpacked = match self.unpacked.get(&key) {
            Some(unpacked) => unpacked,
            None => {
                let unpacked = VerifyingKey::from_bytes(key.as_bytes()).map_err(|_| Junk::NoKey)?;
                self.unpacked.entry(key).or_insert(unpacked)
            }
        };
        unpacked
            .verify_strict(body, &signature)
            .map_err(|_| Junk::Signature)
    }

    fn key_at(&self, author: AuthorId, seq: u64) -> Option<PublicKey> {
        if author == AuthorId::Owner {
            return Some(self.owner);
        }
        let valid = |window: &&Window| {
            window.from_seq < seq && window.to_seq.is_none_or(|to_seq| seq <= to_seq)
        };
        self.keys
            .get(&author)?
            .iter()
            .find(valid)
            .map(|window| window.key)
    }

    fn advance(&mut self, subject: &Subject<'_>, head: &EventHeader, raw: &Raw<'_>) {
        // A reader that does not check every link needs no digest: it saves the hash.
        let digest = if self.sees_whole(subject.by) {
            Digest::of(&[raw.body])
        } else {
            Digest::ZERO
        };
        self.tips.insert(
            chain(subject.by, subject.task),
            Tip {
                seq: head.seq,
                digest,
            },
        );
    }

    fn roster(
        &mut self,
        subject: &Subject<'_>,
        head: &EventHeader,
        raw: &Raw<'_>,
    ) -> Result<(), Junk> {
        if subject.kind != RosterChanged::KIND || subject.by != AuthorId::Owner {
            return Ok(());
        }
        // Checked for every reader, even one that folds no rosters: without it, revoked keys would stay valid.
        let (_, roster) = parse_fact::<RosterChanged>(*subject, &head.schema, raw.body)?;
        if self
            .deployment
            .is_some_and(|deployment| deployment != roster.deployment)
        {
            return Err(Junk::Copied);
        }
        self.deployment = Some(roster.deployment);
        for (author, windows) in &mut self.keys {
            let kept = roster.keys.iter().find(|entry| entry.author == *author);
            if let Some(last) = windows.last_mut()
                && last.to_seq.is_none()
                && kept.is_none_or(|entry| entry.key != last.key)
            {
                last.to_seq = Some(raw.seq);
            }
        }
        for entry in roster
            .keys
            .iter()
            .filter(|entry| entry.author != AuthorId::Owner)
        {
            let windows = self.keys.entry(entry.author).or_default();
            if windows.last().is_none_or(|last| last.to_seq.is_some()) {
                windows.push(Window {
                    key: entry.key,
                    from_seq: raw.seq,
                    to_seq: None,
                });
            }
        }
        Ok(())
    }
}

fn chain(author: AuthorId, task: Option<TaskId>) -> (AuthorId, Option<TaskId>) {
    match author.chain() {
        Chain::Whole => (author, None),
        Chain::PerTask => (author, task),
    }
}
