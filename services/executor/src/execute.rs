//! The difference between executors: the author, its tools, and the call itself.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use actor::{Bus, Context, Error, Executor, Places};
use bus_schema::{DraftGrant, Envelope};
use serde::de::DeserializeOwned;
use tokio::sync::{mpsc, watch};

use crate::done::Done;
use crate::effect::Input;
use crate::installed::Installed;
use crate::stops::Stops;

/// The part of an executor that differs from other executors.
pub trait Execute: fmt::Debug + Send + Sync + Sized + 'static {
    /// The author whose grants it executes.
    type Me: Executor;
    /// A tool that it can call.
    type Tool: fmt::Debug + Send + Sync + 'static;
    /// The table `[service]` of its configuration.
    type Config: DeserializeOwned;

    /// Opens what its tools act on.
    ///
    /// # Errors
    /// Returns the reason if it cannot work; the service does not start then.
    fn open(config: Self::Config, context: &Context) -> Result<Self, Error>;

    /// Returns the largest number of programs at once.
    fn programs_max(&self) -> usize;

    /// Returns true if a call of the tool counts as a program.
    fn is_program(tool: &Self::Tool) -> bool;

    /// Returns true if the envelope that the owner signed has the places in which the tool acts by itself.
    fn is_within(_tool: &Self::Tool, _envelope: &Envelope) -> bool {
        true
    }

    /// Tests what every call depends on; the error is the missing part, and every grant is declined then.
    fn probe(&self) -> impl Future<Output = Result<(), &'static str>> + Send;

    /// Reads the tools of a signed catalogue that can be executed here; none if its document was erased. It may block.
    fn read(&self, document: Option<&[u8]>) -> Installed<Self::Tool>;

    /// Takes the bus, for what its calls ask other actors.
    fn attach(&self, _bus: Bus<Self::Me>) {}

    /// Calls a tool, once, in the places of the contract. It ends early when `stops` says so.
    ///
    /// `None`: the outcome is unknown, so no event may report one.
    fn call(
        &self,
        tool: &Self::Tool,
        grant: &DraftGrant,
        places: &Places,
        args: &[u8],
        stops: &Stops,
    ) -> impl Future<Output = Option<Done>> + Send;

    /// Runs beside the calls until `stop` is true.
    fn attend(
        _execute: Arc<Self>,
        _troubles: Troubles<Self::Tool>,
        _stop: watch::Receiver<bool>,
    ) -> impl Future<Output = Result<(), Error>> + Send + 'static {
        std::future::ready(Ok(()))
    }
}

/// The way to tell the core of a problem for its health.
#[derive(Debug)]
pub struct Troubles<T>(mpsc::Sender<Input<T>>);

impl<T> Troubles<T> {
    pub(crate) const fn new(input: mpsc::Sender<Input<T>>) -> Self {
        Self(input)
    }

    /// Sets the problem, with what to do; `None` ends it.
    pub async fn tell(&self, trouble: Option<String>) {
        // A core that has ended needs no news.
        self.0.send(Input::Trouble(trouble)).await.ok();
    }

    /// Looks for a problem again and again, with a pause, and tells each change, until `stop` is true.
    ///
    /// # Errors
    /// Returns the reason that it could not look.
    pub async fn watch<L>(
        &self,
        mut look: impl FnMut() -> L + Send,
        pause: Duration,
        mut stop: watch::Receiver<bool>,
    ) -> Result<(), Error>
    where
        L: Future<Output = Result<Option<String>, Error>> + Send,
    {
        let mut told = None;
        let looking = async {
            loop {
                let trouble = look().await?;
                if trouble != told {
                    match &trouble {
                        None => tracing::info!("what calls depend on is there again"),
                        Some(why) => tracing::error!(error = why, "calls fail"),
                    }
                    told.clone_from(&trouble);
                    self.tell(trouble).await;
                }
                tokio::time::sleep(pause).await;
            }
        };
        tokio::select! {
            ended = looking => ended,
            stopping = stop.wait_for(|stop| *stop) => {
                drop(stopping);
                Ok(())
            }
        }
    }
}
