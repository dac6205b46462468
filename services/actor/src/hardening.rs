//! What a process does against being read, what it measures of its confinement, and what it insists on.

mod exception;
mod measure;

use std::path::{Path, PathBuf};

use bus_schema::{AuthorId, Hardening, Profile, Property, PublicKey, Time};
use serde::{Deserialize, Serialize};

use crate::Error;

pub use exception::{Exception, NotExcepted};
pub use measure::measure;

/// The table `[hardening]` of a service's configuration; without it the process measures and records.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// `host`: it measures and records. `container`: it refuses to work with less than the shipped container gives.
    #[serde(default)]
    pub profile: Profile,
    /// The user id to insist on; the one that the service is shipped with if there is none.
    pub uid: Option<u32>,
    /// The group id to insist on; the user id if there is none.
    pub gid: Option<u32>,
    /// What the owner signed that it may do without: a file that `contractual waive` wrote.
    pub exception: Option<PathBuf>,
}

impl Config {
    pub(crate) fn resolve(mut self, folder: &Path) -> Self {
        self.exception = self.exception.map(|path| folder.join(path));
        self
    }
}

/// The user and group id that a service is shipped with.
#[must_use]
pub const fn shipped_uid(service: AuthorId) -> u32 {
    match service {
        AuthorId::Gateway => 10_001,
        AuthorId::Policy => 10_003,
        AuthorId::Runner => 10_004,
        AuthorId::Audit => 10_007,
        AuthorId::Worker => 10_008,
        // The owner is a person; no account is theirs.
        AuthorId::Owner => u32::MAX,
    }
}

/// Makes this process unreadable to others of its user, keeps its memory out of core files, and lets neither it
/// nor its children gain privileges.
pub fn harden() {
    // None can fail for one's own process on a supported kernel; `measure` tells what holds.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).ok();
    rustix::thread::set_no_new_privs(true).ok();
}

/// A property that the shipped container has and this process has not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Which.
    pub property: Property,
    /// What was found instead, and what brings it back.
    pub text: String,
}

/// What is weaker than the shipped container: `found` as the process was given it, `holds` after [`harden`].
#[must_use]
pub fn weaker(found: &Hardening, holds: &Hardening, uid: u32, gid: u32) -> Vec<Missing> {
    let held = |property: &Property| match property {
        Property::OwnUser => {
            holds.uid != 0 && (holds.uid, holds.gid, holds.other_groups) == (uid, gid, 0)
        }
        Property::Capabilities => holds.capabilities.is_empty(),
        // The process sets both for itself as well; a child of another program in the container would be without.
        Property::NoNewPrivileges => found.no_new_privileges && holds.no_new_privileges,
        Property::Core => found.core_bytes_max == 0 && holds.core_bytes_max == 0,
        Property::Seccomp => holds.seccomp == 2,
        Property::ReadOnlyRoot => holds.read_only_root,
        Property::Dumpable => !holds.dumpable,
    };
    let missing = Property::ALL.iter().filter(|property| !held(property));
    missing
        .map(|property| Missing {
            property: *property,
            text: remedy(*property, holds, uid, gid),
        })
        .collect()
}

fn remedy(property: Property, holds: &Hardening, uid: u32, gid: u32) -> String {
    match property {
        Property::OwnUser => format!(
            "it runs as {}:{} with {} other groups (put back the line `user: \"{uid}:{gid}\"`)",
            holds.uid, holds.gid, holds.other_groups
        ),
        Property::Capabilities => {
            "it has capabilities (put back the line `cap_drop: [ALL]`, and no `cap_add`)".to_owned()
        }
        Property::NoNewPrivileges => {
            "it could gain privileges (put back `no-new-privileges:true` under `security_opt:`)"
                .to_owned()
        }
        Property::Seccomp => {
            "no filter holds its system calls (put back `seccomp=…` under `security_opt:`)"
                .to_owned()
        }
        Property::ReadOnlyRoot => {
            "its root file system is writable (put back the line `read_only: true`)".to_owned()
        }
        Property::Core => {
            "its memory could be left in a core file (put back `core: 0` under `ulimits:`)"
                .to_owned()
        }
        Property::Dumpable => {
            "it cannot close its memory to others (let its seccomp profile allow `prctl`)"
                .to_owned()
        }
    }
}

/// What this process records of itself, if it may work like this.
///
/// # Errors
/// [`Error::Weaker`] names what is missing of the shipped container and the line of the compose file for it;
/// [`Error::Exception`] if the exception is none.
pub(crate) fn insist(
    service: AuthorId,
    config: &Config,
    owner: &PublicKey,
    found: &Hardening,
    now: Time,
) -> Result<Hardening, Error> {
    let mut holds = measure();
    if config.profile == Profile::Host {
        return Ok(holds);
    }
    holds.profile = Profile::Container;
    let uid = config.uid.unwrap_or(shipped_uid(service));
    let mut missing = weaker(found, &holds, uid, config.gid.unwrap_or(uid));
    if let (false, Some(path)) = (missing.is_empty(), &config.exception) {
        let exception = Exception::read(path, service, owner, now);
        let exception = exception.map_err(|source| Error::Exception {
            path: path.clone(),
            source,
        })?;
        missing.retain(|one| {
            let waived = exception.waives(one.property);
            if waived {
                tracing::warn!(property = %one.property, "the owner signed that this may be missing");
                holds.waived.push(one.property);
            }
            !waived
        });
    }
    if missing.is_empty() {
        return Ok(holds);
    }
    let all: Vec<_> = missing.into_iter().map(|one| one.text).collect();
    Err(Error::Weaker {
        service,
        missing: all.join("; "),
    })
}
