//! Supervises one call: this first stage starts the cage, bounds it, and leaves no process behind.
//!
//! # Alternatives
//! Descendants are ended with one `kill(-1)` from inside a Landlock domain whose signal scope holds exactly
//! the supervisor's own descendants. The kernel delivers it while no process can be added, so a fork bomb
//! cannot outrun it, and `setsid` or a double fork does not leave the domain. Walking `/proc` would race with
//! both. The supervisor is also their reaper, so it knows that none is left when it has no child.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::ExitCode;

use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, WaitStatus, wait};
use rustix::time::{ClockId, Timespec, clock_gettime};
use signal_hook::{consts::SIGCHLD, low_level::pipe};

use crate::disk::{Disk, Glance};
use crate::landlock_rules::scope_signals;
use crate::ledger::Ledger;
use crate::processes::{children_cpu_ms, more_descendants_than, tasks};
use crate::staged::Staged;
use crate::streams::Stream;
use crate::temporary::Temporary;
use crate::tracer::TRACED;
use crate::wire::{
    Added, CageSpec, CallSpec, Limits, Missing, Outcome, Refusal, Report, STDERR_BYTES_MAX,
    read_frame, write_frame,
};

/// The interval between two counts of the call's processes, in milliseconds.
const COUNT_EVERY_MS: u64 = 50;
/// The interval between two reads of the machine's number of tasks, in milliseconds. It is one short file. If the
/// number has grown by more than the call may have, the processes are counted at once.
const GLANCE_EVERY_MS: u64 = 10;
/// The pause after a count of the files, as a multiple of the count's own time, so that a large workspace does not
/// keep the supervisor busy.
const PAUSE_PER_COUNT: u64 = 10;
/// The factor of these intervals for a program that serves, because it mostly waits.
const IDLE_PACE: u64 = 10;
/// Largest number of dead children reaped in one turn.
const REAPED_AT_ONCE: usize = 256;
/// Entries of `/proc` beyond one for each task, before a count is treated as endless.
const ENTRIES_SPARE: usize = 512;
/// Chunks read from a pipe once its writers are gone; a pipe holds less.
const DRAIN_CHUNKS_MAX: usize = 64;

/// Runs the first stage: reads the call from the socket on standard input, runs it, writes the report there. EOF
/// there means that the runner is gone; every process of the call is then killed.
pub fn supervisor_main() -> ExitCode {
    close_fds::set_fds_cloexec(3, &[]);
    let (report, stdout, stderr) = match supervise() {
        Ok(Some(ended)) => ended,
        Ok(None) => return ExitCode::FAILURE,
        Err(refusal) => (Report::Refused(refusal), Vec::new(), Vec::new()),
    };
    let sent_back = rustix::io::fcntl_dupfd_cloexec(rustix::stdio::stdin(), 3);
    let Ok(mut to) = sent_back.map(File::from) else {
        return ExitCode::FAILURE;
    };
    let sent = write_frame(&mut to, &report)
        .and_then(|()| to.write_all(&stdout))
        .and_then(|()| to.write_all(&stderr))
        .and_then(|()| to.flush());
    if sent.is_ok() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

type Ended = (Report, Vec<u8>, Vec<u8>);

/// Supervises the call. `None`: the runner is gone.
fn supervise() -> Result<Option<Ended>, Refusal> {
    let prepared = prepare();
    // Also if that failed: the runner writes the call before it reads the reason.
    let call: CallSpec =
        read_frame(&mut io::stdin().lock()).map_err(Refusal::of(Missing::Stage))?;
    let (domain, staged) = prepared?;
    let staged = match staged {
        Some(staged) => staged,
        None => Staged::start(Some(&call))?,
    };
    let temporary = Temporary::create(&call.scratch).map_err(Refusal::of(Missing::Temporary))?;
    let disk = Disk::before(&call, temporary.path())?;
    let mut child = Caged::enter(staged, call, temporary.path(), disk)?;
    let stop = child.watch(&domain);
    domain.end_all(&mut child);
    let ended = child.finish(stop?)?;
    drop(temporary);
    Ok(ended)
}

/// Returns a socket that is readable once a child died. A handler goes with `execve`, unlike a blocked signal.
fn deaths() -> io::Result<UnixStream> {
    let (from, to) = UnixStream::pair()?;
    from.set_nonblocking(true)?;
    pipe::register(SIGCHLD, to)?;
    Ok(from)
}

/// Does what needs no call; one that waits for its call also starts the stage of the cage.
fn prepare() -> Result<(SignalDomain, Option<Staged>), Refusal> {
    harden().map_err(Refusal::of(Missing::Limits))?;
    // In its own session, because an interrupt at a terminal must not end the process that cleans up.
    rustix::process::setsid().map_err(Refusal::of(Missing::Limits))?;
    rustix::process::set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(Refusal::of(Missing::Limits))?;
    let domain = SignalDomain::enter()?;
    let waits = std::env::args_os()
        .nth(2)
        .is_some_and(|word| word == crate::WAITS);
    let staged = waits.then(|| Staged::start(None)).transpose()?;
    Ok((domain, staged))
}

/// Makes this process unreadable to others of its uid and forbids core dumps and new privileges; all three
/// are required before anything may run.
fn harden() -> io::Result<()> {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    setrlimit(
        Resource::Core,
        Rlimit {
            current: Some(0),
            maximum: Some(0),
        },
    )?;
    rustix::thread::set_no_new_privs(true)?;
    Ok(())
}

/// Proof that signals of this process reach only its own descendants.
struct SignalDomain(());

impl SignalDomain {
    /// Enters the domain, and checks on the runner that signals no longer leave it.
    fn enter() -> Result<Self, Refusal> {
        let refused = |detail: &str| Refusal::of(Missing::Landlock)(detail);
        let runner =
            rustix::process::getppid().ok_or_else(|| refused("the runner is not visible"))?;
        rustix::process::test_kill_process(runner)
            .map_err(|_| refused("the runner has another uid or is gone"))?;
        scope_signals().map_err(Refusal::of(Missing::Landlock))?;
        match rustix::process::test_kill_process(runner) {
            Err(Errno::PERM) => Ok(Self(())),
            _ => Err(refused("signals still leave the domain")),
        }
    }

    /// Sends a signal to every descendant at once.
    fn signal(&self, signal: Signal) {
        // "Process group 1" makes this call a `kill(-1)`, which reaches every process that the sender may signal.
        // It fails if there is no descendant, and then there is nothing to do.
        rustix::process::kill_process_group(Pid::INIT, signal).ok();
    }

    /// Kills every descendant and waits until none is left.
    fn end_all(&self, child: &mut Caged) {
        loop {
            self.signal(Signal::KILL);
            match wait(WaitOptions::empty()) {
                Ok(Some((pid, status))) => child.note(pid, status),
                Ok(None) | Err(Errno::INTR) => {}
                Err(_) => return,
            }
            child.reap(REAPED_AT_ONCE);
        }
    }
}

/// The reason that watching ended.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Stop {
    Exited,
    TimedOut,
    OutputExceeded,
    ProcessesExceeded,
    AddedExceeded(Added),
    NoRoom,
    RunnerGone,
}

/// The caged program and all its descendants.
struct Caged {
    main: Pid,
    exited: Option<WaitStatus>,
    status: UnixStream,
    streams: [Stream; 2],
    limits: Limits,
    disk: Disk,
    tasks: u64,
    started_ms: u64,
    deadline_ms: u64,
    /// A factor of the intervals between two looks.
    pace: u64,
    /// Of a trial.
    ledger: Option<Ledger>,
}

impl Caged {
    /// Has the stage become the program of a call.
    fn enter(
        mut staged: Staged,
        mut call: CallSpec,
        temporary: &Path,
        disk: Disk,
    ) -> Result<Self, Refusal> {
        let stage = || Refusal::of::<io::Error>(Missing::Stage);
        let (mut limits, serves) = (call.limits, call.serves);
        let mut parent = rustix::process::getpid();
        if staged.ledger.is_some() {
            parent = staged.main;
            // The tracer is a process of the call.
            limits.processes_max = limits.processes_max.saturating_add(1);
            let mut answer = [0];
            staged.status.read_exact(&mut answer).map_err(stage())?;
            call.trial = answer == [TRACED];
        }
        let tasks = tasks();
        let spec = CageSpec {
            tasks,
            supervisor: parent.as_raw_nonzero().get(),
            temporary: temporary.to_owned(),
            input: staged.input,
            call,
        };
        // This fails if the stage died at once; `finish` recognizes that case.
        drop(write_frame(&mut staged.status, &spec));
        let out = Stream::new(staged.out, limits.output_bytes_max).map_err(stage())?;
        let mut err = Stream::new(Some(staged.err), STDERR_BYTES_MAX).map_err(stage())?;
        err.keeps_end = serves;
        let started_ms = now_ms();
        Ok(Self {
            main: staged.main,
            exited: None,
            status: staged.status,
            streams: [out, err],
            limits,
            disk,
            tasks,
            started_ms,
            deadline_ms: if serves {
                u64::MAX
            } else {
                started_ms.saturating_add(limits.wall_ms)
            },
            pace: if serves { IDLE_PACE } else { 1 },
            ledger: staged.ledger,
        })
    }

    /// Reads output until the program exits or exceeds a bound.
    fn watch(&mut self, domain: &SignalDomain) -> Result<Stop, Refusal> {
        let main = rustix::process::pidfd_open(self.main, rustix::process::PidfdFlags::empty())
            .map_err(Refusal::of(Missing::Stage))?;
        let mut deaths = deaths().map_err(Refusal::of(Missing::Stage))?;
        let deadline_ms = self.deadline_ms;
        let (glance_every, count_every) = (GLANCE_EVERY_MS * self.pace, COUNT_EVERY_MS * self.pace);
        let mut glance_ms = self.started_ms + glance_every;
        let mut count_ms = self.started_ms + count_every;
        let mut files_ms = count_ms;
        loop {
            self.reap(REAPED_AT_ONCE);
            let now = now_ms();
            if self.exited.is_some() {
                return Ok(Stop::Exited);
            }
            if now >= deadline_ms {
                return Ok(Stop::TimedOut);
            }
            if now >= glance_ms {
                let grown = tasks().saturating_sub(self.tasks) > self.limits.processes_max;
                if grown || now >= count_ms {
                    if self.exceeds(domain, grown) {
                        return Ok(Stop::ProcessesExceeded);
                    }
                    count_ms = now_ms() + count_every;
                }
                let glance = self.disk.glance();
                if glance == Glance::NoRoom {
                    return Ok(Stop::NoRoom);
                }
                if glance == Glance::Suspect || now >= files_ms {
                    let began = now_ms();
                    if let Some(added) = self.adds_too_much(domain) {
                        return Ok(Stop::AddedExceeded(added));
                    }
                    let took = now_ms().saturating_sub(began);
                    files_ms = now_ms() + count_every.max(took * PAUSE_PER_COUNT);
                }
                glance_ms = now_ms() + glance_every;
            }
            let stdin = rustix::stdio::stdin();
            let mut fds = vec![
                PollFd::new(&stdin, PollFlags::IN),
                PollFd::new(&main, PollFlags::IN),
                PollFd::new(&deaths, PollFlags::IN),
            ];
            let open = self
                .streams
                .iter()
                .filter_map(|stream| stream.from.as_ref());
            fds.extend(open.map(|from| PollFd::new(from, PollFlags::IN)));
            let patience = timespec(deadline_ms.min(glance_ms).saturating_sub(now));
            match poll(&mut fds, Some(&patience)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(errno) => return Err(Refusal::of(Missing::Stage)(errno)),
            }
            // The runner writes nothing more, so any event on this pipe means that it is gone.
            if fds.first().is_some_and(|fd| !fd.revents().is_empty()) {
                return Ok(Stop::RunnerGone);
            }
            // The count of the bytes says nothing, because pending signals of one kind are merged.
            drop(deaths.read(&mut [0; REAPED_AT_ONCE]));
            for stream in &mut self.streams {
                stream.read();
            }
            if self.streams.first().is_some_and(|out| out.truncated) {
                return Ok(Stop::OutputExceeded);
            }
        }
    }

    /// Returns true if the call has too many processes. A count of running processes is only a suspicion, because
    /// a count of a growing tree may never end. The count that decides is made while all of them are stopped.
    fn exceeds(&mut self, domain: &SignalDomain, suspect: bool) -> bool {
        let max = self.limits.processes_max;
        if !suspect && !more_descendants_than(max, entries_max()) {
            return false;
        }
        domain.signal(Signal::STOP);
        self.reap(usize::MAX);
        let exceeds = more_descendants_than(max, usize::MAX);
        if !exceeds {
            domain.signal(Signal::CONT);
        }
        exceeds
    }

    /// Returns the bound that the call's additions exceed; it is counted in the same way, because files move.
    fn adds_too_much(&mut self, domain: &SignalDomain) -> Option<Added> {
        self.disk.excess(entries_max())?;
        domain.signal(Signal::STOP);
        self.reap(usize::MAX);
        let excess = self.disk.excess(usize::MAX);
        if excess.is_none() {
            domain.signal(Signal::CONT);
        }
        excess
    }

    /// Reaps up to `max` dead children, its own and inherited ones.
    fn reap(&mut self, max: usize) {
        for _ in 0..max {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) => self.note(pid, status),
                Err(Errno::INTR) => {}
                Ok(None) | Err(_) => return,
            }
        }
    }

    fn note(&mut self, pid: Pid, status: WaitStatus) {
        if pid == self.main {
            self.exited = Some(status);
        }
    }

    /// Makes the report, once no process is left.
    fn finish(mut self, stop: Stop) -> Result<Option<Ended>, Refusal> {
        // The runner still reads the report of a trial.
        if stop == Stop::RunnerGone && self.ledger.is_none() {
            return Ok(None);
        }
        let wall_ms = now_ms().saturating_sub(self.started_ms);
        self.entered(stop)?;
        // A program may exceed a bound between two counts. This last count decides, because no process is left.
        let ended_alone = matches!(stop, Stop::Exited | Stop::RunnerGone);
        let added = ended_alone.then(|| self.disk.excess_at_the_end());
        let stop = added.flatten().map_or(stop, Stop::AddedExceeded);
        for stream in &mut self.streams {
            let mut chunks = 0;
            while chunks < DRAIN_CHUNKS_MAX && stream.read() {
                chunks += 1;
            }
        }
        let told = self.ledger.as_ref().map(Ledger::read).transpose();
        let told = told.map_err(Refusal::of(Missing::Stage))?;
        let [stdout, stderr] = self.streams;
        let outcome = match stop {
            Stop::TimedOut => Outcome::TimedOut,
            Stop::ProcessesExceeded => Outcome::ProcessesExceeded,
            Stop::OutputExceeded => Outcome::OutputExceeded,
            Stop::AddedExceeded(added) => Outcome::AddedExceeded(added),
            Stop::NoRoom => Outcome::NoRoom,
            Stop::Exited | Stop::RunnerGone if stdout.truncated => Outcome::OutputExceeded,
            Stop::Exited | Stop::RunnerGone => {
                let told = told.as_ref().and_then(|told| told.outcome);
                told.unwrap_or_else(|| ended(self.exited))
            }
        };
        let tracer_cpu_ms = told.as_ref().map_or(0, |told| told.tracer_cpu_ms);
        let report = Report::Ran {
            outcome,
            truncated: stdout.truncated || stderr.truncated,
            wall_ms,
            cpu_ms: children_cpu_ms().saturating_sub(tracer_cpu_ms),
            stdout_bytes: stdout.bytes.len(),
            stderr_bytes: stderr.bytes.len(),
            observed: told.and_then(|told| told.observed),
        };
        Ok(Some((report, stdout.bytes, stderr.bytes)))
    }

    /// Checks that the cage was entered: execve closed the socket and nothing was written to it.
    fn entered(&mut self, stop: Stop) -> Result<(), Refusal> {
        let mut said = Vec::new();
        let read = self.status.read_to_end(&mut said);
        if !said.is_empty() {
            return Err(
                read_frame(&mut said.as_slice()).unwrap_or_else(Refusal::of(Missing::Stage))
            );
        }
        // Unread specification resets the socket: the stage died before it read it.
        read.map_err(Refusal::of(Missing::Stage))?;
        if stop == Stop::Exited && self.exited.is_none() {
            return Err(Refusal::of(Missing::Stage)("the cage has no exit status"));
        }
        Ok(())
    }
}

fn ended(status: Option<WaitStatus>) -> Outcome {
    match status {
        Some(status) => match (status.exit_status(), status.terminating_signal()) {
            (Some(0), _) => Outcome::Succeeded,
            (Some(code), _) => Outcome::Failed { code },
            (None, signal) => Outcome::Killed {
                signal: signal.unwrap_or(0),
            },
        },
        None => Outcome::Killed { signal: 0 },
    }
}

/// Returns the number of entries of `/proc` at which a count is treated as endless.
fn entries_max() -> usize {
    let tasks = usize::try_from(tasks()).unwrap_or(usize::MAX);
    tasks.saturating_add(ENTRIES_SPARE)
}

fn now_ms() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    let seconds = u64::try_from(now.tv_sec).unwrap_or(0);
    seconds * 1000 + u64::try_from(now.tv_nsec).unwrap_or(0) / 1_000_000
}

fn timespec(ms: u64) -> Timespec {
    let seconds = i64::try_from(ms / 1000).unwrap_or(i64::MAX);
    let nanoseconds = i64::try_from((ms % 1000) * 1_000_000).unwrap_or(0);
    Timespec {
        tv_sec: seconds,
        tv_nsec: nanoseconds,
    }
}
