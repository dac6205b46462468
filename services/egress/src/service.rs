//! Reads the configuration and makes an executor that sends the requests of granted calls.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use actor::{Context, Error, Places, chain};
use bus_schema::{ActionOutcome, CONTENT_BYTES_MAX, DraftGrant, Envelope, json};
use contract::{HttpTool, Method, Reach};
use executor::{Done, Execute, Installed, Stops};
use serde::Deserialize;
use serde_json::Value;

use crate::answer::Output;
use crate::fault::{End, Fault};
use crate::resolve::{Resolver, name_servers};
use crate::send::Sender;
use crate::tls::Trust;

/// The file of the name servers, if the configuration names none.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The authorities of the machine, if the configuration names none.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";

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
}

/// The executor that sends requests.
#[derive(Debug)]
pub struct Egress {
    sender: Sender,
}

impl Execute for Egress {
    type Me = bus_schema::Egress;
    type Tool = HttpTool;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<Self, Error> {
        let servers = config.nameservers;
        let servers = servers.unwrap_or_else(|| name_servers(Path::new(RESOLV_CONF)));
        let of_machine = || Some(PathBuf::from(AUTHORITIES)).filter(|file| file.exists());
        let authorities = config.authorities.or_else(of_machine);
        let files = authorities.into_iter().chain(config.further_authorities);
        let files: Vec<PathBuf> = files.map(|file| context.folder.join(file)).collect();
        let trust = Trust::read(files.iter().map(PathBuf::as_path));
        let trust = trust.map_err(|error| Error::Service(chain(&error)))?;
        let resolver = Resolver::new(&servers);
        Ok(Self {
            sender: Sender { resolver, trust },
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
            let fault = lack.map(|lack| {
                let name = entry.name();
                format!("the tool `{name}` cannot be executed here: {lack}")
            });
            Some(fault.map_or(Ok(tool), Err))
        })
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
        let begun = AtomicBool::new(false);
        let wall = Duration::from_millis(wall.max(1));
        let call = self.sender.call(tool, &args, &reach, wall, &begun);
        let output = tokio::select! {
            output = call => output,
            () = stops.stopped(grant.task) => Err(Fault::Stopped),
        };
        done(tool, grant, output, begun.into_inner())
    }
}

/// Returns the result of a call. A request that may have changed something, and of which nobody knows what became of
/// it, has none.
fn done(
    tool: &HttpTool,
    grant: &DraftGrant,
    output: Result<Output, Fault>,
    begun: bool,
) -> Option<Done> {
    let fault = match output {
        Ok(Output { bytes, tokens }) => {
            let mut done = Done::succeeded(bytes);
            done.usage.tokens = tokens;
            return Some(done);
        }
        Err(fault) => fault,
    };
    let text = chain(&fault);
    tracing::warn!(error = text, tool = %grant.tool, "a request failed");
    let outcome = match fault.end() {
        End::Failed => ActionOutcome::Failed,
        End::Late => ActionOutcome::TimedOut,
        End::Stopped => ActionOutcome::Killed,
    };
    if !begun {
        return Some(Done::not_begun(grant, outcome, &text));
    }
    if changes(tool.method()) && !fault.is_answer() {
        tracing::error!(tool = %grant.tool, "a request was not answered: outcome unknown");
        return None;
    }
    Some(Done::ended(outcome, &text))
}

/// Returns true if a request of the method may change something.
const fn changes(method: Method) -> bool {
    match method {
        Method::Get | Method::Head => false,
        Method::Post | Method::Put | Method::Patch | Method::Delete => true,
    }
}
