//! `run`, `task` and `approve`: hands a task in, follows it, and answers what the contract asks.

use std::io::{BufRead as _, Write as _};

use actor::{Clock, signing_key};
use bus_schema::{ActionId, TaskId};
use futures::StreamExt as _;
use gateway::client::{self, Client};

use crate::{
    Dir, Error,
    args::RunArguments,
    contract,
    init::Facts,
    output::Output,
    signed,
    timeline::{self, Question, Timeline, json},
};

/// What to do when the contract asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// Read it from standard input, a terminal or a pipe; its end is a no.
    Asked,
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
        Answer::Asked
    };
    let follower = Follower {
        dir,
        client: &client,
        out,
        clock,
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

/// Follows tasks for the owner.
#[derive(Debug, Clone, Copy)]
pub struct Follower<'a> {
    /// The deployment.
    pub dir: &'a Dir,
    /// The owner's client of its gateway.
    pub client: &'a Client,
    /// Where events and questions go.
    pub out: &'a Output,
    /// The process's clock.
    pub clock: &'a Clock,
}

impl Follower<'_> {
    /// Follows a task to its end, adds its events to `timeline`, and answers what is asked meanwhile.
    ///
    /// # Errors
    /// What the gateway refused.
    pub async fn follow(
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
                    timeline::quoted(&self.dir.path().display().to_string()),
                    draft.task,
                    draft.action
                ));
                answered().await
            }
        };
        match client.approve(draft, approve).await {
            Ok(_) => Ok(()),
            // The question may be over, and its task with it.
            Err(error @ client::Error::Refused(_)) => {
                out.line_for_people(&format!("  too late: {}\n", actor::chain(&error)));
                Ok(())
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The contract as the owner signed it: read from the bus, because the gateway vouches for nothing.
    async fn contract(&self, question: &Question) -> String {
        let digest = &question.draft.contract;
        match signed::find(self.dir, digest, self.clock).await {
            Ok(Some(found)) => found.to_string(),
            Ok(None) => format!("{digest}, which the owner never signed"),
            Err(error) => format!("{digest} (its name is not known: {})", actor::chain(&error)),
        }
    }
}

/// The answer on standard input; without one it is a no.
async fn answered() -> bool {
    match ask_terminal().await {
        Some(answer) => answer,
        None => {
            writeln!(std::io::stderr(), "no answer: that is a no").ok();
            false
        }
    }
}

/// Asks until there is a clear answer; none if the input ends before.
pub(crate) async fn ask_terminal() -> Option<bool> {
    let asking = tokio::task::spawn_blocking(|| {
        let mut terminal = std::io::stderr();
        loop {
            // A terminal that is gone cannot answer either.
            write!(terminal, "  sign it? [yes/no] ").ok();
            terminal.flush().ok();
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            match line.trim() {
                "yes" | "y" => return Some(true),
                "no" | "n" => return Some(false),
                _ => {}
            }
        }
    });
    asking.await.unwrap_or_default()
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
    let mut timeline = Timeline::new();
    let mut asked = None;
    for event in &events {
        let shown = timeline.show(event, &client).await;
        asked = asked.or(shown.ask.filter(|question| question.draft.action == action));
    }
    let question = asked.ok_or_else(|| {
        Error::Refused(format!(
            "nothing is asked about action {action}: see `contractual task show {task}`"
        ))
    })?;
    let follower = Follower {
        dir,
        client: &client,
        out,
        clock,
    };
    let contract = follower.contract(&question).await;
    let text = timeline.question(&question, &contract, &client).await;
    out.line_for_people(&text.map_err(|why| Error::Refused(format!("{why}: nothing is signed")))?);
    let draft = question.draft;
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
        timeline.show(event, &client).await.print(out);
    }
    Ok(())
}
