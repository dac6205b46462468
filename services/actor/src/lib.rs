#![doc = include_str!("../README.md")]

mod append;
mod bus;
mod claim;
mod claims;
mod clock;
pub mod config;
mod connect;
mod contents;
mod core;
pub mod doubt;
mod error;
pub mod files;
mod halts;
pub mod hardening;
pub mod health;
pub mod ledger;
pub mod live;
pub mod nkey;
mod operator;
mod outside;
mod projection;
mod publish;
mod pulled;
mod renewal;
mod run;
pub mod runtime;
mod service;
pub mod signing_key;
mod stored;
mod telemetry;
mod timers;

use std::{
    collections::BTreeMap,
    future::Future,
    io::Write as _,
    path::Path,
    process::ExitCode,
    sync::{Arc, RwLock},
};

use bus_schema::{Author, AuthorId, CanPublish, Hardening, ServiceStarted};
use tokio::sync::watch;

pub use bus::{Bus, NoAnswer, Stopped};
pub use claim::{Claim, Executor, NoPermit, Permit, Places, Settled};
pub use clock::{BusClock, Clock};
pub use config::Config;
pub use connect::Access;
pub use core::{Core, Key, LogHead, Logged, Outbox};
pub use error::{Error, chain};
pub use halts::Halts;
pub use health::Health;
pub use operator::{BusClient, OwnerWriter, StreamReader};
pub use outside::{OutsideMessage, OutsideMessages};
pub use service::{BackgroundTasks, Context, Service, version};
pub use stored::Stored;
pub use telemetry::start as log;
pub use timers::{FiredTimer, Timers};

/// Runs a service's whole `main`: `--config FILE` starts it, `--check` only checks the file, and `--health` prints
/// the health of the service that runs with it.
#[must_use]
pub fn main<S: Service>() -> ExitCode
where
    <S::Core as Core>::Me: CanPublish<ServiceStarted>,
{
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.as_slice() {
        [flag, path] if flag == "--config" => run::<S>(Path::new(path)),
        [flag, path, check] if flag == "--config" && check == "--check" => {
            check_config::<S>(Path::new(path))
        }
        [flag, path, health] if flag == "--config" && health == "--health" => {
            check_health::<S>(Path::new(path))
        }
        _ => {
            log("info");
            tracing::error!(
                "usage: {} --config FILE [--check | --health]",
                <S::Core as Core>::Me::ID
            );
            ExitCode::from(64)
        }
    }
}

/// Checks a service's configuration.
#[must_use]
pub fn check_config<S: Service>(path: &Path) -> ExitCode {
    log("info");
    match config::read::<S::Config>(path) {
        Ok(_) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

/// Prints the health of the service that runs with this configuration.
#[must_use]
pub fn check_health<S: Service>(path: &Path) -> ExitCode {
    log("info");
    let health = match config::read::<S::Config>(path) {
        Ok((config, _)) => health::read(&config.state, &Clock::system()),
        Err(error) => return report(&error),
    };
    let (said, code) = match health {
        Ok(health) => (health.state, ExitCode::SUCCESS),
        Err(unhealthy) => (unhealthy.to_string(), ExitCode::FAILURE),
    };
    // The reader of the output may have gone away.
    writeln!(std::io::stdout(), "{said}").ok();
    code
}

/// Runs a service until it is asked to stop.
#[must_use]
pub fn run<S: Service>(path: &Path) -> ExitCode
where
    <S::Core as Core>::Me: CanPublish<ServiceStarted>,
{
    let found = hardening::measure();
    hardening::harden();
    log("info");
    let ran = runtime::run(serve::<S>(path, &found));
    match ran.unwrap_or_else(|error| Err(Error::Service(format!("cannot start: {error}")))) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => report(&error),
    }
}

fn report(error: &Error) -> ExitCode {
    tracing::error!("{}", chain(error));
    ExitCode::from(error.exit_code())
}

async fn serve<S: Service>(path: &Path, found: &Hardening) -> Result<(), Error>
where
    <S::Core as Core>::Me: CanPublish<ServiceStarted>,
{
    let (config, service) = config::read::<S::Config>(path)?;
    let me = <S::Core as Core>::Me::ID;
    let clock = Clock::system();
    let hardening = hardening::insist(me, &config.hardening, &config.owner, found, clock.wall())?;
    let key = signing_key::load(&config.signing_key)?;
    let (stopper, stop) = watch::channel(false);
    let stopping = wait_for_signal(stopper)?;
    std::fs::create_dir_all(&config.state).map_err(|error| Error::State {
        path: config.state.clone(),
        reason: format!("{error}; make it a folder that this user can write to"),
    })?;
    let context = Context {
        owner: config.owner,
        key: bus_schema::public_key(&key),
        state: config.state.clone(),
        folder: path.parent().unwrap_or(Path::new(".")).to_owned(),
        clock: clock.clone(),
        stop: stop.clone(),
    };
    let (service, core) = S::open(service, &context)?;
    let (client, reconnected) = connect::connect(&Access::of(&config, me)).await?;
    let keys: bus::Keys = Arc::new(RwLock::new(BTreeMap::from([(
        AuthorId::Owner,
        config.owner,
    )])));
    let access = Access::of(&config, me);
    let renewing = spawn(renewal::watch(access, client.clone(), stop.clone()));
    let (bus, outside) = Bus::new(
        client,
        reconnected.clone(),
        key,
        Arc::clone(&keys),
        clock.clone(),
    );
    let parts = run::Parts {
        service,
        core,
        bus,
        outside,
        keys,
        clock,
        owner: config.owner,
        state: config.state,
        hardening,
        reconnected,
        stop,
    };
    let actor = run::Actor::<S>::new(parts)?;
    let ran = Box::pin(actor.run()).await;
    stopping.abort();
    renewing.abort();
    ran
}

/// The first signal stops gracefully, the second at once.
fn wait_for_signal(stopper: watch::Sender<bool>) -> Result<tokio::task::JoinHandle<()>, Error> {
    use tokio::signal::unix::{SignalKind, signal};
    let failed = |error| Error::Service(format!("cannot listen for signals: {error}"));
    let mut term = signal(SignalKind::terminate()).map_err(failed)?;
    let mut int = signal(SignalKind::interrupt()).map_err(failed)?;
    let waiting = async move {
        for first in [true, false] {
            tokio::select! { _ = term.recv() => {} _ = int.recv() => {} }
            if !first {
                std::process::abort();
            }
            tracing::info!("stopping");
            // There is no receiver once the actor has ended.
            stopper.send(true).ok();
        }
    };
    Ok(spawn(waiting))
}

#[expect(clippy::disallowed_methods, reason = "the loop's own tasks start here")]
fn spawn(task: impl Future<Output = ()> + Send + 'static) -> tokio::task::JoinHandle<()> {
    tokio::spawn(task)
}
