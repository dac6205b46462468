//! `contract explain`: the verdict on a call, with what every rule about its tool says of it.

use std::io::BufRead as _;

use actor::Clock;
use policy::batch::{Batch, Decided, LINE_BYTES_MAX};
use policy::{Considered, Contract, Verdict};

use super::{read_catalogue, read_text};
use crate::{Dir, Error, args::ExplainArguments, output::Output};

/// Explains one call, or those on standard input.
///
/// # Errors
/// [`Error::Document`] with what is wrong with the contract, the tools or a call.
pub fn explain(
    dir: &Dir,
    arguments: &ExplainArguments,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let tools = arguments.tools.clone().unwrap_or_else(|| dir.catalogue());
    let tools = read_catalogue(&tools)?;
    let text = read_text(&arguments.contract)?;
    let contract = Contract::parse(&arguments.contract.display().to_string(), &text, &tools)
        .map_err(|problems| Error::Document(problems.to_string()))?;
    let at = arguments.at.unwrap_or_else(|| clock.wall());
    let now_ms = at.ns().div_euclid(1_000_000);
    let mut batch = Batch::new(&contract, &tools, arguments.asks.into(), now_ms).explaining();
    let mut explain = |line: &str, place: &str| {
        let wrong = |problem| Error::Document(format!("{place}: {problem}"));
        if let Some(decided) = batch.decide(line).map_err(wrong)? {
            if out.json() {
                out.line(&decided.to_json());
            } else {
                out.line(&text_of(&decided, &contract));
            }
        }
        Ok(())
    };
    if arguments.call != "-" {
        return explain(&arguments.call, "the call");
    }
    let mut lines = std::io::stdin().lock();
    for place in 1.. {
        let mut line = String::new();
        let mut bounded = std::io::Read::take(&mut lines, LINE_BYTES_MAX as u64 + 1);
        let read = bounded.read_line(&mut line);
        let read = read.map_err(Error::io("read", "standard input"))?;
        if read == 0 {
            break;
        }
        let place = format!("standard input, line {place}");
        if read > LINE_BYTES_MAX {
            let long = format!("{place}: longer than {LINE_BYTES_MAX} bytes; shorten it");
            return Err(Error::Document(long));
        }
        if !line.trim().is_empty() {
            explain(&line, &place)?;
        }
    }
    Ok(())
}

/// The verdict, then each rule that was considered, then the fix.
fn text_of(decided: &Decided, contract: &Contract) -> String {
    let (word, rule, why, fix) = match &decided.verdict {
        Verdict::Granted { rule, why, .. } => ("granted", rule, why, None),
        Verdict::Ask { rule, why, .. } => ("ask", rule, why, None),
        Verdict::Refused { rule, why, fix, .. } => ("refused", rule, why, fix.as_ref()),
    };
    let mut text = format!("{word} by `{rule}`: {why}");
    let rules = decided.rules.as_deref().unwrap_or_default();
    for Considered {
        rule,
        kind,
        says,
        why,
    } in rules
    {
        let why = why.join("\n             ");
        text.push_str(&format!(
            "\n  {kind:<5} `{rule}` {}:\n             {why}",
            says.word()
        ));
    }
    let others = contract.rules().count().saturating_sub(rules.len());
    if others > 0 {
        let others = match (others, rules.is_empty()) {
            (1, false) => "1 other rule is about other tools".to_owned(),
            (others, false) => format!("{others} other rules are about other tools"),
            (_, true) => "no rule was asked".to_owned(),
        };
        text.push_str(&format!("\n  {others}"));
    }
    if let Some(fix) = fix {
        text.push_str("\nwhat would permit it:\n  ");
        text.push_str(&fix.to_string().replace('\n', "\n  "));
    }
    text
}
