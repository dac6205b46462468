//! The shell: takes requests of egress, reads contents, and opens outer seals.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use actor::{BackgroundTasks, Bus, Context, Error, Service, chain, files};
use bus_schema::{ActionId, AuthorId, Broker, Content, NotReleased, Release, Renew};
use secret::SealingKey;
use serde::Deserialize;
use tokio::sync::{mpsc, oneshot};
use zeroize::Zeroizing;

use crate::core::BrokerCore;
use crate::effect::{Effect, Input, Reply, open, renewal, tools};
use crate::sealed::{SecretFiles, stored};

/// The pause before a fetch is retried.
const ASK_AGAIN: Duration = Duration::from_millis(200);
/// The time within which a claim has to be read here after egress has read it; less than egress waits.
const PATIENCE: Duration = Duration::from_millis(2000);
/// The time for a refusal after that.
const REFUSAL: Duration = Duration::from_millis(500);

/// The table `[service]` of the configuration. Relative paths start at the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The file of the private key that opens outer seals; `sealing.key` if left out.
    pub sealing_key: Option<PathBuf>,
    /// The folder with the files of sealed secrets; `secrets` if left out.
    pub secret_files: Option<PathBuf>,
}

/// The broker.
#[derive(Debug)]
pub struct BrokerService {
    key: SealingKey,
    files: SecretFiles,
}

impl Service for BrokerService {
    type Core = BrokerCore;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<(Self, BrokerCore), Error> {
        let path = config.sealing_key.unwrap_or_else(|| "sealing.key".into());
        let path = context.folder.join(path);
        let text = files::read_secret(&path)?;
        let key = SealingKey::read(&text);
        let key = key.map_err(|error| Error::Service(error.of_file(&path)))?;
        let folder = config.secret_files.unwrap_or_else(|| "secrets".into());
        let files = SecretFiles(context.folder.join(folder));
        Ok((Self { key, files }, BrokerCore::new(context.owner)))
    }

    fn start(service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let (bus, input) = (beside.bus.clone(), beside.input.clone());
        let (keeps, kept, key) = (bus.clone(), input.clone(), service.key.clone());
        let renewals = beside.bus.clone().serve_later(move |renew: Renew| {
            renew_with(keeps.clone(), kept.clone(), key.clone(), renew)
        });
        let answers = bus.serve_later(move |release: Release| ask(input.clone(), release));
        let mut stop = beside.stop.clone();
        beside.spawn(async move {
            tokio::select! { () = answers => {} () = renewals => {} _ = stop.changed() => {} }
            Ok(())
        });
        Ok(())
    }

    async fn perform(service: Arc<Self>, effect: Effect, bus: Bus<Broker>) -> Input {
        match effect {
            Effect::Read(document) => read(&bus, document).await,
            Effect::Fetch(action, author, content) => {
                fetch(&bus, action, (author, content), &service.files).await
            }
            Effect::Renewed(action, reply) => {
                if let Err(why) = &reply {
                    tracing::warn!(%why, %action, "a refresh token was not stored");
                }
                Input::Renewed(action, reply)
            }
            Effect::Open(action, version, stored) => {
                let reply = open(&service.key, version, &stored);
                if let Err(why) = &reply {
                    tracing::error!(%why, secret = %stored.terms.name(), "a secret was not released");
                }
                Input::Answer(action, reply)
            }
            Effect::Refuse(action, why) => {
                tracing::warn!(%why, %action, "a secret was not released");
                Input::Answer(action, Err(why))
            }
        }
    }
}

/// Hands a request about an action to the core, and waits for its answer.
async fn answered<T>(
    input: &mpsc::Sender<Input>,
    action: ActionId,
    asked: impl FnOnce(oneshot::Sender<Result<T, NotReleased>>) -> Input,
) -> Result<T, NotReleased> {
    let (reply, mut answer) = oneshot::channel();
    // A core that has ended drops the request, and with it the channel.
    input.send(asked(reply)).await.ok();
    let unread = |_| NotReleased::Unread;
    if let Ok(answered) = tokio::time::timeout(PATIENCE, &mut answer).await {
        return answered.map_err(unread)?;
    }
    input.send(Input::Late(action)).await.ok();
    let refused = tokio::time::timeout(REFUSAL, answer).await;
    let refused = refused.map_err(|_| NotReleased::Unread)?;
    refused.map_err(unread)?
}

async fn ask(input: mpsc::Sender<Input>, release: Release) -> Reply {
    let action = release.action;
    answered(&input, action, |reply| Input::Asked(release, reply)).await
}

/// Seals a renewal, hands it to the core, and waits until it is on record.
async fn renew_with(
    bus: Bus<Broker>,
    input: mpsc::Sender<Input>,
    key: SealingKey,
    renew: Renew,
) -> Result<(), NotReleased> {
    let action = renew.action;
    let random = Zeroizing::new(*bus.clock().salt().as_bytes());
    let renewal = renewal(&key, &renew.sealed, &random, |bytes| bus.seal(bytes).ok())?;
    let handed = Box::new((renew, renewal));
    answered(&input, action, |reply| Input::Renew(handed, reply)).await
}

async fn read(bus: &Bus<Broker>, document: Content) -> Input {
    match bus.get(AuthorId::Owner, &document).await {
        Ok(bytes) => Input::Tools(document, tools(bytes.as_deref())),
        Err(error) => again("the catalogue", &error).await,
    }
}

async fn fetch(
    bus: &Bus<Broker>,
    action: ActionId,
    (author, content): (AuthorId, Content),
    files: &SecretFiles,
) -> Input {
    match bus.get(author, &content).await {
        Ok(bytes) => {
            let sealed = stored(bytes.as_deref(), |filed| files.read(filed));
            Input::Stored(action, content, sealed)
        }
        Err(error) => again("a sealed secret", &error).await,
    }
}

async fn again(what: &str, error: &Error) -> Input {
    tracing::warn!(error = chain(error), "cannot read {what}; retrying");
    tokio::time::sleep(ASK_AGAIN).await;
    Input::Unanswered
}
