//! Checks of the processes on this machine: the server, the gateway, and the report of each service.

use std::{
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use actor::doubt::IN_DOUBT;
use bus_schema::{ACTORS, AuthorId};
use deployment::{Deployment, Dir, Lock, fleet::NATS, log_file::last_error};

use super::{containers::quoted, finding::Fault};
use crate::command::stream;

/// The timeout of a connection.
const ANSWER: Duration = Duration::from_secs(1);

/// The result for each process.
pub(super) struct Parts {
    pub(super) bus: Result<String, Fault>,
    pub(super) gateway: Result<String, Fault>,
    pub(super) services: Vec<(AuthorId, Result<String, Fault>)>,
    /// True if no service has reported within seconds.
    silent: bool,
}

impl Parts {
    /// The one fault of a deployment that is stopped; none if a part of it runs.
    pub(super) fn stopped(&self, of: &Deployment) -> Option<Fault> {
        let runs = self.bus.is_ok() || self.gateway.is_ok() || !self.silent;
        if runs || Lock::is_held(&of.dir) {
            return None;
        }
        let seen = format!(
            "it is stopped: nothing answers at {} and {}, and no service reports",
            of.file.bus, of.file.gateway
        );
        let fix = format!("run `contractual up --dir {}`", of.dir.path().display());
        Some(Fault::new(seen, fix))
    }
}

/// Looks at every process.
pub(super) fn look(of: &Deployment) -> Parts {
    let dir = &of.dir;
    let reached = of.file.reached();
    let mut parts = Parts {
        bus: reachable(
            dir,
            NATS,
            reached.bus,
            "run `contractual up`, or start nats-server",
        ),
        gateway: reachable(
            dir,
            AuthorId::Gateway.name(),
            reached.gateway,
            "run `contractual up`, or read the gateway's log",
        ),
        services: Vec::new(),
        silent: true,
    };
    for author in ACTORS {
        let health = actor::health::read(&dir.state(*author), &of.clock);
        parts.silent &= matches!(&health, Err(why) if why.is_silent());
        let seen = health.map(|health| {
            format!(
                "{} at message {}, {} junk",
                health.state, health.seq, health.junk
            )
        });
        let seen = seen.map_err(|why| {
            let said = why.to_string();
            let fix = if said == IN_DOUBT {
                stream::FIX
            } else if said.ends_with(runner::RESTART) {
                "to restart it, stop `contractual up` and run it again"
            } else {
                "read its log, or run `contractual up`"
            };
            let fault = Fault::of(&why, fix);
            if why.is_silent() {
                with_last_error(fault, dir, author.name())
            } else {
                fault
            }
        });
        parts.services.push((*author, seen));
    }
    parts
}

/// Returns true if there is a record or a log.
pub(super) fn has_run(dir: &Dir) -> bool {
    dir.nats().join("data").exists() || dir.state(AuthorId::Audit).exists()
}

fn reachable(dir: &Dir, name: &str, address: SocketAddr, fix: &str) -> Result<String, Fault> {
    let connected = TcpStream::connect_timeout(&address, ANSWER);
    connected
        .map(|_| format!("{address} answers"))
        .map_err(|error| with_last_error(Fault::new(format!("{address}: {error}"), fix), dir, name))
}

/// Adds the last error in the process's log, which `up` writes.
fn with_last_error(fault: Fault, dir: &Dir, name: &str) -> Fault {
    match last_error(dir, name) {
        Some(line) => fault.and_also(&format!(
            "its last error in {} is {}",
            dir.log(name).display(),
            quoted(&line)
        )),
        None => fault,
    }
}
