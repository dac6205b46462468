//! The processes of a deployment on one machine: started, watched, restarted with backoff, and stopped together.

use std::{
    collections::{BTreeMap, VecDeque},
    ffi::OsString,
    path::{Path, PathBuf},
    process::{ExitCode, Stdio},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bus_schema::{ACTORS, AuthorId};
use rustix::process::{Pid, Signal, getppid, kill_process, set_parent_process_death_signal};
use serde::Serialize;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{Dir, Error};

/// The name of the server among the processes.
pub const NATS: &str = "nats";
/// The time that a process has to stop before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// The first and the longest backoff between restarts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The run time after which a process starts with the first backoff again.
const RAN_WELL: Duration = Duration::from_secs(30);
/// The number of log lines that are kept of each process, shown when it fails.
const KEPT: usize = 20;

/// A line that a process logged.
#[derive(Debug, Clone)]
pub struct LogLine {
    /// The process's name.
    pub from: String,
    /// The line.
    pub text: String,
}

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

#[derive(Debug, Default)]
struct Board {
    pids: BTreeMap<String, u32>,
    ready: BTreeMap<String, u64>,
    kept: BTreeMap<String, VecDeque<String>>,
    failed: BTreeMap<String, String>,
}

impl Board {
    fn last_lines(&self, name: &str) -> String {
        let lines = self.kept.get(name);
        let lines = lines.map(|lines| lines.iter().map(String::as_str).collect::<Vec<_>>());
        lines.map_or_else(
            || "  (it logged nothing)".to_owned(),
            |lines| format!("  {}", lines.join("\n  ")),
        )
    }
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

    /// Starts every actor and waits until each is ready.
    ///
    /// # Errors
    /// [`Error::Refused`] with the last log lines of one that is not ready.
    pub async fn start_actors(&mut self) -> Result<(), Error> {
        for author in ACTORS {
            self.start(*author)?;
        }
        let names: Vec<_> = ACTORS.iter().map(|author| author.name()).collect();
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

struct Watched {
    name: String,
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    board: Arc<Mutex<Board>>,
    changed: watch::Sender<u64>,
    lines: Option<mpsc::UnboundedSender<LogLine>>,
    stop: watch::Receiver<bool>,
}

impl Watched {
    async fn run(mut self) {
        let mut pause = BACKOFF.0;
        while !*self.stop.borrow() {
            let mut child = match self.spawn() {
                Ok(child) => child,
                // The machine may be out of memory or process ids for a moment.
                Err(error) => {
                    self.line(format!("cannot start {}: {error}", self.program.display()));
                    self.wait(&mut pause).await;
                    continue;
                }
            };
            let pid = child.id().unwrap_or(0);
            let began = tokio::time::Instant::now();
            self.note(|board, name| {
                board.pids.insert(name, pid);
            });
            let ended = self.watch(&mut child).await;
            self.note(|board, name| {
                board.pids.remove(&name);
                board.ready.remove(&name);
            });
            let Some(status) = ended else { return };
            self.line(format!("ended with {status}"));
            if began.elapsed() > RAN_WELL {
                pause = BACKOFF.0;
            }
            // A problem that a person must repair needs no retry.
            if status.code() == Some(64) {
                self.fail(format!("gave up: {status}"));
                return;
            }
            self.wait(&mut pause).await;
        }
    }

    /// Waits before the next start, with backoff, or until the stop signal.
    async fn wait(&mut self, pause: &mut Duration) {
        tokio::select! {
            () = tokio::time::sleep(*pause) => *pause = (*pause * 2).min(BACKOFF.1),
            () = stopped(&mut self.stop) => {}
        }
    }

    fn spawn(&self) -> std::io::Result<Child> {
        Command::new(std::env::current_exe()?)
            .arg("attached")
            .arg(std::process::id().to_string())
            .arg(&self.program)
            .args(&self.arguments)
            .current_dir(&self.folder)
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C must reach only the foreground process, which stops the others in order.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
    }

    /// Forwards its log lines until it ends (its status) or the stop signal comes (none).
    async fn watch(&mut self, child: &mut Child) -> Option<std::process::ExitStatus> {
        let mut lines = child
            .stderr
            .take()
            .map(|stderr| BufReader::new(stderr).lines());
        let mut stop = self.stop.clone();
        loop {
            tokio::select! {
                line = next_line(&mut lines) => match line {
                    Some(line) => self.line(line),
                    None => lines = None,
                },
                status = child.wait(), if lines.is_none() => return Some(status.unwrap_or_default()),
                () = stopped(&mut stop) => {
                    terminate(child, Signal::TERM);
                    let gone = async {
                        while let Some(line) = next_line(&mut lines).await {
                            self.line(line);
                        }
                        child.wait().await
                    };
                    if tokio::time::timeout(STOP, gone).await.is_err() {
                        self.line("does not stop; killed".to_owned());
                        // The process may have just ended.
                        child.kill().await.ok();
                    }
                    return None;
                }
            }
        }
    }

    fn line(&self, text: String) {
        let is_ready = text.contains("Server is ready") || text.contains("\"message\":\"ready\"");
        self.note(|board, name| {
            let kept = board.kept.entry(name.clone()).or_default();
            if kept.len() == KEPT {
                kept.pop_front();
            }
            kept.push_back(text.clone());
            if is_ready {
                *board.ready.entry(name).or_default() += 1;
            }
        });
        if let Some(lines) = &self.lines {
            // The reader may have closed the channel.
            lines
                .send(LogLine {
                    from: self.name.clone(),
                    text,
                })
                .ok();
        }
    }

    fn fail(&self, why: String) {
        self.line(why.clone());
        self.note(|board, name| drop(board.failed.insert(name, why)));
    }

    fn note(&self, change: impl FnOnce(&mut Board, String)) {
        change(
            &mut self.board.lock().unwrap_or_else(PoisonError::into_inner),
            self.name.clone(),
        );
        self.changed.send_modify(|n| *n += 1);
    }
}

async fn stopped(stop: &mut watch::Receiver<bool>) {
    // A closed channel means stop, too.
    stop.wait_for(|stop| *stop)
        .await
        .map(drop)
        .unwrap_or_default();
}

async fn next_line<R: AsyncRead + Unpin>(
    lines: &mut Option<tokio::io::Lines<BufReader<R>>>,
) -> Option<String> {
    match lines {
        Some(lines) => lines.next_line().await.ok().flatten(),
        None => std::future::pending().await,
    }
}

fn terminate(child: &Child, signal: Signal) {
    let pid = child
        .id()
        .and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
    if let Some(pid) = pid {
        // The process may have just ended.
        kill_process(pid, signal).ok();
    }
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
