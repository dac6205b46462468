//! The streams and consumers, as `contractual provision` creates them and `nats/streams.json` shows them.

use serde_json::{Value, json};

use crate::{AuthorId, Chain, EVENT_BYTES_MAX};

/// The append-only stream of every fact.
pub const AUDIT: &str = "AUDIT";
/// The erasable bytes that facts name.
pub const BLOBS: &str = "BLOBS";
/// Messages from outside that may start a job.
pub const TRIGGERS: &str = "TRIGGERS";

const DAY_NS: u64 = 86_400_000_000_000;

/// A stream: its name, and its configuration as the server's API takes it.
#[derive(Debug, Clone, Copy)]
pub struct StreamSpec {
    /// Its name.
    pub name: &'static str,
    config: fn() -> Value,
}

impl StreamSpec {
    /// The configuration.
    #[must_use]
    pub fn config(&self) -> Value {
        (self.config)()
    }
}

/// Every stream there is.
pub const STREAMS: &[StreamSpec] = &[
    StreamSpec {
        name: AUDIT,
        config: || {
            json!({
                "name": AUDIT, "subjects": ["event.*.*.*.*"],
                "storage": "file", "compression": "s2", "num_replicas": 1,
                "retention": "limits", "discard": "new", "max_age": 0, "max_msgs": -1,
                "max_bytes": 8_i64 << 30, "max_msg_size": EVENT_BYTES_MAX + 1024,
                "duplicate_window": 120_000_000_000_u64,
                "deny_delete": true, "deny_purge": true, "allow_rollup_hdrs": false,
                "allow_direct": true, "allow_atomic": true,
            })
        },
    },
    StreamSpec {
        name: BLOBS,
        config: || {
            json!({
                "name": BLOBS, "subjects": ["blob.*.*.*"],
                "storage": "file", "compression": "s2", "num_replicas": 1,
                "retention": "limits", "discard": "new", "max_age": 0, "max_msgs": -1,
                "max_bytes": 8_i64 << 30, "max_msg_size": (512 << 10) + 512,
                // The first one to name a digest is the only one: what is stored is never replaced.
                "max_msgs_per_subject": 1, "discard_new_per_subject": true,
                "duplicate_window": 120_000_000_000_u64,
                "allow_rollup_hdrs": false, "allow_direct": true,
            })
        },
    },
    StreamSpec {
        name: TRIGGERS,
        config: || {
            json!({
                "name": TRIGGERS, "subjects": ["trigger.*.*"],
                "storage": "file", "compression": "s2", "num_replicas": 1,
                "retention": "limits", "discard": "old", "max_age": 7 * DAY_NS, "max_msgs": -1,
                "max_bytes": 64 << 20, "max_msg_size": 64 << 10,
                "duplicate_window": 120_000_000_000_u64,
                "allow_rollup_hdrs": false, "allow_direct": true,
            })
        },
    },
];

/// The configuration of an actor's durable consumer of `AUDIT`, as the server's API takes it. It delivers everything:
/// with a filter of several subjects the server looks through all subjects of a block for each message, once a reader
/// is further behind than there are subjects.
#[must_use]
pub fn consumer(of: AuthorId) -> Value {
    let name = of.name();
    json!({
        "name": name, "durable_name": name, "deliver_policy": "all", "ack_policy": "none",
        "replay_policy": "instant", "max_deliver": -1, "max_waiting": 16, "num_replicas": 1,
    })
}

/// The filter whose last message an append of `author` about `task` expects.
#[must_use]
pub fn subtree(author: AuthorId, task: Option<crate::TaskId>) -> String {
    match (author.chain(), task) {
        (Chain::Whole, _) => format!("event.{author}.>"),
        (Chain::PerTask, Some(task)) => format!("event.{author}.{task}.>"),
        (Chain::PerTask, None) => format!("event.{author}.-.>"),
    }
}
