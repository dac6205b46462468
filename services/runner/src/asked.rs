//! Names the system calls that a program asked for and the cage did not make, and says what follows.

use serde::{Deserialize, Serialize};
use syscalls::Sysno;

/// A call whose refusal means nothing: the C library asks for it first and goes on without.
const PASSED_OVER: &str = "clone3";

/// Calls with one meaning for a person, and that meaning as a clause.
const MEANINGS: [(&[&str], &str); 18] = [
    (
        &["chown", "fchown", "lchown", "fchownat"],
        "programs that change the owner of files do not work here",
    ),
    (
        &[
            "socket",
            "socketpair",
            "connect",
            "bind",
            "listen",
            "accept",
            "accept4",
            "sendto",
            "sendmsg",
            "sendmmsg",
            "recvfrom",
            "recvmsg",
            "recvmmsg",
            "getsockname",
            "getpeername",
            "getsockopt",
            "setsockopt",
            "shutdown",
        ],
        "there is no network here, and no socket to another program",
    ),
    (
        &["symlink", "symlinkat"],
        "programs that make links do not work here",
    ),
    (
        &["mknod", "mknodat"],
        "programs that make fifos, sockets or devices do not work here",
    ),
    (
        &[
            "mount",
            "umount2",
            "open_tree",
            "move_mount",
            "fsopen",
            "fsconfig",
            "fsmount",
            "fspick",
            "mount_setattr",
            "pivot_root",
            "chroot",
        ],
        "programs that mount something or change the root folder do not work here",
    ),
    (
        &["unshare", "setns", "clone"],
        "programs that make or enter a namespace do not work here",
    ),
    (
        &[
            "ptrace",
            "process_vm_readv",
            "process_vm_writev",
            "process_madvise",
            "kcmp",
            "pidfd_open",
            "pidfd_getfd",
            "pidfd_send_signal",
        ],
        "programs that look into or control another process do not work here",
    ),
    (
        &["chmod", "fchmod", "fchmodat", "fchmodat2"],
        "files keep the mode that they have",
    ),
    (
        &["utime", "utimes", "futimesat", "utimensat"],
        "files keep the times that they have",
    ),
    (
        &[
            "getxattr",
            "lgetxattr",
            "fgetxattr",
            "listxattr",
            "llistxattr",
            "flistxattr",
            "setxattr",
            "lsetxattr",
            "fsetxattr",
            "removexattr",
            "lremovexattr",
            "fremovexattr",
        ],
        "files have no extended attributes here",
    ),
    (
        &["fallocate"],
        "no space is taken before it is written; most programs write instead",
    ),
    (
        &["timer_create", "timerfd_create"],
        "there are no timers of this kind here; most programs go on without",
    ),
    (
        &["memfd_create", "memfd_secret", "execveat"],
        "programs that run code from a file in memory do not work here",
    ),
    (
        &["io_uring_setup", "io_uring_enter", "io_uring_register"],
        "io_uring does not exist here; most programs go on without",
    ),
    (
        &[
            "shmget",
            "shmat",
            "shmctl",
            "shmdt",
            "semget",
            "semop",
            "semctl",
            "semtimedop",
            "msgget",
            "msgsnd",
            "msgrcv",
            "msgctl",
            "mq_open",
            "mq_unlink",
        ],
        "programs that share memory or queues with other programs do not work here",
    ),
    (
        &[
            "setuid",
            "setgid",
            "setreuid",
            "setregid",
            "setresuid",
            "setresgid",
            "setgroups",
            "setfsuid",
            "setfsgid",
            "capset",
        ],
        "programs that change their user or its rights do not work here",
    ),
    (
        &[
            "inotify_init",
            "inotify_init1",
            "inotify_add_watch",
            "fanotify_init",
            "fanotify_mark",
        ],
        "programs that wait for changes of files do not work here",
    ),
    (
        &[
            "prctl",
            "seccomp",
            "landlock_create_ruleset",
            "landlock_restrict_self",
            "prlimit64",
            "setpriority",
        ],
        "this setting of a process cannot be changed here",
    ),
];

/// A system call that a program asked for and the cage did not make.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskedCall {
    /// Its number in the table of this processor.
    pub number: u32,
    /// The error that the program got, or 0 if it was told that the call had succeeded.
    pub errno: i32,
    /// The number of times that it was asked for.
    pub times: u64,
}

impl AskedCall {
    /// Returns true if a person learns nothing from it.
    pub(crate) fn is_passed_over(&self) -> bool {
        self.name() == PASSED_OVER
    }

    /// Returns the name of the call, such as `chown`.
    #[must_use]
    pub fn name(&self) -> String {
        let number = usize::try_from(self.number).ok();
        match number.and_then(Sysno::new) {
            Some(call) => call.name().to_owned(),
            None => format!("number {}", self.number),
        }
    }

    /// Returns the error in words; none if the program was told that the call had succeeded.
    #[must_use]
    pub fn error(&self) -> Option<String> {
        if self.errno == 0 {
            return None;
        }
        let text = std::io::Error::from_raw_os_error(self.errno).to_string();
        // The number is of no use to a person.
        let text = text.split(" (os error").next().unwrap_or_default();
        Some(text.to_owned())
    }
}

/// Describes the call in one sentence without a full stop.
impl std::fmt::Display for AskedCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let name = self.name();
        write!(f, "it asked for `{name}`")?;
        if self.times > 1 {
            write!(f, " {} times", self.times)?;
        }
        match self.error() {
            Some(error) => write!(f, ", which the cage refuses ({error})")?,
            None => write!(f, ", which has no effect in the cage")?,
        }
        let meaning = MEANINGS
            .iter()
            .find(|(names, _)| names.contains(&name.as_str()));
        let meaning = meaning.map_or(
            "it is not on the list of calls that a program may make here",
            |(_, meaning)| *meaning,
        );
        write!(f, ": {meaning}")
    }
}
