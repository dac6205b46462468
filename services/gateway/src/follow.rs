//! Server-sent events: streams one task's events after the reader's last one, and pieces of answers that are still
//! arriving, until its access expires.

use std::{collections::VecDeque, convert::Infallible, pin::Pin, sync::Arc, time::Duration};

use axum::{
    extract::{Path, RawQuery, State, rejection::PathRejection},
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
    access::{self, Reader},
    api::{PIECES, PIECES_QUERY},
    app_state::AppState,
    pieces::TaskPieces,
    problem::{Kind, Problem},
    record::{Known, Line, Record},
    request::{known, task_id},
    shared_record::SharedRecord,
    streams::Stream,
};

/// The sequence number of the reader's last event.
const LAST: HeaderName = HeaderName::from_static("last-event-id");
/// The number of events that are taken from the record at a time.
const BATCH: usize = 64;

pub(crate) async fn events(
    State(app): State<Arc<AppState>>,
    id: Result<Path<String>, PathRejection>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let reader = access::reader(&app, &headers)?;
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
    let newest = app.shared_record.newest();
    let wants_pieces = query.as_deref() == Some(PIECES_QUERY);
    let pieces = wants_pieces.then(|| app.pieces.subscribe(task));
    let (batch, over) = known(after(&app.shared_record.read(), task, last))?;
    if over && batch.is_empty() {
        // Only this status keeps a browser's event source from connecting again.
        return Ok(StatusCode::NO_CONTENT.into_response());
    }
    let now = app.clock.wall();
    let stream = app.streams.open(reader.counted_for(), now)?;
    // Measured from here, so that a clock that is set back does not extend the access.
    let over = sleep(Duration::from_millis(reader.until.ms_since(now)));
    let cursor = Cursor {
        shared_record: Arc::clone(&app.shared_record),
        task,
        last,
        batch,
        newest,
        pieces,
        over: Box::pin(over),
        stop: app.stop.clone(),
        signed_out: app.sessions.signed_out(),
        reader,
        app: Arc::clone(&app),
        _stream: stream,
    };
    let alive = KeepAlive::new().interval(app.limits.keep_alive);
    Ok(Sse::new(stream::unfold(cursor, Cursor::next))
        .keep_alive(alive)
        .into_response())
}

/// A batch of events after `last`, and true if the task has ended.
fn after(record: &Record, task: TaskId, last: u64) -> Known<(VecDeque<Line>, bool)> {
    match record.task(task) {
        Known::Kept((summary, lines)) => {
            let from = lines.partition_point(|line| line.seq <= last);
            let batch = lines.iter().skip(from).take(BATCH).cloned().collect();
            Known::Kept((batch, summary.ended.is_some()))
        }
        Known::Dropped => Known::Dropped,
        Known::Never => Known::Never,
    }
}

/// One reader of one task.
struct Cursor {
    shared_record: Arc<SharedRecord>,
    task: TaskId,
    last: u64,
    batch: VecDeque<Line>,
    newest: watch::Receiver<u64>,
    /// The pieces of answers, if the reader wants them.
    pieces: Option<TaskPieces>,
    /// The timer that fires when its access expires.
    over: Pin<Box<Sleep>>,
    stop: watch::Receiver<bool>,
    signed_out: watch::Receiver<u64>,
    reader: Reader,
    app: Arc<AppState>,
    _stream: Stream,
}

impl Cursor {
    /// The next event; none once the task has ended or was dropped, the access has expired, or the gateway stops.
    async fn next(mut self) -> Option<(Result<sse::Event, Infallible>, Self)> {
        loop {
            if *self.stop.borrow() || self.over.is_elapsed() || !self.reader.holds(&self.app) {
                return None;
            }
            if let Some(line) = self.batch.pop_front() {
                self.last = line.seq;
                let event = sse::Event::default().id(line.seq.to_string());
                let event = event.event(line.kind.as_str()).data(line.text.as_str());
                return Some((Ok(event), self));
            }
            let found = after(&self.shared_record.read(), self.task, self.last);
            let Known::Kept((batch, over)) = found else {
                return None;
            };
            if !batch.is_empty() {
                self.batch = batch;
            } else if over {
                return None;
            } else {
                tokio::select! {
                    changed = self.newest.changed() => changed.ok()?,
                    Some(piece) = next_piece(&mut self.pieces) => return Some((Ok(piece), self)),
                    () = self.over.as_mut() => {}
                    _ = self.stop.changed() => {}
                    _ = self.signed_out.changed() => {}
                }
            }
        }
    }
}

/// Returns the next piece as an event without an id, because no reader continues after it.
async fn next_piece(pieces: &mut Option<TaskPieces>) -> Option<sse::Event> {
    let piece = pieces.as_mut()?.next().await?;
    let data = serde_json::to_string(piece.as_ref()).ok()?;
    Some(sse::Event::default().event(PIECES).data(data))
}
