//! Checks a whole log with nothing but its files and the owner's public key.

mod stream;

use std::collections::{BTreeMap, BTreeSet};

use bus_schema::{
    AuditFact, AuthorId, ChainScope, CheckpointSigned, DeploymentId, EVENT_BYTES_MAX, Event as _,
    Meta, PublicKey, Raw, Read, RosterChanged, Subject, Time, Verifier, parse_fact,
};
use ed25519_dalek::VerifyingKey;

use crate::edge::Edge;
use crate::entry::leaf_hash;
use crate::layout::{CHECKPOINT, TILE_WIDTH};
use crate::verify::scan;
use crate::{Bad, Checkpoint, Entry, Junk, Origin, Places, Problem, Refused, Verdict, verify};

pub use stream::{Agreement, StreamComparison};

/// A log in which every entry, signature, chain and verdict was found right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The log's last checkpoint.
    pub checkpoint: Checkpoint,
    /// The key that it is signed with.
    pub key: PublicKey,
    /// Size of the anchored checkpoint.
    pub anchored: u64,
    /// The messages under each author's subjects.
    pub authors: BTreeMap<AuthorId, Counts>,
    /// Those under subjects that are no author's.
    pub strangers: Counts,
    /// The entries after the last full bundle: a running service moves them.
    rest: Vec<Vec<u8>>,
}

/// How many messages there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events.
    pub genuine: u64,
    /// What everybody skips.
    pub junk: u64,
    /// When the first and the last of that was stored.
    pub junk_stored: Option<(Time, Time)>,
}

/// Whose subjects `subject` is one of, event or not: the server lets no other actor store there.
#[must_use]
pub fn under(subject: &str) -> Option<AuthorId> {
    let rest = subject.strip_prefix("event.")?;
    rest.split('.').next()?.parse().ok()
}

/// Checks the log of a deployment. The audit's key is the one that the owner's rosters in the log
/// itself name. Every entry is rehashed, its signature, author, subject and chain are verified
/// again, and its recorded verdict is compared with what is found; so is each root that audit said
/// in the stream. `observer` gets each message in order. Takes no lock, so it also runs beside
/// the service.
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
        authors: review.authors,
        strangers: review.strangers,
        rest: review.rest,
    })
}

/// What a first pass finds: nothing in it is proven but the rosters, which the owner signed.
struct First {
    /// Audit's key after the last entry, and the one before it if the last entry replaced it.
    keys: Vec<PublicKey>,
    /// The first message of the owner's that was recorded as genuine and is not.
    forged: Option<Bad>,
    /// Sizes whose root audit said.
    claims: BTreeSet<u64>,
}

impl First {
    fn pass(places: &Places, deployment: DeploymentId, owner: PublicKey) -> Result<Self, Bad> {
        // Who reads as one author sees the owner's chain whole, and needs no other.
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

    /// The key that the checkpoint is signed with.
    fn key(&self, places: &Places, origin: &Origin) -> Result<VerifyingKey, Bad> {
        let path = places.log.join(CHECKPOINT);
        let note = crate::verify::note(&path)?;
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
            "says another root of the first {} entries than they have: the log was replaced",
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

/// Stands for a body that was too long to be kept, and too long for an event whatever it was.
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
