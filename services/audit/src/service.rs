//! The service: runs the core on the bus with its configuration and log, and answers calls for proofs.

use std::{
    os::unix::fs::DirBuilderExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use actor::{BackgroundTasks, Bus, Clock, Context, Error, Service};
use bus_schema::{DeploymentId, Prove, Time};
use serde::Deserialize;
use tokio::time::MissedTickBehavior;

use crate::{AuditCore, Effect, Entry, Input, Origin, Places, store::Store};

/// The table `[service]` of audit's configuration. Paths are relative to the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The deployment of the log; `contractual init` writes it.
    pub deployment: DeploymentId,
    /// The log's directory; created if it is missing.
    pub log: PathBuf,
    /// The directory of the second copy of the last checkpoint, best on another volume; created if it
    /// is missing.
    pub anchor: PathBuf,
    /// The key that signs checkpoints: the same file as in `[bus]`.
    pub signing_key: PathBuf,
}

/// The audit service.
#[derive(Debug)]
pub struct Audit {
    store: Arc<Store>,
    clock: Clock,
}

impl Origin {
    /// The name of a deployment's log.
    #[must_use]
    pub fn of(deployment: DeploymentId) -> Self {
        Self::try_from(format!("contractual/{deployment}/audit").as_str())
            .expect("a UUID is hexadecimal digits and hyphens")
    }
}

impl Service for Audit {
    type Core = AuditCore;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<(Self, AuditCore), Error> {
        let key = actor::signing_key::load(&context.folder.join(&config.signing_key))?;
        if bus_schema::public_key(&key) != context.key {
            return Err(Error::Service(
                "[service] and [bus] name different signing keys; name the same file in both"
                    .into(),
            ));
        }
        let places = Places {
            log: context.folder.join(&config.log),
            anchor: context.folder.join(&config.anchor),
        };
        make(&places.log)?;
        make(&places.anchor)?;
        let origin = Origin::of(config.deployment);
        let time_ns = context.clock.wall().ns();
        let store = Store::open(places, origin, key, time_ns).map_err(refused)?;
        let view = store.view();
        let stored = Store::last_stored(&view).map_err(refused)?;
        tracing::info!(size = view.size(), "the log is open");
        let audit = Self {
            store: Arc::new(store),
            clock: context.clock.clone(),
        };
        Ok((audit, AuditCore::new(config.deployment, view, stored)))
    }

    fn start(service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let store = Arc::clone(&service.store);
        let answers = beside
            .bus
            .clone()
            .serve::<Prove>(move |asked| store.prove(asked.seq));
        let mut stop = beside.stop.clone();
        beside.spawn(async move {
            tokio::select! { () = answers => {} _ = stop.changed() => {} }
            Ok(())
        });
        let mut stop = beside.stop.clone();
        let input = beside.input.clone();
        let mut second = tokio::time::interval(Duration::from_secs(1));
        second.set_missed_tick_behavior(MissedTickBehavior::Delay);
        beside.spawn(async move {
            loop {
                tokio::select! { _ = second.tick() => {} _ = stop.changed() => return Ok(()) }
                if input.send(Input::Second).await.is_err() {
                    return Ok(());
                }
            }
        });
        Ok(())
    }

    async fn perform(service: Arc<Self>, effect: Effect, bus: Bus<bus_schema::Audit>) -> Input {
        match effect {
            Effect::Store {
                entries,
                pause,
                reading,
            } => {
                if !pause.is_zero() {
                    tokio::time::sleep(pause).await;
                }
                service.append(entries, reading).await
            }
            Effect::Say(head) => {
                bus.say(head).await;
                Input::Said
            }
        }
    }
}

impl Audit {
    async fn append(&self, entries: Vec<Arc<Entry>>, reading: u64) -> Input {
        let last = entries.last().map_or(0, |entry| entry.stored_ns);
        let time_ns = self.clock.wall().ns();
        let store = Arc::clone(&self.store);
        let stored = tokio::task::spawn_blocking(move || store.append(&entries, time_ns)).await;
        match stored {
            Ok(Ok(view)) => Input::Stored {
                view,
                stored: Time::from_ns(last),
                reading,
            },
            Ok(Err(error)) => Input::Failed(actor::chain(&error)),
            Err(error) => Input::Failed(format!("storing stopped: {error}")),
        }
    }
}

fn refused(error: crate::Error) -> Error {
    Error::Service(actor::chain(&error))
}

fn make(folder: &Path) -> Result<(), Error> {
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|error| {
        let folder = folder.display();
        Error::Service(format!(
            "cannot create {folder} ({error}); make it writable for this user, or name another one"
        ))
    })
}
