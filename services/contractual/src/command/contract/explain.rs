//! `contract explain`: shows the verdict on a call, with the result of each rule for its tool.

use std::io::BufRead as _;
use std::path::PathBuf;

use actor::Clock;
use bus_schema::Time;
use clap::Args;
use contract::batch::{Batch, Decided, LINE_BYTES_MAX};
use contract::{Catalogue, Contract, RuleExplanation, Verdict};
use diagnostic::Diagnostics;

use deployment::{Dir, read_text};

use super::{decide::Answers, document::read_catalogue};
use crate::{Error, Output};

/// `contract explain …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual contract explain --contract contract.toml --tools tools.json \
    '{\"tool\": \"file.read\", \"args\": {\"path\": \"a.txt\"}}'\n\n\
    With `-`, reads lines as `contract decide` does, and decides each call on the record of its task so far.\n\n\
    Exit codes: 0 explained, whatever the verdict · 64 the contract, the tools or the call cannot be read, or a test of \
    the contract fails; then the call is explained, too"
)]
pub(crate) struct Arguments {
    /// The contract, such as contract.toml.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// The tool catalogue, such as tools.json; by default the deployment's.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// The answer to all questions of the contract.
    #[arg(long, value_enum, default_value_t = Answers::Approve)]
    asks: Answers,
    /// The time of the calls, such as 2030-01-31T18:00:00Z; by default now.
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
    /// The call as JSON, with the fields of `contract decide`; `-` reads lines from standard input.
    #[arg(value_name = "CALL")]
    call: String,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment.
    pub(super) const fn names_tools(&self) -> bool {
        self.tools.is_some()
    }

    /// Explains one call, or the calls on standard input; then reports the tests of the contract that fail.
    pub(super) fn run(&self, dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
        let tools = self.tools.clone().unwrap_or_else(|| dir.catalogue());
        let tools = read_catalogue(&tools)?;
        let text = read_text(&self.contract)?;
        let file = self.contract.display().to_string();
        let wrong = |problems: Diagnostics| Error::Document(problems.to_string());
        // A contract whose tests fail is explained, too, because the explanation says why they do.
        let (contract, tested) =
            Contract::parse_with_faults(&file, &text, &tools).map_err(wrong)?;
        self.explain(&contract, &tools, out, clock)?;
        tested.map_err(wrong)
    }

    /// Explains the calls under a contract.
    fn explain(
        &self,
        contract: &Contract,
        tools: &Catalogue,
        out: &Output,
        clock: &Clock,
    ) -> Result<(), Error> {
        let at = self.at.unwrap_or_else(|| clock.wall());
        let now_ms = at.ns().div_euclid(1_000_000);
        let mut batch = Batch::new(contract, tools, self.asks.into(), now_ms).explaining();
        let mut explain = |line: &str, place: &str| {
            let wrong = |problem| Error::Document(format!("{place}: {problem}"));
            if let Some(decided) = batch.decide(line).map_err(wrong)? {
                if out.json() {
                    out.line(&decided.to_json());
                } else {
                    out.line(&text_of(&decided, contract));
                }
            }
            Ok(())
        };
        if self.call != "-" {
            return explain(&self.call, "the call");
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
}

/// The verdict, each rule that was considered, and the fix.
fn text_of(decided: &Decided, contract: &Contract) -> String {
    let (word, rule, why, fix) = match &decided.verdict {
        Verdict::Granted { rule, why, .. } => ("granted", rule, why, None),
        Verdict::Ask { rule, why, .. } => ("ask", rule, why, None),
        Verdict::Refused { rule, why, fix, .. } => ("refused", rule, why, fix.as_ref()),
    };
    let mut text = format!("{word} by `{rule}`: {why}");
    let rules = decided.rules.as_deref().unwrap_or_default();
    for RuleExplanation {
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
            (_, true) => "no rule was considered".to_owned(),
        };
        text.push_str(&format!("\n  {others}"));
    }
    if let Some(fix) = fix {
        text.push_str("\nto permit it:\n  ");
        text.push_str(&fix.to_string().replace('\n', "\n  "));
    }
    text
}
