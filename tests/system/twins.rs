//! Two instances of one service at once, with the same keys and the same consumer: one acts, whatever happens.

use std::{collections::BTreeSet, time::Duration};

use bus_schema::{ACTORS, AuthorId, Draft, Runner, ServiceStarted};
use harness::{Deployment, eventually};

use crate::scene::{LIST, MAY_LIST, contract, kinds, playbook, until};

/// What the contract allows.
const CALLS: usize = 10;
/// What the task proposes.
const PROPOSALS: usize = 100;

#[tokio::test]
async fn two_policies_and_two_runners_grant_and_run_exactly_what_the_contract_allows() {
    let deployment = Deployment::provisioned().await;
    for n in 0..PROPOSALS {
        let file = deployment.workspace().join(format!("a-{n:03}.txt"));
        std::fs::write(file, "text").unwrap();
    }
    let policy = deployment.launch_twin(AuthorId::Policy);
    let runner = deployment.launch_twin(AuthorId::Runner);
    for author in ACTORS {
        deployment.launch(*author);
    }
    let rule = format!(
        "{MAY_LIST}\n[[allow]]\nname = \"read\"\ntool = \"file.read\"\n\
         where.path = {{ path = \"a-*.txt\" }}\ncalls = {CALLS}\n"
    );
    deployment.ready(AuthorId::Gateway.name()).await;
    let signed = deployment.sign(&contract("ten", &rule)).await;
    let steps = format!(
        "{}\n[[step]]\nid = \"read\"\nfor_each = \"{{list.files}}\"\nparallel = true\n\
         tool = \"file.read\"\nargs = {{ path = \"{{item.path}}\" }}\non_refusal = \"continue\"\n\
         on_failure = \"continue\"\non_unknown = \"continue\"\n",
        LIST.replace("*.txt", "a-*.txt")
    );
    let task = deployment.submit(signed, &playbook(&steps)).await;
    let ran = deployment.follow(task, false).await;
    let record = deployment.record().await;
    assert_eq!(ran.outcome(), "succeeded", "{}", kinds(&record));
    assert_eq!(record.count("action.proposed"), 1 + PROPOSALS);
    assert_eq!(record.count("action.granted"), 1 + CALLS);
    assert_eq!(record.count("action.refused"), PROPOSALS - CALLS);
    let once =
        |kind: &str| -> BTreeSet<_> { record.of(kind).filter_map(|one| one.action()).collect() };
    for kind in ["action.granted", "action.started", "action.finished"] {
        assert_eq!(record.count(kind), 1 + CALLS, "{kind}");
        assert_eq!(once(kind).len(), 1 + CALLS, "{kind}");
    }
    assert_eq!(once("action.granted"), once("action.finished"));
    for name in [policy, runner] {
        assert!(deployment.pid(&name).is_some());
        assert!(
            !deployment.log(&name).contains("\"level\":\"ERROR\""),
            "{}",
            deployment.log(&name)
        );
    }
}

#[tokio::test]
async fn second_instance_takes_over_when_the_first_is_killed() {
    let deployment = Deployment::running().await;
    for author in [AuthorId::Policy, AuthorId::Runner] {
        let twin = deployment.launch_twin(author);
        deployment.logged(&twin, &["stands by"]).await;
    }
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    for author in [AuthorId::Policy, AuthorId::Runner] {
        assert!(deployment.kill(author));
    }
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    assert_eq!(ran.count("action.granted"), ran.count("action.finished"));
}

/// A question that a person has this long to answer: longer than the server keeps the first one's place.
const ASK: &str = "[[ask]]\nname = \"list\"\ntool = \"file.list\"\nwhere.path = \".\"\n\
                   reason = \"A test.\"\nexpires = \"45s\"\n";
/// How long that may take.
const LAPSE: Duration = Duration::from_secs(90);

/// The first one stands still, and the second one takes over and answers for it; then the first one goes on from
/// what it knew, with the same answer to give.
#[tokio::test]
async fn one_that_stood_still_while_the_other_took_over_says_nothing_of_what_it_knew() {
    let deployment = Deployment::running().await;
    let twin = deployment.launch_twin(AuthorId::Policy);
    deployment.logged(&twin, &["stands by"]).await;
    let signed = deployment.sign(&contract("asks", ASK)).await;
    let step = format!("{LIST}on_refusal = \"continue\"\n");
    let task = deployment.submit(signed, &playbook(&step)).await;
    until(&deployment, "approval.requested", 1).await;
    deployment.freeze("policy", true);
    eventually(LAPSE, async || {
        let record = deployment.record().await;
        let refused = record.count("action.refused");
        if refused == 1 {
            Ok(())
        } else {
            Err(kinds(&record))
        }
    })
    .await;
    deployment.freeze("policy", false);
    deployment.logged("policy", &["stands by"]).await;
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.count("action.refused"), 1);
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    let record = deployment.record().await;
    let junk: Vec<_> = record.junk().collect();
    assert!(junk.is_empty(), "{junk:?}");
}

/// What the compare-and-set prevents: two instances that know the same record say two things about it.
#[tokio::test]
async fn two_instances_without_the_compare_and_set_both_speak() {
    let deployment = Deployment::provisioned().await;
    let (one, other) = (
        deployment.steal::<Runner>().await,
        deployment.steal::<Runner>().await,
    );
    let fact = ServiceStarted {
        version: actor::version(),
        hardening: actor::hardening::measure(),
    };
    let draft = Draft::of(bus_schema::Deployment, fact);
    let (first, subtree, last) = one.sign(&draft).await;
    let (second, _, _) = other.sign(&draft).await;
    assert!(
        one.client
            .publish(&first, Some((&subtree, last)))
            .await
            .unwrap()
            .stored()
            .is_ok()
    );
    let fenced = other.client.publish(&second, Some((&subtree, last))).await;
    assert_eq!(fenced.unwrap().stored(), Err(10_071));
    assert!(
        other
            .client
            .publish(&second, None)
            .await
            .unwrap()
            .stored()
            .is_ok()
    );
}
