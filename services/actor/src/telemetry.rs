//! Logs and traces: JSON lines on standard error, and one trace for each task.

use std::io::IsTerminal as _;

use bus_schema::SignedEvent;
use opentelemetry::trace::{SpanContext, SpanId, TraceFlags, TraceId, TraceState};

/// Starts logging: readable on a terminal, JSON otherwise. `filter` is a `tracing` directive such as `info`.
pub fn start(filter: &str) {
    let filter = tracing_subscriber::EnvFilter::try_new(filter)
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("info"));
    let layer = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = if std::io::stderr().is_terminal() {
        layer.with_target(false).try_init()
    } else {
        layer
            .json()
            .flatten_event(true)
            .with_target(false)
            .try_init()
    };
    // A second start in one process, as in tests, keeps the first.
    drop(started);
}

/// The W3C `traceparent` of an event: the task is the trace, the event the span, so that a trace needs no
/// state beside the record.
pub(crate) fn traceparent(event: &SignedEvent) -> String {
    let id = event.id.uuid().into_bytes();
    let trace = event.task.map_or(id, |task| task.uuid().into_bytes());
    let [.., a, b, c, d, e, f, g, h] = id;
    let span = SpanContext::new(
        TraceId::from_bytes(trace),
        SpanId::from_bytes([a, b, c, d, e, f, g, h]),
        TraceFlags::SAMPLED,
        false,
        TraceState::NONE,
    );
    format!(
        "00-{}-{}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags().to_u8()
    )
}
