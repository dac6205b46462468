//! Starts the stage of the cage, before or after its call is known.

use std::io;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use rustix::process::Pid;

use crate::ledger::Ledger;
use crate::streams::Ends;
use crate::wire::{CallSpec, Missing, Refusal};

/// The stage of the cage, which waits for its specification.
pub(crate) struct Staged {
    pub(crate) main: Pid,
    pub(crate) status: UnixStream,
    pub(crate) out: Option<OwnedFd>,
    pub(crate) err: OwnedFd,
    pub(crate) input: Option<RawFd>,
    /// Of a trial.
    pub(crate) ledger: Option<Ledger>,
}

impl Staged {
    /// Starts it; before the call is known only for a program that neither serves nor is tried.
    pub(crate) fn start(call: Option<&CallSpec>) -> Result<Self, Refusal> {
        let stage = || Refusal::of::<io::Error>(Missing::Stage);
        let is_trial = call.is_some_and(|call| call.trial);
        let ledger = is_trial.then(Ledger::create).transpose();
        let ledger = ledger.map_err(stage())?;
        let (status, theirs) = UnixStream::pair().map_err(stage())?;
        let ends = Ends::of(call.is_some_and(|call| call.serves)).map_err(stage())?;
        let (err, err_theirs) = io::pipe().map_err(stage())?;
        let mut command = Command::new("/proc/self/exe");
        if let Some(name) = std::env::args_os().next() {
            command.arg0(name);
        }
        let input = ends.stdin.as_ref().map(AsRawFd::as_raw_fd);
        match &ledger {
            Some(ledger) => command
                .arg(crate::TRACER_STAGE)
                .arg(ledger.number().to_string())
                .args(input.map(|input| input.to_string())),
            None => command.arg(crate::CAGE_STAGE),
        };
        command.env_clear();
        command
            .stdin(Stdio::from(OwnedFd::from(theirs)))
            .stdout(ends.stdout)
            .stderr(err_theirs);
        let child = command.spawn().map_err(stage())?;
        let main = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        Ok(Self {
            main: main.ok_or_else(|| stage()(io::Error::other("no process id")))?,
            status,
            out: ends.from,
            err: err.into(),
            input,
            ledger,
        })
    }
}
