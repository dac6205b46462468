//! `audit verify`: checks every signature, chain, leaf and root of the record.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use actor::{BusClient, Stored, StreamReader};
use audit::{Entry, InclusionProof, Origin, Places, check};
use bus_schema::{
    AuditFact, AuthorId, DeploymentId, Digest, Junk, Meta, Proof, Prove, PublicKey, TaskId,
};
use clap::Args;
use deployment::{Deployment, Dir, owner};
use ed25519_dalek::VerifyingKey;
use serde::Serialize;

use crate::{Error, Output, junk};

/// `audit verify …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual audit verify --offline")]
pub(crate) struct Arguments {
    /// Check only the log's files, without the bus.
    #[arg(long)]
    offline: bool,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let verified = if self.offline {
            files(deployment)?.0
        } else {
            files_and_stream(deployment).await?
        };
        out.print(&verified, || verified.text());
        if let Some(why) = &verified.not_compared {
            out.line_for_people(&format!(
                "not compared: the stream, because {why}; start the deployment and verify again"
            ));
        }
        Ok(())
    }
}

/// The time in which audit must cover the newest event.
const HEAD: Duration = Duration::from_secs(10);

/// The result of a verification.
#[derive(Debug, Serialize)]
pub struct Verified {
    /// Messages of the stream, or of the log if the stream was not read.
    pub messages: u64,
    /// Valid events of each author: signature, subject and chain are correct.
    pub events: BTreeMap<AuthorId, u64>,
    /// Messages that are not valid events.
    pub junk: u64,
    /// The first hundred of them; empty if the log was not read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub junk_found: Vec<junk::JunkMessage>,
    /// Leaves of the log under the newest checkpoint.
    pub size: u64,
    /// The log's root.
    pub root: Digest,
    /// Messages whose inclusion audit proved one by one.
    pub included: u64,
    /// The reason for which the stream was not compared with the log's files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_compared: Option<String>,
    /// A damaged working file beside the log; nothing relies on it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub damaged: Option<PathBuf>,
}

impl Verified {
    /// Returns the text for people.
    fn text(&self) -> String {
        let events: u64 = self.events.values().sum();
        let junk = self.junk_found.iter().map(ToString::to_string);
        let mut lines: Vec<_> = junk.collect();
        lines.push(format!(
            "verified: {} messages, {events} valid events, {} junk\nlog size {}, root {}",
            self.messages, self.junk, self.size, self.root
        ));
        lines.extend(self.damaged.iter().map(|path| {
            format!(
                "damaged: {}, a working file; audit writes it again when it restarts",
                path.display()
            )
        }));
        lines.join("\n")
    }
}

/// Checks the log's files: needs only the owner's public key, no service and no bus.
///
/// # Errors
/// [`Error::Bad`] names the first bad place.
pub fn files(deployment: &Deployment) -> Result<(Verified, check::Checked), Error> {
    let owner = owner::owner(&deployment.dir)?;
    let places = places(&deployment.dir);
    let mut junk_found = Vec::new();
    let observe = |entry: &Entry, verdict: Result<&Meta, Junk>| {
        if let Err(why) = verdict
            && junk_found.len() < junk::TOLD_MAX
        {
            junk_found.push(junk::JunkMessage::of(entry, why));
        }
    };
    let checked = check::check(&places, deployment.file.deployment, owner, observe)
        .map_err(|bad| Error::Bad { bad })?;
    let counts = checked.authors.iter();
    let verified = Verified {
        messages: checked.checkpoint.size().saturating_sub(1),
        events: counts
            .clone()
            .map(|(author, counts)| (*author, counts.genuine))
            .collect(),
        junk: counts.map(|(_, counts)| counts.junk).sum::<u64>() + checked.strangers.junk,
        junk_found,
        size: checked.checkpoint.size(),
        root: Digest::new(checked.checkpoint.root()),
        included: 0,
        not_compared: None,
        damaged: checked.damaged.clone(),
    };
    Ok((verified, checked))
}

fn places(dir: &Dir) -> Places {
    let folder = dir.of("audit");
    Places {
        log: folder.join("log"),
        anchor: folder.join("anchor"),
    }
}

/// Checks the log's files, then compares the live stream with them, message by message. Without a connection, the
/// result states that the stream was not compared.
///
/// # Errors
/// [`Error::Bad`] names the first bad place.
pub async fn files_and_stream(deployment: &Deployment) -> Result<Verified, Error> {
    let dir = &deployment.dir;
    // Both users read the same facts; the owner may be offline.
    let user = if dir.of("owner").exists() {
        "owner"
    } else {
        "audit-reader"
    };
    let (mut verified, checked) = files(deployment)?;
    let bus = match deployment.bus_as(user).await {
        Ok(bus) => bus,
        Err(error) => {
            verified.not_compared = Some(actor::chain(&error));
            return Ok(verified);
        }
    };
    let places = places(dir);
    let mut comparison = check::StreamComparison::new(&places, &checked);
    let mut bad = None;
    bus.scan(">", 1, |stored| {
        bad = comparison.message(&stored.raw()).err();
        bad.is_none()
    })
    .await?;
    match bad.map_or_else(|| comparison.end().err(), Some) {
        Some(bad) => Err(Error::Bad { bad }),
        None => Ok(verified),
    }
}

/// Verifies the record of a running deployment from the bus: the whole stream, the newest head of the log, and the
/// inclusion of every message, or of those of `task`, under a checkpoint.
///
/// # Errors
/// [`Error::Found`] names the first bad place.
pub async fn running(deployment: &Deployment, task: Option<TaskId>) -> Result<Verified, Error> {
    let key = deployment.owner_key()?;
    let owner = bus_schema::public_key(&key);
    let bus = deployment.bus().await?;
    let (reading, messages) = read(&bus, owner).await?;
    let last = messages.last().map_or(0, |(stored, _)| stored.seq);
    let audit = reading
        .verifier()
        .key(AuthorId::Audit)
        .ok_or_else(no_roster)?;
    let head = bus.head(&audit, last, HEAD).await?;
    let mut verified = Verified {
        messages: messages.len() as u64,
        events: BTreeMap::new(),
        junk: 0,
        junk_found: Vec::new(),
        size: head.size,
        root: head.root,
        included: 0,
        not_compared: None,
        damaged: None,
    };
    let asks = bus.bus(key, BTreeMap::from([(AuthorId::Audit, audit)]));
    for (stored, verdict) in &messages {
        match verdict {
            Ok(meta) => *verified.events.entry(meta.by).or_default() += 1,
            Err(_) => verified.junk += 1,
        }
        let meta = verdict.as_ref().ok();
        if task.is_none_or(|task| meta.is_some_and(|meta| meta.task == Some(task))) {
            let proof = asks.ask(AuthorId::Audit, Prove { seq: stored.seq }).await;
            let proof = proof.map_err(|error| Error::Refused(error.to_string()))?;
            let proof = proof.ok_or_else(|| found(stored.seq, "is not in the log"))?;
            included(stored, &proof, deployment.file.deployment, &audit)?;
            verified.included += 1;
        }
    }
    Ok(verified)
}

/// Checks that `proof` proves exactly this message under a checkpoint that audit signed.
pub(crate) fn included(
    stored: &Stored,
    proof: &Proof,
    deployment: DeploymentId,
    audit: &PublicKey,
) -> Result<(), Error> {
    let origin = Origin::of(deployment);
    let wrong = |why: String| {
        found(
            stored.seq,
            &format!("is not proven to be in the log: {why}"),
        )
    };
    let key =
        VerifyingKey::from_bytes(audit.as_bytes()).map_err(|error| wrong(error.to_string()))?;
    let note = proof.checkpoint.as_bytes();
    let size = audit::Checkpoint::parse(note, &origin, &key)
        .map_err(|error| wrong(actor::chain(&error)))?
        .size();
    let hashes = proof.path.iter().map(|hash| *hash.as_bytes()).collect();
    let path = InclusionProof {
        index: stored.seq,
        size,
        hashes,
    };
    let (entry, _) = audit::verify_inclusion(&proof.entry, stored.seq, &path, note, &key, &origin)
        .map_err(|error| wrong(actor::chain(&error)))?;
    if Entry::of(&stored.raw(), entry.verdict).encode() == proof.entry {
        Ok(())
    } else {
        Err(found(stored.seq, "differs between the stream and the log"))
    }
}

/// Every message of the stream, with its author or the reason for which it is junk.
type Messages = Vec<(Stored, Result<Meta, Junk>)>;

async fn read(bus: &BusClient, owner: PublicKey) -> Result<(StreamReader, Messages), Error> {
    let mut reading = StreamReader::new(owner);
    let mut messages: Messages = Vec::new();
    let mut failed = None;
    bus.scan(">", 1, |stored| {
        let expected = messages.last().map_or(1, |(last, _)| last.seq + 1);
        if stored.seq != expected {
            failed = Some(found(expected, "is missing from the stream"));
            return false;
        }
        match reading.read::<AuditFact>(&stored) {
            Ok(verdict) => messages.push((stored, verdict.map(|(meta, _)| meta))),
            Err(error) => failed = Some(error.into()),
        }
        failed.is_none()
    })
    .await?;
    match failed {
        Some(error) => Err(error),
        None => Ok((reading, messages)),
    }
}

fn found(seq: u64, what: &str) -> Error {
    Error::Found(format!("message {seq} {what}"))
}

pub(crate) fn no_roster() -> Error {
    Error::Found("the stream has no roster: run `contractual provision`".to_owned())
}
