//! Confines files, TCP, signals and abstract sockets with Landlock, as a hard requirement.

use std::io;
use std::os::fd::AsFd;
use std::path::Path;

use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, CompatLevel, Compatible, PathBeneath, Ruleset,
    RulesetAttr, RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope,
    make_bitflags,
};
use rustix::fs::{Mode, OFlags};

/// The version whose rights are all required; it is the first with scopes for signals.
const REQUIRED: ABI = ABI::V6;

/// Read and executed by every program, where they exist.
const SYSTEM_FOLDERS: [&str; 4] = ["/usr", "/bin", "/lib", "/lib64"];
/// Read by the loader.
const LOADER_CACHE: &str = "/etc/ld.so.cache";
/// Read and written by shells; holds nothing.
const NULL_DEVICE: &str = "/dev/null";

/// The reason that the rules are not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RulesError {
    /// The kernel lacks a right, or refused.
    #[error(transparent)]
    Rules(#[from] RulesetError),
    /// The kernel accepted less than all of it.
    #[error("the kernel enforced only a part of the rules")]
    Partial,
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
pub(crate) struct Reach<'a, F: AsFd> {
    pub(crate) workspace: &'a F,
    pub(crate) writable: bool,
    pub(crate) temporary: &'a F,
    pub(crate) program: &'a F,
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
pub(crate) fn confine<F: AsFd>(reach: &Reach<'_, F>) -> Result<(), RulesError> {
    let read = make_bitflags!(AccessFs::{ReadFile | ReadDir});
    // No links, devices, fifos or sockets, because they mean something else to a later user of the folder.
    let write = make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeDir | RemoveFile | RemoveDir | Refer
    });
    let run = make_bitflags!(AccessFs::{ReadFile | Execute});
    let mut rules = Ruleset::default()
        .set_compatibility(CompatLevel::HardRequirement)
        .handle_access(AccessFs::from_all(REQUIRED))?
        .handle_access(AccessNet::from_all(REQUIRED))?
        .scope(Scope::from_all(REQUIRED))?
        .create()?
        .add_rule(PathBeneath::new(reach.temporary, read | write))?
        .add_rule(PathBeneath::new(reach.program, run))?
        .add_rule(PathBeneath::new(
            reach.workspace,
            if reach.writable { read | write } else { read },
        ))?;
    for folder in SYSTEM_FOLDERS {
        rules = allow_if_there(rules, folder, run | AccessFs::ReadDir)?;
    }
    rules = allow_if_there(rules, LOADER_CACHE, AccessFs::ReadFile.into())?;
    rules = allow_if_there(
        rules,
        NULL_DEVICE,
        make_bitflags!(AccessFs::{ReadFile | WriteFile}),
    )?;
    enforce(rules)
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
