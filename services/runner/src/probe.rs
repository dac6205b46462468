//! Tests the cage on this machine by trying to break out of it.

use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::ExitCode;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::cage::{Cage, WITHOUT_ETC};
use crate::exec::{ExecError, Finished, run};
use crate::sha256::hex;
use crate::tool::ExecTool;
use crate::wire::{Limits, Outcome};
use crate::workspace::Workspace;

/// The result of the self-test inside the cage.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Probed {
    /// Attempts that the cage stopped, by name.
    pub stopped: Vec<String>,
    /// Attempts that succeeded; empty in the result of [`Cage::probe`].
    pub open: Vec<String>,
}

/// The reason that the service must not start.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The cage cannot be set up, or the program in it did not report.
    #[error("the self-test could not run in the cage; fix the cause before starting the service")]
    Exec(#[from] ExecError),
    /// The scratch directory cannot be used.
    #[error("the scratch directory cannot be used; make it writable for this service")]
    Scratch(#[source] std::io::Error),
    /// The cage was set up but does not hold.
    #[error("the cage does not stop: {}; do not run tools on this machine", .0.join(", "))]
    Open(Vec<String>),
    /// The program in the cage ended without a report.
    #[error(
        "the self-test ended without a report ({0:?}); check that the launcher runs in the cage"
    )]
    Silent(Outcome),
}

impl Cage {
    /// Runs the launcher itself as a tool and reports the attempts that the cage stopped.
    ///
    /// # Errors
    /// A part of the cage is missing, or an attempt succeeded: nothing may be run on this machine.
    pub async fn probe(&self) -> Result<Probed, ProbeError> {
        let mut random = [0_u8; 12];
        rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
            .map_err(|errno| ProbeError::Scratch(errno.into()))?;
        let folder = self.scratch.join(format!("probe-{}", hex(&random)));
        std::fs::create_dir(&folder).map_err(ProbeError::Scratch)?;
        let finished = self.probe_in(&folder).await;
        drop(std::fs::remove_dir_all(&folder));
        let finished = finished?;
        let probed: Probed = serde_json::from_slice(&finished.output)
            .map_err(|_| ProbeError::Silent(finished.outcome))?;
        if probed.open.is_empty() && finished.outcome == Outcome::Succeeded {
            Ok(probed)
        } else {
            Err(ProbeError::Open(probed.open))
        }
    }

    async fn probe_in(&self, folder: &Path) -> Result<Finished, ProbeError> {
        let workspace = Workspace::open(folder).map_err(ProbeError::Scratch)?;
        let limits = Limits {
            wall_ms: 10_000,
            cpu_ms_max: 5_000,
            output_bytes_max: 16 * 1024,
            memory_bytes_max: 1024 * 1024 * 1024,
            processes_max: 4,
            file_bytes_max: 4096,
            files_open_max: 32,
            added_bytes_max: 4096,
            added_files_max: 0,
        };
        let tool = ExecTool::launcher(crate::PROBE_STAGE, limits);
        Ok(run(self, &tool, &json!({}), &workspace).await?)
    }
}

/// Runs the self-test: tries everything that the cage forbids and writes a [`Probed`] to standard output.
pub fn probe_main() -> ExitCode {
    let parent = rustix::process::getppid().map_or(1, |pid| pid.as_raw_nonzero().get());
    let read = |path: String| std::fs::read(path).is_ok();
    let attempts = [
        ("tcp socket", TcpListener::bind("127.0.0.1:0").is_ok()),
        ("udp socket", UdpSocket::bind("127.0.0.1:0").is_ok()),
        ("unix socket", UnixDatagram::unbound().is_ok()),
        ("unix socket pair", UnixDatagram::pair().is_ok()),
        (
            "read of the supervisor's environment",
            read(format!("/proc/{parent}/environ")),
        ),
        (
            "read of its own environment file",
            read("/proc/self/environ".to_owned()),
        ),
        ("read of a file outside", read("/etc/passwd".to_owned())),
        (
            "listing of the root directory",
            std::fs::read_dir("/").is_ok(),
        ),
        (
            "write to a read-only workspace",
            std::fs::write("probe", "").is_ok(),
        ),
        (
            "write to the scratch directory",
            std::fs::write("../probe", "").is_ok(),
        ),
        (
            "signal to the supervisor",
            rustix::process::getppid()
                .is_none_or(|pid| rustix::process::test_kill_process(pid).is_ok()),
        ),
        ("anonymous executable memory file", {
            rustix::fs::memfd_create("probe", rustix::fs::MemfdFlags::CLOEXEC).is_ok()
        }),
        (
            "environment variable",
            std::env::vars_os().any(|(name, _)| {
                let ours = WITHOUT_ETC.iter().map(|(name, _)| *name);
                !ours
                    .chain(["PATH", "LANG", "HOME", "TMPDIR"])
                    .any(|known| name == known)
            }),
        ),
    ];
    let names = |through: bool| {
        let chosen = attempts.iter().filter(move |(_, ok)| *ok == through);
        chosen.map(|(name, _)| (*name).to_owned()).collect()
    };
    let probed = Probed {
        stopped: names(false),
        open: names(true),
    };
    match serde_json::to_writer(std::io::stdout().lock(), &probed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}
