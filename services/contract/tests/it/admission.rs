//! Checks the limits on tasks: what they admit, and how they are shown and compared.

use contract::{Contract, ContractTotals, Period, diff, envelope, show};

const HOUR_MS: i64 = 60 * 60 * 1000;

fn contract(limits: &str) -> Contract {
    let rules = format!("{limits}\n[[allow]]\ntool = \"t.any\"");
    crate::contract(&rules, &crate::tools())
}

fn admitted(at_ms: &[i64]) -> ContractTotals {
    let mut shared = ContractTotals::default();
    at_ms.iter().for_each(|at_ms| shared.admit(*at_ms));
    shared
}

#[test]
fn contract_for_one_task_admits_one_ever() {
    let one = contract("[limits.contract]\ntasks = 1");
    assert_eq!(one.admits(&admitted(&[]), 0), Ok(()));
    let late = 10_000 * HOUR_MS;
    let refused = one.admits(&admitted(&[0]), late).unwrap_err();
    assert_eq!((refused.period, refused.limit), (Period::Contract, 1));
    let words = refused.to_string();
    assert!(
        words.ends_with("write a higher `tasks` in `[limits.contract]` and sign it"),
        "{words}"
    );
}

#[test]
fn hours_and_days_begin_anew() {
    let hourly = contract("[limits.hour]\ntasks = 2\n[limits.day]\ntasks = 3");
    let admits = |at_ms: &[i64], now_ms| {
        hourly
            .admits(&admitted(at_ms), now_ms)
            .map_err(|full| full.period)
    };
    assert_eq!(admits(&[0], HOUR_MS - 1), Ok(()));
    assert_eq!(admits(&[0, 0], HOUR_MS - 1), Err(Period::Hour));
    assert_eq!(admits(&[0, 0], HOUR_MS), Ok(()));
    assert_eq!(admits(&[0, 0, HOUR_MS], HOUR_MS), Err(Period::Day));
    assert_eq!(admits(&[0, 0, HOUR_MS], 24 * HOUR_MS), Ok(()));
    // A clock that goes back frees nothing.
    assert_eq!(admits(&[HOUR_MS, HOUR_MS], 0), Err(Period::Hour));
}

#[test]
fn without_a_limit_every_task_is_admitted() {
    let calls = contract("[limits.contract]\ncalls = 1");
    assert_eq!(calls.admits(&admitted(&[0; 100]), 0), Ok(()));
}

#[test]
fn limit_on_tasks_is_shown_and_compared() {
    let tools = crate::tools();
    let (old, new) = (contract(""), contract("[limits.contract]\ntasks = 1"));
    let text = show(&new, &tools).text();
    assert!(
        text.contains("as long as the contract holds: at most 1 task."),
        "{text}"
    );
    let found = diff(&old, &new, &tools);
    assert_eq!(found.entries.len(), 1, "{}", found.text());
    assert_eq!(found.entries[0].rule, "limits.contract.tasks");
}

#[test]
fn limits_on_tools_are_shown_compared_and_in_the_envelope() {
    let tools = crate::tools();
    let rules = "
[[allow]]
tool = \"mail.send\"
where.to = \"ann\"
calls = 2

[[allow]]
tool = \"mail.send\"
where.to = \"bob\"
calls = 3
";
    let limited = "[limits]\ntools = { \"mail.*\" = 4 }\n[limits.day.tools]\n\"mail.send\" = 9\n";
    let old = crate::contract(rules, &tools);
    let new = crate::contract(&format!("{limited}{rules}"), &tools);
    let (before, after) = (show(&old, &tools).text(), show(&new, &tools).text());
    let sum = "together permit `mail.send` at most 5 times";
    assert!(before.contains(sum) && !after.contains(sum), "{after}");
    assert!(after.contains("at most 4 calls of `mail.*`"), "{after}");
    assert!(after.contains("at most 9 calls of `mail.send`"), "{after}");
    let found = diff(&old, &new, &tools);
    let rules: Vec<&str> = found.entries.iter().map(|one| one.rule.as_str()).collect();
    assert_eq!(rules, ["limits.tools", "limits.day.tools"]);
    let calls = |contract| envelope(contract, &tools).tools[0].calls;
    assert_eq!([calls(&old), calls(&new)], [5, 4]);
}
