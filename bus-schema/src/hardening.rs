//! The confinement that a process reports of itself.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Most mount points that a process reports.
pub const MOUNT_POINTS_MAX: usize = 16;

/// The confinement that a process measured of itself, and the profile that it was checked against.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardening {
    /// The profile that it was checked against.
    pub profile: Profile,
    /// The properties that an exception by the owner allows to be missing.
    pub waived: Vec<Property>,
    /// The user id it runs as.
    pub uid: u32,
    /// The group id it runs as.
    pub gid: u32,
    /// The number of other groups that it belongs to.
    pub other_groups: u16,
    /// Its capability sets.
    pub capabilities: Capabilities,
    /// True if it can gain no new privileges.
    pub no_new_privileges: bool,
    /// The seccomp mode: 0 none, 1 strict, 2 filter.
    pub seccomp: u8,
    /// True if the root file system is mounted read-only.
    pub read_only_root: bool,
    /// The Landlock ABI of the kernel; 0 if Landlock is not available.
    pub landlock_abi: u8,
    /// True if it can be dumped or traced.
    pub dumpable: bool,
    /// The largest core file, in bytes; `u64::MAX` is no limit.
    pub core_bytes_max: u64,
    /// The mount points that it can write to, sorted, at most [`MOUNT_POINTS_MAX`].
    pub writable: Vec<MountPoint>,
}

/// The capability sets of a process, one bit for each capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// The capabilities that it has now.
    pub effective: u64,
    /// The capabilities that it can take.
    pub permitted: u64,
    /// The capabilities that programs which ask for them inherit.
    pub inheritable: u64,
    /// The capabilities that it or its descendants can ever get.
    pub bounding: u64,
    /// The capabilities that every program inherits.
    pub ambient: u64,
}

impl Capabilities {
    /// Returns true if all sets are empty.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.effective | self.permitted | self.inheritable | self.bounding | self.ambient == 0
    }
}

/// The confinement that a process requires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// It measures and records only.
    #[default]
    Host,
    /// It refuses to start with less confinement than the shipped container gives.
    Container,
}

/// One property of the shipped container.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Property {
    /// The service's own user and group, and no other group.
    OwnUser,
    /// No capability in any set.
    Capabilities,
    /// No new privileges, from the process's start.
    NoNewPrivileges,
    /// A filter of system calls.
    Seccomp,
    /// A read-only root file system.
    ReadOnlyRoot,
    /// No core files, from the process's start.
    Core,
    /// Memory that no other process of the user can read.
    Dumpable,
    /// Landlock, for a service that starts programs.
    Landlock,
}

impl Property {
    /// Every property.
    pub const ALL: &'static [Self] = &[
        Self::OwnUser,
        Self::Capabilities,
        Self::NoNewPrivileges,
        Self::Seccomp,
        Self::ReadOnlyRoot,
        Self::Core,
        Self::Dumpable,
        Self::Landlock,
    ];

    /// Its name, as configuration and commands write it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::OwnUser => "own-user",
            Self::Capabilities => "capabilities",
            Self::NoNewPrivileges => "no-new-privileges",
            Self::Seccomp => "seccomp",
            Self::ReadOnlyRoot => "read-only-root",
            Self::Core => "core",
            Self::Dumpable => "dumpable",
            Self::Landlock => "landlock",
        }
    }
}

impl fmt::Display for Property {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Property {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let found = Self::ALL.iter().find(|property| property.name() == text);
        found.copied().ok_or_else(|| {
            Invalid::new(
                "own-user, capabilities, no-new-privileges, seccomp, read-only-root, core, dumpable or landlock",
                text,
            )
        })
    }
}

/// A mount point: an absolute path of at most 128 printable characters.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MountPoint(String);

impl fmt::Display for MountPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl fmt::Debug for MountPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<String> for MountPoint {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        let plain = text.bytes().all(|b| b.is_ascii_graphic());
        if text.starts_with('/') && plain && text.len() <= 128 {
            Ok(Self(text))
        } else {
            Err(Invalid::new(
                "an absolute path of at most 128 printable characters",
                &text,
            ))
        }
    }
}

impl From<MountPoint> for String {
    fn from(point: MountPoint) -> Self {
        point.0
    }
}
