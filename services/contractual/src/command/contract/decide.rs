//! `contract decide`: decides calls without a deployment.

use std::path::{Path, PathBuf};

use actor::Clock;
use bus_schema::Time;
use clap::Args;
use contract::Contract;
use contract::batch::{Asks, Batch, BatchError};
use deployment::read_text;

use super::document::read_catalogue;
use crate::Error;

/// `contract decide …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual contract decide --contract contract.toml --tools tools.json < calls.jsonl\n\n\
    A call: {\"task\", \"call\", \"tool\", \"args\"}, and if known \"output\" (its labels) and \"result\" (its return value). \
    The owner's words and the values of slots, before a task's calls: {\"task\", \"text\", \"slots\"}.\n\
    A verdict: {\"task\", \"call\", \"verdict\": \"granted\" | \"refused\" | \"ask\", \"rule\", \"why\", \"fix\"}."
)]
pub(crate) struct Arguments {
    /// The contract, such as contract.toml.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// The tool catalogue, such as tools.json.
    #[arg(long, value_name = "FILE")]
    tools: PathBuf,
    /// The answer to all questions of the contract.
    #[arg(long, value_enum, default_value_t = Answers::Approve)]
    asks: Answers,
    /// The time of the calls, such as 2030-01-31T18:00:00Z; by default now.
    #[arg(long, value_name = "TIME")]
    at: Option<Time>,
}

/// The answer to every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Answers {
    /// Approve every question.
    Approve,
    /// Deny every question.
    Deny,
}

impl From<Answers> for Asks {
    fn from(answers: Answers) -> Self {
        match answers {
            Answers::Approve => Self::Approve,
            Answers::Deny => Self::Deny,
        }
    }
}

impl Arguments {
    /// Decides the calls on standard input, one line of JSON each, and writes each verdict to standard output at once.
    pub(super) fn run(&self, clock: &Clock) -> Result<(), Error> {
        let text = read_text(&self.contract)?;
        let tools = read_catalogue(&self.tools)?;
        let contract = Contract::parse(&self.contract.display().to_string(), &text, &tools)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        let at = self.at.unwrap_or_else(|| clock.wall());
        let now_ms = at.ns().div_euclid(1_000_000);
        let batch = Batch::new(&contract, &tools, self.asks.into(), now_ms);
        let run = batch.run(std::io::stdin().lock(), std::io::stdout().lock());
        run.map_err(|error| match error {
            BatchError::Line { .. } => Error::Document(format!("standard input, {error}")),
            BatchError::Read(source) => Error::io("read", Path::new("standard input"))(source),
            BatchError::Write(source) => Error::io("write", Path::new("standard output"))(source),
        })
    }
}
