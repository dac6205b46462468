//! One example value of each type on the wire.

mod devices;
mod jobs;
mod secrets;
mod session;

use std::collections::BTreeMap;

use bus_schema::testing::started;
use bus_schema::{
    AccessStatement, ActionDeclined, ActionExpired, ActionFinished, ActionGranted, ActionOutcome,
    ActionProposed, ActionRefused, ActionStarted, ApprovalCarried, ApprovalRefused,
    ApprovalRequested, ApprovalStatement, Ask, Asked, AuthorId, Body, CatalogueSigned,
    CheckpointSigned, Content, ContractActivated, ContractFolders, ContractRejected,
    ContractRevoked, ContractSigned, ContractSuspended, Counts, Digest, DraftGrant, ENVELOPE_V,
    Envelope, EnvelopeTool, Escalated, Event, Grant, HaltLifted, HaltOrdered, Head, Money, Pins,
    PlanStatement, Proof, Prove, PublicKey, RefusalCode, Salt, Scope, Sealed, Signed, Statement,
    StreamAdopted, StreamDoubted, Subject, TaskAdmitted, TaskCancelled, TaskFinished, TaskOutcome,
    TaskRejected, TaskStatement, TaskSubmitted, Usage, public_key, wire,
};

pub(crate) use devices::{endorsed, revoked};
pub(crate) use secrets::{release, renew};

use crate::fixture::{T0, deployment, id, key_of, name, new_key, owner, roster, task};

pub(crate) fn digest(n: u8) -> Digest {
    Digest::new([n; 32])
}

pub(crate) fn content(n: u8) -> Content {
    let sealed = Sealed::new(Salt::new([n; 32]), &vec![n; usize::from(n) * 100]);
    sealed.expect("small").content()
}

pub(crate) fn draft() -> DraftGrant {
    DraftGrant {
        deployment: deployment(),
        task: task(),
        action: id(4),
        contract: digest(5),
        rule: name("allow.2"),
        tool: name("file.write"),
        tool_digest: digest(6),
        args: content(7),
        args_by: AuthorId::Worker,
        audience: AuthorId::Runner,
        ttl_ms: 30_000,
        wall_ms: 10_000,
        output_bytes_max: 65_536,
        secrets: vec![name("smtp.password")],
        counts: Counts {
            tokens: 0,
            bytes_out: 300,
            outward: true,
            spend: Some(Money {
                currency: "EUR".parse().expect("a currency"),
                minor: 20_000,
            }),
            sums: BTreeMap::from([(name("amount"), 2_000_000)]),
        },
        determined: false,
        asked: Some(Asked {
            approvers: vec![owner(), second()],
            quorum: 1,
            until: T0.plus_ms(600_000),
            escalation: Some(Escalated {
                approvers: vec![third()],
                from: T0,
            }),
            attended: true,
            verified: false,
        }),
    }
}

/// An approver whom the contract names beside the owner.
pub(crate) fn second() -> PublicKey {
    public_key(&new_key(AuthorId::Runner))
}

/// An approver who is added when the others did not answer.
pub(crate) fn third() -> PublicKey {
    public_key(&new_key(AuthorId::Worker))
}

pub(crate) fn envelope() -> Envelope {
    Envelope {
        expires: T0.plus_ms(86_400_000),
        tools: vec![EnvelopeTool {
            name: name("file.write"),
            digest: digest(6),
            ask: Ask::Always,
            calls: 3,
        }],
        wall_ms_max: 10_000,
        output_bytes_max: 65_536,
        hosts: vec!["api.example.com".to_owned()],
        networks: Vec::new(),
        secrets: vec![name("smtp.password")],
        approvers: vec![second(), third()],
        folders: ContractFolders::default(),
    }
}

pub(crate) fn pins() -> Pins {
    Pins {
        language: 1,
        policy: name("0.1.0"),
        catalogue: digest(15),
        tools: content(16),
    }
}

pub(crate) fn approval(draft: &DraftGrant) -> ApprovalStatement {
    ApprovalStatement {
        deployment: draft.deployment,
        task: draft.task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: T0,
    }
}

pub(crate) fn signed(statement: Statement) -> Signed {
    Signed::new(&statement, &key_of(AuthorId::Owner))
}

fn task_statement() -> TaskStatement {
    TaskStatement {
        session: None,
        dialogue: None,
        deployment: deployment(),
        task: task(),
        contract: digest(5),
        playbook: content(9),
        slots: None,
        at: T0,
    }
}

pub(crate) fn proposed() -> ActionProposed {
    ActionProposed {
        action: id(4),
        step: name("write-report"),
        index: 3,
        item: 0,
        items: 1,
        attempt: 1,
        tool: name("file.write"),
        args: content(7),
    }
}

/// An encoded example.
pub(crate) struct Example {
    pub(crate) kind: &'static str,
    pub(crate) subject: String,
    pub(crate) schema: String,
    pub(crate) body: Vec<u8>,
    /// True if the bytes decode to the value and it encodes to the same bytes again.
    pub(crate) stable: bool,
}

fn event<E: Event + PartialEq>(scope: E::Scope, fact: E) -> Example {
    let by = *E::BY.first().expect("somebody says it");
    let subject = Subject {
        by,
        task: scope.task(),
        kind: E::KIND,
    }
    .to_string();
    let schema = format!("{}.v{}", E::KIND, E::V);
    let body = Body {
        v: ENVELOPE_V,
        subject: subject.clone(),
        schema: schema.clone(),
        author: by,
        task: scope.task(),
        seq: 2,
        prev: digest(1),
        id: id(10),
        cause: Some(id(11)),
        at: T0,
        fact,
    };
    let bytes = wire::encode(&body);
    let stable = wire::decode::<Body<E>>(&bytes).is_ok_and(|back| back == body);
    Example {
        kind: E::KIND,
        subject,
        schema,
        body: bytes,
        stable,
    }
}

/// An example of every fact.
pub(crate) fn events() -> Vec<Example> {
    use bus_schema::Deployment as D;
    let mut all = vec![
        event(D, started()),
        event(D, roster()),
        event(
            D,
            ContractSigned {
                contract: digest(5),
                name: name("invoice-stocktake"),
                version: 2,
                document: content(8),
                pins: pins(),
                envelope: envelope(),
            },
        ),
        event(
            D,
            ContractRevoked {
                contract: digest(5),
            },
        ),
        event(
            D,
            CatalogueSigned {
                version: 3,
                document: content(9),
            },
        ),
        event(task(), TaskCancelled {}),
        event(D, HaltOrdered {}),
        event(D, HaltLifted {}),
        event(
            D,
            ContractActivated {
                contract: digest(5),
                name: name("invoice-stocktake"),
                supersedes: Some(digest(4)),
            },
        ),
        event(
            D,
            ContractSuspended {
                contract: digest(5),
                why: Some(content(3)),
            },
        ),
        event(
            D,
            ContractRejected {
                contract: digest(5),
                code: RefusalCode::InvalidContract,
                why: Some(content(3)),
            },
        ),
        event(
            D,
            CheckpointSigned {
                size: 42,
                root: digest(12),
            },
        ),
    ];
    all.extend(session::events());
    all.extend(streams());
    all.extend(secrets::events());
    all.extend(jobs::jobs());
    all.extend(devices::events());
    all.extend(tasks());
    all.extend(actions());
    all
}

fn streams() -> Vec<Example> {
    use bus_schema::Deployment as D;
    let doubted = StreamDoubted {
        lost_seq: 41,
        lost: digest(17),
    };
    let adopted = StreamAdopted {
        executor: AuthorId::Runner,
        lost: digest(17),
    };
    vec![event(D, doubted), event(D, adopted)]
}

fn tasks() -> Vec<Example> {
    let t = task();
    vec![
        event(
            t,
            TaskAdmitted {
                session: None,
                dialogue: None,
                job: None,
                contract: digest(5),
                playbook: content(9),
                slots: None,
                of_message: false,
            },
        ),
        event(
            t,
            TaskRejected {
                code: RefusalCode::NoContract,
                why: None,
            },
        ),
        event(
            t,
            TaskFinished {
                outcome: TaskOutcome::Failed,
                detail: Some(content(3)),
            },
        ),
        event(
            t,
            TaskSubmitted {
                statement: signed(Statement::Task(task_statement())),
                playbook: content(9),
                slots: None,
                dialogue: None,
            },
        ),
    ]
}

fn actions() -> Vec<Example> {
    let t = task();
    let approval = signed(Statement::Approval(approval(&draft())));
    let finished = ActionFinished {
        action: id(4),
        outcome: ActionOutcome::Succeeded,
        usage: Usage {
            wall_ms: 12,
            cpu_ms: 8,
            output_bytes: 300,
            ..Usage::default()
        },
        output: content(3),
        sent: None,
    };
    let refused = ActionRefused {
        action: id(4),
        rule: name("deny.1"),
        code: RefusalCode::Denied,
        why: Some(content(3)),
    };
    let requested = ApprovalRequested {
        draft: draft(),
        reason: Some(content(3)),
    };
    vec![
        event(t, proposed()),
        event(t, ActionExpired { action: id(4) }),
        event(t, refused),
        event(t, requested),
        event(
            t,
            ApprovalCarried {
                action: id(4),
                statement: approval.clone(),
            },
        ),
        event(
            t,
            ApprovalRefused {
                action: id(4),
                code: RefusalCode::BadStatement,
            },
        ),
        event(
            t,
            ActionGranted {
                grant: Grant {
                    draft: draft(),
                    approvals: vec![approval],
                },
            },
        ),
        event(t, ActionStarted { action: id(4) }),
        event(t, finished),
        event(
            t,
            ActionDeclined {
                action: id(4),
                code: RefusalCode::OutsideEnvelope,
            },
        ),
    ]
}

/// A plan of this draft after `others` further ones.
pub(crate) fn plan(draft: &DraftGrant, others: usize) -> PlanStatement {
    let others = (0..others).map(|n| digest(u8::try_from(n).expect("a small number")));
    PlanStatement {
        deployment: draft.deployment,
        task: draft.task,
        contract: draft.contract,
        drafts: others.chain([draft.digest()]).collect(),
        approve: true,
        at: T0,
    }
}

/// An example of every statement.
pub(crate) fn statements() -> Vec<(&'static str, Statement)> {
    let access = AccessStatement {
        deployment: deployment(),
        until: T0.plus_ms(60_000),
    };
    let all = vec![
        Statement::Task(task_statement()),
        Statement::Approval(approval(&draft())),
        Statement::Plan(plan(&draft(), 1)),
        Statement::Access(access),
        devices::sign_in(),
        devices::pairing(),
    ];
    let named = |statement: Statement| match statement {
        Statement::Task(_) => ("task", statement),
        Statement::Approval(_) => ("approval", statement),
        Statement::Plan(_) => ("plan", statement),
        Statement::Access(_) => ("access", statement),
        Statement::Call(_) => ("call", statement),
        Statement::End(_) => ("end", statement),
        Statement::SignIn(_) => ("signin", statement),
        Statement::Pairing(_) => ("pairing", statement),
        Statement::Said(_) => ("said", statement),
        Statement::Amend(_) => ("amend", statement),
    };
    let all = all.into_iter().chain(session::statements());
    all.map(named).collect()
}

pub(crate) fn head() -> Head {
    let (size, root, stored) = (42, digest(12), T0);
    Head { size, root, stored }
}

pub(crate) fn prove() -> (Prove, Option<Proof>) {
    let proof = Proof {
        entry: b"leaf".to_vec(),
        path: vec![digest(13), digest(14)],
        checkpoint: "origin\n42\nroot\n".to_owned(),
    };
    (Prove { seq: 41 }, Some(proof))
}
