//! Traces the program of a trial: answers each system call that the cage refuses, and keeps a record of it.
//!
//! # Alternatives
//! The filter of a trial is that of a real call, with one difference: where it would return an error, it raises `SIGSYS`
//! and skips the call. The signal stops the program, and this process, which traces it, drops the signal and puts the
//! same error into the program's registers. So nothing that this process does, leaves out or gets wrong makes a refused
//! call happen: without an answer the signal kills the program, and without this process the kernel kills it. The
//! permitted calls do not stop. Notifications of seccomp (`SECCOMP_RET_USER_NOTIF`) would do the same without tracing, but
//! no library offers them through safe functions; the kernel's log (`SECCOMP_RET_LOG`) is closed to unprivileged readers.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitCode};

use nix::sys::ptrace;
use nix::sys::signal::Signal as Standard;
use nix::unistd::Pid as Traced;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};
use rustix::time::{ClockId, clock_gettime};

use crate::ledger::Pen;

/// `SYS_SECCOMP`: the signal is from a filter, and nobody can send one like it.
const BY_FILTER: i32 = 1;
/// The byte that tells the supervisor if the program will be traced.
pub(crate) const TRACED: u8 = b'1';
const UNTRACED: u8 = b'0';

/// Runs the stage between supervisor and cage in a trial: starts the cage with its own standard streams, traces it, and
/// ends with it. The arguments are the number of the ledger and, if there is one, of the program's standard input.
pub fn tracer_main() -> ExitCode {
    if trace().is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

fn trace() -> io::Result<()> {
    let mut args = std::env::args().take(4);
    let name = args.next().unwrap_or_default();
    let mut pen = Pen::inherited(&args.nth(1).unwrap_or_default())?;
    let input = args.next().map(|number| number.parse());
    let input = input.transpose().map_err(io::Error::other)?;
    close_fds::set_fds_cloexec(3, input.as_slice());
    rustix::process::set_parent_process_death_signal(Some(Signal::KILL))?;
    let mut command = Command::new("/proc/self/exe");
    command.arg0(name).arg(crate::CAGE_STAGE).env_clear();
    let child = command.spawn()?;
    let main = i32::try_from(child.id()).map_err(io::Error::other)?;
    let options = ptrace::Options::PTRACE_O_EXITKILL
        | ptrace::Options::PTRACE_O_TRACEEXEC
        | ptrace::Options::PTRACE_O_TRACEFORK
        | ptrace::Options::PTRACE_O_TRACEVFORK
        | ptrace::Options::PTRACE_O_TRACECLONE;
    let is_traced = ptrace::seize(Traced::from_raw(main), options).is_ok();
    if is_traced {
        pen.traced()?;
    }
    // The cage waits for its specification, which the supervisor sends after this.
    rustix::io::write(
        rustix::stdio::stdin(),
        &[if is_traced { TRACED } else { UNTRACED }],
    )?;
    // The supervisor learns by the end of this socket that the program was executed.
    let null = rustix::fs::open(
        Path::new("/dev/null"),
        OFlags::RDONLY | OFlags::CLOEXEC,
        Mode::empty(),
    )?;
    rustix::stdio::dup2_stdin(null.as_fd())?;
    let end = follow(main, &mut pen)?;
    pen.end(end, own_cpu_ms())
}

/// Answers the stops of the program and its descendants until it ends; returns its exit code, or the signal that ended it.
fn follow(main: i32, pen: &mut Pen) -> io::Result<Result<i32, i32>> {
    let mut is_program = false;
    loop {
        let (pid, status) = match wait(WaitOptions::empty()) {
            Ok(Some(ended)) => ended,
            Ok(None) | Err(Errno::INTR) => continue,
            Err(errno) => return Err(errno.into()),
        };
        let pid = raw(pid);
        if let Some(signal) = status.stopping_signal() {
            match status.as_raw() >> 16 {
                0 => deliver(pid, signal, is_program, pen)?,
                event => {
                    // Before, the cage itself ran.
                    is_program |= event == libc::PTRACE_EVENT_EXEC;
                    go_on(pid, None);
                }
            }
        } else if pid == main {
            return Ok(end(status));
        }
    }
}

fn end(status: WaitStatus) -> Result<i32, i32> {
    match status.exit_status() {
        Some(code) => Ok(code),
        None => Err(status.terminating_signal().unwrap_or(0)),
    }
}

/// Answers a call that the filter stopped, or delivers the signal.
fn deliver(pid: i32, signal: i32, is_program: bool, pen: &mut Pen) -> io::Result<()> {
    let info = ptrace::getsiginfo(Traced::from_raw(pid));
    let info = info
        .ok()
        .filter(|info| signal == libc::SIGSYS && info.si_code == BY_FILTER);
    if let Some(info) = info {
        // A process that cannot be answered has been killed meanwhile.
        if let Ok(number) = answer(pid, info.si_errno) {
            if is_program {
                pen.call(number, info.si_errno)?;
            }
            go_on(pid, None);
        }
        return Ok(());
    }
    match Standard::try_from(signal) {
        Ok(signal) => go_on(pid, Some(signal)),
        // The library knows no real-time signals.
        Err(_) => {
            pen.lost_signal()?;
            go_on(pid, None);
        }
    }
    Ok(())
}

/// Lets a stopped process run. It fails if that was killed meanwhile.
fn go_on(pid: i32, signal: Option<Standard>) {
    ptrace::cont(Traced::from_raw(pid), signal).ok();
}

/// Puts the error into the registers, as the result of the call that was skipped; returns the call's number.
#[cfg(target_arch = "x86_64")]
fn answer(pid: i32, errno: i32) -> nix::Result<u32> {
    let pid = Traced::from_raw(pid);
    let mut registers = ptrace::getregs(pid)?;
    registers.rax = i64::from(errno).wrapping_neg().cast_unsigned();
    ptrace::setregs(pid, registers)?;
    u32::try_from(registers.orig_rax).map_err(|_| nix::Error::EINVAL)
}

/// Puts the error into the registers, as the result of the call that was skipped; returns the call's number.
#[cfg(target_arch = "aarch64")]
fn answer(pid: i32, errno: i32) -> nix::Result<u32> {
    let pid = Traced::from_raw(pid);
    let mut registers = ptrace::getregs(pid)?;
    let [result, ..] = &mut registers.regs;
    *result = i64::from(errno).wrapping_neg().cast_unsigned();
    ptrace::setregs(pid, registers)?;
    let number = registers.regs.get(8).copied().unwrap_or(u64::MAX);
    u32::try_from(number).map_err(|_| nix::Error::EINVAL)
}

/// Fails: no other processor has a list of calls.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn answer(_: i32, _: i32) -> nix::Result<u32> {
    Err(nix::Error::ENOSYS)
}

fn raw(pid: Pid) -> i32 {
    pid.as_raw_nonzero().get()
}

/// Returns the processor time of this process alone.
fn own_cpu_ms() -> u64 {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let ms = used.tv_sec * 1000 + used.tv_nsec / 1_000_000;
    u64::try_from(ms).unwrap_or(0)
}
