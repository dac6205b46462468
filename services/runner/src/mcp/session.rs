//! Runs one MCP server in a cage: starts it, reads the tools that it lists, calls them, ends it.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequest, CallToolRequestParams, ClientCapabilities, ClientRequest, Implementation,
    InitializeRequestParams, ListToolsRequest, PaginatedRequestParams, ProtocolVersion,
    ServerResult,
};
use rmcp::service::{
    ClientCacheConfig, ClientLifecycleMode, ClientServiceExt, NotificationContext, Peer,
    PeerRequestOptions, RoleClient, RunningService, ServiceError,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::Instant;

use super::entry::{McpServer, listed_digest};
use super::failure::McpFailure;
use super::launch::{ENDS, Told, gone, held, launch, unready};
use super::transport::Talk;
use crate::cage::Cage;
use crate::wire::CallSpec;
use crate::workspace::Workspace;

/// The time in which a server has to answer first, and to list its tools.
const START: Duration = Duration::from_secs(30);
/// The age at which a list of tools is read again before a call.
const LIST_AGAIN: Duration = Duration::from_secs(60);
/// Most tools that a server lists.
const TOOLS_MAX: usize = 1000;

/// A tool as a server lists it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ListedTool {
    /// The whole entry.
    pub entry: Value,
    /// The SHA-256 of its canonical JSON, in lower-case hexadecimal.
    pub sha256: String,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Session {
    peer: Peer<RoleClient>,
    _service: RunningService<RoleClient, Refusals>,
    talk: Arc<Talk>,
    /// Becomes the reason once no process of it is left.
    ended: watch::Receiver<Option<String>>,
    stop: watch::Sender<bool>,
    listed: Mutex<(Instant, BTreeMap<String, ListedTool>)>,
    changed: Arc<AtomicBool>,
    calls: AtomicUsize,
    served: AtomicBool,
    last: Mutex<Instant>,
    version: String,
}

/// The answers to what servers ask: nothing is offered.
#[derive(Debug)]
struct Refusals {
    changed: Arc<AtomicBool>,
}

impl ClientHandler for Refusals {
    fn get_info(&self) -> InitializeRequestParams {
        let me = Implementation::new("contractual", env!("CARGO_PKG_VERSION"));
        InitializeRequestParams::new(ClientCapabilities::default(), me)
            .with_protocol_version(ProtocolVersion::LATEST_WITH_INITIALIZE)
    }

    async fn on_tool_list_changed(&self, _context: NotificationContext<RoleClient>) {
        self.changed.store(true, Ordering::Release);
    }
}

impl Session {
    /// Starts the server and reads its tools; in a trial if somebody is told what the server asked for.
    pub(super) async fn start(
        cage: &Cage,
        server: &McpServer,
        workspace: &Workspace,
        told: Option<Told>,
    ) -> Result<Self, McpFailure> {
        let place = workspace.place();
        let (packages, copies) = held(cage, server, &place).await?;
        let (argv, env) = server.filled(&place.path, &packages);
        let spec = CallSpec {
            scratch: cage.scratch.clone(),
            workspace: place,
            writable: server.writable(),
            signed: Some(server.signed()),
            argv,
            paths: server.paths(),
            folders: server.folders().to_vec(),
            kept_out: cage.kept_out.clone(),
            packages: packages.into_values().collect(),
            env,
            serves: true,
            limits: server.limits(),
            trial: told.is_some(),
        };
        let (pipes, talk, ended, stop) = launch(cage, spec, copies, told).await?;
        let changed = Arc::new(AtomicBool::new(false));
        let refusals = Refusals {
            changed: Arc::clone(&changed),
        };
        let mode = ClientLifecycleMode::Auto {
            preferred_versions: vec![ProtocolVersion::V_2026_07_28],
            legacy_version: Some(ProtocolVersion::LATEST_WITH_INITIALIZE),
        };
        let mut over = ended.clone();
        let service = tokio::select! {
            ready = tokio::time::timeout(START, refusals.serve_with_lifecycle(pipes, mode)) => match ready {
                Ok(Ok(service)) => service,
                Ok(Err(error)) => return Err(unready(&talk, over, &actor::chain(&error)).await),
                Err(_late) => return Err(unready(&talk, over, "it did not answer within 30 s").await),
            },
            why = gone(&mut over) => return Err(McpFailure::Start(why)),
        };
        talk.raw();
        let peer = service.peer().clone();
        peer.set_response_cache_config(ClientCacheConfig::disabled())
            .await;
        let version = peer
            .peer_info()
            .map_or_else(String::new, |info| info.protocol_version.to_string());
        let session = Self {
            peer,
            _service: service,
            talk,
            ended,
            stop,
            listed: Mutex::new((Instant::now(), BTreeMap::new())),
            changed,
            calls: AtomicUsize::new(0),
            served: AtomicBool::new(false),
            last: Mutex::new(Instant::now()),
            version,
        };
        session.list().await?;
        Ok(session)
    }

    /// The version of the protocol that both speak.
    pub(super) fn version(&self) -> &str {
        &self.version
    }

    /// The tools of the newest list.
    pub(super) fn tools(&self) -> Vec<ListedTool> {
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        listed.1.values().cloned().collect()
    }

    /// Returns the reason if the server has ended.
    pub(super) fn over(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Returns true if a call succeeded.
    pub(super) fn has_served(&self) -> bool {
        self.served.load(Ordering::Acquire)
    }

    /// Returns true if nothing was called for this long.
    pub(super) fn is_idle(&self, idle: Duration) -> bool {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        self.calls.load(Ordering::Acquire) == 0 && last.elapsed() >= idle
    }

    /// Ends the server; returns once no process of it is left.
    pub(super) async fn end(&self) {
        self.stop.send_replace(true);
        gone(&mut self.ended.clone()).await;
    }

    /// Calls a tool that the server lists as it was signed. A call that takes longer than `wall`, or that is stopped,
    /// ends the server, because nobody can know whether a server has stopped to work on what was cancelled.
    pub(super) async fn call(
        &self,
        tool: &str,
        listed: &str,
        args: Map<String, Value>,
        wall: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<Value, McpFailure> {
        let _counted = Counted::new(self);
        let call = async {
            self.check(tool, listed).await?;
            let mut params = CallToolRequestParams::new(tool.to_owned());
            params.arguments = Some(args);
            self.ask(ClientRequest::CallToolRequest(CallToolRequest::new(params)))
                .await
        };
        let answer = tokio::select! {
            answer = tokio::time::timeout(wall, call) => answer.unwrap_or(Err(McpFailure::TimedOut)),
            () = stop => Err(McpFailure::Stopped),
        };
        if let Err(McpFailure::TimedOut | McpFailure::Stopped) = answer {
            self.end().await;
        }
        let answer = answer?;
        self.served.store(true, Ordering::Release);
        match answer.get("resultType").and_then(Value::as_str) {
            None | Some("complete") => Ok(answer),
            Some("input_required") => Err(McpFailure::Demands("an input of a person or a model")),
            Some(_) => Err(McpFailure::Demands("a task of its own")),
        }
    }

    /// Checks that the server lists the tool as it was signed.
    async fn check(&self, tool: &str, signed: &str) -> Result<(), McpFailure> {
        let age = {
            let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
            listed.0.elapsed()
        };
        if self.changed.swap(false, Ordering::AcqRel) || age >= LIST_AGAIN {
            self.list().await?;
        }
        let listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        let difference = match listed.1.get(tool) {
            Some(now) if now.sha256 == signed => return Ok(()),
            Some(now) => format!("its SHA-256 was {signed}, is {}", now.sha256),
            None => "it lists no such tool".to_owned(),
        };
        Err(McpFailure::Changed {
            tool: tool.to_owned(),
            difference,
        })
    }

    /// Reads all pages of the list of tools.
    async fn list(&self) -> Result<(), McpFailure> {
        let mut tools = BTreeMap::new();
        let mut cursor = None;
        loop {
            let params = PaginatedRequestParams::default().with_cursor(cursor);
            let request = ClientRequest::ListToolsRequest(ListToolsRequest::with_param(params));
            let page = tokio::time::timeout(START, self.ask(request)).await;
            let page = page.map_err(|_late| {
                McpFailure::Start("it did not list its tools within 30 s".to_owned())
            })??;
            for entry in page
                .get("tools")
                .and_then(Value::as_array)
                .into_iter()
                .flatten()
            {
                let name = entry.get("name").and_then(Value::as_str);
                let name = name.unwrap_or_default().to_owned();
                let sha256 = listed_digest(entry);
                let entry = entry.clone();
                if tools
                    .insert(name.clone(), ListedTool { entry, sha256 })
                    .is_some()
                {
                    let why = format!("it lists two tools of the name `{name}`");
                    return Err(McpFailure::Start(why));
                }
            }
            if tools.len() > TOOLS_MAX {
                let why = format!("it lists more than {TOOLS_MAX} tools");
                return Err(McpFailure::Start(why));
            }
            cursor = page
                .get("nextCursor")
                .and_then(Value::as_str)
                .map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        *self.listed.lock().unwrap_or_else(PoisonError::into_inner) = (Instant::now(), tools);
        Ok(())
    }

    /// Sends a request and returns its result as the server wrote it.
    async fn ask(&self, request: ClientRequest) -> Result<Value, McpFailure> {
        let options = PeerRequestOptions::no_options();
        let sent = self.peer.send_cancellable_request(request, options).await;
        let answer = match sent {
            Ok(sent) => sent.await_response().await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(ServerResult::CustomResult(result)) => Ok(result.0),
            Ok(_) => Err(McpFailure::Refused("its answer is no result".to_owned())),
            Err(ServiceError::McpError(error)) => {
                Err(McpFailure::Refused(error.message.to_string()))
            }
            Err(error) => {
                // The connection is gone, so the server has to go as well, if it does not do so by itself.
                let mut ended = self.ended.clone();
                let words = tokio::time::timeout(ENDS, gone(&mut ended)).await;
                self.stop.send_replace(true);
                let why = match words {
                    Ok(words) => words,
                    Err(_late) => gone(&mut ended).await,
                };
                let fault = self.talk.fault();
                let closed = matches!(error, ServiceError::TransportClosed);
                let other = (!closed).then(|| actor::chain(&error));
                Err(McpFailure::Ended(fault.or(other).unwrap_or(why)))
            }
        }
    }
}

/// Counts a call while it lasts.
struct Counted<'a>(&'a Session);

impl<'a> Counted<'a> {
    fn new(session: &'a Session) -> Self {
        session.calls.fetch_add(1, Ordering::AcqRel);
        Self(session)
    }
}

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        *self.0.last.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
        self.0.calls.fetch_sub(1, Ordering::AcqRel);
    }
}
