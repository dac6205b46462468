//! `decide`: one verdict under a contract of many rules, beside bare Cedar with the same rules, and through the bus.

use std::collections::BTreeSet;

use actor::Clock;
use cedar_policy::{Authorizer, Context, Entities, EntityUid, PolicySet, Request};
use contract::{
    Call, Catalogue, Contract, ContractTotals, Integrity, Labels, Record, Secrecy, Verdict, View,
};
use serde_json::{Map, Value, json};

use crate::{
    deployment::{Deployment, playbook},
    runtime::Error,
    system::{actions, finished},
    table::{self, Row, Times},
};

/// Tools of the catalogue; each has an equal share of the rules.
const TOOLS: usize = 5;
/// The repetitions for each number of rules; few with 500, because Cedar takes milliseconds for each call.
const ROUNDS: [Rounds; 2] = [
    Rounds {
        rules: 50,
        calls: 20_000,
        loads: 40,
        load_goal_ms: Some(20.0),
    },
    Rounds {
        rules: 500,
        calls: 2_000,
        loads: 10,
        load_goal_ms: Some(50.0),
    },
];
/// Most milliseconds from a stored proposal to its stored verdict.
const BUS_GOAL_MS: f64 = 1.0;
/// Actions of the task through the bus, and its first ones that are not measured.
const STEPS: (usize, usize) = (240, 20);
/// The time of the calls: 2026-06-01T12:00:00Z.
const NOW: (i64, &str) = (1_780_315_200_000, "2026-06-01T12:00:00Z");

/// The size of a contract, and the number of its uses.
#[derive(Clone, Copy)]
struct Rounds {
    rules: usize,
    /// Timed calls of each kind of verdict, after a tenth as many that are not timed.
    calls: usize,
    /// The number of times that it is loaded.
    loads: usize,
    /// Most milliseconds for loading and checking it, if there is a goal.
    load_goal_ms: Option<f64>,
}

/// Runs the parts `process` and `bus`, or the ones in the arguments.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let named = |part: &str| arguments.is_empty() || arguments.iter().any(|said| said == part);
    let mut rows = Vec::new();
    if named("process") {
        for rounds in ROUNDS {
            rows.extend(in_process(rounds)?);
        }
    }
    if named("bus") {
        for sync in ["always", "2m"] {
            rows.push(through_the_bus(sync)?);
        }
    }
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("decide", &rows);
    Ok(())
}

/// Tools that send, pay and write, with arguments for every kind of bound.
fn tools() -> Value {
    let one = |at: usize| {
        json!({
            "name": format!("tool.t{at}"),
            "description": "Does something.",
            "input_schema": {
                "type": "object",
                "properties": {
                    "kind": {"type": "string"}, "path": {"type": "string"}, "to": {"type": "string"},
                    "url": {"type": "string"}, "day": {"type": "string"}, "count": {"type": "integer"},
                    "amount": {"type": "number"}, "id": {"type": "string"},
                    "labels": {"type": "array", "items": {"type": "string"}},
                    "text": {"type": "string", "maxLength": 10000},
                },
                "required": ["kind"],
                "additionalProperties": false,
            },
            "effect": [{"when": "args has to", "effect": "outward"}, {"effect": "write"}],
            "output": "trusted",
        })
    };
    (0..TOOLS).map(one).collect()
}

/// The ten kinds of rules of a tool; `{n}` makes each rule unique.
const BODIES: [&str; 10] = [
    "[[allow]]\nwhere.kind = \"path-{n}\"\nwhere.path = { path = \"in/{n}/**\" }\ncalls = 100000",
    "[[allow]]\nwhere.kind = \"mail-{n}\"\nwhere.to = { email = { domain = [\"a.example\", \"b{n}.example\"] } }\nwhere.text = { length = { max = 2000 } }",
    "[[allow]]\nwhere.kind = \"web-{n}\"\nwhere.url = { url = { host = [\"api{n}.example\", \"*.web.example\"], path = \"/v2/**\" } }",
    "[[allow]]\nwhere.kind = \"pay-{n}\"\nwhere.amount = { min = 0.01, max = 50 }\nper_day = { sum = { amount = 1000000 } }",
    "[[allow]]\nwhere.kind = \"id-{n}\"\nwhere.id = { from = { tool = \"tool.t0\", field = \"results[].id\" } }\nafter = \"tool.t0\"",
    "[[allow]]\nwhere.kind = \"list-{n}\"\nwhere.labels = { every = [\"x\", \"y\", \"z{n}\"], length = { max = 9 } }",
    "[[allow]]\nwhere.kind = \"day-{n}\"\nwhere.day = { date = { from = \"now\", to = \"now+30d\" } }\nper_hour = { calls = 1000000 }",
    "[[ask]]\nwhere.kind = \"ask-{n}\"\nwhere.count = { min = 10, max = 20 }\nreason = \"It is large.\"",
    "[[deny]]\nwhere.kind = \"deny-{n}\"\nwhere.text = { optional = true, like = \"*secret{n}*\" }",
    "[[deny]]\nwhen = 'args.kind == \"when-{n}\" && args has count && args.count > {n} && args has text && args.text like \"*x*\"'",
];

/// The same rules as policies of Cedar, in the same order. Conditions that Cedar cannot express (globs with `**`,
/// hosts, calendar days, earlier results) are passed in `context.beyond`, as a user of Cedar would do.
const CEDAR: [&str; 10] = [
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"path-{n}\" && context.args has path && context.beyond.path };",
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"mail-{n}\" && context.args has to && (context.args.to like \"*@a.example\" || context.args.to like \"*@b{n}.example\") && context.args has text && context.beyond.length };",
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"web-{n}\" && context.args has url && context.beyond.url };",
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"pay-{n}\" && context.args has amount && context.args.amount.greaterThanOrEqual(decimal(\"0.01\")) && context.args.amount.lessThanOrEqual(decimal(\"50.0\")) };",
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"id-{n}\" && context.args has id && context.beyond.earlier };",
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"list-{n}\" && context.args has labels && [\"x\", \"y\", \"z{n}\"].containsAll(context.args.labels) && context.beyond.length };",
    "permit (principal, action == {tool}, resource) when { context.args.kind == \"day-{n}\" && context.args has day && context.beyond.day };",
    "permit (principal, action == {tool}, resource) when { context.approved && context.args.kind == \"ask-{n}\" && context.args has count && context.args.count >= 10 && context.args.count <= 20 };",
    "forbid (principal, action == {tool}, resource) when { context.args.kind == \"deny-{n}\" && context.args has text && context.args.text like \"*secret{n}*\" };",
    "forbid (principal, action == {tool}, resource) when { context.args.kind == \"when-{n}\" && context.args has count && context.args.count > {n} && context.args has text && context.args.text like \"*x*\" };",
];

/// The tool, the body and the number of a rule.
fn place_of(rule: usize) -> (String, usize, String) {
    let (tool, place) = (rule % TOOLS, rule / TOOLS);
    let n = (place / BODIES.len()).to_string();
    (format!("tool.t{tool}"), place % BODIES.len(), n)
}

/// The policies of Cedar beside [`contract()`].
fn policies(rules: usize) -> String {
    let each = (0..rules).map(|rule| {
        let (tool, body, n) = place_of(rule);
        let body = CEDAR.get(body).copied().unwrap_or_default();
        let action = format!("Action::\"{tool}\"");
        format!("{}\n", body.replace("{tool}", &action).replace("{n}", &n))
    });
    each.collect()
}

/// A contract of so many rules, with every kind of check.
fn contract(rules: usize) -> String {
    let mut text = String::from(
        "contract = \"bench\"\nversion = 1\npurpose = \"Decides again and again\"\nowner = \"The benchmark\"\nexpires = 2036-12-31\n\
         [limits]\ncalls = 1000000\nmessages = 1000000\nbytes_out = 1000000000\n\
         [limits.day]\ncalls = 1000000\n",
    );
    for rule in 0..rules {
        let (tool, body, n) = place_of(rule);
        let body = BODIES.get(body).copied().unwrap_or_default();
        let head = format!("]]\ntool = \"{tool}\"");
        text.push_str(&body.replacen("]]", &head, 1).replace("{n}", &n));
        text.push('\n');
    }
    for tool in 0..TOOLS {
        text.push_str(&format!(
            "[[test]]\ncall = {{ tool = \"tool.t{tool}\", args = {{ kind = \"path-0\", path = \"in/0/a\" }} }}\nexpect = \"allow\"\n\
             [[test]]\ncall = {{ tool = \"tool.t{tool}\", args = {{ kind = \"path-0\", path = \"out/a\" }} }}\nexpect = \"deny\"\n"
        ));
    }
    text
}

/// Calls with their expected verdicts.
fn calls() -> Vec<(&'static str, Value)> {
    vec![
        ("granted", json!({"kind": "path-0", "path": "in/0/a/b.txt"})),
        (
            "granted",
            json!({"kind": "mail-0", "to": "ann@a.example", "text": "Friday is fine."}),
        ),
        (
            "granted",
            json!({"kind": "web-0", "url": "https://x.web.example/v2/items/1"}),
        ),
        ("granted", json!({"kind": "pay-0", "amount": 12.5})),
        ("granted", json!({"kind": "id-0", "id": "i-7"})),
        (
            "granted",
            json!({"kind": "list-0", "labels": ["x", "y", "x"]}),
        ),
        ("granted", json!({"kind": "day-0", "day": "2026-06-10"})),
        ("ask", json!({"kind": "ask-0", "count": 12})),
        (
            "refused",
            json!({"kind": "deny-0", "text": "a secret0 of mine"}),
        ),
        ("refused", json!({"kind": "path-0", "path": "out/b.txt"})),
        ("refused", json!({"kind": "unknown"})),
    ]
}

/// A task with some earlier actions.
fn record() -> Record {
    let mut record = Record::new("session", Some("Pay 12.5 to ann@a.example".to_owned()));
    let labels = Labels {
        integrity: Integrity::Trusted,
        secrecy: Secrecy::Private,
    };
    for at in 0..20 {
        let started = record.start("tool.t0", Map::new(), (labels, true));
        let result = json!({"results": [{"id": format!("i-{at}")}, {"id": "other"}]});
        record.succeed(&started, Some(result));
    }
    record
}

/// Times of one kind of verdict, in microseconds: ours, Cedar with a new request each time, Cedar alone.
#[derive(Default)]
struct Kind {
    ours: Times,
    cedar: Times,
    alone: Times,
}

fn in_process(rounds: Rounds) -> Result<Vec<Row>, Error> {
    let Rounds { rules, loads, .. } = rounds;
    table::line(&format!(
        "\n== {rules} rules, load average {}",
        table::load()
    ));
    let clock = Clock::system();
    let catalogue = Catalogue::parse(tools().to_string().as_bytes())?;
    let text = contract(rules);
    let mut load = Times::default();
    let mut parsed = None;
    for _ in 0..loads {
        let since = clock.elapsed();
        let contract =
            Contract::parse("bench.toml", &text, &catalogue).map_err(|found| found.to_string())?;
        load.push(ms(&clock, since));
        parsed = Some(contract);
    }
    let contract = parsed.ok_or("nothing was loaded")?;
    let policies = policies(rules);
    let mut cedar_load = Times::default();
    let mut set = PolicySet::new();
    for _ in 0..loads {
        let since = clock.elapsed();
        set = policies.parse()?;
        cedar_load.push(ms(&clock, since));
    }
    let (load, cedar_load) = (load.percentile(50), cedar_load.percentile(50));
    table::line(&format!(
        "load and check of {rules} rules: p50 {load:.1} ms; parsing in Cedar {cedar_load:.1} ms"
    ));
    let mut rows = vec![Row::new(
        format!("load and check of {rules} rules: p50 ms beside parsing in Cedar"),
        load,
        Some(cedar_load),
    )];
    if rounds.load_goal_ms.is_some() {
        let case = format!("load and check of {rules} rules: p50 ms beside the goal");
        rows.push(Row::new(case, load, rounds.load_goal_ms));
    }
    let cedar = Cedar::new(set);
    for word in ["granted", "ask", "refused"] {
        let kind = measure(
            &clock,
            (&contract, &catalogue),
            &cedar,
            (word, rounds.calls),
        )?;
        for percent in [50, 99] {
            let ours = kind.ours.percentile(percent);
            let case = |what: &str| format!("{rules} rules, {word}: p{percent} µs {what}");
            rows.push(Row::new(
                case("beside Cedar and its request"),
                ours,
                Some(kind.cedar.percentile(percent)),
            ));
            rows.push(Row::new(
                case("beside Cedar alone"),
                ours,
                Some(kind.alone.percentile(percent)),
            ));
        }
    }
    Ok(rows)
}

fn measure(
    clock: &Clock,
    (contract, catalogue): (&Contract, &Catalogue),
    cedar: &Cedar,
    (word, timed): (&str, usize),
) -> Result<Kind, Error> {
    let untimed = timed / 10;
    let (record, shared) = (record(), ContractTotals::default());
    let view = View {
        now_ms: NOW.0,
        record: &record,
        shared: &shared,
    };
    let calls: Vec<Value> = calls()
        .into_iter()
        .filter(|(verdict, _)| *verdict == word)
        .map(|(_, args)| args)
        .collect();
    let bytes: Vec<Vec<u8>> = calls
        .iter()
        .map(|args| args.to_string().into_bytes())
        .collect();
    let mut kind = Kind::default();
    for at in 0..timed + untimed {
        let tool = format!("tool.t{}", at % TOOLS);
        let (Some(args), Some(written)) =
            (calls.get(at % calls.len()), bytes.get(at % calls.len()))
        else {
            continue;
        };
        let call = Call {
            tool: &tool,
            args: written,
        };
        let since = clock.elapsed();
        let verdict = contract::decide(contract, catalogue, &view, &call);
        let ours = ms(clock, since) * 1000.0;
        let said = match verdict {
            Verdict::Granted { .. } => "granted",
            Verdict::Ask { .. } => "ask",
            Verdict::Refused { .. } => "refused",
        };
        if said != word {
            return Err(format!("{tool} {args} is {said}, not {word}: {verdict:?}").into());
        }
        let since = clock.elapsed();
        let request = cedar.request(&tool, written)?;
        let made = ms(clock, since) * 1000.0;
        let since = clock.elapsed();
        cedar.decide(&request);
        let alone = ms(clock, since) * 1000.0;
        if at >= untimed {
            kind.ours.push(ours);
            kind.cedar.push(made + alone);
            kind.alone.push(alone);
        }
    }
    table::line(&format!(
        "{word}: p50 {:.1} µs, p99 {:.1} µs; Cedar and its request p50 {:.1} µs, Cedar alone p50 {:.1} µs",
        kind.ours.percentile(50),
        kind.ours.percentile(99),
        kind.cedar.percentile(50),
        kind.alone.percentile(50)
    ));
    Ok(kind)
}

/// Cedar with the same rules.
struct Cedar {
    authorizer: Authorizer,
    set: PolicySet,
    entities: Entities,
    beyond: Value,
}

impl Cedar {
    fn new(set: PolicySet) -> Self {
        Self {
            authorizer: Authorizer::new(),
            set,
            entities: Entities::empty(),
            beyond: json!({"path": true, "length": true, "url": true, "earlier": true, "day": true}),
        }
    }

    fn request(&self, tool: &str, args: &[u8]) -> Result<Request, Error> {
        let mut args: Value = serde_json::from_slice(args)?;
        if let Some(amount) = args.get("amount").cloned() {
            let amount = amount.as_f64().unwrap_or_default();
            let decimal = json!({"__extn": {"fn": "decimal", "arg": format!("{amount:.2}")}});
            args.as_object_mut()
                .map(|args| args.insert("amount".to_owned(), decimal));
        }
        let context = json!({
            "args": args, "approved": false, "principal": "session", "beyond": self.beyond,
            "now": {"__extn": {"fn": "datetime", "arg": NOW.1}},
        });
        let context = Context::from_json_value(context, None)?;
        let action: EntityUid = format!("Action::\"{tool}\"").parse()?;
        let (principal, resource) = ("Task::\"t\"".parse()?, "Tool::\"t\"".parse()?);
        Ok(Request::new(principal, action, resource, context, None)?)
    }

    fn decide(&self, request: &Request) {
        let said = self
            .authorizer
            .is_authorized(request, &self.set, &self.entities);
        std::hint::black_box(said);
    }
}

fn ms(clock: &Clock, since: std::time::Duration) -> f64 {
    (clock.elapsed() - since).as_secs_f64() * 1000.0
}

/// Measures the time from the stored proposal to the stored verdict, in bus time.
fn through_the_bus(sync: &str) -> Result<Row, Error> {
    let deployment = Deployment::create(sync)?;
    let measured = crate::runtime::block_on(Box::pin(async {
        let mut fleet = deployment.start_nats().await?;
        fleet.start_actors().await?;
        let measured = Box::pin(one_task(&deployment)).await;
        fleet.stop().await;
        measured
    }))??;
    table::line(&format!(
        "sync {sync}, proposal → verdict: {}",
        measured.text()
    ));
    let case = format!("sync {sync}, proposal → verdict through the bus: p50 ms beside the goal");
    Ok(Row::new(case, measured.percentile(50), Some(BUS_GOAL_MS)))
}

async fn one_task(deployment: &Deployment) -> Result<Times, Error> {
    let contract = deployment.sign_contract().await?;
    let client = contractual::client(&deployment.opened()?)?;
    let text = playbook(STEPS.0);
    let submitted = client.submit(contract, text.as_bytes()).await?;
    finished(&client, &BTreeSet::from([submitted.task])).await?;
    let measured = actions(deployment, submitted.seq).await?.measured(STEPS.1);
    let due = STEPS.0 - STEPS.1;
    if measured.count != due {
        return Err(format!("{} actions were recorded, not {due}", measured.count).into());
    }
    let [verdicts, ..] = measured.hops;
    Ok(verdicts)
}
