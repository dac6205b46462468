//! Checks that the envelope includes everything that the contract can permit, and its maxima.

use bus_schema::{
    ActionId, ApprovalStatement, Ask, Asked, AuthorId, DeploymentId, Digest, DraftGrant, Envelope,
    Grant, OutsideEnvelope, Salt, Sealed, Signed, Signers, Statement, TaskId, Time, public_key,
    wire,
};
use contract::{Allowance, Catalogue, Contract, envelope};
use ed25519_dalek::SigningKey;
use uuid::Uuid;

const RULES: &str = "
[limits]
calls = 10
wall_time = \"5s\"

[[allow]]
tool = \"t.any\"
calls = 2

[[allow]]
tool = \"t.any\"
where.n = 5
calls = 3

[[ask]]
tool = \"t.any\"
where.n = 6
calls = 1
reason = \"r\"

[[allow]]
tool = \"t.f*\"

[[ask]]
tool = \"mail.send\"
where.to = \"a\"
reason = \"r\"

[[allow]]
tool = \"t.deep\"

[[ask]]
tool = \"t.deep\"
reason = \"r\"

[[allow]]
tool = \"t.pattern\"

[[deny]]
tool = \"t.pattern\"
";

#[test]
fn tools_are_flattened() {
    let tools = crate::tools();
    let envelope = envelope(&crate::contract(RULES, &tools), &tools);
    let found: Vec<_> = envelope
        .tools
        .iter()
        .map(|tool| (tool.name.as_str(), tool.ask, tool.calls))
        .collect();
    let expected = [
        ("mail.send", Ask::Always, 10),
        ("t.any", Ask::Sometimes, 6),
        ("t.deep", Ask::Always, 10),
        ("t.free", Ask::Never, 10),
    ];
    assert_eq!(found, expected);
    assert_eq!(
        (envelope.wall_ms_max, envelope.output_bytes_max),
        (5_000, 1 << 20)
    );
    let json = serde_json::to_string(&envelope).unwrap();
    assert_eq!(serde_json::from_str::<Envelope>(&json).unwrap(), envelope);
}

/// Returns true if an executor accepts a grant of `reserve` as the `used + 1`th call of `tool`.
pub(crate) fn inside(
    envelope: &Envelope,
    tools: &Catalogue,
    tool: &str,
    approved: bool,
    used: u32,
    reserve: Allowance,
) -> Result<(), OutsideEnvelope> {
    let owner = SigningKey::from_bytes(&[1; 32]);
    let (deployment, task) = (DeploymentId::new(Uuid::nil()), TaskId::new(Uuid::nil()));
    let draft = DraftGrant {
        deployment,
        task,
        action: ActionId::new(Uuid::nil()),
        contract: Digest::ZERO,
        rule: "allow.1".parse().unwrap(),
        tool: tool.parse().unwrap(),
        tool_digest: tools.get(tool).unwrap().digest(),
        args: Sealed::new(Salt::new([0; 32]), b"{}").unwrap().content(),
        args_by: AuthorId::Worker,
        audience: AuthorId::Runner,
        ttl_ms: 1,
        wall_ms: reserve.wall_ms.try_into().unwrap(),
        output_bytes_max: reserve.output_bytes.try_into().unwrap(),
        secrets: Vec::new(),
        counts: reserve.counts,
        determined: false,
        asked: approved.then(|| Asked {
            approvers: vec![public_key(&owner)],
            quorum: 1,
            until: Time::default(),
            escalation: None,
            attended: false,
            verified: false,
        }),
    };
    let said = ApprovalStatement {
        deployment,
        task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: Time::default(),
    };
    let approvals = approved.then(|| Signed::new(&Statement::Approval(said), &owner));
    let approvals = approvals.into_iter().collect();
    Grant { draft, approvals }.check_envelope(
        envelope,
        &Signers::without_devices(public_key(&owner)),
        used,
        Time::default(),
    )
}

fn most() -> Allowance {
    Allowance::new(5_000, 1 << 20)
}

#[test]
fn every_maximum_is_held_by_executors() {
    let tools = crate::tools();
    let envelope = envelope(&crate::contract(RULES, &tools), &tools);
    let try_one = |tool: &str, used, reserve| inside(&envelope, &tools, tool, false, used, reserve);
    assert_eq!(try_one("t.any", 5, most()), Ok(()));
    assert_eq!(try_one("t.any", 6, most()), Err(OutsideEnvelope::Calls));
    let longer = Allowance {
        wall_ms: 5_001,
        ..most()
    };
    assert_eq!(try_one("t.any", 5, longer), Err(OutsideEnvelope::Limits));
    assert_eq!(try_one("t.pattern", 0, most()), Err(OutsideEnvelope::Tool));
    assert_eq!(
        try_one("mail.send", 0, most()),
        Err(OutsideEnvelope::ApprovalMissing)
    );
    assert_eq!(
        inside(&envelope, &tools, "mail.send", true, 0, most()),
        Ok(())
    );
}

#[test]
fn envelope_ends_when_the_contract_does() {
    let tools = crate::tools();
    let contract = crate::contract(RULES, &tools);
    assert_eq!(
        envelope(&contract, &tools).expires,
        "2037-01-01T00:00:00Z".parse().unwrap()
    );
    let text = crate::text(RULES).replace("2036-12-31", "9998-12-31");
    let far = crate::parse(&text, &tools).unwrap();
    assert_eq!(far.expires(), Time::from_ns(i64::MAX));
}

/// Returns a catalogue of `count` tools with names of maximum length.
fn many(count: usize) -> Catalogue {
    let each = (0..count).map(|at| {
        format!(
            "{{\"name\":\"t.{at:062}\",\"description\":\"\",\"effect\":\"read\",\"output\":\"trusted\",\"input_schema\":{{\"type\":\"object\"}}}}"
        )
    });
    let text = format!("[{}]", each.collect::<Vec<_>>().join(","));
    Catalogue::parse(text.as_bytes()).unwrap()
}

#[test]
fn largest_envelope_fits_and_one_more_tool_is_refused() {
    let text = crate::text(
        "[limits]\ncalls = 9007199254740991\n[[allow]]\ntool = \"*\"\n[[ask]]\ntool = \"*\"\nonly = true\nreason = \"r\"",
    );
    let tools = many(40);
    let contract = Contract::parse("c", &text, &tools).unwrap();
    let found = envelope(&contract, &tools);
    assert_eq!(
        (found.tools.len(), found.tools[0].ask),
        (40, Ask::Sometimes)
    );
    assert_eq!(found.tools[0].calls, u32::MAX);
    assert!(wire::encode(&found).len() <= 6_144);
    let refused = Contract::parse("c", &text, &many(41)).unwrap_err();
    assert!(refused.to_string().contains("41 tools"), "{refused}");
    assert!(!refused.shown()[0].fix().is_empty());
}
