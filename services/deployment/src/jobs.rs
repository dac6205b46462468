//! The jobs that the owner signs: those in the stream, and the signature of the next.

use actor::BusClient;
use bus_schema::{
    CanPublish, Deployment as Whole, Draft, Event, JobFact, JobSigned, Jobs, Owner, PublicKey,
    Sealed, public_key,
};

use crate::{Deployment, Error, owner};

/// Reads the jobs that the owner signed.
///
/// # Errors
/// The bus's error.
pub async fn read(bus: &BusClient, owner: PublicKey) -> Result<Jobs, Error> {
    let mut jobs = Jobs::default();
    for (meta, fact) in bus.owner_facts::<JobFact>(owner).await? {
        match fact {
            JobFact::JobSigned(_, fact) => drop(jobs.sign(meta.stored, *fact)),
            JobFact::JobRevoked(_, fact) => jobs.revoke(&fact),
            JobFact::JobPaused(_, fact) => jobs.pause(&fact),
            JobFact::JobResumed(_, fact) => jobs.resume(meta.stored, &fact),
        }
    }
    Ok(jobs)
}

/// Signs a version of a job with its contents; returns the place of the signature in the stream.
///
/// # Errors
/// The bus's error, or [`Error::Refused`] if another signature of this version came first.
pub async fn sign(
    of: &Deployment,
    bus: &BusClient,
    fact: JobSigned,
    contents: Vec<Sealed>,
) -> Result<u64, Error> {
    let key = public_key(&of.owner_key()?);
    let (job, wanted) = (fact.job.clone(), fact.document);
    let version = fact.version;
    let draft = Draft::of(Whole, fact);
    let draft = contents.into_iter().fold(draft, Draft::with);
    let seq = owner::say(of, bus, draft).await?;
    let jobs = read(bus, key).await?;
    if jobs
        .get(&job)
        .is_none_or(|newest| newest.signed.document != wanted)
    {
        return Err(Error::Refused(format!(
            "another command signed version {version} of the job first: run this one again"
        )));
    }
    Ok(seq)
}

/// Says a fact about a job as the owner; returns its place in the stream.
///
/// # Errors
/// The bus's error.
pub async fn say<E>(of: &Deployment, bus: &BusClient, fact: E) -> Result<u64, Error>
where
    E: Event<Scope = Whole>,
    Owner: CanPublish<E>,
{
    owner::say(of, bus, Draft::of(Whole, fact)).await
}
