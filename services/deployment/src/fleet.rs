//! The processes of a deployment on one machine: started, watched, restarted with backoff, and stopped together.

mod board;
mod watched;

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
    process::ExitCode,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bus_schema::{ACTORS, AuthorId};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use serde::Serialize;
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

pub use self::board::LogLine;
use self::{board::Board, watched::Watched};
use crate::{Dir, Error, log_file::LogFile};

/// The name of the server among the processes.
pub const NATS: &str = "nats";

/// The name of the signer among the processes.
pub const SIGNER: &str = "signer";

/// A process and its memory.
#[derive(Debug, Clone, Serialize)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// Resident memory.
    pub rss_bytes: u64,
    /// Proportional set size; 0 if the kernel does not report it.
    pub pss_bytes: u64,
}

/// The processes of one deployment.
#[derive(Debug)]
pub struct Fleet {
    dir: Dir,
    nats_server: PathBuf,
    board: Arc<Mutex<Board>>,
    changed: watch::Sender<u64>,
    lines: Option<mpsc::UnboundedSender<LogLine>>,
    stop_actors: watch::Sender<bool>,
    stop_nats: watch::Sender<bool>,
    actors: JoinSet<()>,
    nats: JoinSet<()>,
}

impl Fleet {
    /// A fleet without processes. `lines` receives their log lines.
    #[must_use]
    pub fn new(
        dir: Dir,
        nats_server: PathBuf,
        lines: Option<mpsc::UnboundedSender<LogLine>>,
    ) -> Self {
        Self {
            dir,
            nats_server,
            board: Arc::default(),
            changed: watch::Sender::new(0),
            lines,
            stop_actors: watch::Sender::new(false),
            stop_nats: watch::Sender::new(false),
            actors: JoinSet::new(),
            nats: JoinSet::new(),
        }
    }

    /// Starts the server and waits until it is ready.
    ///
    /// # Errors
    /// [`Error::Refused`] with its last log lines.
    pub async fn start_nats(&mut self) -> Result<(), Error> {
        let config = self.dir.nats().join("nats.conf");
        let arguments = ["-c".into(), config.into_os_string()];
        let watched = self.watched(
            NATS,
            self.nats_server.clone(),
            &arguments,
            self.stop_nats.subscribe(),
        );
        self.nats.spawn(watched.run());
        self.wait_ready(&[NATS], Duration::from_secs(10)).await
    }

    /// Starts one actor; does not wait for it.
    ///
    /// # Errors
    /// [`Error::Io`] if this program's file cannot be found.
    pub fn start(&mut self, author: AuthorId) -> Result<(), Error> {
        let config = self.dir.config(author);
        self.start_as(author.name(), author, config)
    }

    /// Starts an actor with another name and configuration than the deployment's; does not wait for it.
    ///
    /// # Errors
    /// [`Error::Io`] if this program's file cannot be found.
    pub fn start_as(&mut self, name: &str, author: AuthorId, config: PathBuf) -> Result<(), Error> {
        let program = std::env::current_exe().map_err(Error::io("find", "the own program"))?;
        let arguments = [
            "service".into(),
            author.name().into(),
            "--config".into(),
            config.into_os_string(),
        ];
        let watched = self.watched(name, program, &arguments, self.stop_actors.subscribe());
        self.actors.spawn(watched.run());
        Ok(())
    }

    /// Starts the signer; does not wait for it.
    fn start_signer(&mut self) -> Result<(), Error> {
        let program = std::env::current_exe().map_err(Error::io("find", "the own program"))?;
        let config = self.dir.signer_config().into_os_string();
        let arguments = ["service".into(), SIGNER.into(), "--config".into(), config];
        let watched = self.watched(SIGNER, program, &arguments, self.stop_actors.subscribe());
        self.actors.spawn(watched.run());
        Ok(())
    }

    /// Starts every actor, and the signer if the deployment has one, and waits until each is ready.
    ///
    /// # Errors
    /// [`Error::Refused`] with the last log lines of one that is not ready.
    pub async fn start_actors(&mut self) -> Result<(), Error> {
        for author in ACTORS {
            self.start(*author)?;
        }
        let mut names: Vec<_> = ACTORS.iter().map(|author| author.name()).collect();
        if self.dir.signer_config().exists() {
            self.start_signer()?;
            names.push(SIGNER);
        }
        self.wait_ready(&names, Duration::from_secs(20)).await
    }

    fn watched(
        &self,
        name: &str,
        program: PathBuf,
        arguments: &[OsString],
        stop: watch::Receiver<bool>,
    ) -> Watched {
        Watched {
            name: name.to_owned(),
            program,
            arguments: arguments.to_vec(),
            folder: self.dir.path().to_owned(),
            board: Arc::clone(&self.board),
            changed: self.changed.clone(),
            lines: self.lines.clone(),
            stop,
            log: LogFile::new(&self.dir, name),
        }
    }

    /// Waits until each of `names` has logged that it is ready.
    ///
    /// # Errors
    /// [`Error::Refused`] with the last lines of one that is not, after `within` or as soon as it has failed.
    pub async fn wait_ready(&self, names: &[&str], within: Duration) -> Result<(), Error> {
        let mut changed = self.changed.subscribe();
        let all = async {
            loop {
                {
                    let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
                    if names.iter().all(|name| board.ready.contains_key(*name)) {
                        return Ok(());
                    }
                    if let Some(name) = names.iter().find(|name| board.failed.contains_key(**name))
                    {
                        return Err((*name).to_owned());
                    }
                }
                if changed.changed().await.is_err() {
                    return Err(names.join(", "));
                }
            }
        };
        match tokio::time::timeout(within, all).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(name)) => Err(Error::Refused(format!(
                "{name} does not start:\n{}",
                self.last_lines(&name)
            ))),
            Err(_) => {
                let waiting = {
                    let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
                    names
                        .iter()
                        .find(|name| !board.ready.contains_key(**name))
                        .copied()
                        .unwrap_or("?")
                };
                let lines = self.last_lines(waiting);
                Err(Error::Refused(format!(
                    "{waiting} is not ready after {within:?}:\n{lines}"
                )))
            }
        }
    }

    /// Returns once a process has failed for good, with its last lines; borrows nothing.
    pub fn gave_up(&self) -> impl Future<Output = Error> + use<> {
        let board = Arc::clone(&self.board);
        let mut changed = self.changed.subscribe();
        async move {
            loop {
                {
                    let board = board.lock().unwrap_or_else(PoisonError::into_inner);
                    if let Some(name) = board.failed.keys().next() {
                        let lines = board.last_lines(name);
                        return Error::Refused(format!("{name} does not run any more:\n{lines}"));
                    }
                }
                if changed.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        }
    }

    /// The last lines that a process logged.
    #[must_use]
    pub fn last_lines(&self, name: &str) -> String {
        let board = self.board.lock().unwrap_or_else(PoisonError::into_inner);
        board.last_lines(name)
    }

    /// The process ids, by name.
    #[must_use]
    pub fn pids(&self) -> BTreeMap<String, u32> {
        self.board
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pids
            .clone()
    }

    /// Sends a signal to a process, if it runs.
    pub fn signal(&self, name: &str, signal: Signal) {
        let pid = self.pids().get(name).copied();
        if let Some(pid) = pid.and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
            // The process may have just ended.
            kill_process(pid, signal).ok();
        }
    }

    /// The current memory use of each process.
    #[must_use]
    pub fn processes(&self) -> Vec<Process> {
        let pids = self.pids();
        pids.into_iter()
            .map(|(name, pid)| Process {
                name,
                rss_bytes: kibibytes(&format!("/proc/{pid}/status"), "VmRSS:"),
                pss_bytes: kibibytes(&format!("/proc/{pid}/smaps_rollup"), "Pss:"),
            })
            .collect()
    }

    /// Stops the actors, then the server, and waits until all have ended.
    pub async fn stop(mut self) {
        self.stop_actors.send_replace(true);
        while self.actors.join_next().await.is_some() {}
        self.stop_nats.send_replace(true);
        while self.nats.join_next().await.is_some() {}
    }
}

fn kibibytes(path: &str, field: &str) -> u64 {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let value = text.lines().find_map(|line| line.strip_prefix(field));
    let number = value.and_then(|value| value.split_whitespace().next()?.parse::<u64>().ok());
    number.unwrap_or(0) * 1024
}

/// Replaces this process with `program`, which the kernel kills when `parent` ends.
#[must_use]
pub fn attached(parent: u32, program: &Path, arguments: &[OsString]) -> ExitCode {
    use std::os::unix::process::CommandExt as _;
    let alive = || getppid().is_some_and(|pid| pid.as_raw_nonzero().get().unsigned_abs() == parent);
    if set_parent_process_death_signal(Some(Signal::KILL)).is_err() || !alive() {
        return ExitCode::FAILURE;
    }
    let error = std::process::Command::new(program).args(arguments).exec();
    actor::log("error");
    tracing::error!("cannot run {}: {error}", program.display());
    ExitCode::from(64)
}
