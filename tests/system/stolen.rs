//! A stolen policy key: the runner executes only grants within the owner's contract.

use bus_schema::{
    ActionGranted, ActionId, ActionProposed, ActionStarted, ApprovalStatement, Asked, AuthorId,
    Counts, Digest, Draft, DraftGrant, Envelope, Grant, Policy, RefusalCode, Runner, Sealed,
    Signed, Statement, TaskId, Worker, public_key,
};
use harness::{Deployment, SOON, Stolen, eventually};

use crate::scene::{contract, kinds};

/// The thief's identities: policy's, and the worker's to store arguments.
struct Theft<'a> {
    deployment: &'a Deployment,
    policy: Stolen<'a, Policy>,
    worker: Stolen<'a, Worker>,
    task: TaskId,
    contract: Digest,
    envelope: Envelope,
}

impl<'a> Theft<'a> {
    /// A task that the owner signed, and a policy that is stopped.
    async fn new(deployment: &'a Deployment) -> Self {
        Self::under(deployment, harness::contract()).await
    }

    /// The same under this contract (TOML).
    async fn under(deployment: &'a Deployment, contract: &str) -> Self {
        let contract = deployment.sign(contract).await;
        deployment.stop(AuthorId::Policy).await;
        deployment.stop(AuthorId::Worker).await;
        let task = deployment.submit(contract, harness::playbook()).await;
        let record = deployment.record().await;
        let signed = record.of("contract.signed").next().unwrap();
        let envelope = serde_json::from_value(signed.fact["envelope"].clone()).unwrap();
        Self {
            deployment,
            policy: deployment.steal().await,
            worker: deployment.steal().await,
            task,
            contract,
            envelope,
        }
    }

    /// A draft inside the envelope, if the tool is in it.
    async fn draft(&self, tool: &str, args: &str) -> DraftGrant {
        let clock = self.deployment.clock();
        let args = Sealed::new(clock.salt(), args.as_bytes()).unwrap();
        let content = args.content();
        let action = ActionId::new(clock.uuid());
        let proposed = ActionProposed {
            action,
            step: "step".parse().unwrap(),
            index: 0,
            item: 0,
            items: 1,
            attempt: 1,
            tool: tool.parse().unwrap(),
            args: content,
        };
        self.worker
            .put(&Draft::of(self.task, proposed).with(args))
            .await;
        let named = self
            .envelope
            .tools
            .iter()
            .find(|named| named.name.as_str() == tool);
        let tool_digest = named.or(self.envelope.tools.first()).unwrap().digest;
        DraftGrant {
            deployment: self.deployment.id(),
            task: self.task,
            action,
            contract: self.contract,
            rule: "stolen".parse().unwrap(),
            tool: tool.parse().unwrap(),
            tool_digest,
            args: content,
            args_by: AuthorId::Worker,
            audience: AuthorId::Runner,
            ttl_ms: 30_000,
            wall_ms: 1_000,
            output_bytes_max: 4_096,
            secrets: Vec::new(),
            counts: Counts::default(),
            determined: false,
            asked: None,
        }
    }

    fn asking(&self, whom: AuthorId, mut draft: DraftGrant) -> DraftGrant {
        draft.asked = Some(Asked {
            approvers: vec![public_key(&self.deployment.signing_key(whom))],
            quorum: 1,
            until: self.deployment.clock().wall().plus_ms(600_000),
            escalation: None,
            attended: false,
            verified: false,
        });
        draft
    }

    async fn list(&self) -> DraftGrant {
        self.draft("file.list", r#"{"path":"."}"#).await
    }

    async fn write(&self, text: &str) -> DraftGrant {
        let args = format!(r#"{{"path":"report.md","text":"{text}"}}"#);
        self.asking(AuthorId::Owner, self.draft("file.write", &args).await)
    }

    /// Appends a grant of the draft with policy's key.
    async fn grant(&self, draft: DraftGrant, approval: Option<Signed>) -> ActionId {
        let action = draft.action;
        let approvals = approval.into_iter().collect();
        let grant = Grant { draft, approvals };
        let task = grant.draft.task;
        self.policy
            .say(&Draft::of(task, ActionGranted { grant }))
            .await;
        action
    }

    /// Waits for the runner: it claims the action, or declines with a code.
    async fn verdict(&self, action: ActionId) -> Result<(), RefusalCode> {
        eventually(SOON, async || {
            let record = self.deployment.record().await;
            let of = |kind: &str| {
                record
                    .of(kind)
                    .find(|one| one.action() == Some(action))
                    .cloned()
            };
            if let Some(declined) = of("action.declined") {
                assert!(of("action.started").is_none());
                return Ok(Err(
                    serde_json::from_value(declined.fact["code"].clone()).unwrap()
                ));
            }
            match of("action.finished") {
                Some(_) => Ok(Ok(())),
                None => Err(kinds(&record)),
            }
        })
        .await
    }

    async fn granted(&self, draft: DraftGrant) -> Result<(), RefusalCode> {
        let action = self.grant(draft, None).await;
        self.verdict(action).await
    }
}

/// A change that moves a draft out of the envelope.
type Change = Box<dyn Fn(&mut DraftGrant)>;

/// An approval of exactly this draft.
fn yes(draft: &DraftGrant, deployment: &Deployment, by: AuthorId) -> Signed {
    let said = Statement::Approval(ApprovalStatement {
        deployment: draft.deployment,
        task: draft.task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: deployment.clock().wall(),
    });
    Signed::new(&said, &deployment.signing_key(by))
}

#[tokio::test]
async fn grants_outside_the_envelope_are_declined() {
    let deployment = Deployment::running().await;
    let theft = Theft::new(&deployment).await;
    // The attack itself works: inside the envelope a grant of the thief is as valid as policy's.
    assert_eq!(theft.granted(theft.list().await).await, Ok(()));
    let file = "2026-09-nordlicht-paper.txt";
    let delete = theft
        .draft("file.delete", &format!(r#"{{"path":"{file}"}}"#))
        .await;
    assert_eq!(theft.granted(delete).await, Err(RefusalCode::Tool));
    assert!(deployment.workspace().join(file).exists());
    let list = theft.list().await;
    let outside: [(&str, RefusalCode, Change); 8] = [
        (
            "longer than the contract",
            RefusalCode::OutsideEnvelope,
            Box::new(|draft| draft.wall_ms = u32::MAX),
        ),
        (
            "more output",
            RefusalCode::OutsideEnvelope,
            Box::new(|draft| draft.output_bytes_max = u32::MAX),
        ),
        (
            "longer to claim",
            RefusalCode::OutsideEnvelope,
            Box::new(|draft| draft.ttl_ms = 31_000),
        ),
        (
            "a secret",
            RefusalCode::OutsideEnvelope,
            Box::new(|draft| draft.secrets = vec!["key".parse().unwrap()]),
        ),
        (
            "another tool under this name",
            RefusalCode::Tool,
            Box::new(|draft| draft.tool_digest = Digest::ZERO),
        ),
        (
            "a contract that nobody signed",
            RefusalCode::NoContract,
            Box::new(|draft| draft.contract = Digest::ZERO),
        ),
        ("another deployment", RefusalCode::OutsideEnvelope, {
            let other = bus_schema::DeploymentId::new(deployment.clock().uuid());
            Box::new(move |draft| draft.deployment = other)
        }),
        ("a task that nobody signed", RefusalCode::BadStatement, {
            let other = TaskId::new(deployment.clock().uuid());
            Box::new(move |draft| draft.task = other)
        }),
    ];
    for (what, code, change) in outside {
        let mut draft = list.clone();
        draft.action = ActionId::new(deployment.clock().uuid());
        change(&mut draft);
        assert_eq!(theft.granted(draft).await, Err(code), "{what}");
    }
}

/// Only the envelope prevents the attack: if the owner signed one that names the tool without a question, the same
/// grant of the thief runs, against the rule's own condition.
#[tokio::test]
async fn same_grant_is_done_under_a_contract_that_names_its_tool() {
    let deployment = Deployment::running().await;
    let rule = "[[allow]]\nname = \"tidy\"\ntool = \"file.delete\"\nwhere.path = \"nothing.txt\"\n";
    let theft = Theft::under(&deployment, &contract("tidy", rule)).await;
    let file = "2026-09-nordlicht-paper.txt";
    let delete = theft
        .draft("file.delete", &format!(r#"{{"path":"{file}"}}"#))
        .await;
    assert!(deployment.workspace().join(file).exists());
    assert_eq!(theft.granted(delete).await, Ok(()));
    assert!(!deployment.workspace().join(file).exists());
}

/// The attack that the runner's own check prevents: a runner without it claims actions outside the envelope, and all
/// readers accept the claim.
#[tokio::test]
async fn claim_of_a_runner_that_skips_the_envelope_check_is_believed() {
    let deployment = Deployment::running().await;
    let theft = Theft::new(&deployment).await;
    deployment.stop(AuthorId::Runner).await;
    let delete = theft.draft("file.delete", r#"{"path":"a.txt"}"#).await;
    let unasked = DraftGrant {
        asked: None,
        ..theft.write("unasked").await
    };
    let weak = deployment.steal::<Runner>().await;
    for draft in [delete, unasked] {
        let action = theft.grant(draft, None).await;
        weak.say(&Draft::of(theft.task, ActionStarted { action }))
            .await;
    }
    let record = deployment.record().await;
    assert_eq!(record.count("action.started"), 2, "{}", kinds(&record));
    assert_eq!(record.junk().count(), 0);
}

#[tokio::test]
async fn what_a_person_must_approve_does_not_run_without_the_person() {
    let deployment = Deployment::running().await;
    let theft = Theft::new(&deployment).await;
    let report = deployment.workspace().join("report.md");
    assert_eq!(
        theft.granted(theft.write("none").await).await,
        Err(RefusalCode::OutsideEnvelope)
    );
    // Signed with a key that the thief has.
    let draft = theft.write("forged").await;
    let forged = yes(&draft, &deployment, AuthorId::Policy);
    let action = theft.grant(draft, Some(forged)).await;
    assert_eq!(
        theft.verdict(action).await,
        Err(RefusalCode::OutsideEnvelope)
    );
    let draft = theft.asking(AuthorId::Policy, theft.write("own yes").await);
    let own = yes(&draft, &deployment, AuthorId::Policy);
    let action = theft.grant(draft, Some(own)).await;
    assert_eq!(
        theft.verdict(action).await,
        Err(RefusalCode::OutsideEnvelope)
    );
    let mut unasked = theft.write("unasked").await;
    unasked.asked = None;
    assert_eq!(
        theft.granted(unasked).await,
        Err(RefusalCode::OutsideEnvelope)
    );
    // The owner's approval of another draft.
    let (asked, done) = (theft.write("asked").await, theft.write("done").await);
    let approval = yes(&asked, &deployment, AuthorId::Owner);
    let action = theft.grant(done, Some(approval.clone())).await;
    assert_eq!(
        theft.verdict(action).await,
        Err(RefusalCode::OutsideEnvelope)
    );
    assert!(!report.exists());
    // The attack itself works with an approved draft, but only once.
    let action = theft.grant(asked.clone(), Some(approval.clone())).await;
    assert_eq!(theft.verdict(action).await, Ok(()));
    assert_eq!(std::fs::read_to_string(&report).unwrap(), "asked");
    std::fs::remove_file(&report).unwrap();
    theft.grant(asked, Some(approval)).await;
    let after = theft.list().await;
    assert_eq!(theft.granted(after).await, Ok(()));
    assert!(!report.exists());
}

#[tokio::test]
async fn more_calls_than_the_contract_allows_do_not_run() {
    let deployment = Deployment::running().await;
    let theft = Theft::new(&deployment).await;
    let named = theft
        .envelope
        .tools
        .iter()
        .find(|tool| tool.name.as_str() == "file.list");
    let calls = usize::try_from(named.unwrap().calls).unwrap();
    assert_eq!(calls, 10);
    let mut actions = Vec::new();
    for _ in 0..calls + 3 {
        actions.push(theft.grant(theft.list().await, None).await);
    }
    let mut ran = 0;
    for action in actions {
        match theft.verdict(action).await {
            Ok(()) => ran += 1,
            Err(code) => assert_eq!(code, RefusalCode::OutsideEnvelope),
        }
    }
    assert_eq!(ran, calls);
}
