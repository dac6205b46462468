//! HTTP/2 over one connection: one stream in it, within bounds, that is sent once.

use std::error::Error as _;
use std::future::Future;
use std::pin::{Pin, pin};

use bytes::Bytes;
use contract::Endpoint;
use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc::{self, UnboundedReceiver, UnboundedSender};

use crate::fault::Fault;

/// Bytes of a body that the host may send before they were read.
const WINDOW_BYTES: u32 = 256 * 1024;

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Takes the tasks of a connection, which run where the call runs, and end with it.
#[derive(Debug, Clone)]
pub(crate) struct Tasks(UnboundedSender<Task>);

impl<F: Future<Output = ()> + Send + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        // Nobody takes them after the call.
        self.0.send(Box::pin(task)).ok();
    }
}

/// Begins HTTP/2 with a list of headers of at most `head_max` bytes; returns what takes the request, and what drives
/// the connection.
pub(crate) async fn handshake<S>(
    stream: S,
    head_max: u32,
) -> hyper::Result<(SendRequest<Full<Bytes>>, impl Future<Output = ()>)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (tasks, waiting) = mpsc::unbounded_channel();
    let mut builder = Builder::new(Tasks(tasks));
    builder
        .max_header_list_size(head_max)
        .initial_stream_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES);
    let (sender, connection) = builder.handshake(TokioIo::new(stream)).await?;
    Ok((sender, driven(connection, waiting)))
}

/// Runs a connection with its tasks.
async fn driven(
    connection: impl Future<Output = hyper::Result<()>>,
    mut waiting: UnboundedReceiver<Task>,
) {
    let mut connection = pin!(connection);
    let mut running = FuturesUnordered::new();
    let mut is_open = true;
    loop {
        tokio::select! {
            // Its error is that of the exchange.
            ended = &mut connection, if is_open => {
                drop(ended);
                is_open = false;
            }
            Some(task) = waiting.recv() => running.push(task),
            Some(()) = running.next() => {}
            else => return,
        }
    }
}

/// Returns the fault of a request without an answer, or `None` if the host may have handled it.
pub(crate) fn unhandled(endpoint: &Endpoint, error: &hyper::Error) -> Option<Fault> {
    let error = of(error)?;
    let is_refused = error.is_reset() && error.reason() == Some(h2::Reason::REFUSED_STREAM);
    // Only streams above the last one that the host names get this error; those below it go on.
    let is_above_last = error.is_go_away();
    let says = error.is_remote() && (is_refused || is_above_last);
    says.then(|| Fault::Unhandled(endpoint.clone(), said(error)))
}

/// Returns the reason of an error of HTTP/2, without what else the host says; none if it is another error.
pub(crate) fn reason(error: &hyper::Error) -> Option<String> {
    let error = of(error)?;
    error.reason().map(|_| said(error))
}

fn said(error: &h2::Error) -> String {
    let reason = error.reason().unwrap_or(h2::Reason::NO_ERROR);
    let what = match (error.is_remote(), error.is_go_away()) {
        (true, true) => "GOAWAY",
        (true, false) => "RST_STREAM",
        (false, _) => "against the rules of HTTP/2",
    };
    format!("{what}: {reason}")
}

fn of(error: &hyper::Error) -> Option<&h2::Error> {
    error.source()?.downcast_ref()
}
