//! Tests of grants: limits of the envelope, and approvals.

use ed25519_dalek::SigningKey;

use bus_schema::{
    APPROVERS_MAX, ApprovalStatement, Ask, AuthorId, DraftGrant, EVENT_BYTES_MAX, Envelope,
    Escalated, GRANT_TTL_MS_MAX, Grant, NotSigned, OutsideEnvelope, PLAN_CALLS_MAX, PlanStatement,
    STATEMENT_BYTES_MAX, Signed, Signers, Statement, wire,
};

use crate::{
    example::{approval, content, digest, draft, envelope, plan, second, signed},
    fixture::{T0, id, key_of, name, new_key, owner},
};

fn grant() -> Grant {
    let draft = draft();
    let approvals = vec![signed(Statement::Approval(approval(&draft)))];
    Grant { draft, approvals }
}

fn approved(change: impl Fn(&mut DraftGrant)) -> Grant {
    let mut draft = draft();
    change(&mut draft);
    let approvals = vec![signed(Statement::Approval(approval(&draft)))];
    Grant { draft, approvals }
}

/// The owner without devices.
fn signers() -> Signers<'static> {
    Signers::without_devices(owner())
}

fn inside(grant: &Grant, envelope: &Envelope) -> Result<(), OutsideEnvelope> {
    grant.check_envelope(envelope, &signers(), 0, T0)
}

#[test]
fn each_bound_of_the_envelope_holds_at_the_bound_and_not_behind_it() {
    use OutsideEnvelope as No;
    type Change = fn(&mut DraftGrant);
    let table: &[(Change, Result<(), OutsideEnvelope>)] = &[
        (|_| (), Ok(())),
        (|draft| draft.tool = name("file.delete"), Err(No::Tool)),
        (|draft| draft.tool_digest = digest(99), Err(No::ToolChanged)),
        (|draft| draft.ttl_ms = GRANT_TTL_MS_MAX, Ok(())),
        (|draft| draft.ttl_ms = GRANT_TTL_MS_MAX + 1, Err(No::Limits)),
        (|draft| draft.wall_ms = 10_000, Ok(())),
        (|draft| draft.wall_ms = 10_001, Err(No::Limits)),
        (|draft| draft.output_bytes_max = 65_536, Ok(())),
        (|draft| draft.output_bytes_max = 65_537, Err(No::Limits)),
        (|draft| draft.secrets.clear(), Ok(())),
        (|draft| draft.secrets.push(name("smtp.password")), Ok(())),
        (|draft| draft.secrets.push(name("other")), Err(No::Secret)),
    ];
    for (n, (change, wanted)) in table.iter().enumerate() {
        assert_eq!(inside(&approved(change), &envelope()), *wanted, "row {n}");
    }
}

#[test]
fn a_contract_ends_at_its_last_moment() {
    let mut envelope = envelope();
    envelope.tools[0].ask = Ask::Never;
    let mut grant = grant();
    (grant.draft.asked, grant.approvals) = (None, Vec::new());
    let at = |stored| grant.check_envelope(&envelope, &signers(), 0, stored);
    let last = bus_schema::Time::from_ns(envelope.expires.ns() - 1);
    assert_eq!(at(last), Ok(()));
    assert_eq!(at(envelope.expires), Err(OutsideEnvelope::Expired));
}

#[test]
fn a_tool_is_used_as_often_as_the_contract_says() {
    let (grant, envelope) = (grant(), envelope());
    let used = |used| grant.check_envelope(&envelope, &signers(), used, T0);
    assert_eq!(used(2), Ok(()));
    assert_eq!(used(3), Err(OutsideEnvelope::Calls));
    assert_eq!(used(u32::MAX), Err(OutsideEnvelope::Calls));
    let mut none = envelope.clone();
    none.tools[0].calls = 0;
    assert_eq!(inside(&grant, &none), Err(OutsideEnvelope::Calls));
}

#[test]
fn an_empty_envelope_allows_nothing() {
    let empty = Envelope {
        tools: Vec::new(),
        ..envelope()
    };
    assert_eq!(inside(&grant(), &empty), Err(OutsideEnvelope::Tool));
    let no_secrets = Envelope {
        secrets: Vec::new(),
        ..envelope()
    };
    assert_eq!(inside(&grant(), &no_secrets), Err(OutsideEnvelope::Secret));
}

#[test]
fn an_approval_is_needed_exactly_where_the_contract_always_asks() {
    let unasked = Grant {
        draft: DraftGrant {
            asked: None,
            ..draft()
        },
        approvals: Vec::new(),
    };
    for (ask, without) in [
        (Ask::Always, Err(OutsideEnvelope::ApprovalMissing)),
        (Ask::Sometimes, Ok(())),
        (Ask::Never, Ok(())),
    ] {
        let mut envelope = envelope();
        envelope.tools[0].ask = ask;
        assert_eq!(inside(&unasked, &envelope), without, "{ask:?}");
        assert_eq!(inside(&grant(), &envelope), Ok(()), "{ask:?}");
        // An approval is checked even where none is needed.
        let mut other = grant();
        other.draft.args = content(1);
        let differs = Err(OutsideEnvelope::ApprovalDiffers);
        assert_eq!(inside(&other, &envelope), differs, "{ask:?}");
    }
}

fn asked(quorum: u8, by: &[SigningKey]) -> Grant {
    let mut draft = draft();
    draft.asked.as_mut().expect("it asks").quorum = quorum;
    let said = Statement::Approval(approval(&draft));
    let approvals = by.iter().map(|key| Signed::new(&said, key)).collect();
    Grant { draft, approvals }
}

#[test]
fn a_quorum_is_of_different_people_whom_the_contract_names() {
    use OutsideEnvelope as No;
    let (owner, second) = (key_of(AuthorId::Owner), new_key(AuthorId::Runner));
    let (one, both) = ([owner.clone()], [owner.clone(), second.clone()]);
    let check = |grant: &Grant| inside(grant, &envelope());
    assert_eq!(check(&asked(1, &[second])), Ok(()));
    assert_eq!(check(&asked(2, &both)), Ok(()));
    assert_eq!(check(&asked(2, &one)), Err(No::ApprovalMissing));
    assert_eq!(check(&asked(1, &[])), Err(No::ApprovalMissing));
    let twice = [owner.clone(), owner];
    assert_eq!(check(&asked(2, &twice)), Err(No::ApprovalDiffers));
    assert_eq!(check(&asked(3, &both)), Err(No::ApprovalMissing));
    assert_eq!(check(&asked(0, &one)), Err(No::Approver));
    let unnamed = Envelope {
        approvers: Vec::new(),
        ..envelope()
    };
    assert_eq!(inside(&asked(1, &one), &unnamed), Err(No::Approver));
}

#[test]
fn an_approval_counts_to_its_last_moment() {
    let grant = grant();
    let until = grant.draft.asked.as_ref().expect("it asks").until;
    let at = |stored| grant.check_envelope(&envelope(), &signers(), 0, stored);
    assert_eq!(at(until), Ok(()));
    let late = bus_schema::Time::from_ns(until.ns() + 1);
    assert_eq!(at(late), Err(OutsideEnvelope::ApprovalExpired));
}

#[test]
fn whoever_is_asked_after_silence_counts_from_that_moment_on() {
    let third = new_key(AuthorId::Worker);
    let mut grant = asked(1, std::slice::from_ref(&third));
    let asks = grant.draft.asked.as_mut().expect("it asks");
    let from = T0.plus_ms(1000);
    asks.escalation.as_mut().expect("it escalates").from = from;
    let said = Statement::Approval(approval(&grant.draft));
    grant.approvals = vec![Signed::new(&said, &third)];
    let at = |stored| grant.check_envelope(&envelope(), &signers(), 0, stored);
    assert_eq!(at(from), Ok(()));
    let early = bus_schema::Time::from_ns(from.ns() - 1);
    assert_eq!(at(early), Err(OutsideEnvelope::ApprovalDiffers));
    let unnamed = Envelope {
        approvers: vec![second()],
        ..envelope()
    };
    assert_eq!(
        grant.check_envelope(&unnamed, &signers(), 0, from),
        Err(OutsideEnvelope::Approver)
    );
}

fn check(said: &ApprovalStatement) -> Result<bool, OutsideEnvelope> {
    let said = signed(Statement::Approval(said.clone()));
    draft()
        .answer(&said, &signers(), T0)
        .map(|answer| answer.yes)
}

#[test]
fn an_approval_is_of_one_draft_and_of_nothing_else() {
    type Change = fn(&mut ApprovalStatement);
    assert_eq!(check(&approval(&draft())), Ok(true));
    let changes: &[Change] = &[
        |said| said.deployment = id(99),
        |said| said.task = id(99),
        |said| said.action = id(99),
        |said| said.draft = digest(99),
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut said = approval(&draft());
        change(&mut said);
        assert_eq!(
            check(&said),
            Err(OutsideEnvelope::ApprovalDiffers),
            "row {n}"
        );
    }
    let mut other = approval(&draft());
    other.contract = digest(99);
    assert_eq!(check(&other), Err(OutsideEnvelope::ApprovalContract));
    let no = ApprovalStatement {
        approve: false,
        ..approval(&draft())
    };
    assert_eq!(check(&no), Ok(false));
}

#[test]
fn an_approval_dies_with_any_change_of_the_draft() {
    type Change = fn(&mut DraftGrant);
    let approval = grant().approvals.remove(0);
    let changes: &[Change] = &[
        |draft| draft.deployment = id(99),
        |draft| draft.task = id(99),
        |draft| draft.action = id(99),
        |draft| draft.rule = name("allow.3"),
        |draft| draft.tool = name("file.delete"),
        |draft| draft.tool_digest = digest(99),
        |draft| draft.args = content(1),
        |draft| draft.args_by = AuthorId::Policy,
        |draft| draft.audience = AuthorId::Worker,
        |draft| draft.ttl_ms -= 1,
        |draft| draft.wall_ms += 1,
        |draft| draft.output_bytes_max += 1,
        |draft| draft.secrets.clear(),
        |draft| draft.counts.spend = None,
        |draft| draft.determined = true,
        |draft| draft.asked.as_mut().expect("it asks").quorum = 2,
        |draft| draft.asked.as_mut().expect("it asks").until = T0,
    ];
    for (n, change) in changes.iter().enumerate() {
        let mut draft = draft();
        change(&mut draft);
        let found = draft.answer(&approval, &signers(), T0);
        assert_eq!(found, Err(OutsideEnvelope::ApprovalDiffers), "row {n}");
    }
}

#[test]
fn an_approval_is_of_somebody_who_is_asked_or_nobodys() {
    let said = Statement::Approval(approval(&draft()));
    let stranger = Signed::new(&said, &new_key(AuthorId::Owner));
    let found = draft().answer(&stranger, &signers(), T0);
    assert_eq!(found, Err(OutsideEnvelope::Approval(NotSigned::UnknownKey)));
    // The stranger's signature under the owner's key.
    let mut json = serde_json::to_value(&stranger).unwrap();
    json["by"] = serde_json::to_value(owner()).unwrap();
    let forged: Signed = serde_json::from_value(json).unwrap();
    let found = draft().answer(&forged, &signers(), T0);
    assert_eq!(
        found,
        Err(OutsideEnvelope::Approval(NotSigned::BadSignature))
    );
}

#[test]
fn another_statement_of_the_owner_is_no_approval() {
    let access = bus_schema::AccessStatement {
        deployment: id(1),
        until: T0,
    };
    let found = draft().answer(&signed(Statement::Access(access)), &signers(), T0);
    assert_eq!(found, Err(OutsideEnvelope::ApprovalDiffers));
}

/// Any bytes with the owner's genuine signature.
fn raw(bytes: &[u8]) -> Signed {
    use ed25519_dalek::Signer as _;
    let signature = key_of(AuthorId::Owner).sign(bytes).to_bytes();
    let json = serde_json::json!({
        "by": owner(),
        "statement": data_encoding::HEXLOWER.encode(bytes),
        "signature": bus_schema::Signature::new(signature),
    });
    serde_json::from_value(json).expect("a signed statement")
}

#[test]
fn a_statement_has_one_form_and_a_largest_size() {
    let good = wire::encode(&Statement::Approval(approval(&draft())));
    assert!(raw(&good).open(&owner()).is_ok());
    for bad in [
        [good.as_slice(), &[0xc0]].concat(),
        good[..good.len() - 1].to_vec(),
        Vec::new(),
        vec![0xc0; STATEMENT_BYTES_MAX],
        vec![0xc0; STATEMENT_BYTES_MAX + 1],
    ] {
        assert_eq!(raw(&bad).open(&owner()), Err(NotSigned::Malformed));
    }
}

#[test]
fn a_plan_approves_exactly_its_drafts() {
    use OutsideEnvelope as No;
    type Change = fn(&mut PlanStatement);
    let table: &[(Change, Result<(), OutsideEnvelope>)] = &[
        (|_| (), Ok(())),
        (
            |plan| plan.drafts.retain(|one| *one == digest(0)),
            Err(No::ApprovalDiffers),
        ),
        (|plan| plan.drafts.clear(), Err(No::ApprovalDiffers)),
        (
            |plan| plan.drafts.resize(PLAN_CALLS_MAX + 1, digest(1)),
            Err(No::ApprovalDiffers),
        ),
        (|plan| plan.drafts.resize(PLAN_CALLS_MAX, digest(1)), Ok(())),
        (|plan| plan.approve = false, Err(No::ApprovalDiffers)),
        (|plan| plan.contract = digest(77), Err(No::ApprovalContract)),
        (|plan| plan.task = id(77), Err(No::ApprovalDiffers)),
        (|plan| plan.deployment = id(77), Err(No::ApprovalDiffers)),
    ];
    let draft = draft();
    for (n, (change, wanted)) in table.iter().enumerate() {
        let mut said = plan(&draft, 2);
        change(&mut said);
        let grant = Grant {
            draft: draft.clone(),
            approvals: vec![signed(Statement::Plan(said))],
        };
        assert_eq!(inside(&grant, &envelope()), *wanted, "row {n}");
    }
    // Nobody signs for somebody else.
    let stranger = Signed::new(
        &Statement::Plan(plan(&draft, 2)),
        &new_key(AuthorId::Policy),
    );
    let grant = Grant {
        draft,
        approvals: vec![stranger],
    };
    let unknown = Err(No::Approval(NotSigned::UnknownKey));
    assert_eq!(inside(&grant, &envelope()), unknown);
}

#[test]
fn a_grant_with_the_longest_plan_of_each_approver_fits_into_an_event() {
    let mut draft = draft();
    let keys: Vec<SigningKey> = (0..APPROVERS_MAX)
        .map(|n| SigningKey::from_bytes(&[u8::try_from(n).unwrap() + 1; 32]))
        .collect();
    let approvers: Vec<_> = keys.iter().map(bus_schema::public_key).collect();
    let asked = draft.asked.as_mut().expect("it asks");
    asked.escalation = Some(Escalated {
        approvers: approvers.clone(),
        from: T0,
    });
    asked.approvers = approvers;
    let said = Statement::Plan(plan(&draft, PLAN_CALLS_MAX - 1));
    let statement = wire::encode(&said).len();
    assert!(statement <= STATEMENT_BYTES_MAX, "{statement} bytes");
    let approvals = keys.iter().map(|key| Signed::new(&said, key)).collect();
    let grant = wire::encode(&Grant { draft, approvals }).len();
    // The rest of the event takes less than 512 bytes.
    assert!(grant + 512 <= EVENT_BYTES_MAX, "{grant} bytes");
}
