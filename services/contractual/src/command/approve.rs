//! `approve` and `deny`: answers one question of a task, or several as one list.

use std::path::PathBuf;

use actor::signing_key;
use bus_schema::DraftGrant;
use clap::Args;
use deployment::Deployment;

use crate::{
    Error, Output,
    asked::Asked,
    follower::Follower,
    ids::IdPrefix,
    prompt,
    question::{self, Question},
};

/// `approve …` and `deny …`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The task's id or its first characters, from `contractual approvals list`.
    task: IdPrefix,
    /// The actions' ids or their first characters; may be omitted if the task has one pending question.
    actions: Vec<IdPrefix>,
    /// Answer all pending questions of the task, in lists of at most 10 calls with one signature each.
    #[arg(long, conflicts_with = "actions")]
    all: bool,
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
        let questions = if self.all {
            asked.all()?
        } else {
            asked.questions(&self.actions)?
        };
        let key = self.key.as_deref().map(signing_key::load).transpose()?;
        let follower = Follower {
            deployment,
            client: &client,
            out,
            live: false,
        };
        let (mut carried, mut failed) = (Vec::new(), None);
        for plan in question::plans(questions) {
            follower.show_all(&asked.timeline, &plan).await?;
            if approve && plan.iter().any(Question::attended) {
                self.confirm().await?;
            }
            let drafts: Vec<DraftGrant> = plan.into_iter().map(|one| one.draft).collect();
            for answered in client.answer_all(&drafts, approve, key.as_ref()).await {
                match answered {
                    Ok(answered) => carried.push(answered),
                    Err(error) => failed = failed.or(Some(error)),
                }
            }
        }
        let said = if approve { "approved" } else { "denied" };
        let text = || {
            let each = carried.iter();
            let each = each.map(|one| format!("{said} (message {})", one.seq));
            each.collect::<Vec<_>>().join("\n")
        };
        match carried.as_slice() {
            [] => {}
            [only] => out.print(only, text),
            several => out.print(&several, text),
        }
        failed.map_or(Ok(()), |error| Err(error.into()))
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
