//! Tests valid, revoked, replaced and re-signed contracts.

use actor::Permit;
use bus_schema::testing::key;
use bus_schema::{
    ActionGranted, AmendStatement, AuthorId, ContractActivated, ContractAnswered, ContractFolders,
    ContractRevoked, Deployment, DeploymentId, Digest, Gateway, Grant, Meta, Owner, Policy,
    RefusalCode, Runner, Signed, Signers, Statement, StopReason, TaskCancelled, TaskStopped,
};

use crate::core::{claimed, declined};
use crate::stream::{START, Stream, action, contract, deployment, draft, envelope, task};

#[test]
fn what_was_granted_before_a_revocation_stays_revoked() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    let contract = contract();
    assert!(stream.say::<Owner, _>(Deployment, ContractRevoked { contract }));
    assert!(stream.gate.borrow().revoked.contains(&contract));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoContract));
    stream.sign(contract, envelope());
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoContract));
}

#[test]
fn cancelled_task_is_claimed_no_more_and_others_are() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    assert!(stream.say::<Owner, _>(task(1), TaskCancelled {}));
    assert!(stream.gate.borrow().stops(task(1)));
    assert_eq!(stream.wants(), declined(1, RefusalCode::Cancelled));
    stream.restart();
    stream.bring(action(1));
    assert_eq!(stream.wants(), declined(1, RefusalCode::Cancelled));
    assert!(!stream.gate.borrow().stops(task(2)));
    // A task that the owner has not signed takes no memory.
    assert!(stream.say::<Owner, _>(task(9), TaskCancelled {}));
    assert!(!stream.gate.borrow().stops(task(9)));
}

#[test]
fn policy_cannot_stop_a_task_of_a_person() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    let why = StopReason::Deadline;
    assert!(stream.say::<Policy, _>(task(1), TaskStopped { why }));
    assert!(!stream.gate.borrow().stops(task(1)));
}

#[test]
fn what_was_granted_under_an_older_version_is_declined() {
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    let fact = ContractActivated {
        contract: Digest::of(&[b"newer"]),
        name: "c".parse().unwrap(),
        supersedes: Some(contract()),
    };
    assert!(stream.say::<Policy, _>(Deployment, fact));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoContract));
}

/// The owner's signature is enough: policy may be late or hostile.
#[test]
fn higher_version_that_the_owner_signed_ends_the_lower_one_at_once() {
    let newer = Digest::of(&[b"newer"]);
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    stream.sign_as(newer, ("c", 2), envelope());
    assert!(stream.gate.borrow().revoked.contains(&contract()));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoContract));
    stream.restart();
    stream.bring(action(1));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoContract));
    let mut stream = Stream::new();
    stream.sign_as(newer, ("c", 2), envelope());
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), declined(1, RefusalCode::NoContract));
    let mut under = draft(2, "file.write");
    under.task = task(2);
    under.contract = newer;
    stream.ready(under);
    assert_eq!(stream.wants().claims, [action(2)]);
}

#[test]
fn another_name_or_no_higher_version_ends_nothing() {
    let newer = Digest::of(&[b"newer"]);
    for (name, version) in [("d", 2), ("c", 1), ("c", 0)] {
        let mut stream = Stream::new();
        stream.ready(draft(1, "file.write"));
        stream.sign_as(newer, (name, version), envelope());
        assert_eq!(stream.wants(), claimed(1), "{name} {version}");
    }
}

#[test]
fn lower_version_that_is_signed_again_holds_again() {
    let mut stream = Stream::new();
    stream.sign_as(Digest::of(&[b"newer"]), ("c", 2), envelope());
    stream.sign(contract(), envelope());
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
}

#[test]
fn a_revoked_contract_that_is_signed_again_holds_again() {
    let mut stream = Stream::new();
    let contract = contract();
    assert!(stream.say::<Owner, _>(Deployment, ContractRevoked { contract }));
    stream.sign(contract, envelope());
    assert!(!stream.gate.borrow().revoked.contains(&contract));
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
}

fn in_photos() -> ContractFolders {
    ContractFolders {
        workspace: Some("photos".parse().unwrap()),
        read: vec!["reference".parse().unwrap()],
    }
}

/// The owner's signatures name the contract of a task and the workspace of a contract; policy's key signs neither.
#[test]
fn a_grant_of_a_stolen_policy_key_moves_no_task_to_another_workspace() {
    let photos = Digest::of(&[b"photos"]);
    let mut stream = Stream::new();
    let mut signed = envelope();
    signed.folders = in_photos();
    stream.sign_as(photos, ("photos", 1), signed);
    stream.submit(task(1), contract(), true);
    let mut forged = draft(1, "file.write");
    forged.contract = photos;
    stream.ready(forged);
    assert_eq!(stream.wants(), declined(1, RefusalCode::BadStatement));
    let mut stream = Stream::new();
    stream.ready(draft(1, "file.write"));
    assert_eq!(stream.wants(), claimed(1));
}

/// The answer that the task goes on under another contract.
fn amendment(to: Digest) -> AmendStatement {
    AmendStatement {
        deployment: deployment(),
        task: task(1),
        request: 0,
        from: contract(),
        to: Some(to),
        at: START,
    }
}

fn amend(stream: &mut Stream, said: AmendStatement, by: AuthorId) {
    let statement = Signed::new(&Statement::Amend(said), &key(by));
    stream.say::<Gateway, _>(task(1), ContractAnswered { statement });
}

/// Neither a stolen gateway nor a stolen policy moves a task, because executors verify the owner's answer themselves.
#[test]
fn only_the_owner_lets_a_task_go_on_under_another_contract() {
    type Falsify = fn(&mut AmendStatement);
    let changes: [(&str, Falsify); 5] = [
        ("another task", |said| said.task = task(2)),
        ("another deployment", |said| {
            said.deployment = DeploymentId::new(uuid::Uuid::nil())
        }),
        ("another contract before", |said| said.from = Digest::ZERO),
        ("a refusal", |said| said.to = None),
        ("nothing", |_| ()),
    ];
    let newer = Digest::of(&[b"newer"]);
    for (change, apply) in changes {
        for by in [AuthorId::Owner, AuthorId::Gateway, AuthorId::Policy] {
            let mut stream = Stream::new();
            stream.submit(task(1), contract(), true);
            let mut said = amendment(newer);
            apply(&mut said);
            amend(&mut stream, said, by);
            stream.sign_as(newer, ("c", 2), envelope());
            stream.restart();
            let mut under = draft(1, "file.write");
            under.contract = newer;
            stream.ready(under);
            let genuine = change == "nothing" && by == AuthorId::Owner;
            let expected = if genuine {
                claimed(1)
            } else {
                declined(1, RefusalCode::BadStatement)
            };
            assert_eq!(stream.wants(), expected, "{change} {by}");
        }
    }
}

#[test]
fn an_answer_counts_before_its_contract_is_read_and_until_a_later_no() {
    let newer = Digest::of(&[b"newer"]);
    let yes = amendment(newer);
    let no = AmendStatement {
        to: None,
        ..yes.clone()
    };
    for (answers, expected) in [
        (vec![yes.clone()], claimed(1)),
        (
            vec![yes.clone(), no, yes],
            declined(1, RefusalCode::BadStatement),
        ),
    ] {
        let mut stream = Stream::new();
        stream.submit(task(1), contract(), true);
        for said in answers {
            amend(&mut stream, said, AuthorId::Owner);
        }
        // At the first grant the core removes what has expired.
        let mut other = draft(2, "file.write");
        other.audience = AuthorId::Worker;
        stream.ready(other);
        stream.sign_as(newer, ("c", 2), envelope());
        let mut under = draft(1, "file.write");
        under.contract = newer;
        stream.ready(under);
        assert_eq!(stream.wants(), expected);
    }
}

#[test]
fn a_permit_has_the_folders_of_the_envelope_that_the_owner_signed() {
    let draft = draft(1, "file.write");
    let meta = Meta {
        by: AuthorId::Policy,
        task: Some(draft.task),
        id: bus_schema::testing::event_id(1),
        cause: None,
        seq: 1,
        stored: START,
        at: START,
    };
    let granted = ActionGranted {
        grant: Grant {
            draft,
            approvals: Vec::new(),
        },
    };
    let mut signed = envelope();
    signed.folders = in_photos();
    let owner = Signers::without_devices(bus_schema::testing::owner());
    let permit = Permit::<Runner>::check(&meta, &granted, &signed, &owner, 0, START).unwrap();
    assert_eq!(permit.places().folders, signed.folders);
}
