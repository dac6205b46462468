//! The listener: takes connections one by one, within limits, and ends them when the gateway stops.

use std::sync::Arc;

use actor::Error;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    door::Door,
    edge::{Edge, Limits},
};

/// Most bytes of a request's header.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 64;

/// Answers on `listener`, to those whom `door` admits, until the gateway stops.
///
/// # Errors
/// None: what goes wrong with one connection is of no concern to the others.
pub async fn serve(listener: TcpListener, door: Door, edge: Arc<Edge>) -> Result<(), Error> {
    let (limits, stop) = (edge.limits, edge.stop.clone());
    let mut ending = stop.clone();
    let room = Arc::new(Semaphore::new(limits.connections));
    let router = crate::http::router(edge, door);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            (stream, permit) = accept(&listener, door, &room, &limits) => {
                let connection = connection(stream, router.clone(), limits, stop.clone(), permit);
                connections.spawn(connection);
            }
            Some(_) = connections.join_next() => {}
            () = stopped(&mut ending) => break,
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.grace, ended).await.is_err() {
        tracing::info!("connections that did not end in time are cut");
    }
    Ok(())
}

/// The next connection, once there is room for it.
async fn accept(
    listener: &TcpListener,
    door: Door,
    room: &Arc<Semaphore>,
    limits: &Limits,
) -> (TcpStream, Option<OwnedSemaphorePermit>) {
    // The semaphore is never closed.
    let permit = Arc::clone(room).acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if door.admits(peer.ip()) => return (stream, permit),
            Ok((_, peer)) => {
                tracing::warn!(%peer, "not the sidecar: the connection is closed");
            }
            Err(error) => {
                // Out of file descriptors, most likely: those that end give some back.
                tracing::warn!(%error, "cannot take a connection");
                sleep(limits.grace / 10).await;
            }
        }
    }
}

async fn connection(
    stream: TcpStream,
    router: Router,
    limits: Limits,
    mut stop: watch::Receiver<bool>,
    _permit: Option<OwnedSemaphorePermit>,
) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    tokio::pin!(serving);
    tokio::select! {
        ended = serving.as_mut() => {
            if let Err(error) = ended {
                tracing::debug!(error = actor::chain(&error), "a connection ended early");
            }
            return;
        }
        () = sleep(limits.connection) => {}
        () = stopped(&mut stop) => {}
    }
    serving.as_mut().graceful_shutdown();
    if timeout(limits.grace, serving).await.is_err() {
        tracing::debug!("a connection was cut");
    }
}

/// Returns once the gateway is asked to stop, or nobody can ask any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}
