//! The streams and consumers, as `contractual provision` creates them and `nats/streams.json` shows them.

use serde_json::{Value, json};

use crate::{AuthorId, Chain, EVENT_BYTES_MAX};

/// The append-only stream of every fact.
pub const AUDIT: &str = "AUDIT";
/// The erasable bytes that facts name.
pub const BLOBS: &str = "BLOBS";
/// Messages from outside that may start a job.
pub const TRIGGERS: &str = "TRIGGERS";
/// The timers that wake the scheduler, its only writer and its only reader. They carry no authority.
pub const TIMERS: &str = "TIMERS";

/// The prefix under which identities call the JetStream API of the account of the streams. An account without
/// JetStream answers on `$JS.API` itself.
pub const API: &str = "$JS.BUS.API";
/// The identity that may have a copy of `AUDIT` in its own account.
pub const COPIER: &str = "audit-reader";
/// The subject to which the server delivers copied messages.
pub const COPY_DELIVERED: &str = "copy.audit-reader.AUDIT";
/// The time that a pull waits for its first message, in seconds.
pub const PULL_SECONDS: u8 = 5;
/// The time in which answers to a pull are routed, in seconds. A pull that waits longer loses later answers.
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

/// All streams.
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
                // The first message under a digest is the only one: stored bytes are never replaced.
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
    StreamSpec {
        name: TIMERS,
        config: || {
            json!({
                "name": TIMERS, "subjects": ["timer.*", "due.*"],
                "storage": "file", "compression": "s2", "num_replicas": 1,
                // The server allows schedules only with `discard: old`, and with rollups: one timer for each subject.
                "retention": "workqueue", "discard": "old", "max_age": 0, "max_msgs": -1,
                "max_bytes": 512 << 20, "max_msg_size": 1 << 10,
                "duplicate_window": 120_000_000_000_u64,
                "allow_msg_schedules": true, "allow_rollup_hdrs": true,
            })
        },
    },
];

/// The subject of the one timer of a job; another message there replaces it.
#[must_use]
pub fn timer(job: &crate::JobName) -> String {
    format!("timer.{job}")
}

/// The subject of the messages of a webhook.
#[must_use]
pub fn hook(name: &crate::JobName) -> String {
    format!("trigger.hook.{name}")
}

/// The subject under which the server stores that the timer of a job has fired.
#[must_use]
pub fn due(job: &crate::JobName) -> String {
    format!("due.{job}")
}

/// The configuration of the scheduler's consumer of fired timers; what it acknowledges is removed from `TIMERS`.
#[must_use]
pub fn timers_consumer() -> Value {
    let name = AuthorId::Scheduler.name();
    json!({
        "name": name, "durable_name": name, "deliver_policy": "all", "ack_policy": "explicit",
        "replay_policy": "instant", "max_deliver": -1, "max_waiting": 16, "num_replicas": 1,
        "filter_subjects": ["due.*"], "ack_wait": 10_000_000_000_u64, "max_ack_pending": 1000,
    })
}

/// The configuration of the scheduler's consumer of triggers.
#[must_use]
pub fn triggers_consumer() -> Value {
    let name = AuthorId::Scheduler.name();
    json!({
        "name": name, "durable_name": name, "deliver_policy": "all", "ack_policy": "explicit",
        "replay_policy": "instant", "max_deliver": -1, "max_waiting": 16, "num_replicas": 1,
        "ack_wait": 10_000_000_000_u64, "max_ack_pending": 256,
    })
}

/// The configuration of an actor's durable consumer of `AUDIT`, as the server's API takes it. It has no filter: with
/// several filter subjects the server searches all subjects of a block for each message, once a reader is further
/// behind than the number of subjects.
#[must_use]
pub fn consumer(of: AuthorId) -> Value {
    let name = of.name();
    json!({
        "name": name, "durable_name": name, "deliver_policy": "all", "ack_policy": "none",
        "replay_policy": "instant", "max_deliver": -1, "max_waiting": 16, "num_replicas": 1,
    })
}

/// The configuration of the consumer that feeds a copy of `AUDIT`.
#[must_use]
pub fn copy_consumer() -> Value {
    json!({
        "name": COPIER, "durable_name": COPIER, "deliver_policy": "all", "ack_policy": "flow_control",
        "replay_policy": "instant", "max_deliver": -1, "num_replicas": 1, "max_ack_pending": 1000,
        "deliver_subject": COPY_DELIVERED, "flow_control": true, "idle_heartbeat": 1_000_000_000_u64,
    })
}

/// The configuration of a copy of `AUDIT` in the account of [`COPIER`]. It can be rebuilt, so it may be lost in a
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

/// The subjects of all events of `author`.
#[must_use]
pub fn family(author: AuthorId) -> String {
    match author.chain() {
        Chain::Whole => format!("event.{author}.*.*"),
        Chain::PerTask => format!("event.{author}.*.*.*"),
    }
}

/// The subject filter of the compare-and-set for an append of `author` about `task`.
#[must_use]
pub fn subtree(author: AuthorId, task: Option<crate::TaskId>) -> String {
    match (author.chain(), task) {
        (Chain::Whole, _) => family(author),
        (Chain::PerTask, Some(task)) => format!("event.{author}.{task}.*.*"),
        (Chain::PerTask, None) => format!("event.{author}.-.*.*"),
    }
}
