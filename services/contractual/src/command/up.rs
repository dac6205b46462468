//! `up`: runs every process of a deployment on this machine, with merged logs, until Ctrl-C.

mod server;

use std::{path::PathBuf, sync::atomic::AtomicBool, time::Duration};

use clap::Args;
use deployment::{
    Deployment, Dir, Lock, certs, disk_space,
    fleet::{Fleet, LogLine, NATS},
    nats_server::{self, Places},
    provision, watch,
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    signal::unix::{Signal as Signals, SignalKind, signal},
    sync::mpsc,
};

use super::context::today;
use crate::{Error, Output};

pub(super) use server::RESTARTS_WITHIN;

/// The interval between two checks of the server's certificate files.
const LOOK: Duration = Duration::from_secs(1);
/// Checks of the files for each check of all expiry dates: one an hour.
const CHECK_EVERY: u32 = 3600;

/// `up`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual up --dir ~/contractual")]
pub(crate) struct Arguments {}

impl Arguments {
    /// Runs everything until Ctrl-C.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let Deployment { dir, file, .. } = deployment;
        disk_space::check(dir.path())?;
        let _lock = Lock::take(dir)?;
        let mut interrupt = Interrupt::listen()?;
        let server = find_nats_server(out, &mut interrupt).await?;
        let (lines, mut logged) = mpsc::unbounded_channel();
        let mut fleet = Fleet::new(dir.clone(), server.path, Some(lines));
        let printing = async {
            while let Some(line) = logged.recv().await {
                print(&line, out);
            }
        };
        let working = async {
            let starting = async {
                renew_due(dir, out);
                fleet.start_nats().await?;
                // This identity may be offline once the deployment is provisioned.
                if dir.of("provision").exists() {
                    provision::provision(deployment).await?;
                }
                watch::same_sync(deployment).await?;
                Ok::<_, Error>(fleet.start_actors().await?)
            };
            let started = tokio::select! {
                started = starting => started,
                () = interrupt.came() => Err(Error::Interrupted),
            };
            let mut ran = Ok(());
            if started.is_ok() {
                out.line_for_people(&format!(
                    "ready: the gateway listens on http://{}; Ctrl-C stops everything",
                    file.gateway
                ));
                if let Some(signer) = file.signer {
                    out.line_for_people(&format!(
                        "the Control UI is at http://{}, the signer at http://{signer}; \
                         `contractual pair --role approver --name Laptop` pairs a browser of this machine",
                        file.gateway
                    ));
                }
                ran = tokio::select! {
                    () = interrupt.came() => Ok(()),
                    () = keep_certificates(dir, &fleet, out) => Ok(()),
                    () = server::keep(deployment, &fleet, out) => Ok(()),
                    error = fleet.gave_up() => Err(error.into()),
                };
            }
            fleet.stop().await;
            started.and(ran)
        };
        let mut working = std::pin::pin!(working);
        tokio::select! {
            done = &mut working => done,
            () = printing => working.await,
        }
    }
}

/// SIGINT, SIGTERM and SIGHUP: a signal that arrives is kept until somebody asks for it.
#[derive(Debug)]
pub(super) struct Interrupt {
    int: Signals,
    term: Signals,
    /// None if the process was started to ignore it, as `nohup` does.
    hup: Option<Signals>,
}

impl Interrupt {
    /// Listens from now on; no such signal ends the process any more.
    ///
    /// # Errors
    /// Returns an error if the system refuses.
    pub(super) fn listen() -> Result<Self, Error> {
        let failed = || Error::io("listen for", "signals");
        Ok(Self {
            int: signal(SignalKind::interrupt()).map_err(failed())?,
            term: signal(SignalKind::terminate()).map_err(failed())?,
            hup: if ignores_hangup() {
                None
            } else {
                Some(signal(SignalKind::hangup()).map_err(failed())?)
            },
        })
    }

    /// Returns after the first signal.
    pub(super) async fn came(&mut self) {
        let hup = async {
            match &mut self.hup {
                Some(hup) => hup.recv().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! { _ = self.int.recv() => {} _ = self.term.recv() => {} _ = hup => {} }
    }
}

/// Returns true if the process ignores SIGHUP, by the mask that the kernel shows.
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask & 1 == 1)
}

/// Finds or downloads nats-server; Ctrl-C cancels it.
///
/// # Errors
/// Returns an error with the attempts and the fix.
pub(super) async fn find_nats_server(
    out: &Output,
    interrupt: &mut Interrupt,
) -> Result<nats_server::Found, Error> {
    let cancel = std::sync::Arc::new(AtomicBool::new(false));
    let cancelled = std::sync::Arc::clone(&cancel);
    let json = out.json();
    let mut finding = tokio::task::spawn_blocking(move || {
        let out = Output::new(json);
        nats_server::find(&Places::from_env(), &cancelled, &mut |line| {
            out.line_for_people(line)
        })
    });
    tokio::select! {
        found = &mut finding => Ok(found.map_err(|error| Error::Refused(error.to_string()))??),
        () = interrupt.came() => {
            cancel.store(true, std::sync::atomic::Ordering::SeqCst);
            // It ends its own child processes before it returns.
            finding.await.ok();
            Err(Error::Interrupted)
        }
    }
}

/// Renews certificates that expire soon. A failure is only printed: they are still valid.
fn renew_due(dir: &Dir, out: &Output) {
    match certs::renew_due(dir, today()) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => {
            out.line_for_people(&format!("renewed the certificates of {}", names.join(", ")))
        }
        Err(error) => out.line_for_people(&format!(
            "certificates expire soon and could not be renewed: {}",
            actor::chain(&error)
        )),
    }
}

/// Renews certificates before they expire, and makes the server reload its own after a change.
async fn keep_certificates(dir: &Dir, fleet: &Fleet, out: &Output) {
    let files = [
        dir.nats().join("cert.pem"),
        dir.nats().join("key.pem"),
        dir.ca(),
    ];
    let changed = |path: &PathBuf| std::fs::metadata(path).and_then(|found| found.modified());
    let print = || files.each_ref().map(|path| changed(path).ok());
    let (mut used, mut seen) = (print(), print());
    let mut looks = tokio::time::interval(LOOK);
    let mut until_check = 0;
    loop {
        looks.tick().await;
        if until_check == 0 {
            until_check = CHECK_EVERY;
            renew_due(dir, out);
        }
        until_check -= 1;
        let found = print();
        // Between the two renames certificate and key do not match.
        if std::mem::replace(&mut seen, found) == found && found != used {
            used = found;
            fleet.signal(NATS, Signal::HUP);
            out.line_for_people("nats-server reloads its certificates");
        }
    }
}

/// Prints one line of a process's log, for people or as JSON.
fn print(line: &LogLine, out: &Output) {
    if out.json() {
        out.line(&serde_json::json!({"from": line.from, "line": line.text}).to_string());
        return;
    }
    let parsed: Option<Value> = serde_json::from_str(&line.text).ok();
    let text = parsed
        .and_then(|value| readable(&value))
        .unwrap_or_else(|| line.text.clone());
    out.line(&format!("{:<8} {text}", line.from));
}

fn readable(value: &Value) -> Option<String> {
    let fields = value.as_object()?;
    let mut text = format!(
        "{:<5} {}",
        fields.get("level")?.as_str()?,
        fields.get("message")?.as_str()?
    );
    for (name, value) in fields {
        if !matches!(name.as_str(), "timestamp" | "level" | "message") {
            text.push_str(&format!(" {name}={value}"));
        }
    }
    Some(text)
}
