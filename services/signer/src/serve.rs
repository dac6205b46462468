//! The server: one page at one path, for known hosts, until it is asked to stop.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    signal::unix::{SignalKind, signal},
    sync::Semaphore,
    task::JoinSet,
    time::{sleep, timeout},
};

use crate::{config::Config, page::Page};

/// The number of connections at a time; more wait.
const CONNECTIONS_MAX: usize = 64;
/// The timeout for a request's header, and the lifetime of a connection.
const HEADER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECTION_TIMEOUT: Duration = Duration::from_secs(30);
const HEADER_BYTES_MAX: usize = 8 << 10;

/// The headers of every response, besides the policy. The origin alone is told to the gateway, which needs it at a sign-in.
const SECURITY: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "strict-origin"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// Serves the page until SIGTERM or SIGINT.
///
/// # Errors
/// Fails if it cannot listen; an error of one connection ends only that connection.
pub async fn serve(config: Config) -> io::Result<()> {
    let listener = TcpListener::bind(config.listen).await?;
    let (mut term, mut int) = (
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
    );
    let listen = config.listen;
    let router = router(config);
    let slots = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let mut connections = JoinSet::new();
    tracing::info!(%listen, "ready");
    loop {
        let coming = async {
            let slot = Arc::clone(&slots).acquire_owned().await;
            (listener.accept().await, slot)
        };
        tokio::select! {
            (accepted, slot) = coming => match accepted {
                Ok((stream, _)) => {
                    let router = router.clone();
                    connections.spawn(async move {
                        connection(stream, router).await;
                        drop(slot);
                    });
                }
                Err(error) => {
                    // The likely cause is a lack of file descriptors; connections that end free some.
                    tracing::warn!(%error, "cannot accept a connection");
                    sleep(HEADER_TIMEOUT / 10).await;
                }
            },
            Some(_) = connections.join_next() => {}
            _ = term.recv() => return Ok(()),
            _ = int.recv() => return Ok(()),
        }
    }
}

async fn connection(stream: TcpStream, router: Router) {
    let serving = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(HEADER_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    if let Ok(Err(error)) = timeout(CONNECTION_TIMEOUT, serving).await {
        tracing::debug!(error = actor::chain(&error), "a connection ended early");
    }
}

fn router(config: Config) -> Router {
    let page = Page::of(&config.gateway);
    Router::new()
        .route("/", get(page_of))
        .fallback(async || (StatusCode::NOT_FOUND, "the signer has one page: /\n"))
        .with_state(Arc::new(page.clone()))
        .layer(axum::middleware::from_fn_with_state(
            Arc::new((config, page)),
            guard,
        ))
}

async fn page_of(State(page): State<Arc<Page>>) -> Response {
    let kind = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (kind, page.html.clone()).into_response()
}

/// Refuses requests for other hosts, and sets the headers of every response.
async fn guard(
    State(of): State<Arc<(Config, Page)>>,
    request: Request,
    next: axum::middleware::Next,
) -> Response {
    let (config, page) = &*of;
    let mut hosts = request.headers().get_all(header::HOST).iter();
    let host = hosts.next().and_then(|host| host.to_str().ok());
    let is_named = host.is_some_and(|host| config.is_named(host)) && hosts.next().is_none();
    let mut response = if is_named {
        next.run(request).await
    } else {
        let said = "this signer is not that host; name it in `hosts` of its configuration\n";
        (StatusCode::MISDIRECTED_REQUEST, said).into_response()
    };
    let headers = response.headers_mut();
    for (name, value) in SECURITY {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if let Ok(policy) = HeaderValue::from_str(&page.policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    response
}
