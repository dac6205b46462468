#![doc = include_str!("../README.md")]

mod access;
pub mod api;
mod app_state;
mod changes;
pub mod client;
pub mod config;
pub mod core;
mod cors;
mod entrance;
mod follow;
mod forward;
mod headers;
pub mod hooks;
mod hosts;
pub mod http;
mod identity;
mod live;
mod owner_words;
mod pages;
mod pairing;
mod pairings;
mod pieces;
mod problem;
mod question;
mod reader;
pub mod record;
mod request;
mod serve;
mod session;
mod sessions;
mod shared_record;
mod sign_in;
mod slots;
mod streams;
mod text;
mod turns;
mod waits;
pub mod webhook;

use std::{convert::Infallible, sync::Arc};

use actor::{BackgroundTasks, Bus, Context, Error, Service};
use tokio::sync::mpsc;

pub use app_state::{AppState, Limits};
pub use config::Config;
pub use entrance::Entrance;
pub use forward::{BusRequest, Fetched, HandedIn};
pub use serve::serve;
pub use shared_record::SharedRecord;

/// The service.
#[derive(Debug)]
pub struct Gateway {
    config: Config,
    context: Context,
    shared_record: Arc<SharedRecord>,
}

impl Service for Gateway {
    type Core = core::Core;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<(Self, core::Core), Error> {
        let shared_record = SharedRecord::new();
        let core = core::Core::new(Arc::clone(&shared_record));
        Ok((
            Self {
                config,
                context: context.clone(),
                shared_record,
            },
            core,
        ))
    }

    fn start(service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let config = &service.config;
        let address = config.listen.address();
        let mut entrances = vec![("listen", Entrance::loopback(address))];
        if let Some(edge) = config.edge {
            entrances.push(("edge.listen", edge.entrance()));
        }
        let (bus_requests, asks) = mpsc::channel(forward::ASKS_MAX);
        let shared_record = Arc::clone(&service.shared_record);
        let hosts = config.hosts.clone().with_signers(config.signers.clone());
        let app = AppState::new(
            &service.context,
            shared_record,
            bus_requests,
            hosts,
            Limits::SERVICE,
        );
        beside.spawn(forward::forward(beside.bus.clone(), asks));
        beside.spawn(changes::follow(
            beside.bus.clone(),
            Arc::clone(&app.changes),
        ));
        beside.spawn(pieces::hear(beside.bus.clone(), Arc::clone(&app.pieces)));
        for (key, entrance) in entrances {
            let address = entrance.address();
            let listener = serve::listen(address).map_err(|error| {
                Error::Service(format!(
                    "cannot listen on {address}: {error}; free it or change `{key}`"
                ))
            })?;
            tracing::info!(%address, edge = entrance.is_edge(), hosts = %config.hosts, "listening");
            beside.spawn(serve(listener, entrance, Arc::clone(&app)));
        }
        Ok(())
    }

    async fn perform(
        _service: Arc<Self>,
        effect: Infallible,
        _bus: Bus<bus_schema::Gateway>,
    ) -> Infallible {
        match effect {}
    }
}
