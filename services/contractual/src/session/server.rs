//! The MCP server of a session, for both eras of the protocol.

use std::{sync::Arc, time::Duration};

use bus_schema::json::canonical;
use contract::Integrity;
use engine::{REASON_CHARS_MAX, REQUEST_NAME};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ErrorCode, Implementation,
        ListToolsResult, PaginatedRequestParams, ProgressNotificationParam, ServerCapabilities,
        ServerConfig,
    },
    service::RequestContext,
};
use serde_json::{Map, Value, json};

use super::{
    calls::{CallState, Session},
    offered::Offered,
    results::{failed, normal, page, told},
};

/// The time between two notes of progress, for agents that wait longer if they hear of it.
const PROGRESS: Duration = Duration::from_secs(15);
/// The time for which an answer is held, in such steps: 45 s, less than the timeout of known agents.
const HELD_STEPS: u32 = 3;
/// Most bytes of the arguments of a call.
const ARGS_BYTES_MAX: usize = gateway::api::ARGS_BYTES_MAX;

/// The server.
#[derive(Clone)]
pub(crate) struct SessionServer {
    pub(crate) session: Arc<Session>,
    pub(crate) offered: Arc<Offered>,
    /// The contract in sentences.
    pub(crate) contract: Arc<str>,
}

impl SessionServer {
    async fn call(
        &self,
        name: &str,
        args: Map<String, Value>,
        agent: &RequestContext<RoleServer>,
    ) -> Option<CallToolResult> {
        let number = || {
            let number = args.get("call").and_then(Value::as_u64);
            number.and_then(|number| u16::try_from(number).ok())
        };
        match name {
            "contract_show" => Some(normal(&self.contract, json!({}))),
            REQUEST_NAME => Some(self.request(&args, agent).await),
            "contract_await" => Some(self.again(number(), None, agent).await),
            "contract_read" => {
                let offset = args.get("offset").and_then(Value::as_u64);
                let offset = offset.and_then(|offset| usize::try_from(offset).ok());
                Some(self.again(number(), offset.or(Some(0)), agent).await)
            }
            _ => {
                let (tool, integrity) = self.offered.get(name)?.clone();
                let args = canonical(&Value::Object(args));
                if args.len() > ARGS_BYTES_MAX {
                    let text = format!("The arguments have more than {ARGS_BYTES_MAX} bytes.");
                    return Some(failed(&text, json!({})));
                }
                let called = self.session.call(&tool, args).await;
                Some(match called {
                    Ok(number) => self.result(number, integrity, agent).await,
                    Err(error) => failed(&actor::chain(&error), json!({})),
                })
            }
        }
    }

    /// Asks for the change that would allow a refused call.
    async fn request(
        &self,
        args: &Map<String, Value>,
        agent: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let refused = args.get("refused").and_then(Value::as_u64);
        let refused = refused.and_then(|number| u16::try_from(number).ok());
        let reason = args.get("reason").and_then(Value::as_str);
        let (Some(refused), Some(reason)) = (refused, reason) else {
            return failed(
                "`refused` is the number of a call, and `reason` a text.",
                json!({}),
            );
        };
        if !matches!(self.session.state(refused), CallState::Refused { .. }) {
            return failed("This call was not refused.", json!({}));
        }
        let reason: String = reason.chars().take(REASON_CHARS_MAX).collect();
        let args = canonical(&json!({"refused": refused, "reason": reason}));
        match self.session.request(args).await {
            Ok(number) => self.result(number, Integrity::Trusted, agent).await,
            Err(error) => failed(&actor::chain(&error), json!({})),
        }
    }

    /// The result of an earlier call, from the beginning or from an offset.
    async fn again(
        &self,
        number: Option<u16>,
        offset: Option<usize>,
        agent: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let Some(number) = number else {
            return failed("`call` is the number of a call.", json!({}));
        };
        if !self.session.has(number).await {
            return failed("There is no such call in this session.", json!({}));
        }
        let Some(offset) = offset else {
            return self.result(number, Integrity::Untrusted, agent).await;
        };
        let CallState::Finished { by, output, .. } = self.session.state(number) else {
            return failed("The call has no result.", json!({}));
        };
        match self.session.client().content(by, &output).await {
            Ok(Some(bytes)) => {
                let text = String::from_utf8_lossy(&bytes);
                page(number, &text, offset, Integrity::Untrusted)
            }
            Ok(None) => failed("The result was erased.", json!({})),
            Err(error) => failed(&error.to_string(), json!({})),
        }
    }

    /// The result of a call once it is settled, or its state after a while; earlier if the agent has cancelled the request.
    async fn result(
        &self,
        number: u16,
        integrity: Integrity,
        agent: &RequestContext<RoleServer>,
    ) -> CallToolResult {
        let mut state = self.session.state(number);
        for step in 1..=HELD_STEPS {
            state = tokio::select! {
                settled = self.session.settled(number, PROGRESS) => settled,
                () = agent.ct.cancelled() => break,
            };
            if state.is_settled() {
                break;
            }
            if let Some(token) = agent.meta.get_progress_token() {
                let progress = ProgressNotificationParam::new(token, f64::from(step));
                // An agent that hears nothing asks again.
                drop(agent.peer.notify_progress(progress).await);
            }
        }
        told(&self.session, number, (state, integrity)).await
    }
}

impl ServerHandler for SessionServer {
    fn get_info(&self) -> ServerConfig {
        let capabilities = ServerCapabilities::builder().enable_tools().build();
        let version = env!("CARGO_PKG_VERSION");
        ServerConfig::new(capabilities)
            .with_server_info(Implementation::new("contractual", version))
            .with_instructions(
                "Each call is decided by a contract that a person has signed: it is granted, refused with the rule, or \
                 pending until a person approves it. contract_show says what you may do.",
            )
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(self.offered.tools.clone()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let args = request.arguments.unwrap_or_default();
        let result = self.call(&request.name, args, &context).await;
        let unknown = || {
            let text = format!("there is no tool `{}`", request.name);
            ErrorData::new(ErrorCode::INVALID_PARAMS, text, None)
        };
        result.map(CallToolResponse::Complete).ok_or_else(unknown)
    }
}
