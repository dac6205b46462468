//! `up`: every process of a deployment on this machine, with their logs merged, until Ctrl-C.

use std::sync::atomic::AtomicBool;

use actor::Clock;
use serde_json::Value;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::mpsc,
};

use crate::{
    Dir, Error,
    fleet::{Fleet, Line},
    init::Facts,
    nats_server::{self, Places},
    output::Output,
    provision,
};

/// Ctrl-C, or the machine's wish to stop: remembered from the moment it is listened for, until it is asked about.
#[derive(Debug)]
pub struct Interrupt {
    int: Signal,
    term: Signal,
}

impl Interrupt {
    /// Listens from now on; neither ends the process by itself any more.
    ///
    /// # Errors
    /// If the system does not let it listen.
    pub fn listen() -> Result<Self, Error> {
        let failed = || Error::io("listen for", "signals");
        Ok(Self {
            int: signal(SignalKind::interrupt()).map_err(failed())?,
            term: signal(SignalKind::terminate()).map_err(failed())?,
        })
    }

    /// Returns once one came.
    pub async fn came(&mut self) {
        tokio::select! { _ = self.int.recv() => {} _ = self.term.recv() => {} }
    }
}

/// Finds or gets nats-server; Ctrl-C stops it.
///
/// # Errors
/// What was tried, and what the person can do.
pub async fn find_nats_server(
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

/// Runs everything until Ctrl-C.
///
/// # Errors
/// What does not start, with its last words.
pub async fn up(dir: Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
    let facts = Facts::read(&dir)?;
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
            fleet.start_nats().await?;
            // Once the deployment stands, this identity belongs elsewhere.
            if dir.of("provision").exists() {
                provision::provision(&dir, &facts.url(), clock).await?;
            }
            fleet.start_actors().await
        };
        let started = tokio::select! {
            started = starting => started,
            () = interrupt.came() => Err(Error::Interrupted),
        };
        if started.is_ok() {
            out.line_for_people(&format!(
                "ready: the gateway listens on http://{}; Ctrl-C stops everything",
                facts.gateway
            ));
            interrupt.came().await;
        }
        fleet.stop().await;
        started
    };
    let mut working = std::pin::pin!(working);
    tokio::select! {
        done = &mut working => done,
        () = printing => working.await,
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
