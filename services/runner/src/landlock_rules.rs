//! Confines files, TCP, signals and abstract sockets with Landlock, as a hard requirement.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};
use rustix::fs::{Mode, OFlags};

use crate::view::{self, ViewError};
use crate::wire::PathArg;

/// The version whose rights are all required; it is the first with scopes for signals.
const REQUIRED: ABI = ABI::V6;

/// Read and executed by every program, where they exist.
pub(crate) const SYSTEM_FOLDERS: [&str; 4] = ["/usr", "/bin", "/lib", "/lib64"];
/// Read by the loader.
const LOADER_CACHE: &str = "/etc/ld.so.cache";
/// Read and written by shells; holds nothing.
const NULL_DEVICE: &str = "/dev/null";
/// Read by programs that do not ask the kernel for random bytes.
const RANDOM_DEVICE: &str = "/dev/urandom";

/// The reason that the rules are not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// The kernel lacks a right, or refused.
    #[error(transparent)]
    Rules(#[from] RulesetError),
    /// The kernel accepted less than all of it.
    #[error("the kernel enforced only a part of the rules")]
    Partial,
    /// A path of the arguments.
    #[error(transparent)]
    Argument(#[from] ViewError),
    /// A path that a rule names.
    #[error("{path}: {source}")]
    Path {
        /// The path.
        path: &'static str,
        /// The cause.
        source: io::Error,
    },
}

/// Directories and files of one call.
pub(crate) struct Reach<'a> {
    pub(crate) workspace: &'a OwnedFd,
    pub(crate) writable: bool,
    /// Folders outside of the workspace that are only read.
    pub(crate) folders: &'a [OwnedFd],
    /// The part of the workspace; all of it if `None`.
    pub(crate) paths: Option<&'a [PathArg]>,
    pub(crate) temporary: &'a OwnedFd,
    /// `None` if it is in memory, which no rule covers.
    pub(crate) program: Option<&'a OwnedFd>,
    /// Folders that it is made of.
    pub(crate) packages: &'a [OwnedFd],
}

/// Prevents the calling thread from signalling, and from reaching abstract sockets of, any process that it
/// does not start itself. Access to files is unchanged.
pub(crate) fn scope_signals() -> Result<(), RulesError> {
    let rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .scope(Scope::from_all(REQUIRED))?
        .create()?;
    enforce(rules)
}

/// Confines the calling thread to `reach` and the system directories.
pub(crate) fn confine(reach: &Reach<'_>) -> Result<(), RulesError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    let run = make_bitflags!(AccessFs::{ReadFile | Execute});
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(REQUIRED))?
        .handle_access(AccessNet::from_all(REQUIRED))?
        .scope(Scope::from_all(REQUIRED))?
        .create()?
        .add_rule(PathBeneath::new(reach.temporary, read | write()))?;
    if let Some(program) = reach.program {
        rules = rules.add_rule(PathBeneath::new(program, run))?;
    }
    for package in reach.packages {
        rules = rules.add_rule(PathBeneath::new(package, run | AccessFs::ReadDir))?;
    }
    rules = match reach.paths {
        Some(paths) => paths.iter().try_fold(rules, |rules, path| {
            allow_path(rules, reach.workspace, path)
        })?,
        None => rules.add_rule(PathBeneath::new(
            reach.workspace,
            if reach.writable { read | write() } else { read },
        ))?,
    };
    for folder in reach.folders {
        rules = rules.add_rule(PathBeneath::new(folder, read))?;
    }
    for folder in SYSTEM_FOLDERS {
        rules = allow_if_there(rules, folder, run | AccessFs::ReadDir)?;
    }
    rules = allow_if_there(rules, LOADER_CACHE, AccessFs::ReadFile.into())?;
    rules = allow_if_there(rules, RANDOM_DEVICE, AccessFs::ReadFile.into())?;
    rules = allow_if_there(
        rules,
        NULL_DEVICE,
        make_bitflags!(AccessFs::{ReadFile | WriteFile}),
    )?;
    enforce(rules)
}

/// Returns the rights to change a folder. No links, devices, fifos or sockets, because they mean something else to a
/// later user of the folder.
fn write() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    })
}

/// Adds a rule on the file or folder that the path names now. The rule stays with it: a link or another file that is put
/// at the path later is outside of every rule.
fn allow_path(
    rules: RulesetCreated,
    workspace: &OwnedFd,
    path: &PathArg,
) -> Result<RulesetCreated, RulesError> {
    let opened = view::open(workspace, path)?;
    let access = match (opened.is_folder, path.write) {
        (true, true) => make_bitflags!(AccessFs::{ReadFile | ReadDir}) | write(),
        (true, false) => make_bitflags!(AccessFs::{ReadFile | ReadDir}),
        (false, true) => make_bitflags!(AccessFs::{ReadFile | WriteFile | Truncate}),
        (false, false) => AccessFs::ReadFile.into(),
    };
    Ok(rules.add_rule(PathBeneath::new(&opened.fd, access))?)
}

fn allow_if_there(
    rules: RulesetCreated,
    path: &'static str,
    access: BitFlags<AccessFs>,
) -> Result<RulesetCreated, RulesError> {
    match rustix::fs::open(
        Path::new(path),
        OFlags::PATH | OFlags::CLOEXEC,
        Mode::empty(),
    ) {
        Ok(fd) => Ok(rules.add_rule(PathBeneath::new(fd, access))?),
        Err(rustix::io::Errno::NOENT) => Ok(rules),
        Err(errno) => Err(RulesError::Path {
            path,
            source: errno.into(),
        }),
    }
}

fn enforce(rules: RulesetCreated) -> Result<(), RulesError> {
    let status = rules.restrict_self()?;
    if status.ruleset == RulesetStatus::FullyEnforced && status.no_new_privs {
        Ok(())
    } else {
        Err(RulesError::Partial)
    }
}
