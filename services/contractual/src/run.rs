//! `run`, `task` and `approve`: hands a task in, follows it, and answers what the contract asks.

use std::io::{BufRead as _, IsTerminal as _, Write as _};

use actor::{Clock, signing_key};
use bus_schema::{ActionId, DraftGrant, TaskId};
use futures::StreamExt as _;
use gateway::{api::Event, client::Client};
use serde_json::Value;

use crate::{
    Dir, Error,
    args::RunArguments,
    contract,
    init::Facts,
    output::Output,
    timeline::{Timeline, json},
};

/// What to do when the contract asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Ask on the terminal; without one, leave it to `contractual approve`.
    Terminal,
    /// Sign yes.
    Yes,
}

/// The owner's client of the deployment's gateway.
///
/// # Errors
/// If there is no deployment or no key.
pub fn client(dir: &Dir, clock: &Clock) -> Result<Client, Error> {
    let facts = Facts::read(dir)?;
    let key = signing_key::load(&dir.owner_key())?;
    let url = format!("http://{}", facts.reached().gateway);
    let client = Client::new(&url, key, facts.deployment, clock.clone())?;
    Ok(client.known_as(&facts.gateway.to_string()))
}

/// Hands a task in, and follows it.
///
/// # Errors
/// What is wrong with the documents, what the gateway refused, or how the task ended if it did not succeed.
pub async fn command(
    dir: &Dir,
    arguments: &RunArguments,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let client = client(dir, clock)?;
    let contract = contract::digest(&arguments.contract)?;
    let text = contract::read_text(&arguments.playbook)?;
    worker::Playbook::parse(&arguments.playbook.display().to_string(), &text)
        .map_err(|problems| Error::Document(problems.to_string()))?;
    let submitted = client.submit(contract, text.as_bytes()).await?;
    if arguments.detach {
        out.print(&submitted, || format!("task {}", submitted.task));
        return Ok(());
    }
    let answer = if arguments.yes {
        Answer::Yes
    } else {
        Answer::Terminal
    };
    let counts = follow(&client, submitted.task, answer, out).await?.counts;
    if counts.succeeded {
        Ok(())
    } else {
        Err(Error::Refused(format!(
            "the task ended as {}",
            counts.outcome
        )))
    }
}

/// Follows a task to its end and answers what is asked meanwhile.
///
/// # Errors
/// What the gateway refused.
pub async fn follow(
    client: &Client,
    task: TaskId,
    answer: Answer,
    out: &Output,
) -> Result<Timeline, Error> {
    let mut timeline = Timeline::new();
    let mut events = std::pin::pin!(client.follow(task));
    while let Some(event) = events.next().await {
        let event = event?;
        let shown = timeline.show(&event, client).await;
        if out.json() {
            out.line(&json(&event));
        } else {
            out.line(&shown.text);
        }
        if let Some(draft) = shown.ask {
            ask(client, &timeline, &draft, answer, out).await?;
        }
    }
    Ok(timeline)
}

async fn ask(
    client: &Client,
    timeline: &Timeline,
    draft: &DraftGrant,
    answer: Answer,
    out: &Output,
) -> Result<(), Error> {
    out.line_for_people(&timeline.question(draft, client).await);
    let approve = match answer {
        Answer::Yes => {
            out.line_for_people("  signed with --yes\n");
            true
        }
        Answer::Terminal if std::io::stdin().is_terminal() => ask_terminal().await,
        Answer::Terminal => {
            out.line_for_people(&format!(
                "  waiting: contractual approve {} {}\n",
                draft.task, draft.action
            ));
            return Ok(());
        }
    };
    client.approve(draft, approve).await?;
    Ok(())
}

/// Asks until there is a clear answer; the end of input is a no.
pub(crate) async fn ask_terminal() -> bool {
    let asking = tokio::task::spawn_blocking(|| {
        let mut terminal = std::io::stderr();
        loop {
            // A terminal that is gone cannot answer either.
            write!(terminal, "  sign it? [yes/no] ").ok();
            terminal.flush().ok();
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => return false,
                Ok(_) => {}
            }
            match line.trim() {
                "yes" | "y" => return true,
                "no" | "n" => return false,
                _ => {}
            }
        }
    });
    asking.await.unwrap_or(false)
}

/// What a person says to a question.
#[derive(Debug)]
pub struct Said {
    /// Yes or no.
    pub approve: bool,
    /// The key to sign it with; the owner's if there is none.
    pub key: Option<std::path::PathBuf>,
}

/// Signs yes or no to an action that waits for it.
///
/// # Errors
/// [`Error::Refused`] if nothing is asked about it.
pub async fn decide(
    dir: &Dir,
    (task, action): (TaskId, ActionId),
    answer: Said,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let client = client(dir, clock)?;
    let events = client.task(task).await?.events;
    let asked = events
        .iter()
        .filter(|event| event.kind == "approval.requested");
    let draft = asked
        .filter_map(draft_of)
        .find(|draft| draft.action == action);
    let draft = draft.ok_or_else(|| {
        Error::Refused(format!(
            "nothing is asked about action {action}: see `contractual task show {task}`"
        ))
    })?;
    let mut timeline = Timeline::new();
    for event in &events {
        timeline.show(event, &client).await;
    }
    out.line_for_people(&timeline.question(&draft, &client).await);
    let carried = match &answer.key {
        None => client.approve(&draft, answer.approve).await?,
        Some(file) => {
            let key = signing_key::load(file)?;
            client.answer(&draft, answer.approve, &key).await?
        }
    };
    let said = if answer.approve { "approved" } else { "denied" };
    out.print(&carried, || {
        format!("{said}; carried as message {}", carried.seq)
    });
    Ok(())
}

fn draft_of(event: &Event) -> Option<DraftGrant> {
    let draft: &Value = event.body.get("fact")?.get("draft")?;
    serde_json::from_value(draft.clone()).ok()
}

/// Prints the newest tasks.
///
/// # Errors
/// What the gateway refused.
pub async fn list(dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
    let tasks = client(dir, clock)?.tasks().await?;
    out.print(&tasks, || {
        let mut text = String::new();
        if tasks.halted {
            text.push_str("HALTED: nothing is granted until `contractual resume`\n");
        }
        for task in &tasks.tasks {
            let state = task.outcome.map_or_else(
                || format!("{:?}", task.state),
                |outcome| format!("{outcome:?}"),
            );
            text.push_str(&format!(
                "{}  {}  {:<10} granted {}, asked {}, refused {}, unknown {}\n",
                task.task,
                task.submitted,
                state.to_lowercase(),
                task.granted,
                task.asked,
                task.refused,
                task.unknown
            ));
        }
        if tasks.tasks.is_empty() {
            text.push_str("no task yet: see `contractual run --help`\n");
        }
        text.trim_end().to_owned()
    });
    Ok(())
}

/// Prints one task with its timeline; content that was erased is shown as that.
///
/// # Errors
/// What the gateway refused.
pub async fn show(dir: &Dir, task: TaskId, out: &Output, clock: &Clock) -> Result<(), Error> {
    let client = client(dir, clock)?;
    let found = client.task(task).await?;
    if out.json() {
        out.print(&found, String::new);
        return Ok(());
    }
    let mut timeline = Timeline::new();
    for event in &found.events {
        out.line(&timeline.show(event, &client).await.text);
    }
    Ok(())
}
