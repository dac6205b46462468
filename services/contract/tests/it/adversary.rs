//! Lets an attacker who knows everything propose calls, and judges what happens unasked without knowledge of the rules.

mod attacks;
mod case;
mod observer;
mod office;
mod proposer;

use contract::{
    Call, Contract, ContractTotals, Integrity, Record, Rule, Verdict, View, decide, offer,
};
use serde_json::{Map, Value};

use self::case::Case;
use self::observer::{Observer, without_free};
use self::proposer::Proposer;

/// The calls that are proposed for each contract, unless `CALLS` is set, and in one task.
const CALLS: usize = 400;
const OF_A_TASK: usize = 40;
/// The other calls that are compared with each grant.
const TWINS: usize = 3;
/// The faults that are told of each contract.
const FAULTS: usize = 12;
const AT: &str = "2026-02-01T12:00:00Z";

/// The outcomes of the calls of an attack.
#[derive(Debug, Default)]
struct Tally {
    proposed: usize,
    granted: usize,
    /// Grants, unasked after untrusted data, of what leaves or is hard to undo.
    guarded: usize,
    asked: usize,
}

/// One task under attack.
struct Attack<'c> {
    case: &'c Case,
    contract: &'c Contract,
    /// True if every call counts as determined, as if origins were forgotten.
    forgets: bool,
    record: Record,
    observer: Observer<'c>,
}

impl Attack<'_> {
    fn decide(&self, tool: &str, args: &Map<String, Value>) -> Verdict {
        let shared = ContractTotals::default();
        let view = View {
            now_ms: AT.parse::<jiff::Timestamp>().unwrap().as_millisecond(),
            record: &self.record,
            shared: &shared,
        };
        let args = serde_json::to_vec(args).unwrap();
        let call = Call { tool, args: &args };
        decide(self.contract, &self.case.tools, &view, &call)
    }

    fn rule(&self, verdict: &Verdict) -> Option<&Rule> {
        match verdict {
            Verdict::Granted { rule, .. } => self.contract.rules().find(|one| one.id == *rule),
            Verdict::Ask { .. } | Verdict::Refused { .. } => None,
        }
    }

    /// Judges an unasked grant, and that the attacker could not have chosen another call of the same rule.
    fn judge(
        &self,
        verdict: &Verdict,
        (tool, args): (&str, &Map<String, Value>),
        proposer: &mut Proposer<'_>,
    ) -> Result<bool, String> {
        if !matches!(verdict, Verdict::Refused { .. }) {
            self.is_offered(tool, args)?;
        }
        let Some(rule) = self.rule(verdict) else {
            return Ok(false);
        };
        let found = self.observer.judge(rule, tool, args);
        found.map_err(|found| format!("{tool} {args:?} by `{}`: {found}", rule.id))?;
        let guarded = self.observer.is_tainted() && self.case.is_guarded(tool, args);
        let own = without_free(rule, args);
        for _ in 0..if guarded { TWINS } else { 0 } {
            let other = proposer.changed(args.clone(), tool);
            let same = self.decide(tool, &other);
            let same = self.rule(&same).is_some_and(|one| one.id == rule.id);
            let harms = self.case.is_guarded(tool, &other);
            if same && harms && !leaves_out(&without_free(rule, &other), &own) {
                return Err(format!(
                    "{tool} by `{}`: {args:?} or {other:?}, the attacker chooses",
                    rule.id
                ));
            }
        }
        Ok(guarded)
    }

    /// Checks that the schema that the tool is offered with does not leave out a call that may happen.
    fn is_offered(&self, tool: &str, args: &Map<String, Value>) -> Result<(), String> {
        let tools = &self.case.tools;
        let offer = offer(self.contract, tools, tools.get(tool).unwrap());
        for (name, value) in args.iter().filter(|(_, value)| !value.is_null()) {
            let listed = offer.schema["properties"][name]["enum"].as_array();
            if listed.is_some_and(|listed| !listed.contains(value)) {
                return Err(format!(
                    "{tool}: {name} {value} may happen and is not offered"
                ));
            }
        }
        Ok(())
    }

    /// Lets a call happen, with an outcome by chance.
    fn happen(
        &mut self,
        verdict: &Verdict,
        (tool, args): (&str, Map<String, Value>),
        proposer: &mut Proposer<'_>,
    ) {
        let (Verdict::Granted { determined, .. } | Verdict::Ask { determined, .. }) = verdict
        else {
            return;
        };
        let of = self.case.tools.get(tool).unwrap();
        let clean = self.observer.is_clean(&args);
        let trusted = of.output().integrity == Integrity::Trusted;
        let result = proposer.result(tool, &args, trusted);
        let labels = (of.output(), *determined || self.forgets);
        let started = self.record.start(tool, args.clone(), labels);
        self.observer.start(of);
        match proposer.below(16) {
            0 => {}
            1 => self.record.fail(&started),
            2 => {
                self.record.succeed(&started, Some(result));
                self.record.erase(&started);
                if clean {
                    self.observer.succeed(of, &args, &Value::Null);
                }
            }
            _ => {
                self.record.succeed(&started, Some(result.clone()));
                if clean {
                    self.observer.succeed(of, &args, &result);
                }
            }
        }
    }
}

/// Returns true if a value is the whole one, or a part of it: what is left out reaches nobody.
fn leaves_out(part: &Value, whole: &Value) -> bool {
    match (part, whole) {
        (Value::Object(part), Value::Object(whole)) => {
            let within = |(name, value)| {
                let same: Option<&Value> = whole.get(name);
                same.is_some_and(|same| leaves_out(value, same))
            };
            part.iter().all(within)
        }
        (Value::Array(part), Value::Array(whole)) => {
            let mut rest = whole.iter();
            let mut each = part.iter();
            each.all(|item| rest.any(|one| leaves_out(item, one)))
        }
        (part, whole) => part == whole,
    }
}

/// Attacks a contract in many tasks; returns what it came to, or the first call that must not happen unasked.
fn attacked(case: &Case, text: &str, forgets: bool, calls: usize) -> Result<Tally, String> {
    let contract = case.contract(text);
    let mut proposer = Proposer::new(case, 7);
    let mut tally = Tally::default();
    let mut faults = Vec::new();
    for task in 0..calls.div_ceil(OF_A_TASK) {
        let mut attack = Attack {
            case,
            contract: &contract,
            forgets,
            record: Record::new(contract.principals()[0].clone(), Some(case.words.clone())),
            observer: Observer::new(case),
        };
        for _ in 0..OF_A_TASK {
            let (tool, args) = proposer.propose(attack.observer.is_tainted());
            let verdict = attack.decide(&tool, &args);
            let guarded = attack.judge(&verdict, (&tool, &args), &mut proposer);
            let guarded = guarded.unwrap_or_else(|fault| {
                faults.push(format!("{}: {fault}", case.name));
                true
            });
            let granted = matches!(verdict, Verdict::Granted { .. });
            let asked = matches!(verdict, Verdict::Ask { .. });
            tally.proposed += 1;
            tally.granted += usize::from(granted);
            tally.guarded += usize::from(guarded);
            tally.asked += usize::from(asked);
            // In every second task, people say yes.
            if granted || task % 2 == 0 {
                attack.happen(&verdict, (&tool, args), &mut proposer);
            }
        }
    }
    if faults.is_empty() {
        return Ok(tally);
    }
    faults.truncate(FAULTS);
    Err(faults.join("\n"))
}

/// Attacks contracts side by side; returns what each came to.
fn all(cases: &[Case], calls: usize) -> Vec<Result<Tally, String>> {
    std::thread::scope(|scope| {
        let each = cases.iter();
        let started: Vec<_> = each
            .map(|case| scope.spawn(move || attacked(case, &case.text, false, calls)))
            .collect();
        let ended = started.into_iter().map(|one| one.join().unwrap());
        ended.collect()
    })
}

#[test]
fn nothing_reaches_what_nobody_named_whatever_is_proposed() {
    let calls = std::env::var_os("CALLS");
    let calls = calls.map_or(CALLS, |calls| calls.to_str().unwrap().parse().unwrap());
    let cases = Case::all();
    let (mut faults, mut guarded) = (Vec::new(), 0);
    for (case, found) in cases.iter().zip(all(&cases, calls)) {
        match found {
            Ok(tally) => {
                println!("{}: {tally:?}", case.name);
                // Enough calls must be granted for a meaningful judgement.
                assert!(tally.granted >= calls / 10, "{}: {tally:?}", case.name);
                guarded += tally.guarded;
            }
            Err(found) => faults.push(found),
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(guarded >= calls / 10, "{guarded} guarded");
}

#[test]
fn a_recipient_that_may_be_anybody_is_found_out() {
    let case = Case::office("newsletter");
    let rules = case.text.split("[[test]]").next().unwrap();
    let named = "{ every = { known = \"lists\", named = \"task\" } }";
    assert!(rules.contains(named));
    let anybody =
        "{ every = { length = { max = 60 }, links = true }, length = { max = 3 }, links = true }";
    let weaker = rules.replace(named, anybody);
    let weaker = weaker.replace("free = [\"body\"]", "free = [\"body\", \"to\"]");
    let found = attacked(&case, &weaker, false, CALLS);
    assert!(found.is_err_and(|found| found.contains("arrives")));
}

#[test]
fn trusted_results_that_repeat_an_attacker_are_found_out() {
    for name in ["invoices", "replies", "tidy"] {
        let case = Case::office(name);
        let found = attacked(&case, &case.text, true, 4 * CALLS);
        assert!(found.is_err(), "{name}");
    }
}
