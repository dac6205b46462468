//! Carries JSON-RPC messages over a server's standard input and output, and bounds what the server may send.
//!
//! Results are handed on as the server wrote them, so that a digest covers the fields that no library knows.

use std::collections::BTreeSet;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use bus_schema::json::parse_wide;
use rmcp::model::{
    ClientJsonRpcMessage, CustomResult, JsonRpcMessage, RequestId, ServerJsonRpcMessage,
    ServerResult,
};
use rmcp::service::RoleClient;
use rmcp::transport::Transport;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;

/// Largest message, in bytes.
const MESSAGE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Most bytes, between two requests, of lines that answer no request.
const STRAY_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Most such lines.
const STRAYS_MAX: usize = 10_000;
/// Most characters of a line in an error.
const SHOWN_CHARS: usize = 80;

/// The state of a connection, shared by both directions.
#[derive(Debug, Default)]
pub(super) struct Talk {
    /// True once results are handed on as they are: after the handshake, which the library reads.
    raw: AtomicBool,
    asked: Mutex<BTreeSet<String>>,
    strays: Mutex<Strays>,
    /// The reason that the connection was given up.
    fault: OnceLock<String>,
}

/// Lines since the last request that answer none.
#[derive(Debug, Default)]
struct Strays {
    lines: usize,
    bytes: usize,
    /// The beginning of the last one ever that is no message.
    text: String,
}

impl Talk {
    /// Hands on results as the server wrote them from now on.
    pub(super) fn raw(&self) {
        self.raw.store(true, Ordering::Release);
    }

    /// The reason that the connection was given up; or a line on standard output that is no message, which may explain
    /// why the server does not answer.
    pub(super) fn fault(&self) -> Option<String> {
        self.fault.get().cloned()
    }

    /// A line on standard output that is no message.
    pub(super) fn printed(&self) -> Option<String> {
        let strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        (!strays.text.is_empty()).then(|| {
            format!(
                "it printed `{}` to standard output, where only messages may be",
                strays.text
            )
        })
    }

    fn ask(&self, id: &RequestId) {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.insert(id.to_string());
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        (strays.lines, strays.bytes) = (0, 0);
    }

    fn is_asked(&self, id: &RequestId) -> bool {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        asked.remove(&id.to_string())
    }

    fn give_up(&self, why: String) {
        // The first reason stays.
        self.fault.set(why).ok();
    }

    /// Counts a line that answers no request. Returns false if it is one too many.
    fn stray(&self, line: &[u8], is_message: bool) -> bool {
        let mut strays = self.strays.lock().unwrap_or_else(PoisonError::into_inner);
        strays.lines += 1;
        strays.bytes += line.len();
        if !is_message {
            strays.text = shown(line);
        }
        let holds = strays.lines <= STRAYS_MAX && strays.bytes <= STRAY_BYTES_MAX;
        if !holds {
            self.give_up(format!(
                "it sent more than {STRAYS_MAX} lines or {STRAY_BYTES_MAX} bytes that answer no request"
            ));
        }
        holds
    }
}

/// The pipes of a server.
pub(super) struct Pipes {
    from: BufReader<pipe::Receiver>,
    line: Vec<u8>,
    to: Arc<tokio::sync::Mutex<pipe::Sender>>,
    talk: Arc<Talk>,
}

impl Pipes {
    pub(super) fn new(from: pipe::Receiver, to: pipe::Sender, talk: Arc<Talk>) -> Self {
        Self {
            from: BufReader::new(from),
            line: Vec::new(),
            to: Arc::new(tokio::sync::Mutex::new(to)),
            talk,
        }
    }

    /// Reads on until a line is complete. It may be dropped and called again, so it keeps what it has read.
    async fn read_line(&mut self) -> io::Result<bool> {
        loop {
            let available = self.from.fill_buf().await?;
            if available.is_empty() {
                return Ok(false);
            }
            let end = available.iter().position(|byte| *byte == b'\n');
            let taken = end.map_or(available.len(), |end| end + 1);
            self.line.extend(available.iter().take(taken));
            self.from.consume(taken);
            if self.line.len() > MESSAGE_BYTES_MAX {
                let why = format!("it sent a line of more than {MESSAGE_BYTES_MAX} bytes");
                self.talk.give_up(why.clone());
                return Err(io::Error::other(why));
            }
            if end.is_some() {
                return Ok(true);
            }
        }
    }

    /// Returns the message of a line, or nothing for a line that is passed over.
    fn message(&self, line: &[u8]) -> Result<Option<ServerJsonRpcMessage>, ()> {
        let passed_over = |is_message| {
            let holds = self.talk.stray(line, is_message);
            holds.then_some(None).ok_or(())
        };
        if line.is_empty() {
            return Ok(None);
        }
        if !line.starts_with(b"{") {
            return passed_over(false);
        }
        let mut value = match parse_wide(line, MESSAGE_BYTES_MAX) {
            Ok(value) => value,
            Err(error) => {
                self.talk
                    .give_up(format!("it sent no strict JSON: {error}"));
                return Err(());
            }
        };
        let is_answer = value.get("method").is_none();
        let id = value
            .get("id")
            .cloned()
            .map(serde_json::from_value::<RequestId>);
        match id {
            Some(Ok(id)) if is_answer => {
                if !self.talk.is_asked(&id) {
                    return passed_over(true);
                }
                let is_raw = self.talk.raw.load(Ordering::Acquire);
                if is_raw && let Some(result) = value.get_mut("result").map(Value::take) {
                    let result = ServerResult::CustomResult(CustomResult::new(result));
                    return Ok(Some(ServerJsonRpcMessage::response(result, id)));
                }
            }
            // Notifications, and requests of the server.
            Some(_) | None => {
                if !self.talk.stray(line, true) {
                    return Err(());
                }
            }
        }
        Ok(serde_json::from_value(value).ok())
    }
}

impl Transport<RoleClient> for Pipes {
    type Error = io::Error;

    fn send(
        &mut self,
        item: ClientJsonRpcMessage,
    ) -> impl Future<Output = io::Result<()>> + Send + 'static {
        if let JsonRpcMessage::Request(request) = &item {
            self.talk.ask(&request.id);
        }
        let to = Arc::clone(&self.to);
        async move {
            let mut line = serde_json::to_vec(&item)?;
            line.push(b'\n');
            to.lock().await.write_all(&line).await
        }
    }

    async fn receive(&mut self) -> Option<ServerJsonRpcMessage> {
        loop {
            if !self.read_line().await.ok()? {
                return None;
            }
            let line = std::mem::take(&mut self.line);
            match self.message(line.trim_ascii()) {
                Ok(Some(message)) => return Some(message),
                Ok(None) => {}
                Err(()) => return None,
            }
        }
    }

    async fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The beginning of a line, without control characters.
fn shown(line: &[u8]) -> String {
    let text = String::from_utf8_lossy(line);
    let plain = text.chars().filter(|c| !c.is_control());
    plain.take(SHOWN_CHARS).collect()
}
