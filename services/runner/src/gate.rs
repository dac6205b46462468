//! The system calls that a caged program gets a special answer to, before the list of those that it may make.

use std::num::TryFromIntError;

use seccompiler::{BpfProgram, sock_filter};

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xC000_003E;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xC000_00B7;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const AUDIT_ARCH: u32 = 0;

/// First number of the x32 table, which shares the architecture word of x86-64.
const X32_FIRST: u32 = 0x4000_0000;

/// `BPF_RET | BPF_K`
const RETURN: u16 = 0x06;

/// Calls that set mode or times by a path.
#[cfg(target_arch = "x86_64")]
const WITHOUT_EFFECT: &[i64] = &[
    libc::SYS_chmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_utime,
    libc::SYS_utimes,
    libc::SYS_futimesat,
];
#[cfg(not(target_arch = "x86_64"))]
const WITHOUT_EFFECT: &[i64] = &[libc::SYS_fchmodat, libc::SYS_fchmodat2];

/// Calls that are answered with another error than `EPERM`.
const ANSWERED: [(i64, i32); 15] = [
    (libc::SYS_clone3, libc::ENOSYS),
    (libc::SYS_timer_create, libc::ENOSYS),
    (libc::SYS_fallocate, libc::EOPNOTSUPP),
    (libc::SYS_getxattr, libc::EOPNOTSUPP),
    (libc::SYS_lgetxattr, libc::EOPNOTSUPP),
    (libc::SYS_fgetxattr, libc::EOPNOTSUPP),
    (libc::SYS_listxattr, libc::EOPNOTSUPP),
    (libc::SYS_llistxattr, libc::EOPNOTSUPP),
    (libc::SYS_flistxattr, libc::EOPNOTSUPP),
    (libc::SYS_setxattr, libc::EOPNOTSUPP),
    (libc::SYS_lsetxattr, libc::EOPNOTSUPP),
    (libc::SYS_fsetxattr, libc::EOPNOTSUPP),
    (libc::SYS_removexattr, libc::EOPNOTSUPP),
    (libc::SYS_lremovexattr, libc::EOPNOTSUPP),
    (libc::SYS_fremovexattr, libc::EOPNOTSUPP),
];

/// Builds the rules that a map from numbers cannot express: foreign tables kill, and some calls have an answer of their
/// own. Other calls fall through to the list.
pub(crate) fn gate(writable: bool) -> Result<BpfProgram, TryFromIntError> {
    const LOAD: u16 = 0x20;
    const JUMP_EQUAL: u16 = 0x15;
    const JUMP_AT_LEAST: u16 = 0x35;
    const NUMBER: u32 = 0;
    const ARCH: u32 = 4;
    /// The second argument: its lower half, then its upper half.
    const PATH: [u32; 2] = [24, 28];
    const SUCCESS: u32 = libc::SECCOMP_RET_ERRNO;
    let step = |code, jt, jf, k| sock_filter { code, jt, jf, k };
    let mut program = vec![
        step(LOAD, 0, 0, ARCH),
        step(JUMP_EQUAL, 1, 0, AUDIT_ARCH),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
        step(LOAD, 0, 0, NUMBER),
        step(JUMP_AT_LEAST, 0, 1, X32_FIRST),
        step(RETURN, 0, 0, libc::SECCOMP_RET_KILL_PROCESS),
    ];
    for (call, errno) in ANSWERED {
        let errno = u32::try_from(errno).unwrap_or_default();
        program.push(step(JUMP_EQUAL, 0, 1, u32::try_from(call)?));
        program.push(step(RETURN, 0, 0, libc::SECCOMP_RET_ERRNO | errno));
    }
    if writable {
        for call in WITHOUT_EFFECT {
            program.push(step(JUMP_EQUAL, 0, 1, u32::try_from(*call)?));
            program.push(step(RETURN, 0, 0, SUCCESS));
        }
        let [low, high] = PATH;
        program.extend([
            step(JUMP_EQUAL, 0, 5, u32::try_from(libc::SYS_utimensat)?),
            step(LOAD, 0, 0, low),
            step(JUMP_EQUAL, 0, 2, 0),
            step(LOAD, 0, 0, high),
            step(JUMP_EQUAL, 1, 0, 0),
            step(RETURN, 0, 0, SUCCESS),
        ]);
    }
    Ok(program)
}

/// Returns the filter of a trial: the same, except that it stops the program where it would return an error. The error
/// is in the stop.
pub(crate) fn observed(filter: BpfProgram) -> BpfProgram {
    let step = |step: sock_filter| {
        let returns_error = step.code == RETURN
            && step.k & libc::SECCOMP_RET_ACTION_FULL == libc::SECCOMP_RET_ERRNO;
        let error = step.k & libc::SECCOMP_RET_DATA;
        let k = if returns_error {
            libc::SECCOMP_RET_TRAP | error
        } else {
            step.k
        };
        sock_filter { k, ..step }
    };
    filter.into_iter().map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_filter_of_a_trial_permits_what_the_real_one_permits() {
        for (writable, unprivileged) in [(false, false), (false, true), (true, false), (true, true)]
        {
            let real = crate::syscalls::compile(writable, unprivileged).unwrap();
            let trial = observed(real.clone());
            assert_eq!(real.len(), trial.len());
            let mut stops = 0;
            for (real, trial) in real.iter().zip(&trial) {
                let error = real.k & 0xFFFF;
                if (real.code, real.k & 0xFFFF_0000) == (0x06, 0x0005_0000) {
                    assert_eq!((trial.code, trial.k), (0x06, 0x0003_0000 | error));
                    stops += 1;
                } else {
                    assert_eq!(real, trial);
                }
                assert_eq!((real.jt, real.jf), (trial.jt, trial.jf));
            }
            assert!(stops > 15, "{stops}");
        }
    }
}
