//! Keeps the MCP servers that run: starts each on its first call, again after it failed, and stops it when it is idle.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus_schema::Digest;
use serde_json::{Map, Value};
use tokio::time::Instant;

use super::entry::{McpServer, McpTool};
use super::failure::McpFailure;
use super::session::Session;
use crate::cage::Cage;
use crate::workspace::Workspace;

/// Most servers at once.
const SERVERS_MAX: usize = 32;
/// The pause after the first failure; each further one doubles it.
const PAUSE: Duration = Duration::from_secs(1);
/// Longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// The servers of a runner.
#[derive(Debug, Default)]
pub struct Servers {
    slots: Mutex<BTreeMap<Key, Arc<Slot>>>,
}

/// The entry of a server and the place of its workspace: contracts with other workspaces get other processes.
type Key = (Digest, PathBuf, u64, u64);

/// The place of one server.
#[derive(Debug)]
struct Slot {
    idle: Duration,
    state: tokio::sync::Mutex<SlotState>,
}

#[derive(Debug, Default)]
struct SlotState {
    session: Option<Arc<Session>>,
    failures: u32,
    resting: Option<(Instant, String)>,
}

impl Servers {
    /// Calls a tool; starts its server if it does not run. Returns the result as the server wrote it.
    ///
    /// # Errors
    /// See [`McpFailure`]; after a timeout or a stop no process of the server is left.
    pub async fn call(
        &self,
        cage: &Cage,
        workspace: &Workspace,
        tool: &McpTool,
        args: Map<String, Value>,
        wall: Duration,
        stop: impl Future<Output = ()>,
    ) -> Result<Value, McpFailure> {
        let began = Instant::now();
        let mut stop = std::pin::pin!(stop);
        let slot = self.slot(&tool.server, workspace)?;
        let session = tokio::select! {
            session = slot.session(cage, workspace, &tool.server) => session?,
            () = &mut stop => return Err(McpFailure::Stopped),
        };
        let left = wall.saturating_sub(began.elapsed());
        session
            .call(&tool.tool, &tool.listed, args, left, stop)
            .await
    }

    /// Stops servers that got no call for their time.
    pub async fn sweep(&self) {
        let slots: Vec<Arc<Slot>> = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.values().cloned().collect()
        };
        for slot in slots {
            // A slot that is in use is not idle.
            let Ok(mut state) = slot.state.try_lock() else {
                continue;
            };
            let is_idle = |session: &Arc<Session>| session.is_idle(slot.idle);
            if let Some(session) = state.session.take_if(|session| is_idle(session)) {
                session.end().await;
            }
        }
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        slots.retain(|_, slot| Arc::strong_count(slot) > 1 || !slot.is_empty());
    }

    /// Stops all servers.
    pub async fn end(&self) {
        let slots = {
            let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *slots)
        };
        for slot in slots.into_values() {
            if let Some(session) = slot.state.lock().await.session.take() {
                session.end().await;
            }
        }
    }

    fn slot(&self, server: &McpServer, workspace: &Workspace) -> Result<Arc<Slot>, McpFailure> {
        let place = workspace.place();
        let key = (server.key(), place.path, place.dev, place.ino);
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if !slots.contains_key(&key) && slots.len() >= SERVERS_MAX {
            return Err(McpFailure::TooMany(SERVERS_MAX));
        }
        let slot = slots.entry(key).or_insert_with(|| {
            Arc::new(Slot {
                idle: server.idle(),
                state: tokio::sync::Mutex::default(),
            })
        });
        Ok(Arc::clone(slot))
    }
}

impl Slot {
    /// Returns true if no server runs and none has to rest.
    fn is_empty(&self) -> bool {
        let state = self.state.try_lock();
        let rests = |state: &SlotState| {
            let until = state.resting.as_ref().map(|(until, _)| *until);
            until.is_some_and(|until| until > Instant::now())
        };
        state.is_ok_and(|state| state.session.is_none() && !rests(&state))
    }

    /// Returns the running server, or starts it.
    async fn session(
        &self,
        cage: &Cage,
        workspace: &Workspace,
        server: &McpServer,
    ) -> Result<Arc<Session>, McpFailure> {
        let mut state = self.state.lock().await;
        if let Some(session) = &state.session {
            match session.over() {
                None => return Ok(Arc::clone(session)),
                Some(why) => {
                    tracing::warn!(why, "an MCP server ended between two calls");
                    let has_served = session.has_served();
                    state.session = None;
                    if has_served {
                        state.failures = 0;
                    } else {
                        state.fail(why);
                    }
                }
            }
        }
        if let Some((until, why)) = &state.resting {
            let left = until.saturating_duration_since(Instant::now());
            if !left.is_zero() {
                return Err(McpFailure::Resting {
                    wait_s: left.as_secs() + 1,
                    why: why.clone(),
                });
            }
        }
        match Session::start(cage, server, workspace, None).await {
            Ok(session) => {
                let session = Arc::new(session);
                state.session = Some(Arc::clone(&session));
                state.resting = None;
                Ok(session)
            }
            Err(failure) => {
                state.fail(actor::chain(&failure));
                Err(failure)
            }
        }
    }
}

impl SlotState {
    /// Notes a failure: the server rests for a time that doubles.
    fn fail(&mut self, why: String) {
        let pause = PAUSE * 2_u32.saturating_pow(self.failures.min(16));
        self.failures += 1;
        self.resting = Some((Instant::now() + pause.min(PAUSE_MAX), why));
    }
}
