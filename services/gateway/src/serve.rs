//! The listener: takes connections one by one, within limits, and ends them when the gateway stops.

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
    room::{Place, Room},
    turns::taking_turns,
};

/// Most bytes of a request's header.
const HEADER_BYTES_MAX: usize = 16 << 10;
/// Most headers of a request.
const HEADERS_MAX: usize = 64;

/// Most connections that the kernel holds until they are taken; past it, whoever connects tries again after a second.
const BACKLOG: u32 = 1024;

/// Listens on `address`.
pub(crate) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = match address {
        SocketAddr::V4(_) => TcpSocket::new_v4(),
        SocketAddr::V6(_) => TcpSocket::new_v6(),
    }?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers on `listener`, to those whom `door` admits, until the gateway stops.
///
/// # Errors
/// None: what goes wrong with one connection is of no concern to the others.
pub async fn serve(
    listener: TcpListener,
    door: Entrance,
    edge: Arc<AppState>,
) -> Result<(), Error> {
    let (limits, stop) = (edge.limits, edge.stop.clone());
    let mut ending = stop.clone();
    let room = Room::new(limits.connections, limits.kept);
    let router = crate::http::router(edge, door);
    let mut connections = JoinSet::new();
    let coming = || arrival(&listener, door, &room, &limits);
    {
        let mut next = pin!(coming());
        loop {
            tokio::select! {
                (stream, place) = next.as_mut() => {
                    let connection = connection(stream, router.clone(), limits, stop.clone(), place);
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
        tracing::info!("connections that did not end in time are cut");
    }
    Ok(())
}

/// The next connection, with a place that another had to leave if there was none.
async fn arrival(
    listener: &TcpListener,
    door: Entrance,
    room: &Arc<Room>,
    limits: &Limits,
) -> (TcpStream, Place) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) if door.admits(peer.ip()) => return (stream, room.enter().await),
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
    place: Place,
) {
    let place = Arc::new(place);
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.header)
        .max_buf_size(HEADER_BYTES_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), taking_turns(router, &place));
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
            tracing::debug!("a connection was cut");
        }
    };
    tokio::select! {
        // What the client has sent counts before it is displaced.
        biased;
        () = served => {}
        () = place.displaced() => tracing::debug!("a connection gave way to a new one"),
    }
}

/// Returns once the gateway is asked to stop, or nobody can ask any more.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}
