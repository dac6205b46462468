//! The stream that says when pages have changed, until the access expires. It says nothing else.

use std::{convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{
        IntoResponse as _, Response, Sse,
        sse::{self, KeepAlive},
    },
};
use futures::stream;
use tokio::{
    sync::watch,
    time::{Sleep, sleep},
};

use crate::{
    access::{self, Reader},
    app_state::AppState,
    problem::Problem,
    streams::Stream,
};

/// The parameter with the place of the reader's page in the stream.
const AFTER: &str = "after=";

pub(crate) async fn changes(
    State(app): State<Arc<AppState>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reader = access::reader(&app, &headers)?;
    let after = query.as_deref().and_then(|query| query.strip_prefix(AFTER));
    let after = after.and_then(|after| after.parse().ok());
    let now = app.clock.wall();
    let stream = app.streams.open(reader.counted_for(), now)?;
    let cursor = ChangeCursor {
        after: after.unwrap_or_default(),
        newest: app.changes.subscribe(),
        // Measured from here, so that a clock that is set back does not extend the access.
        over: Box::pin(sleep(Duration::from_millis(reader.until.ms_since(now)))),
        stop: app.stop.clone(),
        signed_out: app.sessions.signed_out(),
        folded: app.shared_record.newest(),
        reader,
        app: Arc::clone(&app),
        _stream: stream,
    };
    let alive = KeepAlive::new().interval(app.limits.keep_alive);
    Ok(Sse::new(stream::unfold(cursor, ChangeCursor::next))
        .keep_alive(alive)
        .into_response())
}

/// One reader.
struct ChangeCursor {
    /// The place that the reader knows.
    after: u64,
    newest: watch::Receiver<u64>,
    /// The timer that fires when its access expires.
    over: Pin<Box<Sleep>>,
    stop: watch::Receiver<bool>,
    signed_out: watch::Receiver<u64>,
    /// Changes with every fold, so also when the reader's device is revoked.
    folded: watch::Receiver<u64>,
    reader: Reader,
    app: Arc<AppState>,
    _stream: Stream,
}

impl ChangeCursor {
    /// The next change; none once the access has expired, or the gateway stops.
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if *self.stop.borrow() || self.over.is_elapsed() || !self.reader.holds(&self.app) {
                return None;
            }
            let newest = *self.newest.borrow_and_update();
            if newest != 0 && newest != self.after {
                self.after = newest;
                let event = sse::Event::default().event("changed");
                return Some((Ok(event.data(newest.to_string())), self));
            }
            tokio::select! {
                changed = self.newest.changed() => changed.ok()?,
                () = self.over.as_mut() => {}
                _ = self.stop.changed() => {}
                _ = self.signed_out.changed() => {}
                _ = self.folded.changed() => {}
            }
        }
    }
}
