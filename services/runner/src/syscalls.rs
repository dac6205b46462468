//! Builds and installs the list of system calls that a caged program may make.
//!
//! # Alternatives
//! A call that is not on the list fails with `EPERM` and has no effect; the program continues. Common programs
//! probe for optional calls, and the C library tries a name service over a socket; all of them work without.
//! Killing would break these tools and would protect nothing more, because the call is not made either way. Calls
//! that no program makes by accident do kill: a call by another architecture's table, and any number of the x32
//! table. `clone3` returns `ENOSYS`, because its flags are in memory where a filter cannot read them and because
//! the C library then falls back to `clone`. `fallocate` returns `EOPNOTSUPP`: it takes gigabytes of a volume at
//! once and ignores every limit of sizes, and programs write instead, as on file systems without it. Calls about
//! extended attributes return it too, and `timer_create` `ENOSYS`: programs then do without, and print no error.
//!
//! Paths that reach `chmod`, `chown`, `utimensat` or `setxattr` are not covered by Landlock, so these calls
//! are not on the list. The descriptor forms of the first and the third are allowed to unprivileged callers of
//! writable tools only: there the descriptor came from an open that Landlock allowed. In writable tools, a call that
//! sets mode or times by a path returns success without any effect: `git`, `tar` and `bzip2` would otherwise end with an
//! error although they can do without.

use std::collections::BTreeMap;

use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, TargetArch,
};

use crate::gate::gate;

/// The reason that the filter is not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FilterError {
    /// Neither x86-64 nor AArch64.
    #[error("no list of system calls exists for this processor")]
    Processor,
    /// The rules do not compile.
    #[error(transparent)]
    Rules(#[from] BackendError),
    /// The kernel refused the filter.
    #[error(transparent)]
    Install(#[from] seccompiler::Error),
}

/// New mount, cgroup, UTS, IPC, user, PID and network namespaces; tracing along; a parent that is not the
/// caller, so that no process can pass as a direct child of the supervisor.
const CLONE_FORBIDDEN: u64 = 0x0002_0000
    | 0x0200_0000
    | 0x0400_0000
    | 0x0800_0000
    | 0x1000_0000
    | 0x2000_0000
    | 0x4000_0000
    | 0x0000_2000
    | 0x0000_8000;

/// Terminal queries, pending bytes, non-blocking and close-on-exec flags.
const IOCTLS: [u64; 6] = [0x5401, 0x5413, 0x541B, 0x5421, 0x5450, 0x5451];

/// Get and set the thread's name, get dumpable, read the bounding set, name an anonymous mapping.
const PRCTLS: [u64; 5] = [3, 15, 16, 23, 0x5356_4D41];

const CALLS: &[i64] = &[
    // Descriptors and files.
    libc::SYS_read,
    libc::SYS_write,
    libc::SYS_readv,
    libc::SYS_writev,
    libc::SYS_pread64,
    libc::SYS_pwrite64,
    libc::SYS_preadv,
    libc::SYS_pwritev,
    libc::SYS_preadv2,
    libc::SYS_pwritev2,
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_fcntl,
    libc::SYS_flock,
    libc::SYS_lseek,
    libc::SYS_fsync,
    libc::SYS_fdatasync,
    libc::SYS_sync_file_range,
    libc::SYS_truncate,
    libc::SYS_ftruncate,
    libc::SYS_fadvise64,
    libc::SYS_readahead,
    libc::SYS_copy_file_range,
    libc::SYS_sendfile,
    libc::SYS_splice,
    libc::SYS_tee,
    libc::SYS_pipe2,
    libc::SYS_eventfd2,
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_fstat,
    libc::SYS_newfstatat,
    libc::SYS_statx,
    libc::SYS_statfs,
    libc::SYS_fstatfs,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_readlinkat,
    libc::SYS_getdents64,
    libc::SYS_getcwd,
    libc::SYS_chdir,
    libc::SYS_fchdir,
    libc::SYS_mkdirat,
    libc::SYS_unlinkat,
    libc::SYS_linkat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_umask,
    // Memory.
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_munmap,
    libc::SYS_mremap,
    libc::SYS_madvise,
    libc::SYS_mincore,
    libc::SYS_msync,
    libc::SYS_brk,
    libc::SYS_membarrier,
    // Processes, threads and signals.
    libc::SYS_execve,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_wait4,
    libc::SYS_waitid,
    libc::SYS_kill,
    libc::SYS_tkill,
    libc::SYS_tgkill,
    libc::SYS_futex,
    libc::SYS_set_robust_list,
    libc::SYS_get_robust_list,
    libc::SYS_set_tid_address,
    libc::SYS_rseq,
    libc::SYS_restart_syscall,
    libc::SYS_sched_yield,
    libc::SYS_getcpu,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_rt_sigpending,
    libc::SYS_sigaltstack,
    libc::SYS_setpgid,
    libc::SYS_setsid,
    // Identity, limits and time.
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_gettid,
    libc::SYS_getpgid,
    libc::SYS_getsid,
    libc::SYS_getuid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getegid,
    libc::SYS_getresuid,
    libc::SYS_getresgid,
    libc::SYS_getgroups,
    libc::SYS_getpriority,
    libc::SYS_capget,
    libc::SYS_uname,
    libc::SYS_sysinfo,
    libc::SYS_getrandom,
    libc::SYS_getrusage,
    libc::SYS_times,
    libc::SYS_nanosleep,
    libc::SYS_clock_nanosleep,
    libc::SYS_clock_gettime,
    libc::SYS_clock_getres,
    libc::SYS_gettimeofday,
    libc::SYS_getitimer,
    libc::SYS_setitimer,
];

#[cfg(target_arch = "x86_64")]
const OLD_CALLS: &[i64] = &[
    libc::SYS_open,
    libc::SYS_creat,
    libc::SYS_stat,
    libc::SYS_lstat,
    libc::SYS_access,
    libc::SYS_pipe,
    libc::SYS_dup2,
    libc::SYS_select,
    libc::SYS_poll,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_eventfd,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_rename,
    libc::SYS_mkdir,
    libc::SYS_rmdir,
    libc::SYS_unlink,
    libc::SYS_link,
    libc::SYS_readlink,
    libc::SYS_getdents,
    libc::SYS_getpgrp,
    libc::SYS_getrlimit,
    libc::SYS_setrlimit,
    libc::SYS_alarm,
    libc::SYS_pause,
    libc::SYS_time,
    libc::SYS_arch_prctl,
];
#[cfg(not(target_arch = "x86_64"))]
const OLD_CALLS: &[i64] = &[];

/// Calls whose first argument names a process: allowed on the caller alone, since Landlock does not keep
/// them from other processes of the same uid.
const OWN_PROCESS_CALLS: [i64; 5] = [
    libc::SYS_prlimit64,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_setaffinity,
    libc::SYS_sched_getparam,
    libc::SYS_sched_getscheduler,
];

/// Compiles the filter of a call of a `writable` tool or of another. An `unprivileged` caller of a writable tool may
/// change mode and times through an open descriptor.
pub(crate) fn compile(writable: bool, unprivileged: bool) -> Result<BpfProgram, FilterError> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).map_err(|_| FilterError::Processor)?;
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = BTreeMap::new();
    rules.extend(
        CALLS
            .iter()
            .chain(OLD_CALLS)
            .map(|call| (*call, Vec::new())),
    );
    rules.insert(
        libc::SYS_clone,
        vec![one(
            0,
            SeccompCmpArgLen::Qword,
            SeccompCmpOp::MaskedEq(CLONE_FORBIDDEN),
            0,
        )?],
    );
    rules.insert(libc::SYS_ioctl, any_of(1, &IOCTLS)?);
    rules.insert(libc::SYS_prctl, any_of(0, &PRCTLS)?);
    for call in OWN_PROCESS_CALLS {
        rules.insert(call, any_of(0, &[0])?);
    }
    rules.extend(pairs()?);
    if writable && unprivileged {
        rules.insert(libc::SYS_fchmod, Vec::new());
        // With a null path the call acts on the descriptor.
        rules.insert(
            libc::SYS_utimensat,
            vec![one(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Eq, 0)?],
        );
    }
    let otherwise = SeccompAction::Errno(u32::try_from(libc::EPERM).unwrap_or(1));
    let list = SeccompFilter::new(rules, otherwise, SeccompAction::Allow, arch)?;
    let mut program = gate(writable).map_err(|_| FilterError::Processor)?;
    program.extend(BpfProgram::try_from(list)?);
    Ok(program)
}

/// Installs the filter for the calling thread and all its descendants.
pub(crate) fn install(program: &BpfProgram) -> Result<(), FilterError> {
    Ok(seccompiler::apply_filter(program)?)
}

/// Returns the rules of a pair of connected stream sockets, which event loops wake themselves with. Such a pair leads to
/// nobody else. No address can be named, and no out-of-band byte sent, which the kernel has had faults with.
fn pairs() -> Result<[(i64, Vec<SeccompRule>); 4], BackendError> {
    const FLAGS: u64 = 0xFFFF_FFFF;
    /// `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
    const PAIR: u64 = 0x8_0800;
    /// `MSG_DONTWAIT` and `MSG_NOSIGNAL`.
    const PLAIN: u64 = 0x4040;
    let (dword, qword) = (SeccompCmpArgLen::Dword, SeccompCmpArgLen::Qword);
    let is = |argument, mask: u64, value| {
        let operator = SeccompCmpOp::MaskedEq(FLAGS & !mask);
        SeccompCondition::new(argument, dword.clone(), operator, value)
    };
    let pair = vec![is(0, 0, 1)?, is(1, PAIR, 1)?, is(2, 0, 0)?];
    let nowhere = SeccompCondition::new(4, qword, SeccompCmpOp::Eq, 0)?;
    let send = vec![is(3, PLAIN, 0)?, nowhere];
    Ok([
        (libc::SYS_socketpair, vec![SeccompRule::new(pair)?]),
        (libc::SYS_sendto, vec![SeccompRule::new(send)?]),
        (
            libc::SYS_recvfrom,
            vec![SeccompRule::new(vec![is(3, PLAIN, 0)?])?],
        ),
        (libc::SYS_shutdown, Vec::new()),
    ])
}

fn one(
    argument: u8,
    length: SeccompCmpArgLen,
    operator: SeccompCmpOp,
    value: u64,
) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(vec![SeccompCondition::new(
        argument, length, operator, value,
    )?])
}

fn any_of(argument: u8, values: &[u64]) -> Result<Vec<SeccompRule>, BackendError> {
    let rule = |value: &u64| one(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, *value);
    values.iter().map(rule).collect()
}
