//! `chat`: a dialogue with a model that waits for the person's words after each answer.

use bus_schema::TaskId;
use clap::Args;
use deployment::Deployment;
use serde_json::json;

use super::{
    contract,
    task::{
        dialogue::{self, NewDialogue},
        plan,
        talk::Talk,
    },
    up::Interrupt,
};
use crate::{
    Error, Output,
    follower::{Answer, Follower},
    ids::IdPrefix,
    prompt,
    timeline::Timeline,
};

/// `chat …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual chat --contract invoices\n\n\
    Each of your lines is signed and counts as your words. Questions of the contract are asked here. Ctrl-C asks if the model is to \
    stop, go on alone, or hear something; Ctrl-D at your turn ends the chat. Without --contract you read and sign the draft of one \
    for your first words.\n\n\
    Exit codes: 0 you ended it · 1 it ended early, or the gateway does not answer · 64 no terminal, or an invalid contract · 130 left \
    or stopped")]
pub(super) struct Arguments {
    /// Your first words; without them you are asked.
    #[arg(value_name = "WORDS")]
    words: Option<String>,
    /// The contract: a file such as contract.toml, signed before, or the name of a contract in force.
    #[arg(long, value_name = "CONTRACT")]
    contract: Option<String>,
    /// The model, such as main; may be left out if the contract permits one model alone.
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// Go on with this chat, which was left: its id or the first characters, from `contractual task list`.
    #[arg(long, value_name = "TASK", conflicts_with_all = ["words", "contract", "model"])]
    task: Option<IdPrefix>,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        if !prompt::is_attended() {
            return Err(Error::Document(
                "a chat needs a terminal; `contractual run \"your words\" --contract NAME` needs none".to_owned(),
            ));
        }
        let client = crate::client(deployment)?;
        let task = match &self.task {
            Some(task) => task.task(&client).await?,
            None => self.open(deployment, out).await?,
        };
        let talk = Talk {
            follower: Follower {
                deployment,
                client: &client,
                out,
                live: true,
            },
            task,
            answer: Answer::Asked,
            spoken: true,
            chat: true,
        };
        let mut timeline = Timeline::new();
        let mut interrupt = Interrupt::listen()?;
        Box::pin(talk.follow(&mut timeline, &mut interrupt)).await?;
        let counts = &timeline.counts;
        if !counts.succeeded {
            let ended = super::task::run::ended(&counts.outcome, &timeline.reason);
            return Err(Error::Refused(ended));
        }
        let end = json!({"task": task, "cost": timeline.cost});
        out.print(&end, || format!("\nended: {}", timeline.cost.text()));
        Ok(())
    }

    async fn open(&self, deployment: &Deployment, out: &Output) -> Result<TaskId, Error> {
        let words = match &self.words {
            Some(words) => words.clone(),
            None => prompt::value("you: ".to_owned())
                .await
                .ok_or(Error::Interrupted)?,
        };
        let model = self.model.as_deref();
        let (contract, text) = match &self.contract {
            Some(named) => (named.clone(), contract::text(deployment, named).await?),
            None => Box::pin(plan::signed(deployment, out, (&words, model))).await?,
        };
        let client = crate::client(deployment)?;
        let asked = NewDialogue {
            words: &words,
            contract: (&contract, &text),
            model,
            chat: true,
            tools: true,
            set: &[],
        };
        Ok(dialogue::open(deployment, &client, &asked).await?.task)
    }
}
