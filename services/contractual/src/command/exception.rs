//! `exception add`: the owner allows a service to run in a container that lacks a protection.

use std::path::PathBuf;

use actor::{files, hardening::Exception};
use bus_schema::{AuthorId, Property, Time};
use clap::{Args, Subcommand};
use deployment::Deployment;
use serde::Serialize;

use crate::{Error, Output};

/// Most days that an exception is valid.
const DAYS_MAX: u16 = 90;
const DAY_MS: u64 = 86_400_000;
/// The table of a configuration, and the line in it that names the exception.
const TABLE: &str = "[hardening]";
const LINE: &str = "exception = \"exception.json\"";

/// `exception …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Allow a service to run in a container that lacks a protection, for some days.
    Add(Arguments),
}

/// `exception add …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual exception add runner read-only-root --days 3")]
pub(crate) struct Arguments {
    /// The service, such as runner.
    service: AuthorId,
    /// The missing protections: own-user, capabilities, no-new-privileges, seccomp, read-only-root, core, dumpable,
    /// landlock.
    #[arg(required = true)]
    properties: Vec<Property>,
    /// The number of days that the exception is valid, 1 to 90.
    #[arg(long, default_value_t = 7)]
    days: u16,
}

/// A signed exception, as the command prints it.
#[derive(Debug, Serialize)]
struct Added {
    /// The service.
    service: AuthorId,
    /// The protections that may be missing.
    properties: Vec<Property>,
    /// The expiry time, by the clock of the service's machine.
    until: Time,
    /// The file.
    path: PathBuf,
}

impl Added {
    /// Returns the text for people.
    fn text(&self, deployment: &Deployment) -> String {
        let names: Vec<_> = self.properties.iter().map(|one| one.name()).collect();
        let (service, until) = (self.service, self.until);
        let config = deployment.dir.config(service);
        let next = instruction(&std::fs::read_to_string(&config).unwrap_or_default());
        let restart = match &deployment.file.containers {
            Some(of) => format!("docker restart {}", of.container(service.name())),
            None => format!("start {service} again"),
        };
        format!(
            "{service} may run without {} until {until}\nin {}{next}\nthen: {restart}",
            names.join(", "),
            config.display(),
        )
    }
}

/// The change of a configuration that is needed so that it names the exception.
fn instruction(config: &str) -> String {
    let is = |wanted: &str| config.lines().any(|line| line.trim() == wanted);
    if is(LINE) {
        return ", no change is needed".to_owned();
    }
    // A TOML file may hold a table only once.
    if is(TABLE) {
        return format!(", put this line under the line `{TABLE}`:\n\n{LINE}\n");
    }
    format!(", put these lines at the end:\n\n{TABLE}\n{LINE}\n")
}

impl Arguments {
    /// Signs the exception with the owner's key and writes it beside the service's configuration.
    pub(super) fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let Self {
            service,
            properties,
            days,
        } = self;
        if service == AuthorId::Owner {
            let wrong = "the owner is a person, not a service: name a service such as runner";
            return Err(Error::Document(wrong.to_owned()));
        }
        if !(1..=DAYS_MAX).contains(&days) {
            let wrong = format!(
                "--days {days} is invalid: pass 1 to {DAYS_MAX}; for longer, add the protection to the container"
            );
            return Err(Error::Document(wrong));
        }
        let key = deployment.owner_key()?;
        let until = deployment.clock.wall().plus_ms(u64::from(days) * DAY_MS);
        let exception = Exception::sign(service, properties.clone(), until, &key);
        let text = serde_json::to_string_pretty(&exception)
            .map_err(|error| Error::Document(error.to_string()))?;
        let path = deployment.dir.of(service.name()).join("exception.json");
        files::replace(&path, text.as_bytes())?;
        let added = Added {
            service,
            properties,
            until,
            path,
        };
        out.print(&added, || added.text(deployment));
        Ok(())
    }
}
