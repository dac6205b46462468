//! One process of a fleet: started, read, restarted with backoff, and stopped.

use std::{
    ffi::OsString,
    path::PathBuf,
    process::Stdio,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncRead, BufReader},
    process::{Child, Command},
    sync::{mpsc, watch},
};

use super::board::{Board, LogLine};
use crate::log_file::LogFile;

/// The time that a process has to stop before it is killed.
const STOP: Duration = Duration::from_secs(5);
/// The first and the longest backoff between restarts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));
/// The run time after which a process starts with the first backoff again.
const RAN_WELL: Duration = Duration::from_secs(30);
/// The number of log lines that are kept of each process, shown when it fails.
const KEPT: usize = 20;

/// A process that is restarted until it is stopped or fails for good.
pub(super) struct Watched {
    pub(super) name: String,
    pub(super) program: PathBuf,
    pub(super) arguments: Vec<OsString>,
    pub(super) folder: PathBuf,
    pub(super) board: Arc<Mutex<Board>>,
    pub(super) changed: watch::Sender<u64>,
    pub(super) lines: Option<mpsc::UnboundedSender<LogLine>>,
    pub(super) stop: watch::Receiver<bool>,
    pub(super) log: LogFile,
}

impl Watched {
    /// Runs it.
    pub(super) async fn run(mut self) {
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

    fn line(&mut self, text: String) {
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
        self.log.write(&text);
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

    fn fail(&mut self, why: String) {
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
