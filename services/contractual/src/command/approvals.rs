//! `approvals`: lists the questions that wait for an answer.

use bus_schema::{ActionId, Digest, RuleId, TaskId, Time, ToolName};
use clap::Subcommand;
use deployment::Deployment;
use gateway::api::TaskState;
use serde::Serialize;

use crate::{Error, Output, asked::Asked};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// List the pending questions of the newest tasks.
    #[command(after_help = "Example: contractual approvals list --json")]
    List,
}

/// A pending question in one line.
#[derive(Debug, Serialize)]
struct Pending {
    task: TaskId,
    action: ActionId,
    step: String,
    tool: ToolName,
    contract: Digest,
    rule: RuleId,
    /// The reason of the contract.
    reason: String,
    /// The time at which it expires.
    until: Option<Time>,
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let Self::List = self;
        let client = crate::client(deployment)?;
        let mut pending = Vec::new();
        for task in client.tasks().await?.tasks {
            if task.state != TaskState::Running || task.asked == 0 {
                continue;
            }
            let asked = Asked::read(&client, task.task).await?;
            for question in asked.open() {
                let draft = question.draft.clone();
                pending.push(Pending {
                    task: draft.task,
                    action: draft.action,
                    step: asked.timeline.step(draft.action).to_owned(),
                    tool: draft.tool,
                    contract: draft.contract,
                    rule: draft.rule,
                    reason: question.why(&client).await,
                    until: draft.asked.map(|asked| asked.until),
                });
            }
        }
        out.print(&pending, || match pending.as_slice() {
            [] => "no question is pending".to_owned(),
            pending => pending
                .iter()
                .map(Pending::text)
                .collect::<Vec<_>>()
                .join("\n"),
        });
        Ok(())
    }
}

impl Pending {
    fn text(&self) -> String {
        let until = self
            .until
            .map_or_else(|| "?".to_owned(), |until| until.to_string());
        format!(
            "{}: {} by {}, until {until}\n  {}\n  contractual approve {} {}",
            self.step, self.tool, self.rule, self.reason, self.task, self.action
        )
    }
}
