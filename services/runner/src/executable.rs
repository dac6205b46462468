//! Opens the files that a call executes, digests them, and holds those very bytes until the program has started.
//!
//! # Alternatives
//! A program that only root can write runs by its descriptor: it is not copied, however large, and finds its own folder
//! by `/proc/self/exe`. Every other program, and every script, is digested while it is copied into sealed memory, because
//! its owner could write into the file after the digest, and interpreters read a script while it runs.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Seek};
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{
    AtFlags, CWD, FileType, MemfdFlags, Mode, OFlags, ResolveFlags, SealFlags, Stat,
    fcntl_add_seals, fstat, memfd_create, openat2, statat,
};
use rustix::io::{Errno, FdFlags};

use crate::digest_cache::{DigestCache, is_roots_alone, now_s};
use crate::path::is_plain;
use crate::sha256;
use crate::wire::{Place, Word};

/// The folders in which bare program names are looked up, and `PATH` inside the cage.
pub const SYSTEM_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Largest file that is copied, in bytes.
const COPY_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Largest program, in bytes.
const PROGRAM_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// Length of the first line that names an interpreter; the kernel reads no more.
const FIRST_LINE_BYTES_MAX: usize = 255;

/// Files by absolute path, each with its SHA-256 in lower-case hexadecimal.
pub(crate) type Digests = BTreeMap<PathBuf, String>;

/// The reason that a file of a program cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    /// Relative, or with a component that is empty, `.` or `..`.
    #[error("`{}` is not a plain absolute path; write it from the root, without `.` and `..`", .0.display())]
    NotPlain(PathBuf),
    /// A component of the path is a symbolic link.
    #[error("`{}` is a link or is reached through one; name the file itself, `{}`", path.display(), real.display())]
    Link {
        /// As written.
        path: PathBuf,
        /// The path without links.
        real: PathBuf,
    },
    /// Missing, not permitted, or another error of the kernel.
    #[error("`{}` cannot be read ({cause}); make it readable for the runner", path.display())]
    Unreadable {
        /// The path.
        path: PathBuf,
        /// The kernel's error.
        cause: String,
    },
    /// A directory, device, fifo or socket.
    #[error("`{}` is not a regular file; name a program or a script", .0.display())]
    NotRegular(PathBuf),
    /// No execute bit.
    #[error("`{}` may not be executed; change its mode, such as with `chmod 755`", .0.display())]
    NotExecutable(PathBuf),
    /// Neither ELF nor a script.
    #[error("`{}` is neither an ELF program nor a script with `#!`; name its interpreter as the program", .0.display())]
    NotProgram(PathBuf),
    /// In a folder that tools can write.
    #[error("`{}` lies in {}, where tools can write; move it out", path.display(), folder.display())]
    Writable {
        /// The path.
        path: PathBuf,
        /// The folder.
        folder: PathBuf,
    },
    /// A fixed argument that names a file of the workspace.
    #[error(
        "the fixed argument `{word}` names a file in {}, where tools can write; move a script out and give its absolute \
         path, or make a data file an argument of kind `path`", folder.display()
    )]
    WorkspaceFile {
        /// The argument.
        word: String,
        /// The folder.
        folder: PathBuf,
    },
    /// Too large to be copied or digested.
    #[error("`{}` is larger than {max} bytes; make a program owned by root, with one name and mode 755", path.display())]
    TooLarge {
        /// The path.
        path: PathBuf,
        /// The bound.
        max: u64,
    },
    /// The first line of a script names no interpreter, or one that cannot be pinned.
    #[error("the first line of `{}` names no interpreter that can be pinned; write the interpreter's absolute path and \
             at most one option", .0.display())]
    Interpreter(PathBuf),
    /// Not among the digests of the entry.
    #[error("`sha256` has no digest of `{}`", .0.display())]
    Unsigned(PathBuf),
    /// Among the digests, and no file of the program.
    #[error("`sha256` has a digest of `{}`, which is no file of the program now", .0.display())]
    Unused(PathBuf),
    /// Other bytes than those of the digest.
    #[error("`{}` is not the signed file: its SHA-256 was {signed}, is {now}", path.display())]
    Changed {
        /// The path.
        path: PathBuf,
        /// The digest of the entry.
        signed: String,
        /// The digest now.
        now: String,
    },
}

/// The program of a call, as its catalogue entry names it.
#[derive(Debug)]
pub(crate) struct Named<'a> {
    pub(crate) program: &'a Path,
    pub(crate) argv0: Option<&'a str>,
    pub(crate) argv: &'a [Word],
    /// Digests of programs that need not be read.
    pub(crate) digests: &'a DigestCache,
    /// Folders that the program is made of: the arguments keep the names of files there, so that these find each other.
    pub(crate) packages: &'a [PathBuf],
    /// Folders in which none of the files may lie.
    pub(crate) kept_out: &'a [Place],
}

/// The open files of a call.
#[derive(Debug)]
pub(crate) struct Executable {
    program: OpenedFile,
    argv0: PathBuf,
    argv: Vec<String>,
    found: Digests,
    /// Files that the program inherits.
    passed: Vec<OpenedFile>,
}

impl Executable {
    /// Opens the program, its interpreter and the files of its fixed arguments, and digests them.
    pub(crate) fn open(named: &Named<'_>) -> Result<Self, PinError> {
        let mut files = Files {
            digests: named.digests,
            packages: named.packages.to_vec(),
            kept_out: named.kept_out.to_vec(),
            found: Digests::new(),
            passed: Vec::new(),
        };
        let mut program = files.hold(named.program, true)?;
        let mut argv0 = named
            .argv0
            .map_or_else(|| named.program.to_owned(), PathBuf::from);
        let mut argv = Vec::new();
        if program.is_script() {
            let wrong = || PinError::Interpreter(named.program.to_owned());
            let (path, option) = interpreter(&program.head).ok_or_else(wrong)?;
            let interpreter = files.hold(&real(&path)?, true)?;
            if interpreter.is_script() {
                return Err(wrong());
            }
            argv.extend(option);
            argv.push(files.pass(program));
            (program, argv0) = (interpreter, path);
        }
        for word in named.argv {
            argv.push(match word {
                Word::Fixed(text) => files.fixed(text)?,
                Word::Given(text) => text.clone(),
            });
        }
        Ok(Self {
            program,
            argv0,
            argv,
            found: files.found,
            passed: files.passed,
        })
    }

    /// Returns the digest of each file.
    pub(crate) fn into_digests(self) -> Digests {
        self.found
    }

    /// Compares every file with its signed digest.
    pub(crate) fn check(&self, signed: &Digests) -> Result<(), PinError> {
        for (path, now) in &self.found {
            match signed.get(path) {
                Some(signed) if signed == now => {}
                Some(signed) => {
                    return Err(PinError::Changed {
                        path: path.clone(),
                        signed: signed.clone(),
                        now: now.clone(),
                    });
                }
                None => return Err(PinError::Unsigned(path.clone())),
            }
        }
        let unused = signed.keys().find(|path| !self.found.contains_key(*path));
        unused.map_or(Ok(()), |path| Err(PinError::Unused(path.clone())))
    }

    /// Returns the program, if Landlock needs a rule for it: memory is outside of every rule.
    pub(crate) fn file(&self) -> Option<&OwnedFd> {
        (!self.program.is_copy).then_some(&self.program.fd)
    }

    /// Returns the command that executes the open program, and lets it inherit the files of its arguments.
    pub(crate) fn command(&self) -> io::Result<Command> {
        for file in &self.passed {
            rustix::io::fcntl_setfd(&file.fd, FdFlags::empty())?;
        }
        let mut command = Command::new(self.program.path());
        command.arg0(&self.argv0).args(&self.argv);
        Ok(command)
    }
}

/// Returns the path of a program without links, and the name by which it was called, where that differs.
pub(crate) fn located(
    program: &Path,
    argv0: Option<String>,
) -> Result<(PathBuf, Option<String>), PinError> {
    let found = program.is_relative().then(|| look_up(program)).flatten();
    let written = found.unwrap_or_else(|| program.to_owned());
    if written.is_relative() {
        return Err(PinError::NotPlain(written));
    }
    let program = real(&written)?;
    let is_other = program.file_name() != written.file_name();
    let called = || written.to_str().filter(|_| is_other).map(str::to_owned);
    let argv0 = argv0.or_else(called);
    Ok((program, argv0))
}

/// Looks a bare name up in [`SYSTEM_PATH`].
fn look_up(name: &Path) -> Option<PathBuf> {
    if name.components().count() != 1 || name.file_name() != Some(name.as_os_str()) {
        return None;
    }
    let mut folders = SYSTEM_PATH.split(':').map(Path::new);
    folders
        .find(|folder| folder.join(name).is_file())
        .map(|folder| folder.join(name))
}

/// Returns the path without links.
fn real(path: &Path) -> Result<PathBuf, PinError> {
    path.canonicalize()
        .map_err(|error| unreadable(path, &error))
}

/// One open file, or its copy.
#[derive(Debug)]
struct OpenedFile {
    fd: OwnedFd,
    head: Vec<u8>,
    is_copy: bool,
}

impl OpenedFile {
    fn is_script(&self) -> bool {
        self.head.starts_with(b"#!")
    }

    fn path(&self) -> String {
        format!("/proc/self/fd/{}", self.fd.as_raw_fd())
    }
}

#[derive(Debug)]
struct Files<'a> {
    digests: &'a DigestCache,
    packages: Vec<PathBuf>,
    kept_out: Vec<Place>,
    found: Digests,
    /// Files that the program inherits.
    passed: Vec<OpenedFile>,
}

impl Files<'_> {
    /// Opens and digests one file; copies it unless it is a program that only root can write.
    fn hold(&mut self, path: &Path, is_program: bool) -> Result<OpenedFile, PinError> {
        let (mut file, stat) = self.open(path)?;
        if is_program && stat.st_mode & 0o111 == 0 {
            return Err(PinError::NotExecutable(path.to_owned()));
        }
        let failed = |error: io::Error| unreadable(path, &error);
        let mut head = vec![0; FIRST_LINE_BYTES_MAX];
        let length = file.read_at(&mut head, 0).map_err(failed)?;
        head.truncate(length);
        // The C library would hand anything else to a shell.
        if is_program && !head.starts_with(b"\x7fELF") && !head.starts_with(b"#!") {
            return Err(PinError::NotProgram(path.to_owned()));
        }
        let is_copy = !is_program || head.starts_with(b"#!") || !is_roots_alone(&stat);
        let mut copy = if is_copy {
            let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
            let mode = if is_program {
                MemfdFlags::EXEC
            } else {
                MemfdFlags::NOEXEC_SEAL
            };
            let copy =
                memfd_create("program", flags | mode).map_err(|errno| failed(errno.into()))?;
            Some(File::from(copy))
        } else {
            None
        };
        let (max, digest) = match &mut copy {
            Some(copy) => (
                COPY_BYTES_MAX,
                digest(&mut file, Some(copy), COPY_BYTES_MAX),
            ),
            None => (
                PROGRAM_BYTES_MAX,
                self.digests.digest(&mut file, now_s(), |file| {
                    digest(file, None, PROGRAM_BYTES_MAX)
                }),
            ),
        };
        let digest = digest.map_err(failed)?;
        let Some(digest) = digest else {
            let path = path.to_owned();
            return Err(PinError::TooLarge { path, max });
        };
        self.found.insert(path.to_owned(), digest);
        let fd = match copy {
            Some(mut copy) => {
                copy.rewind().and_then(|()| seal(&copy)).map_err(failed)?;
                // The copy counts, not what the file holds by now.
                let length = copy.read_at(&mut head, 0).map_err(failed)?;
                head.truncate(length);
                OwnedFd::from(copy)
            }
            None => OwnedFd::from(file),
        };
        Ok(OpenedFile { fd, head, is_copy })
    }

    /// Opens a regular file that no link leads to and no tool can write.
    fn open(&self, path: &Path) -> Result<(File, Stat), PinError> {
        if !is_plain(path) {
            return Err(PinError::NotPlain(path.to_owned()));
        }
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
        let how = ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let file = match openat2(CWD, path, flags, Mode::empty(), how) {
            Ok(file) => File::from(file),
            Err(Errno::LOOP) => {
                let (path, real) = (path.to_owned(), real(path)?);
                return Err(PinError::Link { path, real });
            }
            Err(errno) => return Err(unreadable(path, &errno.into())),
        };
        let stat = fstat(&file).map_err(|errno| unreadable(path, &errno.into()))?;
        if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
            return Err(PinError::NotRegular(path.to_owned()));
        }
        for above in path.ancestors().skip(1) {
            let about = statat(CWD, above, AtFlags::SYMLINK_NOFOLLOW)
                .map_err(|errno| unreadable(above, &errno.into()))?;
            let mut kept_out = self.kept_out.iter();
            if let Some(place) = kept_out.find(|place| place.is(&about)) {
                return Err(PinError::Writable {
                    path: path.to_owned(),
                    folder: place.path.clone(),
                });
            }
        }
        Ok((file, stat))
    }

    /// Keeps a file for the program and returns the path by which the program opens it.
    fn pass(&mut self, file: OpenedFile) -> String {
        let path = file.path();
        self.passed.push(file);
        path
    }

    /// Replaces the absolute path of a regular file in a fixed argument.
    fn fixed(&mut self, text: &str) -> Result<String, PinError> {
        let named = absolute(text).filter(|(_, path)| path.is_file());
        if named.is_some_and(|(_, path)| self.packages.iter().any(|one| path.starts_with(one))) {
            return Ok(text.to_owned());
        }
        if let Some((before, path)) = named {
            let file = self.hold(path, false)?;
            return Ok(format!("{before}{}", self.pass(file)));
        }
        let after = text.rsplit_once('=').map(|(_, after)| after);
        for name in [Some(text), after].into_iter().flatten() {
            let mut folders = self.kept_out.iter();
            if let Some(place) = folders.find(|place| place.path.join(name).is_file()) {
                return Err(PinError::WorkspaceFile {
                    word: name.to_owned(),
                    folder: place.path.clone(),
                });
            }
        }
        Ok(text.to_owned())
    }
}

/// Splits `/path`, `--option=/path`, `-o/path`, `name=/path` and `@/path` before the path.
fn absolute(text: &str) -> Option<(&str, &Path)> {
    let (before, path) = text.split_at(text.find('/')?);
    let is_option = before.starts_with('-') && !before.contains('=');
    let is_absolute = before.is_empty() || is_option || before.ends_with(['=', '@']);
    is_absolute.then(|| (before, Path::new(path)))
}

/// Returns the SHA-256 of a file in lower-case hexadecimal; `None` if it is larger than `max`.
fn digest(from: &mut File, copy: Option<&mut File>, max: u64) -> io::Result<Option<String>> {
    let read = sha256::read(from, copy, max)?;
    Ok(read.map(|(sha256, _)| sha256::hex(&sha256)))
}

fn seal(copy: impl AsFd) -> io::Result<()> {
    let seals = SealFlags::WRITE | SealFlags::GROW | SealFlags::SHRINK | SealFlags::SEAL;
    Ok(fcntl_add_seals(copy, seals)?)
}

/// Reads the interpreter and its one option from the first line of a script, as the kernel does. `env NAME` is the
/// program of that name in [`SYSTEM_PATH`].
fn interpreter(head: &[u8]) -> Option<(PathBuf, Option<String>)> {
    let line = head
        .strip_prefix(b"#!")?
        .split(|byte| *byte == b'\n')
        .next()?;
    // The whole line must have been read.
    if line.len() + 2 >= FIRST_LINE_BYTES_MAX {
        return None;
    }
    let line = std::str::from_utf8(line).ok()?.trim_matches([' ', '\t']);
    let (path, option) = match line.split_once([' ', '\t']) {
        Some((path, option)) => (path, Some(option.trim_matches([' ', '\t']))),
        None => (line, None),
    };
    if !path.starts_with('/') || path.contains('\0') {
        return None;
    }
    if Path::new(path).file_name() != Some("env".as_ref()) {
        return Some((PathBuf::from(path), option.map(str::to_owned)));
    }
    let name = option.filter(|name| !name.starts_with('-') && !name.contains(['=', ' ', '\t']))?;
    Some((look_up(Path::new(name))?, None))
}

fn unreadable(path: &Path, cause: &io::Error) -> PinError {
    PinError::Unreadable {
        path: path.to_owned(),
        cause: cause.to_string(),
    }
}
