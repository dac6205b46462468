//! `task cancel`: ends a task before its playbook does.

use std::time::Duration;

use bus_schema::{Draft, TaskCancelled};
use clap::Args;
use deployment::Deployment;
use futures::StreamExt as _;
use gateway::api::{Summary, TaskState};

use crate::{Error, Output, command::halt::append, ids::IdPrefix, reason, timeline::Timeline};

/// The time in which the task normally ends.
const WITHIN: Duration = Duration::from_secs(10);

/// `task cancel …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual task cancel 01997c2e")]
pub(crate) struct Arguments {
    /// The task's id or its first characters, from `contractual task list`.
    task: IdPrefix,
}

impl Arguments {
    /// Cancels a task and waits for its end.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let task = self.task.task(&client).await?;
        let found = client.task(task).await?;
        if found.summary.ended.is_some() {
            let ended = ended(&found.summary);
            return Err(Error::Refused(format!(
                "task {task} {ended}: nothing is left to cancel"
            )));
        }
        let seq = append(deployment, Draft::of(task, TaskCancelled {})).await?;
        let mut timeline = Timeline::new();
        let mut events = std::pin::pin!(client.follow(task));
        let followed = tokio::time::timeout(WITHIN, async {
            while let Some(event) = events.next().await {
                timeline.show(&event?, &client).await;
            }
            Ok::<_, Error>(())
        });
        match followed.await {
            Ok(followed) => followed?,
            Err(_) => {
                return Err(Error::Refused(format!(
                    "the cancellation is on record (message {seq}), but the task has not ended yet: an action may still \
                     run to its end; see `contractual task show {task}`"
                )));
            }
        }
        let summary = client.task(task).await?.summary;
        out.print(&summary, || {
            format!("task {task} {} (message {seq})", ended(&summary))
        });
        Ok(())
    }
}

/// The end of a task in words.
fn ended(summary: &Summary) -> String {
    match (summary.state, summary.outcome) {
        (TaskState::Rejected, _) => "was rejected".to_owned(),
        (_, Some(outcome)) => format!("ended as {}", reason::outcome(outcome)),
        (_, None) => "is running".to_owned(),
    }
}
