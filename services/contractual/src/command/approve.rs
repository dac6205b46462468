//! `approve` and `deny`: answers a question.

use std::path::PathBuf;

use actor::signing_key;
use clap::Args;
use deployment::Deployment;

use crate::{Error, Output, asked::Asked, follower::Follower, ids::IdPrefix, prompt};

/// `approve …` and `deny …`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The task's id or its first characters, from `contractual approvals list`.
    task: IdPrefix,
    /// The action's id or its first characters; may be omitted if the task has one pending question.
    action: Option<IdPrefix>,
    /// The signing key of another approver in the contract, such as ~/finance.pem; by default the owner's.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

impl Arguments {
    pub(super) async fn run(
        self,
        approve: bool,
        deployment: &Deployment,
        out: &Output,
    ) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let task = self.task.task(&client).await?;
        let asked = Asked::read(&client, task).await?;
        let question = asked.question(self.action.as_ref())?;
        let follower = Follower {
            deployment,
            client: &client,
            out,
        };
        let contract = follower.contract(question).await;
        let unsigned = |why| Error::Refused(format!("{why}: nothing is signed"));
        let text = question
            .text(
                asked.timeline.step(question.draft.action),
                &contract,
                &client,
            )
            .await;
        let text = text.map_err(unsigned)?;
        out.question(&text)
            .map_err(|error| unsigned(format!("the question cannot be shown ({error})")))?;
        if approve && question.attended() {
            self.confirm().await?;
        }
        let draft = &question.draft;
        let carried = match &self.key {
            None => client.approve(draft, approve).await?,
            Some(file) => {
                let key = signing_key::load(file)?;
                client.answer(draft, approve, &key).await?
            }
        };
        let said = if approve { "approved" } else { "denied" };
        out.print(&carried, || format!("{said} (message {})", carried.seq));
        Ok(())
    }

    /// Asks the person at the terminal, as the contract demands.
    async fn confirm(&self) -> Result<(), Error> {
        if !prompt::is_attended() {
            return Err(Error::Refused(
                "a person has to answer this question: run the command at a terminal".to_owned(),
            ));
        }
        match prompt::sign_it().await {
            Some(true) => Ok(()),
            Some(false) | None => Err(Error::Refused("nothing is signed".to_owned())),
        }
    }
}
