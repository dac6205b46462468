//! `task show`: shows a task with its timeline.

use bus_schema::TaskId;
use clap::Args;
use deployment::Deployment;

use crate::{Error, Output, timeline::Timeline};

/// `task show …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual task show TASK")]
pub(crate) struct Arguments {
    /// The task's id, from `contractual task list`.
    task: TaskId,
}

impl Arguments {
    /// Prints the task; erased content is shown as `(erased)`.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let found = client.task(self.task).await?;
        if out.json() {
            out.print(&found, String::new);
            return Ok(());
        }
        let mut timeline = Timeline::new();
        for event in &found.events {
            timeline.show(event, &client).await.print(out);
        }
        Ok(())
    }
}
