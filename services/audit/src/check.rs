//! The offline check of a whole log, with only its files and the owner's public key.

mod stream;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use bus_schema::{
    AuditFact, AuthorId, ChainScope, CheckpointSigned, DeploymentId, EVENT_BYTES_MAX, Event as _,
    Meta, PublicKey, Raw, Read, RosterChanged, Subject, Time, Verifier, parse_fact,
};
use ed25519_dalek::VerifyingKey;

use crate::checkpoint::has_signature;
use crate::edge::Edge;
use crate::entry::leaf_hash;
use crate::layout::{CHECKPOINT, TILE_WIDTH};
use crate::verify::scan;
use crate::{Bad, Checkpoint, Entry, Junk, Origin, Places, Problem, Refused, Verdict, verify};

pub use stream::{Agreement, StreamComparison};

/// A checked log: every entry, signature, chain and verdict is valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The log's last checkpoint.
    pub checkpoint: Checkpoint,
    /// The key that signed it.
    pub key: PublicKey,
    /// The size of the anchored checkpoint.
    pub anchored: u64,
    /// The message counts under each author's subjects.
    pub authors: BTreeMap<AuthorId, Counts>,
    /// The message counts under subjects of no author.
    pub strangers: Counts,
    /// A working file that differs from the log; nothing relies on it.
    pub damaged: Option<PathBuf>,
    /// The entries after the last full bundle, kept because a running service moves them.
    rest: Vec<Vec<u8>>,
}

/// The numbers of messages.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// The number of events.
    pub genuine: u64,
    /// The number of junk messages, which all readers skip.
    pub junk: u64,
    /// The stored times of the first and the last junk message.
    pub junk_stored: Option<(Time, Time)>,
}

/// The author that owns `subject`: the server lets no other actor store there.
#[must_use]
pub fn under(subject: &str) -> Option<AuthorId> {
    let rest = subject.strip_prefix("event.")?;
    rest.split('.').next()?.parse().ok()
}

/// Checks the log of a deployment. The owner's rosters in the log name audit's key. The check
/// rehashes every entry, verifies its signature, author, subject and chain again, and compares its
/// recorded verdict with the result; it also compares each root that audit published in the stream.
/// `observer` gets each message in order. Takes no lock, so it also runs beside the service.
///
/// # Errors
///
/// The first bad place.
pub fn check(
    places: &Places,
    deployment: DeploymentId,
    owner: PublicKey,
    observer: impl FnMut(&Entry, Result<&Meta, bus_schema::Junk>),
) -> Result<Checked, Bad> {
    let first = First::pass(places, deployment, owner)?;
    let origin = Origin::of(deployment);
    let key = first.key(places, &origin)?;
    let mut review = Review {
        verifier: Verifier::new(owner, ChainScope::Everything),
        authors: BTreeMap::new(),
        strangers: Counts::default(),
        claims: first.claims,
        roots: BTreeMap::new(),
        edge: Edge::default(),
        rest: Vec::new(),
        observer,
    };
    let report = verify(places, &origin, &key, |_, entry, bytes| {
        review.entry(entry, bytes)
    })?;
    Ok(Checked {
        checkpoint: report.checkpoint,
        key: PublicKey::new(key.to_bytes()),
        anchored: report.anchored,
        damaged: report.damaged,
        authors: review.authors,
        strangers: review.strangers,
        rest: review.rest,
    })
}

/// The result of the first pass: only the rosters in it are proven, because the owner signed them.
struct First {
    /// Audit's key after the last entry, and the one before it if the last entry replaced it.
    keys: Vec<PublicKey>,
    /// The first message of the owner that is recorded as genuine but is junk.
    forged: Option<Bad>,
    /// The sizes whose roots audit published.
    claims: BTreeSet<u64>,
}

impl First {
    fn pass(places: &Places, deployment: DeploymentId, owner: PublicKey) -> Result<Self, Bad> {
        // Reading as one author verifies the owner's whole chain; this pass needs no other chain.
        let mut verifier = Verifier::new(owner, ChainScope::Own(AuthorId::Audit));
        let (mut keys, mut forged) = (Vec::new(), None);
        let (mut claims, mut foreign) = (BTreeSet::new(), None);
        scan(places, |index, entry| {
            keys = verifier.key(AuthorId::Audit).into_iter().collect();
            let Some(subject) = Subject::parse(&entry.subject) else {
                return;
            };
            if subject.kind == CheckpointSigned::KIND && subject.by == AuthorId::Audit {
                let schema = format!("{}.v{}", CheckpointSigned::KIND, CheckpointSigned::V);
                let said = parse_fact::<CheckpointSigned>(subject, &schema, &entry.body);
                claims.extend(said.map(|(_, fact)| fact.size));
            }
            if subject.by != AuthorId::Owner {
                return;
            }
            let read = verifier.read::<AuditFact>(&raw(entry));
            if let (Verdict::Genuine, Ok(Read::Junk(junk))) = (entry.verdict, read) {
                let problem = if subject.kind == RosterChanged::KIND {
                    Problem::Roster
                } else {
                    Problem::Observed(not_genuine(junk))
                };
                forged.get_or_insert(Bad::entry(index, problem));
            }
            if let Some(found) = verifier.deployment().filter(|found| *found != deployment) {
                foreign.get_or_insert((index, found));
            }
        })?;
        if let Some((index, found)) = foreign {
            return Err(Bad::entry(index, Problem::Deployment(found)));
        }
        keys.extend(verifier.key(AuthorId::Audit));
        keys.dedup();
        keys.reverse();
        Ok(Self {
            keys,
            forged,
            claims,
        })
    }

    /// The key that signed the checkpoint.
    fn key(&self, places: &Places, origin: &Origin) -> Result<VerifyingKey, Bad> {
        let path = places.log.join(CHECKPOINT);
        let note = crate::verify::note(&path)?;
        if !has_signature(&note) {
            return Err(Bad::file(&path, Problem::Refused(Refused::Unsigned)));
        }
        let usable = self.keys.iter().map(PublicKey::as_bytes);
        let keys: Vec<_> = usable
            .filter_map(|key| VerifyingKey::from_bytes(key).ok())
            .collect();
        let signed =
            |key: &&VerifyingKey| Checkpoint::parse(&note, origin, key) != Err(Refused::Signature);
        if let Some(key) = keys.iter().find(signed) {
            return Ok(*key);
        }
        let problem = if keys.is_empty() {
            Problem::NoRoster
        } else {
            Problem::Refused(Refused::Signature)
        };
        let forged = self.forged.clone();
        Err(forged.unwrap_or_else(|| Bad::file(&path, problem)))
    }
}

/// The second pass.
struct Review<F> {
    verifier: Verifier,
    authors: BTreeMap<AuthorId, Counts>,
    strangers: Counts,
    claims: BTreeSet<u64>,
    roots: BTreeMap<u64, [u8; 32]>,
    edge: Edge,
    rest: Vec<Vec<u8>>,
    observer: F,
}

impl<F: FnMut(&Entry, Result<&Meta, bus_schema::Junk>)> Review<F> {
    fn entry(&mut self, entry: &Entry, bytes: &[u8]) -> Result<(), String> {
        self.note(bytes);
        if entry.seq == 0 {
            return Ok(());
        }
        let read = self.verifier.read::<AuditFact>(&raw(entry));
        let found = match read.map_err(|too_old| too_old.to_string())? {
            Read::Fact(seen) => {
                let (meta, fact) = seen.into_parts();
                let AuditFact::CheckpointSigned(_, said) = fact;
                self.claim(&said)?;
                Ok(meta)
            }
            Read::Other(meta) => Ok(meta),
            Read::Junk(junk) => Err(junk),
        };
        let found = found.as_ref().map_err(|junk| *junk);
        compare(entry.verdict, found)?;
        self.count(entry, found.is_ok());
        (self.observer)(entry, found);
        Ok(())
    }

    fn note(&mut self, bytes: &[u8]) {
        drop(self.edge.push(leaf_hash(bytes)));
        self.rest.push(bytes.to_vec());
        if self.rest.len() == TILE_WIDTH {
            self.rest.clear();
        }
        if self.claims.contains(&self.edge.size()) {
            self.roots.insert(self.edge.size(), self.edge.root());
        }
    }

    fn claim(&self, said: &CheckpointSigned) -> Result<(), String> {
        if self.roots.get(&said.size) == Some(said.root.as_bytes()) {
            return Ok(());
        }
        Err(format!(
            "names another root of the first {} entries than they have: the log was replaced",
            said.size
        ))
    }

    fn count(&mut self, entry: &Entry, genuine: bool) {
        let counts = match under(&entry.subject) {
            Some(author) => self.authors.entry(author).or_default(),
            None => &mut self.strangers,
        };
        if genuine {
            counts.genuine += 1;
            return;
        }
        counts.junk += 1;
        let stored = Time::from_ns(entry.stored_ns);
        let (first, last) = counts.junk_stored.unwrap_or((stored, stored));
        counts.junk_stored = Some((first.min(stored), last.max(stored)));
    }
}

fn compare(recorded: Verdict, found: Result<&Meta, bus_schema::Junk>) -> Result<(), String> {
    match (recorded, found) {
        (Verdict::Genuine, Ok(_)) => Ok(()),
        (Verdict::Genuine, Err(found)) => Err(not_genuine(found)),
        (Verdict::Junk(recorded), Ok(_)) => {
            Err(format!("is recorded as junk ({recorded}) but is genuine"))
        }
        (Verdict::Junk(Junk::CUT), Err(_)) => Ok(()),
        (Verdict::Junk(recorded), Err(found)) if recorded == found.into() => Ok(()),
        (Verdict::Junk(recorded), Err(found)) => Err(format!(
            "is recorded as one kind of junk ({recorded}) but is another ({found})"
        )),
    }
}

fn not_genuine(found: bus_schema::Junk) -> String {
    format!("is recorded as genuine but is junk ({found})")
}

/// A placeholder for a body that was too long to keep, and therefore too long for an event.
const TOO_LONG: &[u8] = &[0; EVENT_BYTES_MAX + 1];

/// The message that an entry keeps.
fn raw(entry: &Entry) -> Raw<'_> {
    let signature = entry.signature.as_deref();
    let cut = entry.verdict == Verdict::Junk(Junk::CUT);
    Raw {
        subject: &entry.subject,
        signature: signature.and_then(|bytes| std::str::from_utf8(bytes).ok()),
        body: if cut { TOO_LONG } else { &entry.body },
        seq: entry.seq,
        stored: Time::from_ns(entry.stored_ns),
    }
}
