//! A task from the owner's side: signs a contract, submits a playbook, follows it and answers questions.

use bus_schema::{ActionId, Digest, DraftGrant, TaskId};
use contractual::{command::contract::sign, example};
use futures::StreamExt as _;
use gateway::api::Event;

use crate::{Deployment, SOON};

/// A task that has ended.
#[derive(Debug)]
pub struct Ran {
    /// Its id.
    pub task: TaskId,
    /// Its events.
    pub events: Vec<Event>,
}

impl Ran {
    /// Its outcome: `succeeded`, `failed`, or `rejected`.
    #[must_use]
    pub fn outcome(&self) -> &str {
        let last = self
            .events
            .last()
            .map(|event| &event.body["fact"]["outcome"]);
        last.and_then(|outcome| outcome.as_str())
            .unwrap_or("rejected")
    }
    /// The number of its events of a kind.
    #[must_use]
    pub fn count(&self, kind: &str) -> usize {
        self.events
            .iter()
            .filter(|event| event.kind == kind)
            .count()
    }
    /// The outcomes of its finished actions, in order.
    #[must_use]
    pub fn outcomes(&self) -> Vec<&str> {
        let finished = self
            .events
            .iter()
            .filter(|event| event.kind == "action.finished");
        finished
            .filter_map(|event| event.body["fact"]["outcome"].as_str())
            .collect()
    }
}

/// The example's contract.
#[must_use]
pub const fn contract() -> &'static str {
    example::CONTRACT
}

/// The example's playbook.
#[must_use]
pub const fn playbook() -> &'static str {
    example::PLAYBOOK
}

impl Deployment {
    /// The owner's client of the gateway.
    ///
    /// # Panics
    /// Panics if its key cannot be read.
    #[must_use]
    pub fn gateway(&self) -> gateway::client::Client {
        contractual::client(&self.opened()).unwrap()
    }

    /// Signs a contract (TOML) with the owner's key.
    ///
    /// # Panics
    /// Panics if it is invalid or not stored.
    pub async fn sign(&self, text: &str) -> Digest {
        let digest = Digest::of(&[text.as_bytes()]);
        let file = self.scratch().join(format!("{digest}.toml"));
        std::fs::write(&file, text).unwrap();
        let signed = sign::sign(&self.opened(), &file).await;
        signed
            .unwrap_or_else(|error| panic!("{}", actor::chain(&error)))
            .contract
    }

    /// Submits a playbook (TOML) under a signed contract.
    ///
    /// # Panics
    /// Panics if the gateway refuses it.
    pub async fn submit(&self, contract: Digest, playbook: &str) -> TaskId {
        let submitted = self.gateway().submit(contract, playbook.as_bytes()).await;
        submitted
            .unwrap_or_else(|error| panic!("{}", actor::chain(&error)))
            .task
    }

    /// Follows a task to its end; approves every question if `approve`.
    ///
    /// # Panics
    /// Panics if it does not end in time.
    pub async fn follow(&self, task: TaskId, approve: bool) -> Ran {
        let gateway = self.gateway();
        let mut events = Vec::new();
        let over = async {
            let mut coming = std::pin::pin!(gateway.follow(task));
            while let Some(event) = coming.next().await {
                let event = event.unwrap_or_else(|error| panic!("{}", actor::chain(&error)));
                if approve && event.kind == "approval.requested" {
                    let draft = event.body["fact"]["draft"].clone();
                    let draft: DraftGrant = serde_json::from_value(draft).unwrap();
                    self.approve(&draft).await;
                }
                events.push(event);
            }
        };
        if tokio::time::timeout(SOON * 2, over).await.is_err() {
            let kinds: Vec<_> = events.iter().map(|event| event.kind.as_str()).collect();
            panic!("the task does not end: {kinds:?} {:?}", events.last());
        }
        Ran { task, events }
    }

    /// Signs and submits an approval of a draft.
    ///
    /// # Panics
    /// Panics if the gateway refuses it.
    pub async fn approve(&self, draft: &DraftGrant) -> ActionId {
        let carried = self.gateway().approve(draft, true).await;
        carried.unwrap_or_else(|error| panic!("{}", actor::chain(&error)));
        draft.action
    }

    /// Signs the example's contract, runs its playbook and approves its question.
    ///
    /// # Panics
    /// Panics if the task does not end in time.
    pub async fn run_demo_task(&self) -> Ran {
        let contract = self.sign(contract()).await;
        let task = self.submit(contract, playbook()).await;
        self.follow(task, true).await
    }
}
