//! Enters the cage: this second stage confines itself and then executes the program.

use std::convert::Infallible;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Arc;

use rustix::fs::{Mode, OFlags, open};
use rustix::process::{Resource, Rlimit, Signal};

use crate::digest_cache::DigestCache;
use crate::executable::{Executable, Named, SYSTEM_PATH};
use crate::gate::observed;
use crate::landlock_rules::{Reach, RulesError, confine};
use crate::read_folder;
use crate::supervised::Waiting;
use crate::syscalls;
use crate::wire::{
    CageSpec, CallSpec, KeptOut, Limits, Missing, Place, Refusal, Signed, Word, read_frame,
    write_frame,
};

/// This program.
const LAUNCHER: &str = "/proc/self/exe";
/// Tasks that other calls and services of the uid may start meanwhile.
const TASKS_SPARE: u64 = 256;
/// Added to the nice value, so that a busy tool does not delay the supervisor that has to end it.
const NICE: i32 = 10;

/// The configuration of the cage: the binary that implements the stages, and the folder of private directories.
#[derive(Clone, Debug)]
pub struct Cage {
    pub(crate) launcher: PathBuf,
    pub(crate) scratch: PathBuf,
    /// Folders beside the workspace and the scratch folder of a call.
    pub(crate) kept_out: KeptOut,
    /// Shared by all clones.
    pub(crate) waiting: Arc<Waiting>,
}

impl Cage {
    /// Creates a cage with private temporary directories in `/tmp`. `launcher` is a binary that calls
    /// [`stage`](crate::stage) before anything else; a service passes `/proc/self/exe`.
    pub fn new(launcher: PathBuf) -> Self {
        Self {
            launcher,
            scratch: PathBuf::from("/tmp"),
            kept_out: KeptOut::default(),
            waiting: Arc::default(),
        }
    }

    /// Makes private temporary directories in `scratch` instead. It must be outside of every workspace.
    #[must_use]
    pub fn scratch(self, scratch: PathBuf) -> Self {
        Self { scratch, ..self }
    }

    /// Keeps the files of tools out of further folders: of `written`, which tools can write, and, if a program may only
    /// read them, of `own`, those of the runner. The workspace and the scratch folder of a call are always among the
    /// first.
    ///
    /// # Errors
    /// A folder cannot be looked at.
    pub fn keep_out(self, written: &[PathBuf], own: &[PathBuf]) -> std::io::Result<Self> {
        let places = |folders: &[PathBuf]| -> std::io::Result<Vec<Place>> {
            folders.iter().map(|path| Place::at(path)).collect()
        };
        let kept_out = KeptOut {
            written: places(written)?,
            own: places(own)?,
        };
        Ok(Self { kept_out, ..self })
    }
}

/// Variables for programs that would end with an error because they cannot read their configuration in `/etc`.
pub(crate) const WITHOUT_ETC: [(&str, &str); 2] =
    [("GIT_CONFIG_NOSYSTEM", "1"), ("OPENSSL_CONF", "/dev/null")];

/// Runs the second stage: reads its specification from standard input, confines the process and executes the
/// program. Returns only if that failed, after it reported the error to the supervisor.
pub fn cage_main() -> ExitCode {
    close_fds::set_fds_cloexec(3, &[]);
    // The socket on standard input closes at execve, which tells the supervisor that it succeeded.
    let Ok(status) = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3) else {
        return ExitCode::FAILURE;
    };
    let mut status = File::from(status);
    let Err(refusal) = enter(&mut status);
    drop(write_frame(&mut status, &refusal));
    ExitCode::FAILURE
}

fn enter(status: &mut File) -> Result<Infallible, Refusal> {
    let spec: CageSpec = read_frame(status).map_err(Refusal::of(Missing::Stage))?;
    let call = &spec.call;
    detach(spec.supervisor, spec.input)?;
    let workspace = call
        .workspace
        .open()
        .map_err(Refusal::of(Missing::Workspace))?;
    let temporary = open_path(&spec.temporary, OFlags::DIRECTORY | OFlags::NOFOLLOW)
        .map_err(Refusal::of(Missing::Temporary))?;
    rustix::process::fchdir(&workspace).map_err(Refusal::of(Missing::Workspace))?;
    let unprivileged = !rustix::process::geteuid().is_root();
    let mut filter =
        syscalls::compile(call.writable, unprivileged).map_err(Refusal::of(Missing::Seccomp))?;
    if call.trial {
        filter = observed(filter);
    }
    let kept_out = kept_out(call)?;
    let folders = call.folders.iter();
    let folders = folders.map(|path| read_folder::open(path, &kept_out));
    let folders: Vec<_> = folders
        .collect::<Result<_, _>>()
        .map_err(Refusal::of(Missing::Folder))?;
    let program = match &call.signed {
        Some(signed) => Program::Signed(Box::new(open_signed(call, signed, &kept_out)?)),
        None => Program::launcher().map_err(Refusal::of(Missing::Program))?,
    };
    let mut command = program
        .command(&call.argv)
        .map_err(Refusal::of(Missing::Program))?;
    command
        .env_clear()
        .env("PATH", SYSTEM_PATH)
        .env("LANG", "C.UTF-8")
        .env("HOME", &spec.temporary)
        .env("TMPDIR", &spec.temporary)
        .envs(WITHOUT_ETC)
        .envs(&call.env);
    let packages = call
        .packages
        .iter()
        .map(|folder| open_path(folder, OFlags::DIRECTORY | OFlags::NOFOLLOW));
    let packages: Vec<OwnedFd> = packages
        .collect::<rustix::io::Result<_>>()
        .map_err(Refusal::of(Missing::Signed))?;
    let reach = Reach {
        workspace: &workspace,
        writable: call.writable,
        folders: &folders,
        paths: call.paths.as_deref(),
        temporary: &temporary,
        program: program.file(),
        packages: &packages,
    };
    confine(&reach).map_err(|error| match error {
        RulesError::Argument(error) => Refusal::of(Missing::Path)(error.to_string()),
        RulesError::Rules(_) | RulesError::Partial | RulesError::Path { .. } => {
            Refusal::of(Missing::Landlock)(error.to_string())
        }
    })?;
    limit(&call.limits, spec.tasks).map_err(Refusal::of(Missing::Limits))?;
    syscalls::install(&filter).map_err(Refusal::of(Missing::Seccomp))?;
    Err(Refusal::of(Missing::Program)(command.exec()))
}

/// The program that the cage executes.
enum Program {
    /// The launcher itself, for the self-test.
    Launcher(OwnedFd),
    Signed(Box<Executable>),
}

impl Program {
    fn launcher() -> rustix::io::Result<Self> {
        open_path(Path::new(LAUNCHER), OFlags::empty()).map(Self::Launcher)
    }

    fn command(&self, argv: &[Word]) -> std::io::Result<Command> {
        match self {
            Self::Launcher(_) => {
                let mut command = Command::new(LAUNCHER);
                command.args(argv.iter().map(|word| match word {
                    Word::Fixed(text) | Word::Given(text) => text,
                }));
                Ok(command)
            }
            Self::Signed(executable) => executable.command(),
        }
    }

    fn file(&self) -> Option<&OwnedFd> {
        match self {
            Self::Launcher(file) => Some(file),
            Self::Signed(executable) => executable.file(),
        }
    }
}

/// Opens the files of the program, outside of what tools can write, and compares them with what was signed.
fn open_signed(
    call: &CallSpec,
    signed: &Signed,
    kept_out: &KeptOut,
) -> Result<Executable, Refusal> {
    let executable = Executable::open(&Named {
        program: &signed.program,
        argv0: signed.argv0.as_deref(),
        argv: &call.argv,
        digests: &DigestCache::of(&signed.known),
        packages: &call.packages,
        kept_out: &kept_out.written,
    })
    .map_err(Refusal::of(Missing::Signed))?;
    executable
        .check(&signed.sha256)
        .map_err(Refusal::of(Missing::Signed))?;
    Ok(executable)
}

/// Returns the folders with which the files of the call's tool do not overlap.
fn kept_out(call: &CallSpec) -> Result<KeptOut, Refusal> {
    let scratch = Place::at(&call.scratch).map_err(Refusal::of(Missing::Temporary))?;
    let mut kept_out = call.kept_out.clone();
    kept_out.written.extend([call.workspace.clone(), scratch]);
    Ok(kept_out)
}

/// Leaves the session and standard input of the supervisor, and dies with it.
fn detach(supervisor: i32, input: Option<i32>) -> Result<(), Refusal> {
    let from = input.map_or_else(
        || "/dev/null".to_owned(),
        |input| format!("/proc/self/fd/{input}"),
    );
    let stdin = open_path_for_reading(Path::new(&from))
        .map_err(|errno| Refusal::of(Missing::Stage)(format!("{from}: {errno}")))?;
    rustix::stdio::dup2_stdin(stdin.as_fd()).map_err(Refusal::of(Missing::Stage))?;
    rustix::process::setsid().map_err(Refusal::of(Missing::Limits))?;
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))
        .map_err(Refusal::of(Missing::Limits))?;
    let parent = rustix::process::getppid().map(|pid| pid.as_raw_nonzero().get());
    if parent != Some(supervisor) {
        return Err(Refusal::of(Missing::Stage)("the supervisor is gone"));
    }
    rustix::thread::set_no_new_privs(true).map_err(Refusal::of(Missing::Limits))?;
    rustix::process::nice(NICE).map_err(Refusal::of(Missing::Limits))?;
    rustix::process::umask(Mode::from_raw_mode(0o022));
    // The kernel kills the tool first if memory runs out. The cage does not rely on it, so a failure is ignored.
    drop(std::fs::write("/proc/self/oom_score_adj", "1000"));
    Ok(())
}

/// Sets the resource limits. The kernel counts `NPROC` over all tasks of the uid and not at all for root, so it only
/// bounds a burst: the earlier tasks plus a reserve. The supervisor's count bounds the call.
fn limit(limits: &Limits, tasks: u64) -> rustix::io::Result<()> {
    for (resource, value) in [
        (Resource::Core, 0),
        (Resource::Cpu, limits.cpu_ms_max.div_ceil(1000)),
        (Resource::Fsize, limits.file_bytes_max),
        (Resource::Nofile, limits.files_open_max),
        (
            Resource::Nproc,
            tasks.saturating_add(limits.processes_max + TASKS_SPARE),
        ),
        (Resource::As, limits.memory_bytes_max),
    ] {
        // A lower hard limit stays, because only root may raise it.
        let ceiling = rustix::process::getrlimit(resource)
            .maximum
            .unwrap_or(u64::MAX);
        // The soft limit of processor time sends a signal that names the cause; the hard limit kills a second later.
        let spare = u64::from(resource == Resource::Cpu);
        let limit = Rlimit {
            current: Some(value.min(ceiling)),
            maximum: Some((value + spare).min(ceiling)),
        };
        rustix::process::setrlimit(resource, limit)?;
    }
    Ok(())
}

/// Opens a path for inspection.
pub(crate) fn open_path(path: &Path, flags: OFlags) -> rustix::io::Result<OwnedFd> {
    open(path, flags | OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
}

fn open_path_for_reading(path: &Path) -> rustix::io::Result<OwnedFd> {
    open(path, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())
}
