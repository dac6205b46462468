//! Hardening: protects a process's memory, measures its confinement, and checks it against a profile.

mod exception;
mod measure;

use std::path::{Path, PathBuf};

use bus_schema::{AuthorId, Hardening, Profile, Property, PublicKey, Time};
use serde::{Deserialize, Serialize};

use crate::Error;

pub use exception::{Exception, NotExcepted};
pub use measure::measure;

/// The marker file beside a program in the project's images. No configuration turns the check off there.
const IMAGE: &str = "hardening.container";

/// The table `[hardening]` of a service's configuration; without it the process only measures and records.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct HardeningConfig {
    /// `host`: it only measures and records. `container`: it refuses to start with less confinement than the shipped
    /// container gives. In the project's images it is always `container`.
    #[serde(default)]
    pub profile: Profile,
    /// The required user id; by default the shipped one of the service.
    pub uid: Option<u32>,
    /// The required group id; by default the user id.
    pub gid: Option<u32>,
    /// An exception by the owner: a file that `contractual exception add` wrote.
    pub exception: Option<PathBuf>,
}

impl HardeningConfig {
    pub(crate) fn resolve(mut self, folder: &Path) -> Self {
        self.exception = self.exception.map(|path| folder.join(path));
        self
    }
}

/// Makes this process unreadable to others of its user, keeps its memory out of core files, and lets neither it
/// nor its children gain privileges.
pub fn harden() {
    // These calls cannot fail for the own process on a supported kernel; `measure` shows the result.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).ok();
    rustix::thread::set_no_new_privs(true).ok();
}

/// A property that the shipped container has and this process lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// The property.
    pub property: Property,
    /// The value that was found instead, and the remedy.
    pub text: String,
}

/// The shipped container of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shipped {
    /// The service.
    pub service: AuthorId,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// Returns the properties that are weaker than in the shipped container: `found` was measured at the start, `holds`
/// after [`harden`]. `lets_through` is true if the shipped filter does not limit its system calls: see [`measure`].
#[must_use]
pub fn weaker(
    found: &Hardening,
    holds: &Hardening,
    lets_through: bool,
    shipped: &Shipped,
) -> Vec<Missing> {
    let held = |property: &Property| match property {
        Property::OwnUser => {
            let is = (holds.uid, holds.gid, holds.other_groups);
            holds.uid != 0 && is == (shipped.uid, shipped.gid, 0)
        }
        Property::Capabilities => holds.capabilities.is_empty(),
        // The process sets both for itself as well; a child of another program in the container would lack them.
        Property::NoNewPrivileges => found.no_new_privileges && holds.no_new_privileges,
        Property::Core => found.core_bytes_max == 0 && holds.core_bytes_max == 0,
        Property::Seccomp => holds.seccomp == 2 && !lets_through,
        Property::ReadOnlyRoot => holds.read_only_root,
        Property::Dumpable => !holds.dumpable,
        // Only the runner starts programs, in a sandbox that is made with it.
        Property::Landlock => shipped.service != AuthorId::Runner || holds.landlock_abi > 0,
    };
    let missing = Property::ALL.iter().filter(|property| !held(property));
    missing
        .map(|property| Missing {
            property: *property,
            text: remedy(*property, holds, shipped),
        })
        .collect()
}

fn remedy(property: Property, holds: &Hardening, shipped: &Shipped) -> String {
    match property {
        Property::OwnUser => format!(
            "it runs as {}:{} with {} other groups (put back the line `user: \"{}:{}\"`)",
            holds.uid, holds.gid, holds.other_groups, shipped.uid, shipped.gid
        ),
        Property::Capabilities => {
            "it has capabilities (put back the line `cap_drop: [ALL]`, and no `cap_add`)".to_owned()
        }
        Property::NoNewPrivileges => {
            "it could gain privileges (put back `no-new-privileges:true` under `security_opt:`)"
                .to_owned()
        }
        Property::Seccomp => format!(
            "{} holds its system calls (put back `seccomp=…` under `security_opt:`: `seccomp=./seccomp/{}.json`)",
            if holds.seccomp == 2 {
                "another filter than its own"
            } else {
                "no filter"
            },
            shipped.service
        ),
        Property::ReadOnlyRoot => {
            "its root file system is writable (put back the line `read_only: true`)".to_owned()
        }
        Property::Core => {
            "its memory could be left in a core file (put back `core: 0` under `ulimits:`)"
                .to_owned()
        }
        Property::Dumpable => {
            "it cannot hide its memory from others (let its seccomp profile allow `prctl`)"
                .to_owned()
        }
        Property::Landlock => {
            "it cannot cage programs (add `landlock` to the kernel's `lsm=` list, and let its seccomp profile allow the \
             calls of Landlock)"
                .to_owned()
        }
    }
}

/// Returns true if this program is in an image of the project, or if that is unknown.
fn is_in_image() -> bool {
    let program = std::env::current_exe();
    program.map_or(true, |path| {
        path.with_file_name(IMAGE).try_exists().unwrap_or(true)
    })
}

/// Returns the hardening that this process records, if it may start with it.
///
/// # Errors
/// [`Error::Weaker`] names the missing properties of the shipped container and the line of the compose file for each;
/// [`Error::Exception`] if the exception is not valid.
pub(crate) fn insist(
    service: AuthorId,
    config: &HardeningConfig,
    owner: &PublicKey,
    found: &Hardening,
    now: Time,
) -> Result<Hardening, Error> {
    let mut holds = measure();
    if config.profile == Profile::Host && !is_in_image() {
        return Ok(holds);
    }
    holds.profile = Profile::Container;
    let uid = config.uid.unwrap_or(service.uid());
    let shipped = Shipped {
        service,
        uid,
        gid: config.gid.unwrap_or(uid),
    };
    let mut missing = weaker(found, &holds, measure::lets_through(), &shipped);
    if let (false, Some(path)) = (missing.is_empty(), &config.exception) {
        let exception = Exception::read(path, service, owner, now);
        let exception = exception.map_err(|source| Error::Exception {
            path: path.clone(),
            source,
        })?;
        missing.retain(|one| {
            let waived = exception.waives(one.property);
            if waived {
                tracing::warn!(property = %one.property, "a property is missing; the owner's exception allows it");
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
