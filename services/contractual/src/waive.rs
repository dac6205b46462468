//! `waive`: the owner signs that a service may work in a container that lacks something.

use std::path::PathBuf;

use actor::{Clock, files, hardening::Exception, signing_key};
use bus_schema::{AuthorId, Property, Time};
use serde::Serialize;

use crate::{Dir, Error, init::Facts};

/// Most days that an exception holds.
pub const DAYS_MAX: u16 = 90;
const DAY_MS: u64 = 86_400_000;
/// The table of a configuration, and the line in it that names the exception.
const TABLE: &str = "[hardening]";
const LINE: &str = "exception = \"exception.json\"";

/// What was signed.
#[derive(Debug, Serialize)]
pub struct Waived {
    /// For whom.
    pub service: AuthorId,
    /// What may be missing.
    pub properties: Vec<Property>,
    /// Until when, by the clock of the service's machine.
    pub until: Time,
    /// The file.
    pub path: PathBuf,
}

impl Waived {
    /// For people.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let names: Vec<_> = self.properties.iter().map(|one| one.name()).collect();
        let (service, until) = (self.service, self.until);
        let config = dir.config(service);
        let next = instruction(&std::fs::read_to_string(&config).unwrap_or_default());
        let restart = match Facts::read(dir).ok().and_then(|facts| facts.containers) {
            Some(of) => format!("docker restart {}", of.container(service.name())),
            None => format!("start {service} again"),
        };
        format!(
            "{service} may do without {} until {until}\nin {}{next}\nthen: {restart}",
            names.join(", "),
            config.display(),
        )
    }
}

/// What to change in a configuration so that it names the exception.
fn instruction(config: &str) -> String {
    let is = |wanted: &str| config.lines().any(|line| line.trim() == wanted);
    if is(LINE) {
        return ", nothing has to change".to_owned();
    }
    // A table stands in a file once.
    if is(TABLE) {
        return format!(", put this line under the line `{TABLE}`:\n\n{LINE}\n");
    }
    format!(", put these lines at the end:\n\n{TABLE}\n{LINE}\n")
}

/// Signs with the owner's key that `service` may do without `properties`, and writes it beside its configuration.
///
/// # Errors
/// If the number of days is out of bounds, the owner's key cannot be used, or the file cannot be written.
pub fn waive(
    dir: &Dir,
    service: AuthorId,
    properties: Vec<Property>,
    days: u16,
    clock: &Clock,
) -> Result<Waived, Error> {
    if service == AuthorId::Owner {
        let wrong = "the owner is a person, not a service";
        return Err(Error::Document(wrong.to_owned()));
    }
    if !(1..=DAYS_MAX).contains(&days) {
        let wrong =
            format!("an exception holds for 1 to {DAYS_MAX} days; put the container right instead");
        return Err(Error::Document(wrong));
    }
    let key = signing_key::load(&dir.owner_key())?;
    let until = clock.wall().plus_ms(u64::from(days) * DAY_MS);
    let exception = Exception::sign(service, properties.clone(), until, &key);
    let text = serde_json::to_string_pretty(&exception)
        .map_err(|error| Error::Document(error.to_string()))?;
    let path = dir.of(service.name()).join("exception.json");
    files::replace(&path, text.as_bytes())?;
    Ok(Waived {
        service,
        properties,
        until,
        path,
    })
}
