//! `stream adopt`: the doubts of executors, and the owner's adoption of the stream.

use std::{collections::BTreeMap, time::Duration};

use actor::{BusClient, OwnerWriter, Stored, StreamReader};
use bus_schema::{
    AuthorId, Deployment, DeploymentId, Digest, DoubtFact, Draft, Meta, Owner, Prove, PublicKey,
    StreamAdopted, Time, public_key,
};
use clap::{Args, Subcommand};
use deployment::Deployment as Opened;
use ed25519_dalek::SigningKey;
use serde::Serialize;

use super::audit::verify;
use crate::{Error, Output, prompt};

/// What to do about an executor in doubt.
pub(super) const FIX: &str =
    "find out who replaced or restored the stream, then run `contractual stream adopt`";
/// How long audit may take to cover the end of the stream.
const HEAD: Duration = Duration::from_secs(10);

/// `stream …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adopt a stream that was restored, replaced or made again, so that executors continue in it.
    Adopt(Arguments),
}

/// `stream adopt …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual stream adopt\n\n\
    Prints which executor doubts the stream since when, requires that audit's log covers the end of the stream, and asks \
    before it signs. Grants from before the adoption are never claimed.\n\n\
    Exit codes: 0 adopted, or nothing to adopt · 1 audit does not agree, or the bus refused it · 130 not signed")]
pub(crate) struct Arguments {
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
}

impl Command {
    pub(super) async fn run(self, deployment: &Opened, out: &Output) -> Result<(), Error> {
        match self {
            Self::Adopt(arguments) => arguments.run(deployment, out).await,
        }
    }
}

impl Arguments {
    /// Prints the open doubts, asks, and ends each with the owner's signature.
    async fn run(&self, deployment: &Opened, out: &Output) -> Result<(), Error> {
        let key = deployment.owner_key()?;
        let bus = deployment.bus().await?;
        let seen = read(&bus, public_key(&key)).await?;
        if seen.doubts.is_empty() {
            let none: [Adopted; 0] = [];
            out.print(&none, || {
                "no executor doubts this stream: there is nothing to adopt".to_owned()
            });
            return Ok(());
        }
        agreed(&bus, &key, &seen, deployment.file.deployment).await?;
        for doubt in seen.doubts.values() {
            out.line_for_people(&doubt.text());
        }
        out.line_for_people(&format!(
            "audit's log and this stream agree up to message {}; what was granted in it so far stays unclaimed",
            seen.last.seq
        ));
        if !self.yes && prompt::sign_it().await != Some(true) {
            return Err(Error::Interrupted);
        }
        let mut pen = bus.owner(key).await?;
        let mut adopted = Vec::new();
        for doubt in seen.doubts.into_values() {
            adopted.push(end(&mut pen, &bus, doubt).await?);
        }
        out.print(&adopted, || {
            let lines = adopted.iter().map(|one| {
                format!(
                    "adopted as message {}: the {} goes on from there",
                    one.adopted, one.doubt.executor
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

/// A doubt that the stream holds and that nobody ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Doubt {
    /// Who doubts.
    executor: AuthorId,
    /// The place where it stood in the stream that it lost.
    lost_seq: u64,
    /// The message there.
    lost: Digest,
    /// Since when, in bus time.
    since: Time,
    /// The place of its word in this stream.
    seq: u64,
}

impl Doubt {
    fn text(&self) -> String {
        format!(
            "the {} stood at message {} ({}) of a stream that is not this one; it says so here since {} (message {})",
            self.executor, self.lost_seq, self.lost, self.since, self.seq
        )
    }
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Adopted {
    #[serde(flatten)]
    doubt: Doubt,
    /// The place of the owner's word.
    adopted: u64,
}

/// The stream as far as it matters here.
struct Seen {
    doubts: BTreeMap<(AuthorId, Digest), Doubt>,
    last: Stored,
    audit: PublicKey,
}

async fn end(pen: &mut OwnerWriter, bus: &BusClient, doubt: Doubt) -> Result<Adopted, Error> {
    let fact = StreamAdopted {
        executor: doubt.executor,
        lost: doubt.lost,
    };
    let draft = Draft::<Owner>::of(Deployment, fact);
    let adopted = pen.say(bus, draft).await?;
    Ok(Adopted { doubt, adopted })
}

/// Whether audit has the end of the stream in its log, by its live word and by a proof that was asked for now.
async fn agreed(
    bus: &BusClient,
    key: &SigningKey,
    seen: &Seen,
    deployment: DeploymentId,
) -> Result<(), Error> {
    let differs = |why: String| {
        Error::Refused(format!(
            "audit does not say that its log and this stream agree, so nothing was adopted: {why}; run `contractual \
             doctor`, put back what it names, and try again"
        ))
    };
    let head = bus.head(&seen.audit, seen.last.seq, HEAD).await;
    head.map_err(|error| differs(actor::chain(&error)))?;
    let keys = BTreeMap::from([(AuthorId::Audit, seen.audit)]);
    let owner = bus.bus(key.clone(), keys);
    let proof = owner.ask(Prove { seq: seen.last.seq }).await;
    let proof = proof.map_err(|error| differs(error.to_string()))?;
    let proof =
        proof.ok_or_else(|| differs(format!("message {} is not in the log", seen.last.seq)))?;
    verify::included(&seen.last, &proof, deployment, &seen.audit)
        .map_err(|error| differs(error.to_string()))
}

/// Reads the whole stream, since whether a message is genuine depends on all before it.
async fn read(bus: &BusClient, owner: PublicKey) -> Result<Seen, Error> {
    let mut reading = StreamReader::new(owner);
    let mut doubts = BTreeMap::new();
    let mut last = None;
    let mut failed = None;
    bus.scan(">", 1, |stored| {
        match reading.read::<DoubtFact>(&stored) {
            Ok(Ok((meta, Some(fact)))) => take(&mut doubts, &meta, fact),
            Ok(Ok((_, None)) | Err(_)) => {}
            Err(error) => failed = Some(error),
        }
        last = Some(stored);
        failed.is_none()
    })
    .await?;
    if let Some(error) = failed {
        return Err(error.into());
    }
    let audit = reading.verifier().key(AuthorId::Audit);
    let (last, audit) = last.zip(audit).ok_or_else(verify::no_roster)?;
    Ok(Seen {
        doubts,
        last,
        audit,
    })
}

fn take(doubts: &mut BTreeMap<(AuthorId, Digest), Doubt>, meta: &Meta, fact: DoubtFact) {
    match fact {
        DoubtFact::StreamDoubted(_, fact) => {
            let doubt = Doubt {
                executor: meta.by,
                lost_seq: fact.lost_seq,
                lost: fact.lost,
                since: meta.stored,
                seq: meta.seq,
            };
            doubts.entry((meta.by, fact.lost)).or_insert(doubt);
        }
        DoubtFact::StreamAdopted(_, fact) => {
            doubts.remove(&(fact.executor, fact.lost));
        }
    }
}
