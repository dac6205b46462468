//! `up`: every process of a deployment on this machine, with their logs merged, until Ctrl-C.

use std::{path::PathBuf, sync::atomic::AtomicBool, time::Duration};

use clap::Args;
use deployment::{
    Deployment, Dir, certs, disk_space,
    fleet::{Fleet, Line, NATS},
    nats_server::{self, Places},
    provision,
};
use rustix::process::Signal;
use serde_json::Value;
use tokio::{
    signal::unix::{Signal as Signals, SignalKind, signal},
    sync::mpsc,
};

use super::context::today;
use crate::{Error, Output};

/// How often the server's certificate files are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// After how many looks the dates of all certificates are: an hour.
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
                // Once the deployment stands, this identity belongs elsewhere.
                if dir.of("provision").exists() {
                    provision::provision(deployment).await?;
                }
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
                ran = tokio::select! {
                    () = interrupt.came() => Ok(()),
                    () = keep_certificates(dir, &fleet, out) => Ok(()),
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

/// Ctrl-C, or the machine's wish to stop: remembered from the moment it is listened for, until it is asked about.
#[derive(Debug)]
pub(super) struct Interrupt {
    int: Signals,
    term: Signals,
}

impl Interrupt {
    /// Listens from now on; neither ends the process by itself any more.
    ///
    /// # Errors
    /// If the system does not let it listen.
    pub(super) fn listen() -> Result<Self, Error> {
        let failed = || Error::io("listen for", "signals");
        Ok(Self {
            int: signal(SignalKind::interrupt()).map_err(failed())?,
            term: signal(SignalKind::terminate()).map_err(failed())?,
        })
    }

    /// Returns once one came.
    pub(super) async fn came(&mut self) {
        tokio::select! { _ = self.int.recv() => {} _ = self.term.recv() => {} }
    }
}

/// Finds or gets nats-server; Ctrl-C stops it.
///
/// # Errors
/// What was tried, and what the person can do.
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

/// Renews what nears its end. Where that is not possible, what is there may still do for a while.
fn renew_due(dir: &Dir, out: &Output) {
    match certs::renew_due(dir, today()) {
        Ok(names) if names.is_empty() => {}
        Ok(names) => {
            out.line_for_people(&format!("renewed the certificates of {}", names.join(", ")))
        }
        Err(error) => out.line_for_people(&format!(
            "certificates near their end and were not renewed: {}",
            actor::chain(&error)
        )),
    }
}

/// Renews certificates before they end, and has the server read its own again when they changed.
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
        // Between the two renames certificate and key do not fit.
        if std::mem::replace(&mut seen, found) == found && found != used {
            used = found;
            fleet.signal(NATS, Signal::HUP);
            out.line_for_people("nats-server reads its certificates again");
        }
    }
}

/// One process's line, as people read it.
fn print(line: &Line, out: &Output) {
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
