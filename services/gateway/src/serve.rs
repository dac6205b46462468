//! The server: accepts connections within limits, and closes them when the gateway stops.

use std::{io, net::SocketAddr, pin::pin, sync::Arc};

use actor::Error;
use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::watch,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{
    app_state::{AppState, Limits},
    entrance::Entrance,
    slots::{Slot, Slots},
    turns::taking_turns,
};

/// The maximum size of a request's header.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// The maximum number of headers of a request.
const HEADERS_MAX: usize = 64;

/// The length of the kernel's accept queue; above it, clients retry after a second.
const BACKLOG: u32 = 1024;

/// Opens a listening socket on `address`.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Serves the connections on `listener` that `entrance` admits, until the gateway stops.
///
/// # Errors
/// None: an error of one connection ends only that connection.
pub async fn serve(
    listener: TcpListener,
    entrance: Entrance,
    app: Arc<AppState>,
) -> Result<(), Error> {
    let (limits, stop) = (app.limits, app.stop.clone());
    let mut ending = stop.clone();
    let slots = Slots::new(limits.connections, limits.kept);
    let router = crate::http::router(app, entrance);
    let mut connections = JoinSet::new();
    let coming = || arrival(&listener, entrance, &slots, &limits);
    {
        let mut next = pin!(coming());
        loop {
            tokio::select! {
                (stream, slot) = next.as_mut() => {
                    let connection = connection(stream, router.clone(), limits, stop.clone(), slot);
                    connections.spawn(connection);
                    next.set(coming());
                }
                Some(_) = connections.join_next() => {}
                () = stopped(&mut ending) => break,
            }
        }
    }
    drop(listener);
    let ended = async { while connections.join_next().await.is_some() {} };
    if timeout(limits.grace, ended).await.is_err() {
        tracing::info!("closing connections that did not end in time");
    }
    Ok(())
}

/// Accepts the next connection and takes a slot for it.
async fn arrival(
    listener: &TcpListener,
    entrance: Entrance,
    slots: &Arc<Slots>,
    limits: &Limits,
) -> (TcpStream, Slot) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if entrance.admits(peer.ip()) => {
                return (stream, slots.enter().await);
            }
            Ok((_, peer)) => {
                tracing::warn!(%peer, "connection closed: the peer is not the sidecar");
            }
            Err(error) => {
                // The likely cause is a lack of file descriptors; connections that end free some.
                tracing::warn!(%error, "cannot accept a connection");
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
    slot: Slot,
) {
    let slot = Arc::new(slot);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), taking_turns(router, &slot));
    let served = async {
        let mut serving = pin!(serving);
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
            tracing::debug!("closed a connection that did not end in time");
        }
    };
    tokio::select! {
        // Input that has arrived is handled before displacement.
        biased;
        () = served => {}
        () = slot.displaced() => tracing::debug!("a new connection displaced this one"),
    }
}

/// Returns once the gateway stops or the sender of the stop signal is closed.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}
