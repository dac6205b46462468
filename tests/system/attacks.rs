//! Attacks with one stolen key that accounts prevent: a deleted record, a hidden halt, an old grant stored again.

use async_nats::HeaderMap;
use bus_schema::{
    AUDIT, AuthorId, BLOBS,
    account::{API, OWN_API},
    stream,
};
use harness::{Deployment, SOON, eventually};
use serde_json::{Value, json};

use crate::accounts::{asked, held, place, put};
use crate::scene::{contract, playbook, tools_with_slow_append, until};

/// A running deployment, with an account for each identity or one for all.
async fn running(apart: bool) -> Deployment {
    let deployment = Deployment::with(|choices| choices.catalogue = tools_with_slow_append());
    if !apart {
        deployment.in_one_account();
    }
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    deployment
}

/// An empty answer is the whole request to delete a stream.
#[tokio::test]
async fn reader_deletes_the_record_in_one_account_only() {
    for apart in [true, false] {
        let deployment = running(apart).await;
        let watcher = deployment.client("provision").await;
        let there = async || {
            let info = asked(&watcher, &format!("STREAM.INFO.{AUDIT}"), json!({})).await;
            info.get("error").is_none()
        };
        let reader = deployment.client(stream::COPIER).await;
        let config = json!({"name": "thief", "durable_name": "thief", "ack_policy": "none",
            "deliver_policy": "new"});
        let create = json!({"stream_name": AUDIT, "config": config});
        let made = asked(&reader, &format!("CONSUMER.CREATE.{AUDIT}.thief"), create).await;
        assert!(made.get("error").is_none(), "{made}");
        let next = format!("{OWN_API}.CONSUMER.MSG.NEXT.{AUDIT}.thief");
        let attack = async || {
            for api in [API, OWN_API] {
                let delete = format!("{api}.STREAM.DELETE.{AUDIT}");
                reader
                    .reflect(&next, &delete, br#"{"batch":1,"no_wait":true}"#)
                    .await;
            }
        };
        attack().await;
        reader.refused().await;
        eventually(SOON, async || {
            if there().await == apart {
                return Ok(());
            }
            // The answer was not empty, because a message had just come.
            attack().await;
            Err("not yet")
        })
        .await;
        if apart {
            assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
        }
    }
}

/// The gateway narrows the consumer of the runner, so that the halt never reaches it.
#[tokio::test]
async fn gateway_hides_what_the_runner_reads_in_one_account_only() {
    for apart in [true, false] {
        let deployment = running(apart).await;
        let thief = deployment.client("gateway").await;
        let watcher = deployment.client("provision").await;
        let filter = async || {
            let info = asked(
                &watcher,
                &format!("CONSUMER.INFO.{AUDIT}.runner"),
                json!({}),
            )
            .await;
            info["config"]["filter_subject"].as_str().map(str::to_owned)
        };
        let mut narrow = bus_schema::consumer(AuthorId::Runner);
        narrow["filter_subject"] = json!("event.policy.action.granted");
        let body = json!({"stream_name": AUDIT, "config": narrow}).to_string();
        let place = place("gateway", 7);
        put(&thief, &place, HeaderMap::new(), body.as_bytes()).await;
        let get = format!("{}.DIRECT.GET.{BLOBS}.{place}", thief.api);
        for api in [API, OWN_API] {
            let create = format!("{api}.CONSUMER.CREATE.{AUDIT}.runner");
            thief.reflect(&get, &create, b"").await;
        }
        thief.refused().await;
        eventually(SOON, async || {
            let hidden = filter().await.is_some();
            if hidden == apart { Err(hidden) } else { Ok(()) }
        })
        .await;
        let rule = "[[allow]]\nname = \"append\"\ntool = \"slow.append\"\n";
        let signed = deployment.sign(&contract("append", rule)).await;
        if apart {
            let step =
                "[[step]]\nid = \"append\"\ntool = \"slow.append\"\non_unknown = \"continue\"\n";
            deployment.submit(signed, &playbook(step)).await;
            until(&deployment, "action.started", 1).await;
            assert!(deployment.command(&["halt"]).status.success());
            let record = until(&deployment, "action.finished", 1).await;
            let finished = record.of("action.finished").next().unwrap();
            assert_eq!(finished.fact["outcome"], "killed", "{}", finished.fact);
        }
    }
}

/// The gateway makes the server recreate the stream and store the old signed events again.
#[tokio::test]
async fn gateway_stores_an_old_grant_again_in_one_account_only() {
    for apart in [true, false] {
        let deployment = running(apart).await;
        deployment.run_demo_task().await;
        let record = deployment.record().await;
        let granted = record.of("action.granted").next().unwrap();
        let (seq, subject) = (granted.stored.seq, granted.stored.subject.clone());
        let owner = deployment.client("owner").await;
        let old = owner.message(seq).await;
        let thief = deployment.client("gateway").await;
        let mut headers = HeaderMap::new();
        for name in ["Contractual-Sig", "Contractual-Schema"] {
            let value = old.headers.as_ref().unwrap().get(name).unwrap();
            headers.insert(name, value.as_str());
        }
        let place = place("gateway", 8);
        put(&thief, &place, headers, &old.payload).await;
        let get = format!("{}.DIRECT.GET.{BLOBS}.{place}", thief.api);
        thief.reflect(&get, &subject, b"").await;
        thief.refused().await;
        let watcher = deployment.client("provision").await;
        let grants = record.count("action.granted") + usize::from(!apart);
        eventually(SOON, async || {
            let held = held(&watcher).await;
            match held
                .get(&format!("{AUDIT} {subject}"))
                .and_then(Value::as_u64)
            {
                Some(found) if found == grants as u64 => Ok(()),
                found => Err(format!("{found:?}")),
            }
        })
        .await;
    }
}
