//! Checks that no order of grants, claims, outcomes, lapses, ends and restarts exceeds or leaks a budget.

use bus_schema::{
    ActionDeclined, ActionId, Digest, Money, PolicyFact, RefusalCode, Runner, TaskId, Usage,
};
use proptest::prelude::*;

use crate::world::World;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
const RULES: &str = r#"
[limits]
spend = "EUR 60.00"

[limits.day]
spend = "EUR 100.00"

[limits.contract]
spend = "EUR 250.00"

[[allow]]
name = "pay"
tool = "pay.send"
spend = { argument = "amount", currency = "EUR" }
"#;
const TASK: u128 = 6_000;
const DAY: u128 = 10_000;
const CONTRACT: u128 = 25_000;
/// The wall time reserved for a call, and the grace period after it.
const RUN_MS: u64 = 65_000;

#[derive(Debug, Clone)]
enum Step {
    /// One of three tasks proposes to pay an amount.
    Propose(usize, u64),
    /// The runner claims one of the grants.
    Claim(prop::sample::Index),
    Decline(prop::sample::Index),
    /// The runner publishes the outcome of a claimed one, with the paid amount if known.
    Finish(prop::sample::Index, Option<u64>),
    Pass(u64),
    Restart,
    /// A task ends and another replaces it.
    End(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let any = any::<prop::sample::Index>;
    prop_oneof![
        6 => (0..3_usize, 1..40_u64).prop_map(|(task, amount)| Step::Propose(task, amount)),
        3 => any().prop_map(Step::Claim),
        1 => any().prop_map(Step::Decline),
        4 => (any(), paid()).prop_map(|(at, paid)| Step::Finish(at, paid)),
        2 => prop::sample::select(vec![1, 9_999, 10_001, 70_000, DAY_MS / 2]).prop_map(Step::Pass),
        1 => Just(Step::Restart),
        1 => (0..3_usize).prop_map(Step::End),
    ]
}

fn paid() -> impl Strategy<Value = Option<u64>> {
    prop_oneof![
        2 => Just(None),
        3 => (0..8_000_u64).prop_map(Some),
        1 => Just(Some(u64::MAX)),
    ]
}

/// A grant in the model's books.
#[derive(Debug)]
struct Paid {
    task: TaskId,
    action: ActionId,
    cents: u64,
    day: u64,
    claim_by: u64,
    claimed: bool,
    declined: bool,
    /// The last moment at which an outcome counts.
    finish_by: u64,
    finished: bool,
}

/// The books of the model, with the time since the start of the world.
#[derive(Default)]
struct Books {
    now: u64,
    paid: Vec<Paid>,
}

impl Books {
    fn day(&self) -> u64 {
        // The world starts at eight in the morning.
        (self.now + 8 * 60 * 60 * 1000) / DAY_MS
    }

    /// Returns the amount that was paid or may still be paid.
    fn sum(&self, of: impl Fn(&Paid) -> bool) -> u128 {
        let counts = |paid: &&Paid| paid.claimed || (!paid.declined && self.now <= paid.claim_by);
        let each = self.paid.iter().filter(counts);
        each.filter(|paid| of(paid))
            .map(|paid| u128::from(paid.cents))
            .sum()
    }

    /// Returns true if this additional amount exceeds a limit.
    fn passes(&self, task: TaskId, cents: u64) -> bool {
        let (day, more) = (self.day(), u128::from(cents));
        self.sum(|paid| paid.task == task) + more > TASK
            || self.sum(|paid| paid.day == day) + more > DAY
            || self.sum(|_| true) + more > CONTRACT
    }

    /// Records the outcome of a claimed grant. Only the first one in time counts; an unknown amount changes nothing.
    fn finish(&mut self, at: &prop::sample::Index, cents: Option<u64>) -> Option<&Paid> {
        let mut claimed: Vec<_> = self.paid.iter_mut().filter(|paid| paid.claimed).collect();
        if claimed.is_empty() {
            return None;
        }
        let paid = claimed.swap_remove(at.index(claimed.len()));
        if !paid.finished && self.now <= paid.finish_by {
            paid.cents = cents.unwrap_or(paid.cents);
        }
        paid.finished = true;
        Some(paid)
    }

    fn open(&mut self, at: &prop::sample::Index) -> Option<&mut Paid> {
        let now = self.now;
        let open = |paid: &&mut Paid| !paid.claimed && !paid.declined && now <= paid.claim_by;
        let mut each: Vec<&mut Paid> = self.paid.iter_mut().filter(open).collect();
        (!each.is_empty()).then(|| each.swap_remove(at.index(each.len())))
    }
}

/// Returns a world with three tasks under one contract.
fn three() -> (World, Digest, Vec<TaskId>) {
    let (mut world, contract, first) = World::with_task(RULES);
    let mut tasks = vec![first];
    for _ in 1..3 {
        tasks.push(world.submit(contract));
    }
    world.turn();
    (world, contract, tasks)
}

fn run(steps: Vec<Step>) {
    let (mut world, contract, mut tasks) = three();
    let mut books = Books::default();
    for step in steps {
        match step {
            Step::Propose(of, amount) => {
                let task = tasks[of];
                let args = format!(r#"{{"to":"a","amount":{amount},"currency":"EUR"}}"#);
                let action = world.propose_json(task, "pay.send", args.as_bytes());
                let too_much = books.passes(task, amount * 100);
                match &world.turn()[..] {
                    [PolicyFact::ActionGranted(..)] => assert!(!too_much, "{amount} of {of}"),
                    [PolicyFact::ActionRefused(_, fact)] => {
                        assert_eq!(fact.code, RefusalCode::Limit);
                        assert!(too_much, "{amount} of {of} would fit: {:?}", books.paid);
                        continue;
                    }
                    other => panic!("{other:?}"),
                }
                books.paid.push(Paid {
                    task,
                    action,
                    cents: amount * 100,
                    day: books.day(),
                    claim_by: books.now + 10_000,
                    claimed: false,
                    declined: false,
                    finish_by: 0,
                    finished: false,
                });
            }
            Step::Claim(at) => {
                let finish_by = books.now + RUN_MS;
                if let Some(paid) = books.open(&at) {
                    (paid.claimed, paid.finish_by) = (true, finish_by);
                    world.start(paid.task, paid.action);
                }
            }
            Step::Decline(at) => {
                if let Some(paid) = books.open(&at) {
                    paid.declined = true;
                    let (action, code) = (paid.action, RefusalCode::Tool);
                    world.say::<Runner, _>(paid.task, ActionDeclined { action, code });
                }
            }
            Step::Finish(at, cents) => {
                if let Some(paid) = books.finish(&at, cents) {
                    let currency = "EUR".parse().unwrap();
                    let usage = Usage {
                        wall_ms: 1,
                        output_bytes: 1,
                        spend: cents.map(|minor| Money { currency, minor }),
                        ..Usage::default()
                    };
                    world.finish(paid.task, paid.action, usage);
                }
            }
            Step::Pass(ms) => {
                world.pass_ms(ms);
                books.now += ms;
            }
            Step::Restart => world.restart(),
            Step::End(of) => {
                world.end(tasks[of]);
                tasks[of] = world.submit(contract);
                world.turn();
            }
        }
    }
    world.rebuild();
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_interleaving_passes_a_budget_and_none_leaks_one(steps in proptest::collection::vec(step(), 1..40)) {
        run(steps);
    }
}
