//! `approve` and `deny`: answers a question.

use std::path::PathBuf;

use actor::signing_key;
use bus_schema::{ActionId, TaskId};
use clap::Args;
use deployment::Deployment;

use super::task::run::Follower;
use crate::{Error, Output, timeline::Timeline};

/// `approve …` and `deny …`
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// The task's id, from `contractual task list`.
    task: TaskId,
    /// The action's id, from the question that `contractual run` prints.
    action: ActionId,
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
        let Self { task, action, key } = self;
        let client = crate::client(deployment)?;
        let events = client.task(task).await?.events;
        let mut timeline = Timeline::new();
        let mut asked = None;
        for event in &events {
            let shown = timeline.show(event, &client).await;
            asked = asked.or(shown.ask.filter(|question| question.draft.action == action));
        }
        let question = asked.ok_or_else(|| {
            Error::Refused(format!(
                "action {action} has no pending question: see `contractual task show {task}`"
            ))
        })?;
        let follower = Follower {
            deployment,
            client: &client,
            out,
        };
        let contract = follower.contract(&question).await;
        let text = timeline.question(&question, &contract, &client).await;
        out.line_for_people(
            &text.map_err(|why| Error::Refused(format!("{why}: nothing is signed")))?,
        );
        let draft = question.draft;
        let carried = match &key {
            None => client.approve(&draft, approve).await?,
            Some(file) => {
                let key = signing_key::load(file)?;
                client.answer(&draft, approve, &key).await?
            }
        };
        let said = if approve { "approved" } else { "denied" };
        out.print(&carried, || format!("{said} (message {})", carried.seq));
        Ok(())
    }
}
