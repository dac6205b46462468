//! Two instances of one service, with the same keys and the same consumer: only one acts.

use std::{collections::BTreeSet, time::Duration};

use bus_schema::{ACTORS, AuthorId, Digest, Draft, Policy};
use harness::{Deployment, eventually};

use crate::{
    by_hand::{ByHand, fresh, stored},
    scene::{LIST, MAY_LIST, contract, kinds, playbook, until},
};

/// The number of calls that the contract allows.
const CALLS: usize = 10;
/// The number of calls that the task proposes.
const PROPOSALS: usize = 100;

/// Writes files, signs a contract that allows so many reads, and returns the steps that list the files and propose to
/// read each.
async fn reads_of(deployment: &Deployment, files: usize, calls: usize) -> (Digest, String) {
    for n in 0..files {
        let file = deployment.workspace().join(format!("a-{n:03}.txt"));
        std::fs::write(file, "text").expect("the workspace can be written");
    }
    let rule = format!(
        "{MAY_LIST}\n[[allow]]\nname = \"read\"\ntool = \"file.read\"\n\
         where.path = {{ path = \"a-*.txt\" }}\ncalls = {calls}\n"
    );
    let steps = format!(
        "{}\n[[step]]\nid = \"read\"\nfor_each = \"{{list.files}}\"\nparallel = true\n\
         tool = \"file.read\"\nargs = {{ path = \"{{item.path}}\" }}\non_refusal = \"continue\"\n\
         on_failure = \"continue\"\non_unknown = \"continue\"\n",
        LIST.replace("*.txt", "a-*.txt")
    );
    (deployment.sign(&contract("ten", &rule)).await, steps)
}

#[tokio::test]
async fn two_policies_and_two_runners_grant_and_run_exactly_what_the_contract_allows() {
    let deployment = Deployment::provisioned().await;
    let policy = deployment.launch_twin(AuthorId::Policy);
    let runner = deployment.launch_twin(AuthorId::Runner);
    for author in ACTORS {
        deployment.launch(*author);
    }
    deployment.ready(AuthorId::Gateway.name()).await;
    let (signed, steps) = reads_of(&deployment, PROPOSALS, CALLS).await;
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
    let twice = [AuthorId::Policy, AuthorId::Runner, AuthorId::Worker];
    for author in twice {
        let twin = deployment.launch_twin(author);
        deployment.logged(&twin, &["stands by"]).await;
    }
    assert_eq!(deployment.run_demo_task().await.outcome(), "succeeded");
    for author in twice {
        assert!(deployment.kill(author));
    }
    let ran = deployment.run_demo_task().await;
    assert_eq!(ran.outcome(), "succeeded");
    assert_eq!(ran.count("action.granted"), ran.count("action.finished"));
}

/// The timeout of a question: longer than the server keeps the consumer position of the first instance.
const ASK: &str = "[[ask]]\nname = \"list\"\ntool = \"file.list\"\nwhere.path = \".\"\n\
                   reason = \"A test.\"\nexpires = \"45s\"\n";
/// The timeout of the takeover.
const LAPSE: Duration = Duration::from_secs(90);

/// The first instance is suspended, and the second one takes over and answers; then the first one continues from its
/// old state, with the same answer.
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

/// The most proposals that a worker has open at once.
const OPEN: usize = 16;

/// The attack that the compare-and-set prevents: two policies with the same record each grant the one call that the
/// contract allows, and both grants are valid events.
#[tokio::test]
async fn two_policies_without_the_compare_and_set_grant_twice_what_the_contract_allows() {
    let deployment = Deployment::running().await;
    let (signed, steps) = reads_of(&deployment, OPEN, 1).await;
    // The proposals arrive while no policy runs.
    deployment.freeze("runner", true);
    deployment.submit(signed, &playbook(&steps)).await;
    until(&deployment, "action.granted", 1).await;
    assert!(deployment.kill(AuthorId::Policy));
    deployment.freeze("runner", false);
    until(&deployment, "action.proposed", 1 + OPEN).await;
    let known = stored(&deployment).await;
    let mut policies = [(); 3].map(|()| ByHand::new(&deployment));
    for policy in &mut policies {
        for one in &known {
            policy.read(one).unwrap();
        }
    }
    let [mut first, mut second, mut weak] = policies;
    let stolen = deployment.steal::<Policy>().await;
    let granted = async || deployment.record().await.count("action.granted");
    let fences = async |draft: &Draft<Policy>| assert!(stolen.say(draft).await > 0);
    let all = first.say(fresh(&known), fences).await;
    assert!(all.contains(&"action.granted"), "{all:?}");
    assert_eq!(granted().await, 1 + 1);
    let last = second.verifier.subtree(AuthorId::Policy, None);
    let fenced = async |draft: &Draft<Policy>| {
        let (event, subtree, _) = stolen.sign(draft).await;
        let ack = stolen.client.publish(&event, Some((&subtree, last))).await;
        assert_eq!(ack.unwrap().stored(), Err(10_071));
    };
    assert_eq!(second.say(fresh(&known), fenced).await, all);
    let now = stored(&deployment).await;
    for one in &now[known.len()..] {
        second.read(one).unwrap();
    }
    let again = second.wants(fresh(&now)).await;
    assert!(!again.contains(&"action.granted"), "{again:?}");
    let blindly = async |draft: &Draft<Policy>| {
        assert!(stolen.say_blindly(draft).await.stored().is_ok());
    };
    assert_eq!(weak.say(fresh(&known), blindly).await, all);
    assert_eq!(granted().await, 1 + 2);
}
