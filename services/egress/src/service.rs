//! Reads the configuration and makes an executor that sends the requests of granted calls.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU8};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use actor::{Bus, Context, Error, Places, chain, files};
use bus_schema::{ActionOutcome, CONTENT_BYTES_MAX, DraftGrant, Envelope, json};
use contract::{HttpTool, Reach};
use executor::{Done, Execute, Installed, Stops, Troubles};
use secret::SealingKey;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use tokio::sync::watch;

use crate::answer::Output;
use crate::credential::Credential;
use crate::download;
use crate::fault::{End, Fault, Phase};
use crate::live::{self, Pieces};
use crate::parts;
use crate::proxy::{Proxy, ProxyConfig};
use crate::release;
use crate::send::{Call, Sender, within};
use crate::tokens::Tokens;

/// The private key that opens secrets, beside the configuration.
const SEALING_KEY: &str = "sealing.key";

/// Most bytes of the output that names a download.
const NAMED_BYTES_MAX: u64 = 64 << 10;

/// The lack of a private key, with what to do.
const NO_KEY: &str =
    "egress has no key that opens its secret; run `contractual init`, and start egress again";

/// The pause before the proxy is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// The table `[service]` of the configuration. Relative paths start at the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name servers, with their ports; those of `/etc/resolv.conf` if left out.
    pub nameservers: Option<Vec<SocketAddr>>,
    /// A file of authorities (PEM) that hosts are checked against; that of the machine, if it has one, if left out.
    pub authorities: Option<PathBuf>,
    /// Files of further authorities (PEM).
    #[serde(default)]
    pub further_authorities: Vec<PathBuf>,
    /// The file of the private key that opens secrets; `sealing.key`, if it is there, if left out.
    pub sealing_key: Option<PathBuf>,
    /// The proxy that connects to hosts; egress does if left out.
    pub proxy: Option<ProxyConfig>,
}

/// The executor that sends requests.
#[derive(Debug)]
pub struct Egress {
    sender: Arc<Sender>,
    /// Opens secrets; none if there is no file.
    key: Option<SealingKey>,
    /// Asks the broker.
    bus: OnceLock<Bus<bus_schema::Egress>>,
    tokens: Tokens,
}

impl Execute for Egress {
    type Me = bus_schema::Egress;
    type Tool = HttpTool;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<Self, Error> {
        let at = |file: PathBuf| context.folder.join(file);
        let further: Vec<PathBuf> = config.further_authorities.into_iter().map(at).collect();
        let sender = Sender::of_machine(config.nameservers, config.authorities.map(at), &further);
        let sender = sender.map_err(|error| Error::Service(chain(&error)))?;
        let sealing_key = config.sealing_key.map(|file| context.folder.join(file));
        let at_home = || Some(context.folder.join(SEALING_KEY)).filter(|file| file.exists());
        let key = sealing_key.or_else(at_home).map(|file| opener(&file));
        let key = key.transpose()?;
        let proxy = config
            .proxy
            .map(|proxy| Proxy::read(&proxy, &context.folder));
        let proxy = proxy.transpose();
        let proxy = proxy.map_err(|error| Error::Service(chain(&error)))?;
        if let Some(proxy) = proxy.as_ref().filter(|proxy| proxy.resolves()) {
            tracing::warn!(%proxy, "the proxy resolves names, so that no address of a host is checked");
        }
        Ok(Self {
            sender: Arc::new(Sender {
                folder: context.state.clone(),
                proxy,
                ..sender
            }),
            key,
            bus: OnceLock::new(),
            tokens: Tokens::default(),
        })
    }

    fn programs_max(&self) -> usize {
        0
    }

    fn is_program(_tool: &HttpTool) -> bool {
        false
    }

    fn is_within(tool: &HttpTool, envelope: &Envelope) -> bool {
        Reach::of(envelope).hosts.contains(tool.endpoint())
    }

    async fn probe(&self) -> Result<(), &'static str> {
        Ok(())
    }

    fn read(&self, document: Option<&[u8]>) -> Installed<HttpTool> {
        let lack = self.sender.lack();
        Installed::read(document, |entry| {
            let tool = entry.http()?.clone();
            let no_key = tool.secret().filter(|_| self.key.is_none());
            let fault = lack.or(no_key.map(|_| NO_KEY)).map(|lack| {
                let name = entry.name();
                format!("the tool `{name}` cannot be executed here: {lack}")
            });
            Some(fault.map_or(Ok(tool), Err))
        })
    }

    fn attach(&self, bus: Bus<bus_schema::Egress>) {
        // Once for each process.
        self.bus.set(bus).ok();
    }

    async fn call(
        &self,
        tool: &HttpTool,
        grant: &DraftGrant,
        places: &Places,
        args: &[u8],
        stops: &Stops,
    ) -> Option<Done> {
        let Ok(Value::Object(args)) = json::parse(args, CONTENT_BYTES_MAX) else {
            let text = "the arguments are not a JSON object";
            return Some(Done::not_begun(grant, ActionOutcome::Failed, text));
        };
        let reach = Reach::read(&places.hosts, &places.networks);
        let wall = tool.limits().wall_ms.min(u64::from(grant.wall_ms));
        let (begun, body) = (AtomicBool::new(false), OnceLock::new());
        let page = AtomicU8::new(0);
        let wall = Duration::from_millis(wall.max(1));
        let mut credential = None;
        let bus = self.bus.get();
        let (pieces, waiting) = Pieces::new();
        let call = async {
            // Ends with the call, so that nothing waits for more of its pieces.
            let out = pieces;
            let args = parts::whole(tool, args, (bus, grant.args_by)).await?;
            credential = self.credential((tool, grant), &reach, stops).await?;
            let call = Call {
                tool,
                args: &args,
                begun: &begun,
                page: &page,
                body: &body,
                granted: u64::from(grant.output_bytes_max).saturating_sub(NAMED_BYTES_MAX),
                credential: credential.as_ref(),
                pieces: Some(&out),
            };
            let output = self.sender.call(&call, &reach, wall).await?;
            stored(output, bus).await
        };
        let stopped = async {
            tokio::select! {
                output = within(Phase::Whole, wall, call) => output,
                () = stops.stopped(grant.task) => Err(Fault::Stopped),
            }
        };
        let said = live::say(bus, (grant.task, grant.action), waiting);
        let output = Box::pin(live::beside(stopped, said)).await;
        let output = output.map_err(|fault| fault.of_page(page.into_inner()));
        let is_refused = |fault: &Fault| matches!(fault.code(), Some((401, _)));
        if let (Some(name), true) = (tool.secret(), output.as_ref().is_err_and(is_refused)) {
            self.tokens.forget(name);
        }
        let hits = credential.as_ref().map_or(0, Credential::hits);
        if hits > 0 {
            tracing::warn!(hits, tool = %grant.tool, "the answer had the secret, which was taken out");
        }
        let begun = begun.into_inner();
        let mut done = done((tool, grant), output, begun, credential.as_ref())?;
        done.sent = body.into_inner().filter(|_| begun);
        Some(done)
    }

    async fn attend(
        egress: Arc<Self>,
        troubles: Troubles<HttpTool>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let look = || async { Ok(egress.sender.probe().await.err()) };
        troubles.watch(look, LOOK_AGAIN, stop).await
    }
}

impl Egress {
    /// Returns the secret of a call, or the token for it; none if the tool uses none.
    ///
    /// # Errors
    /// [`Fault::Secret`]
    async fn credential(
        &self,
        (tool, grant): (&HttpTool, &DraftGrant),
        reach: &Reach,
        stops: &Stops,
    ) -> Result<Option<Credential>, Fault> {
        let Some(name) = tool.secret() else {
            return Ok(None);
        };
        let by = (self.bus.get(), self.key.as_ref());
        let found = match release::opened(name, (tool, grant), by, stops).await {
            Ok(opened) => match opened.terms.vault() {
                Some(source) => {
                    let sender = &self.sender;
                    sender.credential_of_vault(source, &opened, reach).await
                }
                None => {
                    let keep = release::keeper(grant.action, (by.0.cloned(), by.1.cloned()));
                    let tokens = &self.tokens;
                    tokens.credential(&self.sender, opened, reach, keep).await
                }
            },
            Err(why) => Err(why),
        };
        let name = name.clone();
        found.map(Some).map_err(|why| Fault::Secret { name, why })
    }
}

/// Stores the file of a download, and returns its output with the number of stored bytes.
async fn stored(
    mut output: Output,
    bus: Option<&Bus<bus_schema::Egress>>,
) -> Result<(Output, u64), Fault> {
    let Some(file) = output.download.take() else {
        return Ok((output, 0));
    };
    let (bytes, stored) = file.store(|part| download::put(bus, part)).await?;
    output.bytes = bytes;
    Ok((output, stored))
}

/// Reads the private key that opens secrets.
fn opener(file: &Path) -> Result<SealingKey, Error> {
    let text = files::read_secret(file)?;
    SealingKey::read(&text).map_err(|error| Error::Service(error.of_file(file)))
}

/// Returns the result of a call. A request that may have changed something, and of which nobody knows what became of
/// it, has none.
fn done(
    (tool, grant): (&HttpTool, &DraftGrant),
    output: Result<(Output, u64), Fault>,
    begun: bool,
    credential: Option<&Credential>,
) -> Option<Done> {
    let fault = match output {
        Ok((
            Output {
                bytes,
                tokens,
                spend,
                download: _,
            },
            stored,
        )) => {
            let mut done = Done::succeeded(bytes);
            done.stored = stored;
            done.usage.tokens = tokens;
            done.usage.spend = spend;
            return Some(done);
        }
        Err(fault) => fault,
    };
    let text = chain(&fault);
    let text = credential.map_or_else(|| text.clone(), |secret| secret.scrub_text(&text));
    tracing::warn!(error = text, tool = %grant.tool, "a request failed");
    let outcome = match fault.end() {
        End::Failed => ActionOutcome::Failed,
        End::Late => ActionOutcome::TimedOut,
        End::Stopped => ActionOutcome::Killed,
    };
    let mut ended = if !begun {
        Done::not_begun(grant, outcome, &text)
    } else if tool.changes() && !fault.is_certain() {
        tracing::error!(tool = %grant.tool, "a request was not answered: outcome unknown");
        return None;
    } else {
        Done::ended(outcome, &text)
    };
    ended.output = said(&fault, &text);
    Some(ended)
}

/// Returns the output of a call that failed.
fn said(fault: &Fault, text: &str) -> Vec<u8> {
    let mut said = Map::new();
    let mut say = |name: &str, value| said.insert(name.to_owned(), value);
    say("error", json!(text));
    if let Some((code, retry_after)) = fault.code() {
        say("code", json!(code));
        say("retry_after_s", json!(retry_after));
    } else if fault.passes() {
        say("passes", json!(true));
    }
    if let Fault::Page(page, _) = fault {
        say("page", json!(page));
    }
    json::canonical(&Value::Object(said))
}
