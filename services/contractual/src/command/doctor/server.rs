//! Checks of the server: its streams, their fill level, and floods.

use std::{collections::BTreeMap, time::Duration};

use actor::BusClient;
use bus_schema::{
    ACTORS, AUDIT, STREAMS,
    account::{WATCHER, users},
};
use deployment::{
    Deployment,
    watch::{self, Watcher},
};
use serde_json::{Value, json};

use super::{
    finding::{Fault, Findings},
    junk::nkey_of,
};
use crate::command::up;

/// The fix for a stream that fills up: nothing is ever deleted from the record.
const ANOTHER: &str = "make a new deployment with `contractual init` and move to it before this one is full; this record \
                       stays provable with `contractual audit verify --offline`";
/// Messages a second that no identity sends in normal work.
const FLOOD: u64 = 3_000;
/// The time between two counts of messages.
const LOOK: Duration = Duration::from_millis(500);

pub(super) async fn streams(findings: &mut Findings, deployment: &Deployment) {
    // The user that sees all streams may be offline.
    let (user, only) = if deployment.dir.of("provision").exists() {
        ("provision", None)
    } else {
        ("audit-reader", Some(AUDIT))
    };
    let asked = async {
        let bus = deployment.bus_as(user).await?;
        let mut seen = Vec::new();
        let seen_by = STREAMS
            .iter()
            .filter(|stream| only.is_none_or(|only| only == stream.name));
        for stream in seen_by {
            let info = bus
                .api(&format!("STREAM.INFO.{}", stream.name), &json!({}))
                .await?;
            let of = |group: &str, field: &str| {
                info.pointer(&format!("/{group}/{field}"))
                    .and_then(Value::as_u64)
                    .unwrap_or(0)
            };
            let percent = of("state", "bytes") * 100 / of("config", "max_bytes").max(1);
            seen.push((stream.name, of("state", "messages"), percent));
        }
        // The reader of the copy sees no consumer of the record.
        let consumers = ACTORS.iter().filter(|_| only.is_none());
        for author in consumers {
            let consumer = format!("CONSUMER.INFO.{AUDIT}.{author}");
            bus.api(&consumer, &json!({})).await?;
        }
        Ok::<_, deployment::Error>(seen)
    };
    match asked.await {
        Err(error) => {
            let fix = "read nats-server's log; `contractual provision` makes missing streams and consumers";
            findings.note("streams", Err(Fault::of(&error, fix)));
        }
        Ok(streams) => {
            for (name, messages, percent) in streams {
                let text = format!("{messages} messages, {percent} % full");
                let seen = match percent {
                    0..50 => Ok(text),
                    50..80 => Err(Fault::new(text, ANOTHER)),
                    _ => Err(Fault::new(
                        format!("{text}; at 100 % nothing more is stored"),
                        ANOTHER,
                    )),
                };
                findings.note(format!("stream {name}"), seen);
            }
            if only.is_some() {
                let said = "not checked: provision is offline".to_owned();
                findings.note("other streams", Ok(said));
            }
        }
    }
}

/// Checks the server's own account of its health and of its sync to disk.
pub(super) async fn own_account(findings: &mut Findings, deployment: &Deployment) {
    let asked = async {
        let Some(watcher) = Watcher::connect(deployment).await? else {
            return Ok(None);
        };
        Ok::<_, deployment::Error>(Some(watcher.complaint().await?))
    };
    let store = deployment.dir.nats();
    let seen = match asked.await {
        Err(error) => Err(Fault::of(&error, "read nats-server's log")),
        Ok(None) => Ok(format!("not checked: {WATCHER} is offline")),
        Ok(Some(None)) => Ok("it stores messages".to_owned()),
        Ok(Some(Some(complaint))) => {
            let fix = format!(
                "make sure that {} has free space; `contractual up` then restarts nats-server within {} s, and if \
                 something else started it, restart it yourself",
                store.display(),
                up::RESTARTS_WITHIN.as_secs()
            );
            Err(Fault::new(complaint, fix))
        }
    };
    findings.note("server's health", seen);
    let seen = match watch::same_sync(deployment).await {
        Ok(Some(sync)) => Ok(format!("{sync}, as configured")),
        Ok(None) => Ok(format!("not checked: {WATCHER} is offline")),
        Err(error) => Err(Fault::of(&error, "restart nats-server, or read its log")),
    };
    findings.note("sync to disk", seen);
}

/// Checks that no identity floods the server with messages.
pub(super) async fn floods(findings: &mut Findings, deployment: &Deployment) {
    let Deployment { dir, clock, .. } = deployment;
    if !dir.of(WATCHER).exists() {
        let said = format!("not checked: {WATCHER} is offline");
        findings.note("floods", Ok(said));
        return;
    }
    let asked = async {
        let watcher = deployment.bus_as(WATCHER).await?;
        let (before, began) = (sent(&watcher).await?, clock.elapsed());
        tokio::time::sleep(LOOK).await;
        let (after, took) = (sent(&watcher).await?, clock.elapsed().saturating_sub(began));
        let ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX).max(1);
        let rates = after.into_iter().map(|(account, count)| {
            // The count of an account that reconnected starts at 0.
            let before = before.get(&account).filter(|before| **before <= count);
            let new = count - before.copied().unwrap_or(0);
            (name_of(account), new.saturating_mul(1000) / ms)
        });
        let mut rates: Vec<_> = rates.collect();
        rates.sort_by_key(|(_, rate)| std::cmp::Reverse(*rate));
        Ok::<_, deployment::Error>(rates)
    };
    let seen = match asked.await {
        Err(error) => Err(Fault::of(&error, "read nats-server's log")),
        Ok(rates) if rates.first().is_none_or(|(_, rate)| *rate < FLOOD) => {
            let busiest = rates.first().map(|(name, rate)| format!("{name}, {rate}"));
            let busiest = busiest.unwrap_or_else(|| "nobody".to_owned());
            Ok(format!("none; the busiest is {busiest} messages a second"))
        }
        Ok(rates) => {
            let floods: Vec<_> = rates.iter().filter(|(_, rate)| *rate >= FLOOD).collect();
            let each = floods
                .iter()
                .map(|(name, rate)| format!("{name} sends {rate} messages a second"));
            let keys: Vec<_> = floods.iter().map(|(name, _)| nkey_of(dir, name)).collect();
            let fix = format!(
                "stop it and read its log; if its key may be stolen, delete {}, run `contractual init` and send \
                 nats-server SIGHUP",
                keys.join(", ")
            );
            Err(Fault::new(each.collect::<Vec<_>>().join("; "), fix))
        }
    };
    findings.note("floods", seen);
}

/// The name of the user that has an account.
fn name_of(account: String) -> String {
    let user = users().into_iter().find(|user| user.account() == account);
    user.map_or(account, |user| user.name.to_owned())
}

/// The number of messages that each account sent over its present connections.
async fn sent(watcher: &BusClient) -> Result<BTreeMap<String, u64>, actor::Error> {
    let answer = watcher
        .ask_server("server.connz", &json!({"auth": true, "limit": 4096}))
        .await?;
    let connections = answer
        .pointer("/data/connections")
        .and_then(Value::as_array);
    let mut sent = BTreeMap::new();
    for one in connections.into_iter().flatten() {
        let account = one
            .get("account")
            .and_then(Value::as_str)
            .unwrap_or_default();
        let count = one.get("in_msgs").and_then(Value::as_u64).unwrap_or(0);
        *sent.entry(account.to_owned()).or_default() += count;
    }
    Ok(sent)
}
