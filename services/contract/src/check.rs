//! Parses a contract and runs its inline tests.

use std::ops::Range;

use diagnostic::{Diagnostic, Diagnostics};
use serde_json::{Map, Value};

use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::decide::decide;
use crate::parse::{self, Test};
use crate::record::{Record, View};
use crate::test_call::{Earlier, TestCall};
use crate::usage::ContractTotals;
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
        let (mut contract, tests) = parse::contract(file, text, catalogue)?;
        let mut found = tests.problems;
        for test in &tests.each {
            if let Some((span, problem, fix)) = failure(test, &contract, catalogue) {
                found.push(Diagnostic::at(file, text, span, problem, fix));
            }
        }
        Diagnostics::none_in(found)?;
        contract.tests = tests.each.into_iter().map(|test| test.call).collect();
        Ok(contract)
    }
}

/// A place, a problem and its repair.
type Failure = (Range<usize>, String, String);

/// Returns the reason for the failure of a test: another verdict, or a test that proves nothing.
fn failure(test: &Test, contract: &Contract, catalogue: &Catalogue) -> Option<Failure> {
    let verdict = test.call.decide(contract, catalogue);
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
    let (rule, span) = test.rule.as_ref()?;
    (rule != found.as_str()).then(|| {
        let problem = format!("the test expects `{rule}` to decide, but `{found}` does");
        let fix = format!("change the rules, or expect `{found}`");
        (span.clone(), problem, fix)
    })
}

impl TestCall {
    /// Decides the call under a contract, after its earlier calls.
    #[must_use]
    pub fn decide(&self, contract: &Contract, catalogue: &Catalogue) -> Verdict {
        let mut record = Record::new(self.principal.clone(), self.text.clone());
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
        for Earlier {
            tool,
            args,
            result,
            output,
        } in &self.earlier
        {
            // An earlier call always happened; it counts only if the contract permits it.
            if let Verdict::Granted { rule, reserve, .. } | Verdict::Ask { rule, reserve, .. } =
                verdict(&record, &shared, tool, args)
            {
                let bytes = result
                    .as_ref()
                    .map_or(0, |result| json::canonical(result).len());
                record.done(&mut shared, self.at_ms, (&rule, &reserve), bytes);
            }
            let started = record.start(tool, args.clone(), *output);
            record.succeed(&started, result.clone());
        }
        verdict(&record, &shared, &self.tool, &self.args)
    }
}
