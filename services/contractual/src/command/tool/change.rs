//! A new version of the catalogue: what it changes, which contracts it suspends, its signature, and its readers.

use std::time::Duration;

use actor::BusClient;
use bus_schema::AuthorId;
use contract::{Catalogue, Drifted, UNREAD, catalogue_changes};
use deployment::{Deployment, catalogue, catalogue::SignedCatalogue, owner::owner};
use serde::Serialize;
use serde_json::Value;

use super::working_copy::{self, Edit};
use crate::{
    Error, Output,
    command::contract::suspended::{Suspended, suspended},
    prompt,
};

/// The timeout for policy and runner.
const READ: Duration = Duration::from_secs(30);
/// The pause between two looks at their reports.
const PAUSE: Duration = Duration::from_millis(100);
/// The services that read the catalogue.
const READERS: [AuthorId; 3] = [AuthorId::Policy, AuthorId::Runner, AuthorId::Egress];

/// A catalogue that is about to be signed.
pub(super) struct Change<'a> {
    deployment: &'a Deployment,
    bus: BusClient,
    /// The version that is signed now, and 0 if there is none.
    version: u32,
    document: Vec<u8>,
    is_same: bool,
    changes: Vec<Drifted>,
    suspends: Vec<Suspended>,
}

/// The output of a command about it.
#[derive(Debug, Serialize)]
struct ChangeReport<'a> {
    /// The version that is signed now.
    version: u32,
    /// The place of the signature; none if nothing was signed.
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    changes: &'a [Drifted],
    suspends: &'a [Suspended],
    /// The services that have read it.
    read_by: &'a [&'static str],
    /// The problems that services have with it.
    notes: &'a [String],
}

/// The services that have read a version.
#[derive(Debug, Default)]
struct Readers {
    read_by: Vec<&'static str>,
    notes: Vec<String>,
}

/// Returns the signed catalogue, or the error that there is none.
///
/// # Errors
/// The bus's error, or [`Error::Refused`].
pub(crate) async fn signed(of: &Deployment, bus: &BusClient) -> Result<SignedCatalogue, Error> {
    let newest = catalogue::newest(bus, owner(&of.dir)?).await?;
    newest.ok_or_else(|| Error::Refused(contract::UNSIGNED.to_owned()))
}

impl<'a> Change<'a> {
    /// Makes the change in the signed catalogue; an unsigned one is empty.
    ///
    /// # Errors
    /// The bus's error, or [`Error::Document`] if the result is no catalogue.
    pub(super) async fn plan(
        deployment: &'a Deployment,
        bus: BusClient,
        signed: Option<SignedCatalogue>,
        edit: &Edit<'_>,
    ) -> Result<Self, Error> {
        let (version, before, old) = match signed {
            Some(signed) => (signed.version, signed.document, signed.catalogue),
            None => (0, b"[]".to_vec(), empty()?),
        };
        let mut entries: Vec<Value> = serde_json::from_slice(&before).unwrap_or_default();
        edit.apply(&mut entries);
        let (document, next) = document(&entries)?;
        let changes = catalogue_changes(&old, &next);
        let suspends = suspended(deployment, &next).await?;
        Ok(Self {
            deployment,
            bus,
            version,
            is_same: version > 0 && document == before,
            document,
            changes,
            suspends,
        })
    }

    /// Shows the change, asks on a terminal, signs, and waits for the readers; the working copy follows.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if it was not signed, [`Error::Refused`] if a service does not read it.
    pub(super) async fn make(self, edit: &Edit<'_>, yes: bool, out: &Output) -> Result<(), Error> {
        if self.is_same {
            let version = self.version;
            out.print(&self.report(version, None, &Readers::default()), || {
                format!("version {version} of the catalogue has this already; nothing was signed")
            });
            working_copy::follow(&self.deployment.dir, edit)?;
            return Ok(());
        }
        out.line_for_people(&self.text());
        if !yes && prompt::is_attended() && prompt::sign_it().await != Some(true) {
            return Err(Error::Interrupted);
        }
        let version = self.version.saturating_add(1);
        let seq = catalogue::sign(self.deployment, &self.bus, version, &self.document).await?;
        working_copy::follow(&self.deployment.dir, edit)?;
        let readers = self.readers(seq).await;
        out.print(&self.report(version, Some(seq), &readers), || {
            let mut text = format!("version {version} of the catalogue: signed as message {seq}");
            if !readers.read_by.is_empty() {
                text.push_str(&format!("\nread by  {}", readers.read_by.join(", ")));
            }
            for note in &readers.notes {
                text.push_str(&format!("\nnote     {note}"));
            }
            text
        });
        Ok(())
    }

    fn report<'r>(
        &'r self,
        version: u32,
        seq: Option<u64>,
        readers: &'r Readers,
    ) -> ChangeReport<'r> {
        ChangeReport {
            version,
            seq,
            changes: &self.changes,
            suspends: &self.suspends,
            read_by: &readers.read_by,
            notes: &readers.notes,
        }
    }

    fn text(&self) -> String {
        let mut lines: Vec<String> = self.changes.iter().map(ToString::to_string).collect();
        if lines.is_empty() {
            lines.push("only the order of the tools changes".to_owned());
        }
        for one in &self.suspends {
            lines.push(format!("suspends {one}"));
        }
        if self.suspends.is_empty() {
            lines.push("suspends no contract".to_owned());
        }
        lines.join("\n")
    }

    /// Waits until policy and runner have read the signature, and returns what they say about it.
    async fn readers(&self, seq: u64) -> Readers {
        let mut readers = Readers::default();
        if self.deployment.file.containers.is_some() {
            let note = "policy and runner read it at once; `contractual doctor` shows what they say about it";
            readers.notes.push(note.to_owned());
            return readers;
        }
        for reader in READERS {
            match self.reader(reader, seq).await {
                Ok(()) => readers.read_by.push(reader.name()),
                Err(note) => readers.notes.push(note),
            }
        }
        readers
    }

    async fn reader(&self, reader: AuthorId, seq: u64) -> Result<(), String> {
        let state = self.deployment.dir.state(reader);
        let clock = &self.deployment.clock;
        for _ in 0..READ.as_millis().div_ceil(PAUSE.as_millis()) {
            match actor::health::read(&state, clock) {
                Ok(health) if health.seq >= seq => return Ok(()),
                Err(why) if why.is_silent() => {
                    return Err(format!(
                        "{reader} does not run, and reads it when it starts"
                    ));
                }
                Err(why) => {
                    let report = actor::health::report(&state);
                    let has_read = report.is_some_and(|report| report.seq >= seq);
                    if has_read && why.to_string() != UNREAD {
                        return Err(format!("{reader} has read it and says: {why}"));
                    }
                }
                Ok(_) => {}
            }
            tokio::time::sleep(PAUSE).await;
        }
        let within = READ.as_secs();
        Err(format!(
            "{reader} has not read it within {within} seconds: see `contractual doctor`"
        ))
    }
}

fn empty() -> Result<Catalogue, Error> {
    Catalogue::parse(b"[]").map_err(|error| Error::Document(error.to_string()))
}

fn document(entries: &[Value]) -> Result<(Vec<u8>, Catalogue), Error> {
    let text = serde_json::to_vec(entries).unwrap_or_default();
    Catalogue::document(&text).map_err(|error| Error::Document(error.to_string()))
}
