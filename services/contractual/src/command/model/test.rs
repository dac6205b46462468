//! `model test`: has a model answer a few words under a contract in force, and says what came of it.

use ::contract::Catalogue;
use clap::Args;
use deployment::Deployment;
use serde_json::json;

use crate::{
    Error, Output,
    command::{
        contract::{self, ContractEntry, chosen},
        task::dialogue::{self, NewDialogue},
        tool,
    },
    follower::{Answer, Follower},
    model::{KnownModel, PREFIX},
    timeline::Timeline,
};

/// The words of the test.
const WORDS: &str = "Answer with the one word `ready`.";

/// `model test …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual model test claude\n\n\
    Runs a task of a few words without tools under a contract in force, so everything that stands between you and a model is tested: \
    policy grants, the key is released, egress sends, the host answers. It costs a few tokens, which count for the contract.\n\n\
    Exit codes: 0 the model answered · 1 it did not, or no contract in force permits it · 64 the arguments are not valid")]
pub(crate) struct Arguments {
    /// The name, such as claude.
    name: String,
    /// The contract under which it is asked, such as support.
    #[arg(long, value_name = "NAME")]
    contract: Option<String>,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let signed = tool::signed(deployment, &bus).await?;
        drop(bus);
        let model = self.model(&signed.catalogue)?;
        let fits = |one: &ContractEntry| one.envelope.tools.iter().any(|it| it.name == model.tool);
        let none = || {
            format!(
                "no contract in force permits the tool `{}`: sign one with the rule that `contractual model add` prints",
                model.tool
            )
        };
        let found = chosen(deployment, self.contract.as_deref(), fits, none).await?;
        // By its digest: a file may have the name of the contract.
        let text = contract::text(deployment, &found.contract.to_string()).await?;
        let client = crate::client(deployment)?;
        let asked = NewDialogue {
            words: WORDS,
            contract: (found.name.as_str(), &text),
            model: Some(&self.name),
            chat: false,
            tools: false,
            set: &[],
        };
        let task = dialogue::open(deployment, &client, &asked).await?.task;
        let follower = Follower {
            deployment,
            client: &client,
            out,
            live: false,
        };
        let mut timeline = Timeline::new();
        let began = deployment.clock.elapsed();
        follower.follow(task, Answer::Asked, &mut timeline).await?;
        let took = deployment.clock.elapsed().saturating_sub(began).as_millis();
        let words = timeline.last_words.as_deref().unwrap_or_default();
        let KnownModel { id, host, .. } = model;
        if !timeline.counts.succeeded || words.is_empty() {
            let why = match timeline.reason.as_str() {
                "" => "it gave no answer in words",
                reason => reason,
            };
            return Err(Error::Refused(format!(
                "{id} at {host} did not answer: {why} (task {task}; `contractual task show {task}` has all of it)"
            )));
        }
        let cost = &timeline.cost;
        let end = json!({
            "model": self.name, "id": id, "host": host, "task": task, "ms": u64::try_from(took).unwrap_or(u64::MAX),
            "tokens": cost.tokens, "spend": cost.spend, "text": words,
        });
        out.print(&end, || {
            format!(
                "{id} at {host} answered in {took} ms: {} (task {task})",
                cost.text()
            )
        });
        Ok(())
    }

    fn model(&self, catalogue: &Catalogue) -> Result<KnownModel, Error> {
        let models = KnownModel::all(catalogue);
        let tool = format!("{PREFIX}{}", self.name);
        let names: Vec<&str> = models.iter().map(|model| model.tool.as_str()).collect();
        let found = models.iter().find(|model| model.tool.as_str() == tool);
        found.cloned().ok_or_else(|| {
            Error::Refused(match names.as_slice() {
                [] => "no model is configured: add one with `contractual model add`".to_owned(),
                names => {
                    let names = names.iter().map(|name| name.trim_start_matches(PREFIX));
                    let names: Vec<&str> = names.collect();
                    format!(
                        "there is no model `{}`: name one of {}",
                        self.name,
                        names.join(", ")
                    )
                }
            })
        })
    }
}
