//! `task list`: lists the newest tasks.

use std::collections::BTreeMap;

use bus_schema::{AuthorId, Content};
use clap::Args;
use deployment::Deployment;
use gateway::{
    api::{Summary, TaskState, Tasks},
    client::Client,
};
use worker::Playbook;

use crate::{Error, Output, reason};

/// `task list …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual task list --limit 100 --json")]
pub(crate) struct Arguments {
    /// The most tasks to list, newest first.
    #[arg(long, default_value_t = 20)]
    limit: usize,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let mut tasks = client.tasks().await?;
        let left_out = tasks.tasks.len().saturating_sub(self.limit);
        tasks.tasks.truncate(self.limit);
        let playbooks = if out.json() {
            BTreeMap::new()
        } else {
            playbooks(&tasks, &client).await
        };
        out.print(&tasks, || text(&tasks, &playbooks, left_out));
        Ok(())
    }
}

/// Returns the names of the playbooks that can be read.
async fn playbooks(tasks: &Tasks, client: &Client) -> BTreeMap<Content, String> {
    let mut names = BTreeMap::new();
    for content in tasks.tasks.iter().filter_map(|task| task.playbook) {
        if names.contains_key(&content) {
            continue;
        }
        let bytes = client.content(AuthorId::Gateway, &content).await;
        let text = bytes.ok().flatten().map(String::from_utf8);
        let playbook = text.and_then(|text| Playbook::parse("playbook", &text.ok()?).ok());
        if let Some(playbook) = playbook {
            names.insert(content, playbook.name().to_owned());
        }
    }
    names
}

fn text(tasks: &Tasks, playbooks: &BTreeMap<Content, String>, left_out: usize) -> String {
    let mut lines = Vec::new();
    if tasks.halted {
        lines.push("HALTED: nothing is granted until `contractual resume`".to_owned());
    }
    for task in &tasks.tasks {
        let playbook = task.playbook.and_then(|content| playbooks.get(&content));
        lines.push(format!(
            "{}  {}  {}  {}  {}\n  granted {}, asked {}, refused {}, unknown {}",
            task.task,
            task.submitted,
            contract(task),
            playbook.map_or("-", String::as_str),
            state(task),
            task.granted,
            task.asked,
            task.refused,
            task.unknown
        ));
    }
    if tasks.tasks.is_empty() {
        lines.push("no task yet: see `contractual run --help`".to_owned());
    }
    if left_out > 0 {
        lines.push(format!("{left_out} older tasks are left out: pass --limit"));
    }
    lines.join("\n")
}

/// The contract's name and version, or its digest.
fn contract(task: &Summary) -> String {
    match (&task.label, &task.contract) {
        (Some(label), _) => format!("{} {}", label.name, label.version),
        (None, Some(digest)) => digest.to_string(),
        (None, None) => "-".to_owned(),
    }
}

/// The state in words: the outcome of an ended task, and the next step of one that waits.
fn state(task: &Summary) -> String {
    match (task.state, task.outcome) {
        (_, Some(outcome)) => reason::outcome(outcome).to_owned(),
        (TaskState::Rejected, None) => match task.refusal {
            Some(code) => format!("rejected: {}", reason::not_admitted(code)),
            None => "rejected".to_owned(),
        },
        (TaskState::Submitted, None) => "waits for policy".to_owned(),
        (TaskState::Admitted | TaskState::Running | TaskState::Finished, None)
            if task.pending > 0 =>
        {
            format!(
                "waits for {} of a person: `contractual approvals list`",
                if task.pending == 1 {
                    "an answer"
                } else {
                    "answers"
                }
            )
        }
        (TaskState::Admitted | TaskState::Running | TaskState::Finished, None) => {
            "running".to_owned()
        }
    }
}
