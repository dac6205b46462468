//! Checks the verdicts on proposals: every code, budgets, freshness, halts, reuse.

use std::time::Duration;

use actor::Core as _;
use bus_schema::{
    ActionDeclined, ActionExpired, ActionId, AuthorId, Deployment, Egress, Grant, HaltLifted,
    HaltOrdered, Money, Owner, PolicyFact, RefusalCode, Runner, TaskFinished, TaskOutcome, Usage,
    Worker, wire,
};
use uuid::Uuid;

use crate::world::{World, granted, judged, refused, words};

const RULES: &str = "
[[allow]]
tool = \"t.any\"
where.n = { min = 0, max = 5 }

[[deny]]
tool = \"t.any\"
where.n = 7
";

#[test]
fn grant_is_exactly_what_was_proposed() {
    let (mut world, contract, task) = World::with_task(RULES);
    let action = ActionId::new(Uuid::from_u128(9));
    let args = world.propose_as(task, action, "t.any", br#"{"n":1}"#);
    let facts = world.turn();
    let [fact] = granted(&facts)[..] else {
        panic!("{facts:?}");
    };
    let Grant { draft, approvals } = &fact.grant;
    assert_eq!((draft.task, draft.action), (task, action));
    assert_eq!((draft.contract, draft.rule.as_str()), (contract, "allow.1"));
    assert_eq!((draft.args, draft.args_by), (args, AuthorId::Worker));
    assert_eq!(
        draft.tool_digest,
        crate::tools().get("t.any").unwrap().digest()
    );
    assert_eq!((draft.audience, draft.ttl_ms), (AuthorId::Runner, 10_000));
    assert_eq!((draft.wall_ms, draft.output_bytes_max), (60_000, 1 << 20));
    assert!(draft.secrets.is_empty() && approvals.is_empty());
}

#[test]
fn each_reason_has_its_code_rule_and_explanation() {
    let (mut world, _, task) = World::with_task(RULES);
    let long = format!("{{\"text\":{:?}}}", "x".repeat(64 << 10));
    let cases: [(&str, &[u8], RefusalCode, &str); 11] = [
        ("t.none", b"{}", RefusalCode::Tool, "catalogue"),
        ("t.any", b"{", RefusalCode::Arguments, "arguments"),
        (
            "t.any",
            long.as_bytes(),
            RefusalCode::Arguments,
            "arguments",
        ),
        ("t.any", br#"{"n":"x"}"#, RefusalCode::Arguments, "schema"),
        // The same values in other bytes: one call must have only one text.
        ("t.any", br#"{"n": 1}"#, RefusalCode::Arguments, "arguments"),
        ("t.any", b"{\"n\":1}\n", RefusalCode::Arguments, "arguments"),
        (
            "t.any",
            br#"{"n":1.0}"#,
            RefusalCode::Arguments,
            "arguments",
        ),
        (
            "t.any",
            br#"{"text":"\u0061"}"#,
            RefusalCode::Arguments,
            "arguments",
        ),
        ("t.any", br#"{"n":7}"#, RefusalCode::Denied, "deny.1"),
        ("t.any", b"{}", RefusalCode::Denied, "deny.1"),
        ("t.any", br#"{"n":6}"#, RefusalCode::NotAllowed, "default"),
    ];
    for (tool, args, code, rule) in cases {
        world.propose_call(task, tool, args);
        let facts = world.turn();
        let [fact] = refused(&facts)[..] else {
            panic!("{facts:?}");
        };
        assert_eq!((fact.code, fact.rule.as_str()), (code, rule));
        let why: serde_json::Value = serde_json::from_str(&world.why(fact.why)).unwrap();
        assert!(why["why"].as_str().is_some_and(|why| !why.is_empty()));
        assert_eq!(why.get("fix").is_some(), rule == "default");
    }
    let action = ActionId::new(Uuid::from_u128(9));
    let args = world.propose_as(task, action, "t.any", br#"{"n":1}"#);
    world.log.erase(args);
    assert_eq!(words(&world.turn()), ["Arguments"]);
    world.rebuild();
}

#[test]
fn changed_tool_suspends_its_contract_until_it_is_signed_again() {
    let (mut world, contract, task) = World::with_task(RULES);
    world.propose(task, 1);
    let tools = include_str!("../../../contract/tests/conformance/tools.json");
    let changed = tools.replace("Takes one argument of each type", "Takes arguments");
    assert_ne!(changed, tools);
    world.change_tools(changed.as_bytes());
    let facts = world.turn();
    assert_eq!(words(&facts), ["suspended", "Suspended"]);
    let PolicyFact::ContractSuspended(_, fact) = &facts[0] else {
        panic!("{facts:?}");
    };
    let differs = world.why(fact.why);
    let [description, catalogue] = differs.lines().collect::<Vec<_>>()[..] else {
        panic!("{differs}");
    };
    assert_eq!(
        description,
        "`t.any` /description: was \"Takes one argument of each type, all optional.\", is \"Takes arguments, all optional.\""
    );
    assert!(catalogue.starts_with("the whole catalogue: its digest was "));
    let why = refused(&facts)[0].why;
    assert!(world.why(why).contains("`t.any` has changed"));
    // Neither the old catalogue nor a new process lifts it.
    world.restart();
    world.propose(task, 1);
    world.submit(contract);
    assert_eq!(
        words(&world.turn()),
        ["not admitted: Suspended", "Suspended"]
    );
    world.sign(RULES);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["activated", "granted"]);
    world.change_tools(b"[]");
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["suspended", "Suspended"]);
    world.restart();
    world.rebuild();
}

#[test]
fn drift_is_found_without_a_proposal() {
    let (mut world, ..) = World::with_task(RULES);
    world.change_tools(b"[]");
    assert_eq!(words(&world.turn()), ["suspended"]);
}

#[test]
fn nothing_is_granted_under_an_expired_contract() {
    let (mut world, _, task) = World::with_task(RULES);
    world.log.now = "2037-01-01T00:00:00Z".parse().unwrap();
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["Expired"]);
}

#[test]
fn hundred_proposals_get_exactly_the_ten_grants_of_the_limit() {
    let rules = format!("[limits]\ncalls = 10\n{RULES}");
    for (restart_at, rebuild_at) in [(200, 200), (3, 7), (10, 11), (1, 99)] {
        let (mut world, _, task) = World::with_task(&rules);
        for _ in 0..100 {
            world.propose(task, 1);
        }
        let mut verdicts = 0;
        while world.step() {
            verdicts += 1;
            if verdicts == restart_at {
                world.restart();
            }
            if verdicts == rebuild_at {
                world.rebuild();
            }
        }
        assert_eq!(verdicts, 100);
        world.rebuild();
        let kinds = world.bodies();
        let has = |body: &[u8], what: &[u8]| body.windows(what.len()).any(|part| part == what);
        let of = |what: &[u8]| kinds.iter().filter(|body| has(body, what)).count();
        assert_eq!(of(b"action.granted.v1"), 10);
        assert_eq!(of(b"action.refused.v1"), 90);
    }
}

#[test]
fn lapsed_and_declined_grants_are_released_and_others_are_not() {
    let (mut world, _, task) = World::with_task(&format!("[limits]\ncalls = 1\n{RULES}"));
    let try_one = |world: &mut World, expected: &str| {
        let action = world.propose(task, 1);
        assert_eq!(words(&world.turn()), [expected]);
        action
    };
    let lapsing = try_one(&mut world, "granted");
    world.pass_ms(10_000);
    try_one(&mut world, "Limit");
    world.pass_ms(1);
    // A claim that is stored too late does not count.
    world.start(task, lapsing);
    let declined = try_one(&mut world, "granted");
    let code = RefusalCode::NoCage;
    let action = declined;
    world.say::<Runner, _>(task, ActionDeclined { action, code });
    let claimed = try_one(&mut world, "granted");
    world.pass_ms(10_000);
    world.start(task, claimed);
    world.pass_ms(60_000);
    world.say::<Worker, _>(task, ActionExpired { action: claimed });
    try_one(&mut world, "Limit");
    world.rebuild();
}

#[test]
fn only_the_executor_of_a_grant_says_what_became_of_it() {
    let (mut world, _, task) = World::with_task(&format!("[limits]\ncalls = 1\n{RULES}"));
    let action = world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    let code = RefusalCode::Tool;
    let declined = ActionDeclined { action, code };
    world.say::<Egress, _>(task, declined.clone());
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["Limit"]);
    world.say::<Runner, _>(task, declined);
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["granted"]);
    world.rebuild();
}

#[test]
fn outcome_replaces_the_reservation_unless_it_is_late() {
    let rules = format!("[limits]\nwall_time = \"61s\"\n{RULES}");
    let (mut world, _, task) = World::with_task(&rules);
    let used = Usage {
        wall_ms: 500,
        ..Usage::default()
    };
    let wall_ms = |world: &mut World| {
        let action = world.propose(task, 1);
        let facts = world.turn();
        (action, granted(&facts)[0].grant.draft.wall_ms)
    };
    let (first, first_ms) = wall_ms(&mut world);
    world.start(task, first);
    let (second, second_ms) = wall_ms(&mut world);
    assert_eq!((first_ms, second_ms), (60_000, 1_000));
    world.propose(task, 1);
    assert_eq!(words(&world.turn()), ["Limit"]);
    world.finish(task, first, used);
    world.finish(task, first, used);
    world.start(task, second);
    world.pass_ms(1_000 + 5_001);
    // Its outcome is unknown, so the whole reservation stays counted.
    world.finish(task, second, Usage::default());
    assert_eq!(wall_ms(&mut world).1, 61_000 - 500 - 1_000);
    world.rebuild();
}

#[test]
fn tokens_money_and_bytes_count_as_their_executor_says_and_otherwise_as_reserved() {
    let limits = "[limits]\ntokens = 100\nspend = \"EUR 1.00\"\nbytes_out = 100";
    let rules = format!(
        "{limits}\n[[allow]]\ntool = \"web.post\"\ntokens = 40\nspend = \"nothing\"\nwhere.body = {{ length = {{ max = 100 }} }}\nonly = true\nfree = [\"body\"]\n\
         [[allow]]\ntool = \"pay.send\"\ntokens = 40\nspend = {{ argument = \"amount\", currency = \"EUR\" }}"
    );
    let pay = |cents: u64| format!(r#"{{"amount":0.{cents},"currency":"EUR","to":"a"}}"#);
    // 40 bytes as canonical JSON.
    let post = format!(r#"{{"body":"{}"}}"#, "x".repeat(29));
    let euros = |minor| Money {
        currency: "EUR".parse().unwrap(),
        minor,
    };
    let said = |tokens, bytes_out, spend: Option<u64>| Usage {
        tokens,
        bytes_out,
        spend: spend.map(euros),
        ..Usage::default()
    };
    // The reported usage of the first two calls, and true if a third one fits.
    let cases = [
        ("web.post", post.clone(), said(None, None, None), false),
        ("web.post", post.clone(), said(Some(30), None, None), false),
        (
            "web.post",
            post.clone(),
            said(Some(30), Some(30), None),
            true,
        ),
        (
            "web.post",
            post.clone(),
            said(Some(30), Some(31), None),
            false,
        ),
        ("web.post", post, said(Some(31), Some(30), None), false),
        ("pay.send", pay(40), said(Some(0), None, None), false),
        ("pay.send", pay(40), said(Some(0), None, Some(30)), true),
        ("pay.send", pay(40), said(Some(0), None, Some(31)), false),
        ("pay.send", pay(10), said(Some(0), None, Some(46)), false),
        (
            "pay.send",
            pay(10),
            said(Some(0), None, Some(u64::MAX)),
            false,
        ),
    ];
    for (tool, args, usage, fits) in cases {
        let (mut world, _, task) = World::with_task(&rules);
        let actions = [0, 1].map(|_| world.propose_json(task, tool, args.as_bytes()));
        assert_eq!(words(&world.turn()), ["granted", "granted"]);
        for action in actions {
            world.start(task, action);
            world.finish(task, action, usage);
        }
        world.restart();
        world.propose_json(task, tool, args.as_bytes());
        let word = if fits { "granted" } else { "Limit" };
        assert_eq!(words(&world.turn()), [word], "{tool} {usage:?}");
        world.rebuild();
    }
}

#[test]
fn grant_waits_for_a_fresh_head_and_refusals_do_not() {
    let (mut world, _, task) = World::with_task(RULES);
    let stale = [
        None,
        Some((0, Duration::from_secs(5))),
        Some((-1000, Duration::ZERO)),
    ];
    world.log.seq = 5_000;
    world.propose(task, 1);
    assert_eq!(world.log.seq, 5_001);
    for head in stale {
        world.head = head;
        assert_eq!(world.turn().len(), 0, "{head:?}");
        let trouble = "audit's log is not up to date: no grants";
        assert_eq!(world.core.trouble(), Some(trouble));
    }
    world.head = None;
    world.propose(task, 6);
    assert_eq!(words(&world.turn()), ["NotAllowed"]);
    world.rebuild();
    // The last message is 5,003 now; the proposal is 5,001.
    world.head = Some((-1002, Duration::ZERO));
    assert_eq!(world.turn().len(), 0);
    world.head = Some((-1001, Duration::from_millis(4_999)));
    assert_eq!(words(&world.turn()), ["granted"]);
    assert_eq!(world.core.trouble(), None);
}

#[test]
fn halt_holds_grants_back_and_nothing_is_lost() {
    let (mut world, _, task) = World::with_task(RULES);
    world.say::<Owner, _>(Deployment, HaltOrdered {});
    world.propose(task, 1);
    world.propose(task, 6);
    assert_eq!(words(&world.turn()), ["NotAllowed"]);
    assert_eq!(world.core.trouble(), None);
    world.restart();
    assert_eq!(world.turn().len(), 0);
    world.say::<Owner, _>(Deployment, HaltLifted {});
    assert_eq!(words(&world.turn()), ["granted"]);
}

#[test]
fn action_id_is_used_once_in_the_deployment() {
    let (mut world, contract, task) = World::with_task(RULES);
    let other = world.submit(contract);
    world.turn();
    world.head = None;
    let action = world.propose(task, 1);
    world.propose_as(task, action, "t.any", br#"{"n":2}"#);
    assert_eq!(world.turn().len(), 0, "the first one has no verdict yet");
    world.propose_as(other, action, "t.any", br#"{"n":1}"#);
    assert_eq!(words(&world.turn()), ["Reused"]);
    world.rebuild();
    world.head = Some((0, Duration::ZERO));
    assert_eq!(words(&world.turn()), ["granted", "Reused"]);
    let end = TaskFinished {
        outcome: TaskOutcome::Failed,
        detail: None,
    };
    world.say::<Worker, _>(task, end);
    world.propose_as(other, action, "t.any", br#"{"n":1}"#);
    assert_eq!(words(&world.turn()), ["Reused"]);
}

#[test]
fn proposals_of_unknown_and_finished_tasks_leave_no_trace() {
    let (mut world, contract, task) = World::with_task(RULES);
    let rejected = world.submit(bus_schema::Digest::ZERO);
    world.turn();
    world.propose(task, 1);
    world.turn();
    let end = TaskFinished {
        outcome: TaskOutcome::Succeeded,
        detail: None,
    };
    world.say::<Worker, _>(task, end);
    let size = wire::encode(world.core.state()).len();
    for task in [task, rejected] {
        for _ in 0..50 {
            world.propose(task, 1);
        }
    }
    assert_eq!(world.turn().len(), 0);
    assert_eq!(wire::encode(world.core.state()).len(), size);
    world.submit(contract);
    assert_eq!(words(&world.turn()), ["admitted"]);
}

#[test]
fn ended_tasks_cost_their_ids_and_nothing_else() {
    let (mut world, contract, _) = World::with_task(RULES);
    let before = wire::encode(world.core.state()).len();
    for _ in 0..20 {
        let task = world.submit(contract);
        for n in [1, 6, 7, 1, 1] {
            world.propose(task, n);
        }
        world.turn();
        let end = TaskFinished {
            outcome: TaskOutcome::Succeeded,
            detail: None,
        };
        world.say::<Worker, _>(task, end);
    }
    // The grant may still be claimed until then.
    world.pass_ms(11_000);
    world.say::<Owner, _>(Deployment, HaltLifted {});
    let grown = wire::encode(world.core.state()).len() - before;
    assert!(grown <= 20 * (1 + 5) * 18 + 8, "{grown}");
}

#[test]
fn same_facts_make_the_same_drafts() {
    let run = || {
        let (mut world, _, task) = World::with_task(RULES);
        for n in [1, 7, 6, 2] {
            world.propose(task, n);
            world.pass_ms(10);
        }
        world.turn();
        world.bodies()
    };
    let bodies = run();
    assert_eq!(bodies, run());
    assert!(bodies.len() > 8);
}

#[test]
fn verdicts_follow_the_stream_and_every_proposal_has_one() {
    let (mut world, contract, task) = World::with_task(RULES);
    let other = world.submit(contract);
    world.turn();
    let mut expected = Vec::new();
    for at in 0..200 {
        expected.push(world.propose(if at % 3 == 0 { other } else { task }, at % 8));
    }
    let mut found = Vec::new();
    for fact in world.turn() {
        found.extend(judged(&[fact]));
    }
    assert_eq!(found, expected);
}
