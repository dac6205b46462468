//! Parses a contract and runs its inline tests.

use std::ops::Range;

use diagnostic::{Diagnostic, Diagnostics};
use serde_json::{Map, Value};

use crate::catalogue::{Catalogue, Tool};
use crate::contract::Contract;
use crate::decide::decide;
use crate::parse::{self, Test};
use crate::record::{Record, View};
use crate::test_call::{Earlier, TestCall};
use crate::usage::{ContractTotals, Under};
use crate::verdict::{Call, Code, Verdict};
use bus_schema::json;

impl Contract {
    /// Parses one TOML document of at most 256 KiB, checks it against the catalogue, and
    /// runs its inline tests.
    ///
    /// The result depends only on the three arguments. [`Contract::in_force`] checks the
    /// expiry.
    ///
    /// # Errors
    /// All problems, each with its place in `text` and the repair.
    pub fn parse(file: &str, text: &str, catalogue: &Catalogue) -> Result<Self, Diagnostics> {
        let (contract, tested) = Self::parse_with_faults(file, text, catalogue)?;
        tested.map(|()| contract)
    }

    /// Parses a contract as [`Contract::parse`] does, and returns it also if it has dead rules or its inline tests fail,
    /// to explain why; no call may be permitted by it then.
    ///
    /// # Errors
    /// All other problems; inside, dead rules and the tests that fail.
    pub fn parse_with_faults(
        file: &str,
        text: &str,
        catalogue: &Catalogue,
    ) -> Result<(Self, Result<(), Diagnostics>), Diagnostics> {
        let (mut contract, tests) = parse::contract(file, text, catalogue)?;
        let mut found = tests.problems;
        for test in &tests.each {
            if let Some((span, problem, fix)) = failure(test, &contract, catalogue) {
                found.push(Diagnostic::at(file, text, span, problem, fix));
            }
        }
        contract.tests = tests.each.into_iter().map(|test| test.call).collect();
        Ok((contract, Diagnostics::none_in(found)))
    }
}

/// A place, a problem and its repair.
type Failure = (Range<usize>, String, String);

/// Returns the reason for the failure of a test: another verdict, or a test that proves nothing.
fn failure(test: &Test, contract: &Contract, catalogue: &Catalogue) -> Option<Failure> {
    for (earlier, span) in test.call.earlier.iter().zip(&test.earlier_spans) {
        let tool = catalogue.get(&earlier.tool);
        let breaks = |tool: &Tool| {
            earlier
                .result
                .as_ref()
                .is_some_and(|result| !tool.takes_result(result))
        };
        if tool.is_some_and(breaks) {
            let problem = format!(
                "`{}` never returns this result: it breaks the schema of its results",
                earlier.tool
            );
            let fix = "write a result that `output_schema` of the tool permits";
            return Some((span.clone(), problem, fix.to_owned()));
        }
    }
    let mut impossible = None;
    let verdict = test.call.replay(contract, catalogue, &mut |at, verdict| {
        impossible.get_or_insert((at, verdict));
    });
    if let Some((at, verdict)) = impossible {
        return Some(refused_earlier(test, at, &verdict));
    }
    let (word, found, fix) = match &verdict {
        Verdict::Granted { rule, .. } => ("allow", rule, None),
        Verdict::Ask { rule, .. } => ("ask", rule, None),
        Verdict::Refused {
            rule,
            code: Code::Arguments | Code::Schema,
            why,
            ..
        } => {
            let problem = format!("the test proves nothing, its call is no valid one: {why}");
            let fix = format!("correct the arguments ({rule})");
            return Some((test.call_span.clone(), problem, fix));
        }
        Verdict::Refused { rule, fix, .. } => ("deny", rule, fix.as_ref()),
    };
    let expected = test.expect;
    if word != expected {
        let problem = format!("the test expects `{expected}`, but `{found}` says `{word}`");
        let fix = fix.map_or_else(
            || format!("change `{found}`, or expect `{word}`"),
            |fix| format!("{fix}\nor expect `{word}`"),
        );
        return Some((test.expect_span.clone(), problem, fix));
    }
    let Some((rule, span)) = &test.rule else {
        return before_rules(test, &verdict);
    };
    (rule != found.as_str()).then(|| {
        let problem = format!("the test expects `{rule}` to decide, but `{found}` does");
        let fix = format!("change the rules, or expect `{found}`");
        (span.clone(), problem, fix)
    })
}

/// Reports a test with an earlier call that the contract refuses.
fn refused_earlier(test: &Test, at: usize, verdict: &Verdict) -> Failure {
    let span = test.earlier_spans.get(at).unwrap_or(&test.call_span);
    let (Verdict::Granted { why, .. } | Verdict::Ask { why, .. } | Verdict::Refused { why, .. }) =
        verdict;
    let problem = format!("this earlier call cannot happen under the contract: {why}");
    let fix = "correct it, or write `assumed = true` in it if it happened under another version";
    (span.clone(), problem, fix.to_owned())
}

/// Reports a test that expects `deny` without a rule, and whose call is refused before any rule is looked at.
fn before_rules(test: &Test, verdict: &Verdict) -> Option<Failure> {
    let Verdict::Refused {
        rule,
        code: Code::NotStarted | Code::Expired | Code::Principal | Code::OtherTask,
        why,
        ..
    } = verdict
    else {
        return None;
    };
    let problem = format!("the test says nothing about the rules: {why}");
    let fix = format!(
        "change the time, the principal or the text of the test, or write `rule = \"{rule}\"` if that is what it tests"
    );
    Some((test.expect_span.clone(), problem, fix))
}

impl TestCall {
    /// Decides the call under a contract, after its earlier calls; these happened, whatever the contract says of them.
    #[must_use]
    pub fn decide(&self, contract: &Contract, catalogue: &Catalogue) -> Verdict {
        self.replay(contract, catalogue, &mut |_, _| {})
    }

    /// Decides the call as [`Self::decide`] does, and reports the place and the verdict of each earlier call that the
    /// contract refuses, unless it is assumed.
    fn replay(
        &self,
        contract: &Contract,
        catalogue: &Catalogue,
        refused: &mut impl FnMut(usize, Verdict),
    ) -> Verdict {
        let mut record = Record::new(self.principal.clone(), self.text.clone());
        record.fill(Some(self.slots.clone()));
        let mut shared = ContractTotals::default();
        let verdict =
            |record: &Record, shared: &ContractTotals, tool: &str, args: &Map<String, Value>| {
                let args = json::canonical(&Value::Object(args.clone()));
                let view = View {
                    now_ms: self.at_ms,
                    record,
                    shared,
                };
                let call = Call { tool, args: &args };
                decide(contract, catalogue, &view, &call)
            };
        for (at, earlier) in self.earlier.iter().enumerate() {
            let Earlier {
                tool,
                args,
                result,
                output,
                assumed,
            } = earlier;
            // An earlier call always happened; it counts only if the contract permits it.
            let mut is_determined = false;
            match verdict(&record, &shared, tool, args) {
                Verdict::Granted {
                    rule,
                    reserve,
                    determined,
                    ..
                }
                | Verdict::Ask {
                    rule,
                    reserve,
                    determined,
                    ..
                } => {
                    is_determined = determined;
                    let bytes = result
                        .as_ref()
                        .map_or(0, |result| json::canonical(result).len());
                    record.take(&rule, Some(args.clone()));
                    let under = Under { rule: &rule, tool };
                    record.done(&mut shared, self.at_ms, (under, &reserve), bytes);
                }
                Verdict::Refused { .. } if *assumed => {}
                found @ Verdict::Refused { .. } => refused(at, found),
            }
            let known = catalogue
                .get(tool)
                .filter(|known| known.output() == *output);
            let started = match known {
                Some(known) => record.start_labelled(
                    tool,
                    args.clone(),
                    (known.output_labels(), is_determined),
                ),
                None => record.start(tool, args.clone(), (*output, is_determined)),
            };
            let fits = |result: &Value| {
                catalogue
                    .get(tool)
                    .is_none_or(|tool| tool.takes_result(result))
            };
            record.succeed(&started, result.clone().filter(fits));
        }
        verdict(&record, &shared, &self.tool, &self.args)
    }
}
