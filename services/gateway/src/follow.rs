//! Server-sent events: the events of one task, from where a reader stopped, as they come, until its access is over.

use std::{collections::VecDeque, convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::{Path, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, StatusCode},
    response::{
        IntoResponse as _, Response, Sse,
        sse::{self, KeepAlive},
    },
};
use bus_schema::TaskId;
use futures::stream;
use tokio::{
    sync::watch,
    time::{Sleep, sleep},
};

use crate::{
    access,
    app_state::AppState,
    problem::{Kind, Problem},
    record::{Known, Line, Record},
    request::{known, task_id},
    shared_record::SharedRecord,
    streams::Stream,
};

/// The place in the stream of the last event that a reader has.
const LAST: HeaderName = HeaderName::from_static("last-event-id");
/// Events taken from the record at a time.
const BATCH: usize = 64;

pub(crate) async fn events(
    State(edge): State<Arc<AppState>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let access = access::reader(&edge, &headers)?;
    let task = task_id(id)?;
    let last = match access::only(&headers, &LAST) {
        Ok(None) => Some(0),
        Ok(Some(text)) => text.parse().ok(),
        Err(()) => None,
    };
    let last: u64 = last.ok_or_else(|| {
        Problem::new(
            Kind::Malformed,
            "`Last-Event-ID` is the id of an event; send one or leave it out",
        )
    })?;
    let newest = edge.shelf.newest();
    let (batch, over) = known(after(&edge.shelf.read(), task, last))?;
    if over && batch.is_empty() {
        // For an event source of a browser this alone means not to come again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = edge.clock.wall();
    let stream = edge.streams.open(access.until, now)?;
    // Counted from here, so that nobody who sets the clock back makes it last longer.
    let over = sleep(Duration::from_millis(access.until.ms_since(now)));
    let cursor = Cursor {
        shelf: Arc::clone(&edge.shelf),
        task,
        last,
        batch,
        newest,
        over: Box::pin(over),
        stop: edge.stop.clone(),
        _stream: stream,
    };
    let alive = KeepAlive::new().interval(edge.limits.keep_alive);
    Ok(Sse::new(stream::unfold(cursor, Cursor::next))
        .keep_alive(alive)
        .into_response())
}

/// Some events after `last`, and whether the task is over.
fn after(record: &Record, task: TaskId, last: u64) -> Known<(VecDeque<Line>, bool)> {
    match record.task(task) {
        Known::TaskEntry((summary, lines)) => {
            let from = lines.partition_point(|line| line.seq <= last);
            let batch = lines.iter().skip(from).take(BATCH).cloned().collect();
            Known::TaskEntry((batch, summary.ended.is_some()))
        }
        Known::Dropped => Known::Dropped,
        Known::Never => Known::Never,
    }
}

/// One reader of one task.
struct Cursor {
    shelf: Arc<SharedRecord>,
    task: TaskId,
    last: u64,
    batch: VecDeque<Line>,
    newest: watch::Receiver<u64>,
    /// When its access is over.
    over: Pin<Box<Sleep>>,
    stop: watch::Receiver<bool>,
    _stream: Stream,
}

impl Cursor {
    /// The next event; none once the task or the access is over, the task is no longer kept, or the gateway stops.
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if *self.stop.borrow() || self.over.is_elapsed() {
                return None;
            }
            if let Some(line) = self.batch.pop_front() {
                self.last = line.seq;
                let event = sse::Event::default().id(line.seq.to_string());
                let event = event.event(line.kind.as_str()).data(line.text.as_str());
                return Some((Ok(event), self));
            }
            let found = after(&self.shelf.read(), self.task, self.last);
            let Known::TaskEntry((batch, over)) = found else {
                return None;
            };
            if !batch.is_empty() {
                self.batch = batch;
            } else if over {
                return None;
            } else {
                tokio::select! {
                    changed = self.newest.changed() => changed.ok()?,
                    () = self.over.as_mut() => {}
                    _ = self.stop.changed() => {}
                }
            }
        }
    }
}
