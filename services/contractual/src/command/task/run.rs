//! `run`: submits a task, follows it, and answers its questions.

use std::io::Write as _;
use std::path::PathBuf;

use bus_schema::TaskId;
use clap::Args;
use deployment::{Deployment, read_text};
use futures::StreamExt as _;
use gateway::client::{self, Client};

use crate::{
    Error, Output,
    command::contract::document,
    find, prompt,
    timeline::{self, Question, Timeline, json},
};

/// The example of `task run`.
pub(super) const TASK_EXAMPLE: &str =
    "Example: contractual task run --contract contract.toml --playbook playbook.toml";

/// `run …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual run --contract contract.toml --playbook playbook.toml"
)]
pub(crate) struct Arguments {
    /// The contract, such as contract.toml; sign it first with `contract sign`.
    #[arg(long, value_name = "FILE")]
    contract: PathBuf,
    /// The playbook, such as playbook.toml.
    #[arg(long, value_name = "FILE")]
    playbook: PathBuf,
    /// Approve every question; by default the answer is read from standard input, and EOF means no.
    #[arg(long)]
    yes: bool,
    /// Do not follow the task; answer its questions with `contractual approve`.
    #[arg(long)]
    detach: bool,
}

/// The answer to a question of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Read it from standard input, a terminal or a pipe; EOF means no.
    Asked,
    /// Sign an approval.
    Yes,
}

impl Arguments {
    pub(crate) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let contract = document::digest(&self.contract)?;
        let text = read_text(&self.playbook)?;
        worker::Playbook::parse(&self.playbook.display().to_string(), &text)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        let submitted = client.submit(contract, text.as_bytes()).await?;
        if self.detach {
            out.print(&submitted, || format!("task {}", submitted.task));
            return Ok(());
        }
        let answer = if self.yes { Answer::Yes } else { Answer::Asked };
        let follower = Follower {
            deployment,
            client: &client,
            out,
        };
        let mut timeline = Timeline::new();
        follower
            .follow(submitted.task, answer, &mut timeline)
            .await?;
        let counts = timeline.counts;
        if counts.succeeded {
            Ok(())
        } else {
            Err(Error::Refused(format!(
                "the task ended as {}",
                counts.outcome
            )))
        }
    }
}

/// Follows tasks for the owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Follower<'a> {
    /// The deployment.
    pub(crate) deployment: &'a Deployment,
    /// The owner's client of its gateway.
    pub(crate) client: &'a Client,
    /// The output for events and questions.
    pub(crate) out: &'a Output,
}

impl Follower<'_> {
    /// Follows a task to its end, adds its events to `timeline`, and answers its questions.
    ///
    /// # Errors
    /// Returns the gateway's error.
    pub(crate) async fn follow(
        &self,
        task: TaskId,
        answer: Answer,
        timeline: &mut Timeline,
    ) -> Result<(), Error> {
        let mut events = std::pin::pin!(self.client.follow(task));
        while let Some(event) = events.next().await {
            let event = event?;
            let shown = timeline.show(&event, self.client).await;
            if self.out.json() {
                self.out.line(&json(&event));
            } else {
                shown.print(self.out);
            }
            if let Some(question) = shown.ask {
                self.ask(timeline, &question, answer).await?;
            }
        }
        Ok(())
    }

    async fn ask(
        &self,
        timeline: &Timeline,
        question: &Question,
        answer: Answer,
    ) -> Result<(), Error> {
        let draft = &question.draft;
        let (out, client) = (self.out, self.client);
        let contract = self.contract(question).await;
        match timeline.question(question, &contract, client).await {
            Ok(text) => out.line_for_people(&text),
            Err(why) => {
                out.line_for_people(&format!("\n  {why}: nothing is signed\n"));
                return Ok(());
            }
        }
        let approve = match answer {
            Answer::Yes => {
                out.line_for_people("  signed with --yes\n");
                true
            }
            Answer::Asked => {
                out.line_for_people(&format!(
                    "  to answer from elsewhere: contractual approve --dir {} {} {}\n",
                    timeline::quoted(&self.deployment.dir.path().display().to_string()),
                    draft.task,
                    draft.action
                ));
                answered().await
            }
        };
        match client.approve(draft, approve).await {
            Ok(_) => Ok(()),
            // The question may have expired, and its task may have ended.
            Err(error @ client::Error::Refused(_)) => {
                out.line_for_people(&format!("  too late: {}\n", actor::chain(&error)));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The contract as the owner signed it, read from the bus: the gateway is not trusted with it.
    pub(crate) async fn contract(&self, question: &Question) -> String {
        let digest = &question.draft.contract;
        match find::find(self.deployment, digest).await {
            Ok(Some(found)) => found.to_string(),
            Ok(None) => format!("{digest}, which the owner has not signed"),
            Err(error) => format!(
                "{digest} (its name cannot be read: {})",
                actor::chain(&error)
            ),
        }
    }
}

/// Reads the answer from standard input; EOF means no.
async fn answered() -> bool {
    match prompt::sign_it().await {
        Some(answer) => answer,
        None => {
            writeln!(std::io::stderr(), "no answer at EOF: denied").ok();
            false
        }
    }
}
