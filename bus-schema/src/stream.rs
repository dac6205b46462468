//! The streams and consumers, as `contractual provision` creates them and `nats/streams.json` shows them.

use serde_json::{Value, json};

use crate::{AuthorId, Chain, EVENT_BYTES_MAX};

/// The append-only stream of every fact.
pub const AUDIT: &str = "AUDIT";
/// The erasable bytes that facts name.
pub const BLOBS: &str = "BLOBS";
/// Messages from outside that may start a job.
pub const TRIGGERS: &str = "TRIGGERS";

/// Where identities ask the JetStream API of the account of the streams. An account without JetStream answers on `$JS.API`
/// itself.
pub const API: &str = "$JS.BUS.API";
/// Who may have a copy of `AUDIT` in the own account.
pub const COPIER: &str = "audit-reader";
/// Where the server delivers what is copied.
pub const COPY_DELIVERED: &str = "copy.audit-reader.AUDIT";
/// How long a pull waits for its first message, in seconds.
pub const PULL_SECONDS: u8 = 5;
/// How long the answers to a pull find their way. A pull that waits longer loses what comes later.
pub const PULL_ANSWERS_SECONDS: u8 = 12;

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
                "name": AUDIT, "subjects": ["event.*.*.*", "event.*.*.*.*"],
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
                "allow_rollup_hdrs": false, "allow_direct": true, "allow_atomic": true,
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

/// The configuration of the consumer that a copy of `AUDIT` is made through.
#[must_use]
pub fn copy_consumer() -> Value {
    json!({
        "name": COPIER, "durable_name": COPIER, "deliver_policy": "all", "ack_policy": "flow_control",
        "replay_policy": "instant", "max_deliver": -1, "num_replicas": 1, "max_ack_pending": 1000,
        "deliver_subject": COPY_DELIVERED, "flow_control": true, "idle_heartbeat": 1_000_000_000_u64,
    })
}

/// The configuration of a copy of `AUDIT` in the account of [`COPIER`]. It can be made anew, so it need not survive a
/// power cut.
#[must_use]
pub fn copy() -> Value {
    json!({
        "name": AUDIT, "storage": "file", "compression": "s2", "num_replicas": 1, "persist_mode": "async",
        "retention": "limits", "discard": "old", "max_age": 0, "max_msgs": -1, "max_bytes": 8_i64 << 30,
        "allow_direct": true,
        "mirror": {
            "name": AUDIT,
            "external": { "api": API, "deliver": "" },
            "consumer": { "name": COPIER, "deliver_subject": COPY_DELIVERED },
        },
    })
}

/// The subjects of everything that `author` may say.
#[must_use]
pub fn family(author: AuthorId) -> String {
    match author.chain() {
        Chain::Whole => format!("event.{author}.*.*"),
        Chain::PerTask => format!("event.{author}.*.*.*"),
    }
}

/// The filter whose last message an append of `author` about `task` expects.
#[must_use]
pub fn subtree(author: AuthorId, task: Option<crate::TaskId>) -> String {
    match (author.chain(), task) {
        (Chain::Whole, _) => family(author),
        (Chain::PerTask, Some(task)) => format!("event.{author}.{task}.*.*"),
        (Chain::PerTask, None) => format!("event.{author}.-.*.*"),
    }
}
