//! The roster: the valid keys of all authors, signed by the owner as the first event of a stream.

use actor::{Clock, files};
use bus_schema::{
    AuthorKey, AuthorSealingKey, Body, Deployment, Digest, Draft, EventId, Link, Owner,
    RosterChanged, Signature, SignedEvent, wire,
};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::{DeploymentFile, Dir, Error, InitReport, report::refresh};

/// An event that was signed before the bus existed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Presigned {
    subject: String,
    schema: String,
    signature: Signature,
    id: EventId,
    body: String,
}

/// Keeps a roster of exactly `keys` and `sealing`; otherwise has the owner sign a new one.
///
/// # Errors
/// [`Error::Refused`] if a signature is needed and the owner's key is offline.
pub(super) fn keep(
    dir: &Dir,
    file: &DeploymentFile,
    owner: Option<&SigningKey>,
    (keys, sealing): (Vec<AuthorKey>, Vec<AuthorSealingKey>),
    clock: &Clock,
    made: &mut InitReport,
) -> Result<(), Error> {
    let same = |found: &RosterChanged| {
        let keys =
            found.keys.len() == keys.len() && keys.iter().all(|key| found.keys.contains(key));
        keys && found.sealing == sealing
    };
    if dir.roster().exists() && same(&wanted(dir)?) {
        made.kept.push(dir.roster());
        return Ok(());
    }
    let owner = owner.ok_or_else(|| {
        Error::Refused(format!(
            "the owner must sign the roster of keys: bring {} back and run this again",
            dir.owner_key().display()
        ))
    })?;
    let fact = RosterChanged {
        deployment: file.deployment,
        keys,
        sealing,
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

/// The wanted roster.
///
/// # Errors
/// As [`first`].
pub fn wanted(dir: &Dir) -> Result<RosterChanged, Error> {
    let body: Body<RosterChanged> = wire::decode(&first(dir)?.body).map_err(|_| foreign(dir))?;
    Ok(body.fact)
}

/// The wanted roster as a signed event, the first event of a stream.
///
/// # Errors
/// [`Error::Document`] if `init` did not write the file.
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
        "{} was not written by `contractual init`",
        path.display()
    ))
}
