#![doc = include_str!("../README.md")]

mod cache;
mod contents;
mod core;
mod documents;
mod pages;
mod parts;
mod record;
mod route;
mod states;
mod strings;
mod units;
mod view;

use std::{convert::Infallible, sync::Arc, time::Duration};

use actor::{BackgroundTasks, Bus, Context, Error, Service};
use bus_schema::{AwaitChange, ShowPage, ShownPage};
use futures::{StreamExt as _, stream};
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};

use crate::{cache::Cache, contents::Named};

pub use crate::{
    contents::Contents,
    core::{Input, Rendered, Rendering, UiCore},
    record::Record,
};

/// Most rounds of rendering and fetching: a document may name others.
const ROUNDS_MAX: usize = 4;
/// Most contents that are fetched for one page.
const FETCHES_MAX: usize = 400;
/// Most bytes of the contents of one page; what does not fit is not shown.
const FETCHED_BYTES_MAX: usize = 16 << 20;
/// Most pages that are made at once.
const PAGES_AT_ONCE: usize = 2;
/// Most concurrent fetches for one page.
const FETCHES_AT_ONCE: usize = 16;
/// The longest wait for a change; the caller's own timeout is three seconds.
const CHANGE_WAIT: Duration = Duration::from_secs(2);
/// The status of an answer while the stream is still being read.
const NOT_READY: u16 = 503;

/// The table `[service]` of the configuration; it is empty.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {}

/// The ui as a service.
#[derive(Debug)]
pub struct Ui {
    newest: watch::Receiver<u64>,
    cache: Cache,
    places: Semaphore,
}

impl Service for Ui {
    type Core = UiCore;
    type Config = Config;

    fn open(_config: Config, _context: &Context) -> Result<(Self, UiCore), Error> {
        let (told, newest) = watch::channel(0);
        let cache = Cache::default();
        let places = Semaphore::new(PAGES_AT_ONCE);
        let ui = Self {
            newest,
            cache,
            places,
        };
        Ok((ui, UiCore::new(told)))
    }

    fn start(service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let (ui, bus) = (Arc::clone(service), beside.bus.clone());
        let input = beside.input.clone();
        let pages = beside.bus.clone().serve_later::<ShowPage, _>(move |asked| {
            let (ui, bus, input) = (Arc::clone(&ui), bus.clone(), input.clone());
            async move { ui.page(&bus, &input, asked).await }
        });
        let newest = service.newest.clone();
        let changes = (beside.bus.clone()).serve_later::<AwaitChange, _>(move |asked| {
            let mut newest = newest.clone();
            async move {
                let changed = newest.wait_for(|seq| *seq > asked.after);
                drop(tokio::time::timeout(CHANGE_WAIT, changed).await);
                newest.borrow().to_owned()
            }
        });
        let mut stop = beside.stop.clone();
        beside.spawn(async move {
            tokio::select! { () = pages => {} _ = stop.changed() => {} }
            Ok(())
        });
        let mut stop = beside.stop.clone();
        beside.spawn(async move {
            tokio::select! { () = changes => {} _ = stop.changed() => {} }
            Ok(())
        });
        Ok(())
    }

    async fn perform(_service: Arc<Self>, effect: Infallible, _bus: Bus<bus_schema::Ui>) -> Input {
        match effect {}
    }
}

impl Ui {
    /// Has the core render a page, and fetches what it needs for that.
    async fn page(
        &self,
        bus: &Bus<bus_schema::Ui>,
        input: &mpsc::Sender<Input>,
        asked: ShowPage,
    ) -> ShownPage {
        // A closed semaphore only means that the process ends.
        let _place = self.places.acquire().await;
        let mut room = FETCHED_BYTES_MAX;
        let mut contents = Contents::default();
        for round in 1..=ROUNDS_MAX {
            let (reply, rendered) = oneshot::channel();
            let rendering = Rendering {
                asked: asked.clone(),
                contents: std::mem::take(&mut contents),
                now: bus.clock().wall(),
                is_last: round == ROUNDS_MAX,
                reply,
            };
            if input
                .send(Input::Render(Box::new(rendering)))
                .await
                .is_err()
            {
                break;
            }
            match rendered.await {
                Ok(Rendered::Page(page)) => return page,
                Ok(Rendered::Lacks(there, lacking)) => {
                    contents = there;
                    let lacking = lacking
                        .into_iter()
                        .take(FETCHES_MAX)
                        .filter(|(_, content)| {
                            let left = room.checked_sub(content.len() as usize);
                            room = left.unwrap_or(room);
                            left.is_some()
                        });
                    let mut fetched = stream::iter(lacking)
                        .map(|name| self.fetch(bus, name))
                        .buffer_unordered(FETCHES_AT_ONCE);
                    while let Some(found) = fetched.next().await {
                        if let Some(((by, content), bytes)) = found {
                            contents.insert(by, content, bytes);
                        }
                    }
                }
                Ok(Rendered::NotReady) | Err(_) => break,
            }
        }
        ShownPage {
            status: NOT_READY,
            validator: String::new(),
            body: Vec::new(),
        }
    }

    /// Fetches a content; none if the bus does not answer.
    async fn fetch(
        &self,
        bus: &Bus<bus_schema::Ui>,
        name: Named,
    ) -> Option<(Named, Option<Vec<u8>>)> {
        if let Some(bytes) = self.cache.get(&name, bus.clock().elapsed()) {
            return Some((name, Some(bytes)));
        }
        match bus.get(name.0, &name.1).await {
            Ok(bytes) => {
                if let Some(bytes) = &bytes {
                    self.cache.put(name, bytes);
                }
                Some((name, bytes))
            }
            Err(error) => {
                tracing::warn!(error = actor::chain(&error), "cannot read a content");
                None
            }
        }
    }
}
