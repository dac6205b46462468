//! `stream adopt`: signs the owner's adoption of a stream that executors doubt.

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

/// The fix for an executor in doubt.
pub(super) const FIX: &str =
    "find out who replaced or restored the stream, then run `contractual stream adopt`";
/// The timeout for audit to cover the end of the stream.
const HEAD: Duration = Duration::from_secs(10);

/// `stream …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Adopt a stream that was restored, replaced or recreated, so that executors continue in it.
    Adopt(Arguments),
}

/// `stream adopt …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual stream adopt\n\n\
    Prints each executor that doubts the stream, requires that audit's log covers the end of the stream, and asks \
    before it signs. Grants from before the adoption are never claimed.\n\n\
    Exit codes: 0 adopted, or nothing to adopt · 1 audit does not confirm the stream, or the bus refused it · 130 not signed")]
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
            "audit's log and this stream agree up to message {}; grants from before the adoption are never claimed",
            seen.last.seq
        ));
        if !self.yes && prompt::sign_it().await != Some(true) {
            return Err(Error::Interrupted);
        }
        let mut writer = bus.owner(key).await?;
        let mut adopted = Vec::new();
        for doubt in seen.doubts.into_values() {
            adopted.push(end(&mut writer, &bus, doubt).await?);
        }
        out.print(&adopted, || {
            let lines = adopted.iter().map(|one| {
                format!(
                    "adopted as message {}: the {} continues from there",
                    one.adopted, one.doubt.executor
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        });
        Ok(())
    }
}

/// An open doubt of an executor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Doubt {
    /// The executor.
    executor: AuthorId,
    /// The last message that it read of the stream that it lost.
    lost_seq: u64,
    /// The digest of that message.
    lost: Digest,
    /// The time of the doubt, in bus time.
    since: Time,
    /// The sequence number of the doubt in this stream.
    seq: u64,
}

impl Doubt {
    fn text(&self) -> String {
        format!(
            "the {} stopped at message {} ({}) of another stream; it doubts this stream since {} (message {})",
            self.executor, self.lost_seq, self.lost, self.since, self.seq
        )
    }
}

/// The output of the command.
#[derive(Debug, Serialize)]
struct Adopted {
    #[serde(flatten)]
    doubt: Doubt,
    /// The sequence number of the adoption.
    adopted: u64,
}

/// The open doubts, the last message and the audit key of a stream.
struct Seen {
    doubts: BTreeMap<(AuthorId, Digest), Doubt>,
    last: Stored,
    audit: PublicKey,
}

async fn end(writer: &mut OwnerWriter, bus: &BusClient, doubt: Doubt) -> Result<Adopted, Error> {
    let fact = StreamAdopted {
        executor: doubt.executor,
        lost: doubt.lost,
    };
    let draft = Draft::<Owner>::of(Deployment, fact);
    let adopted = writer.say(bus, draft).await?;
    Ok(Adopted { doubt, adopted })
}

/// Checks that audit's log has the end of the stream, by a live head and by a fresh proof.
async fn agreed(
    bus: &BusClient,
    key: &SigningKey,
    seen: &Seen,
    deployment: DeploymentId,
) -> Result<(), Error> {
    let differs = |why: String| {
        Error::Refused(format!(
            "nothing was adopted, because audit does not confirm that its log and this stream agree: {why}; run `contractual \
             doctor`, restore what it names, and try again"
        ))
    };
    let head = bus.head(&seen.audit, seen.last.seq, HEAD).await;
    head.map_err(|error| differs(actor::chain(&error)))?;
    let keys = BTreeMap::from([(AuthorId::Audit, seen.audit)]);
    let owner = bus.bus(key.clone(), keys);
    let proof = owner
        .ask(AuthorId::Audit, Prove { seq: seen.last.seq })
        .await;
    let proof = proof.map_err(|error| differs(error.to_string()))?;
    let proof =
        proof.ok_or_else(|| differs(format!("message {} is not in the log", seen.last.seq)))?;
    verify::included(&seen.last, &proof, deployment, &seen.audit)
        .map_err(|error| differs(error.to_string()))
}

/// Reads the whole stream, because a message is verified against all messages before it.
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
