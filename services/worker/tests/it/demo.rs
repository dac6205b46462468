//! Tests the demo playbook.

use crate::run::{End, Run};
use worker::{Exceptions, Outcome};

const STOCKTAKE: &str = include_str!("../../../../deploy/examples/stocktake/playbook.toml");

#[test]
fn stocktake_writes_its_report_and_goes_on_after_the_refusal() {
    let mut run = Run::new(STOCKTAKE);
    let outcome = run.finish(|at, _| {
        let output: &[u8] = match at.step {
            0 => {
                br#"{"files":[{"path":"a.txt","bytes":3},{"path":"b.txt","bytes":4}],"left_out":[{"path":"c.txt","reason":"link","text":"c.txt: a link"}],"note":"1 entry was left out: 1 link"}"#
            }
            1 => b"Invoice 1\nTotal: EUR 6.17\n",
            2 => {
                br#"{"invoices":2,"total_cents":1234,"total":"EUR 12.34","passed_over":[],"note":"every file is in the total"}"#
            }
            3 => br#"{"path":"report.md","bytes":1,"sha256":"00"}"#,
            _ => return (End::Refused, Vec::new()),
        };
        (End::Succeeded, output.into())
    });
    let exceptions = vec![Exceptions {
        step: 4,
        refused: 1,
        ..Exceptions::default()
    }];
    assert_eq!(outcome, Outcome::SucceededWithExceptions { exceptions });
    assert_eq!(run.args_of(0, 0), r#"{"path":".","pattern":"*.txt"}"#);
    assert_eq!(run.args_of(1, 1), r#"{"path":"b.txt"}"#);
    assert_eq!(run.args_of(2, 0), r#"{"paths":["a.txt","b.txt"]}"#);
    let report = "# Stock-take\\n\\n- Invoices: 2\\n- Total: EUR 12.34\\n\\n## Files\\n\\n\
                  ```text\\na.txt\\nb.txt\\n```\\n\\n\
                  ## Passed over\\n\\nevery file is in the total; 1 entry was left out: 1 link.\\n\\n\
                  ```text\\n\\nc.txt: a link\\n```\\n";
    let wanted = format!(r#"{{"path":"report.md","text":"{report}"}}"#);
    assert_eq!(run.args_of(3, 0), wanted);
    assert_eq!(run.args_of(4, 0), r#"{"path":"a.txt"}"#);
    assert!(
        !run.fetched.iter().any(|at| at.step == 1),
        "no step needs what was read"
    );
}

#[test]
fn stocktake_of_nothing_passes_over_what_it_cannot_tidy() {
    let mut run = Run::new(STOCKTAKE);
    let none = r#"{"files":[],"left_out":[],"note":"nothing was left out"}"#;
    let total = r#"{"invoices":0,"total_cents":0,"total":"EUR 0.00","passed_over":[],"note":"every file is in the total"}"#;
    let sentence = run.sentence(&[none, "", total]);
    assert_eq!(
        sentence,
        "The playbook ran to its end, with exceptions: step `tidy`: 1 not proposed."
    );
}
