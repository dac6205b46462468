//! The roster: whose keys count, signed by the owner as the first event of a stream.

use actor::{Clock, files};
use bus_schema::{
    AuthorKey, Body, Deployment, Digest, Draft, EventId, Link, Owner, RosterChanged, Signature,
    SignedEvent, wire,
};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::{DeploymentFile, Dir, Error, InitReport, report::refresh};

/// An event that was signed before there was a bus.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Presigned {
    subject: String,
    schema: String,
    signature: Signature,
    id: EventId,
    body: String,
}

/// Has a roster of exactly `keys` lie there; the owner signs a new one if it is of others.
///
/// # Errors
/// [`Error::Refused`] if it has to be signed and the owner's key is not there.
pub(super) fn keep(
    dir: &Dir,
    facts: &DeploymentFile,
    owner: Option<&SigningKey>,
    keys: Vec<AuthorKey>,
    clock: &Clock,
    made: &mut InitReport,
) -> Result<(), Error> {
    let same = |found: &[AuthorKey]| {
        found.len() == keys.len() && keys.iter().all(|key| found.contains(key))
    };
    if dir.roster().exists() && same(&wanted(dir)?.keys) {
        made.kept.push(dir.roster());
        return Ok(());
    }
    let owner = owner.ok_or_else(|| {
        Error::Refused(format!(
            "bring {} back and run this again: the owner has to sign which keys count",
            dir.owner_key().display()
        ))
    })?;
    let fact = RosterChanged {
        deployment: facts.deployment,
        keys,
    };
    let id = EventId::new(clock.uuid());
    let link = Link {
        seq: 1,
        prev: Digest::ZERO,
        id,
        at: clock.wall(),
    };
    let event = Draft::<Owner>::of(Deployment, fact).sign(link, owner);
    let presigned = Presigned {
        subject: event.subject,
        schema: event.schema,
        signature: event.signature,
        id,
        body: event
            .body
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    };
    let text = serde_json::to_string_pretty(&presigned)
        .map_err(|error| Error::Document(error.to_string()))?;
    refresh(&dir.roster(), &text, made)
}

/// The roster that is to be in force.
///
/// # Errors
/// As [`first`].
pub fn wanted(dir: &Dir) -> Result<RosterChanged, Error> {
    let body: Body<RosterChanged> = wire::decode(&first(dir)?.body).map_err(|_| foreign(dir))?;
    Ok(body.fact)
}

/// The same, as `init` signed it to be the first event of a stream.
///
/// # Errors
/// [`Error::Document`] if the file is not what `init` wrote.
pub fn first(dir: &Dir) -> Result<SignedEvent, Error> {
    let bytes = files::read_public(&dir.roster())?;
    let read: Presigned = serde_json::from_slice(&bytes).map_err(|_| foreign(dir))?;
    let digits = read.body.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let body: Option<Vec<u8>> = digits.map(byte).collect();
    Ok(SignedEvent {
        subject: read.subject,
        task: None,
        schema: read.schema,
        signature: read.signature,
        id: read.id,
        body: body.ok_or_else(|| foreign(dir))?,
    })
}

fn foreign(dir: &Dir) -> Error {
    let path = dir.roster();
    Error::Document(format!(
        "{} is not what `contractual init` writes",
        path.display()
    ))
}
