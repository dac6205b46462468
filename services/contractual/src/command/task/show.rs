//! `task show`: shows a task with its timeline.

use clap::Args;
use deployment::Deployment;
use diagnostic::escaped_lines;

use crate::{Error, Output, ids::IdPrefix, timeline::Timeline};

/// `task show …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual task show 01997c2e")]
pub(crate) struct Arguments {
    /// The task's id or its first characters, from `contractual task list`.
    task: IdPrefix,
}

impl Arguments {
    /// Prints the task; erased content is shown as `(erased)`.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let found = client.task(self.task.task(&client).await?).await?;
        if out.json() {
            out.print(&found, String::new);
            return Ok(());
        }
        let mut timeline = Timeline::new();
        for event in &found.events {
            timeline.show(event, &client).await.print(out);
        }
        if let Some(words) = timeline.last_words {
            out.line_for_people(&format!("\n{}", escaped_lines(&words)));
        }
        Ok(())
    }
}
