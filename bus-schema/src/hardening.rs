//! What a process says of its own confinement.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::Invalid;

/// Most mount points that a process names.
pub const MOUNT_POINTS_MAX: usize = 16;

/// What a process measured of its own confinement, and what it was held to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hardening {
    /// What it had to find, or it would not work.
    pub profile: Profile,
    /// What the owner signed that it may do without.
    pub waived: Vec<Property>,
    /// The user id it runs as.
    pub uid: u32,
    /// The group id it runs as.
    pub gid: u32,
    /// How many other groups it belongs to.
    pub other_groups: u16,
    /// Its capability sets.
    pub capabilities: Capabilities,
    /// Whether it can gain no new privileges.
    pub no_new_privileges: bool,
    /// The seccomp mode: 0 none, 1 strict, 2 filter.
    pub seccomp: u8,
    /// Whether the root file system is mounted read-only.
    pub read_only_root: bool,
    /// The Landlock ABI of the kernel; 0 if there is none to use.
    pub landlock_abi: u8,
    /// Whether it can be dumped or traced.
    pub dumpable: bool,
    /// The largest core file, in bytes; `u64::MAX` is no limit.
    pub core_bytes_max: u64,
    /// Where it can write: mount points, sorted, at most [`MOUNT_POINTS_MAX`].
    pub writable: Vec<MountPoint>,
}

/// The capability sets of a process, one bit for each capability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Capabilities {
    /// What it can do now.
    pub effective: u64,
    /// What it can take.
    pub permitted: u64,
    /// What it passes on to programs that ask for it.
    pub inheritable: u64,
    /// What it or its descendants can ever get.
    pub bounding: u64,
    /// What it passes on to every program.
    pub ambient: u64,
}

impl Capabilities {
    /// Whether there is none in any set.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.effective | self.permitted | self.inheritable | self.bounding | self.ambient == 0
    }
}

/// How much confinement a process insists on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// It measures and records.
    #[default]
    Host,
    /// It refuses to work with less than the shipped container gives.
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
    /// No way to new privileges, from the first moment on.
    NoNewPrivileges,
    /// A filter of system calls.
    Seccomp,
    /// A root file system that nobody can write to.
    ReadOnlyRoot,
    /// No core files, from the first moment on.
    Core,
    /// Memory that no other process of the user can read.
    Dumpable,
    /// Landlock, for who starts programs.
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

/// Where a file system is mounted: an absolute path of at most 128 printable characters.
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
