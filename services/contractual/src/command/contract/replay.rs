//! `contract replay`: decides the recorded calls again with policy's own core.

use std::path::PathBuf;

use bus_schema::{AuthorId, PolicyFact};
use clap::Args;
use deployment::{Deployment, read_text};
use policy::{Compared, Fetch, Fetched, RecordedVerdict, Redecided, Replay, Step};
use serde::Serialize;

use super::{document::signed_tools, history::History};
use crate::{Error, Output, ids::IdPrefix};

/// The totals of the comparison.
#[derive(Debug, Default, Serialize)]
struct ReplayCounts {
    identical: usize,
    differ: usize,
    erased: usize,
    /// Verdicts that rest on an approval, a denial or a missing answer.
    people: usize,
    untold: usize,
}

/// `contract replay …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual contract replay --contract contract.toml --task TASK\n\n\
    Decides each recorded verdict again at its place in the record, at its stored time, and with the catalogue that was \
    signed by then. With --contract, that contract replaces every version of its name; recorded outcomes stay.\n\n\
    Exit codes: 0 identical, except for erased content · 2 a difference · 64 the contract cannot be read · 1 the bus does not \
    answer"
)]
pub(crate) struct Arguments {
    /// A contract, such as contract.toml, that replaces every version of its name.
    #[arg(long, value_name = "FILE")]
    contract: Option<PathBuf>,
    /// Only the verdicts of this task: its id or the first characters, from `contractual task list`.
    #[arg(long)]
    task: Option<IdPrefix>,
}

impl Arguments {
    /// Prints the differences; with `--json`, prints every verdict.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let task = IdPrefix::optional(self.task.as_ref(), deployment).await?;
        let owner = bus_schema::public_key(&deployment.owner_key()?);
        let mut history = History::read(deployment).await?;
        let facts = std::mem::take(&mut history.facts);
        let mut replay = Replay::new(owner, facts);
        if let Some(path) = &self.contract {
            let text = read_text(path)?;
            let tools = signed_tools(deployment, &history.operator).await?;
            let under = replay.under(&path.display().to_string(), &text, &tools);
            replay = under.map_err(|problems| Error::Document(problems.to_string()))?;
        }
        let mut counts = ReplayCounts::default();
        while let Some(said) = next(&mut replay, &history).await? {
            if task.is_none_or(|task| task == said.task) {
                counts.add(&said);
                print(&said, out);
            }
        }
        out.print(&counts, || counts.text());
        match counts.differ + counts.untold {
            0 => Ok(()),
            differ => Err(Error::Found(format!(
                "{differ} verdicts differ from the record"
            ))),
        }
    }
}

/// Decides the next recorded call again, with what that needs from the history; none after the last one.
///
/// # Errors
/// The bus's error.
pub(super) async fn next(
    replay: &mut Replay,
    history: &History<PolicyFact>,
) -> Result<Option<Redecided>, Error> {
    loop {
        match replay.step() {
            Step::Fetch(fetches) => {
                for fetch in fetches {
                    replay.input(fetched(history, fetch).await?);
                }
            }
            Step::Verdict(said) => return Ok(Some(*said)),
            Step::End => return Ok(None),
        }
    }
}

async fn fetched(history: &History<PolicyFact>, fetch: Fetch) -> Result<Fetched, Error> {
    Ok(match fetch {
        Fetch::Catalogue { content } => {
            let bytes = history.operator.get(AuthorId::Owner, &content).await?;
            Fetched::Catalogue(content, bytes)
        }
        Fetch::Document { place } => {
            let document = history.operator.get(AuthorId::Owner, &place.document);
            Fetched::Document(place, document.await?)
        }
        Fetch::Tools { content } => {
            let bytes = history.operator.get(AuthorId::Owner, &content).await?;
            Fetched::Tools(content, bytes)
        }
        Fetch::Arguments {
            action,
            by,
            content,
        } => Fetched::Arguments(action, history.operator.get(by, &content).await?),
        Fetch::Job { content } => {
            let bytes = history.operator.get(AuthorId::Owner, &content).await?;
            Fetched::Job(content, bytes)
        }
        Fetch::Body { task, content } => {
            let bytes = history.operator.get(AuthorId::Scheduler, &content).await?;
            Fetched::Body(task, bytes)
        }
        Fetch::Words { task, by, content } => {
            Fetched::Words(task, history.operator.get(by, &content).await?)
        }
        Fetch::Said {
            task,
            number,
            content,
        } => {
            let bytes = history.operator.get(AuthorId::Gateway, &content).await?;
            Fetched::Said(task, number, bytes)
        }
        Fetch::Slots { task, by, content } => {
            Fetched::Slots(task, history.operator.get(by, &content).await?)
        }
        Fetch::Earlier {
            task,
            action,
            part,
            by,
            content,
        } => Fetched::Earlier(
            task,
            action,
            part,
            history.operator.get(by, &content).await?,
        ),
    })
}

impl ReplayCounts {
    fn add(&mut self, said: &Redecided) {
        let count = match said.compared {
            Compared::Identical => &mut self.identical,
            Compared::Differs => &mut self.differ,
            Compared::Erased => &mut self.erased,
            Compared::Person => &mut self.people,
            Compared::Untold => &mut self.untold,
        };
        *count += 1;
    }

    fn text(&self) -> String {
        let Self {
            identical,
            differ,
            erased,
            people,
            untold,
        } = self;
        let mut text = format!("{identical} verdicts are identical, {differ} differ");
        for (many, what) in [
            (erased, "depend on bytes that were erased"),
            (people, "rest on the answer of a person"),
            (untold, "cannot be decided again"),
        ] {
            if *many > 0 {
                text.push_str(&format!(", {many} {what}"));
            }
        }
        text
    }
}

/// Prints a verdict; the text for people has only those that are not identical.
fn print(said: &Redecided, out: &Output) {
    if out.json() {
        out.print(said, String::new);
        return;
    }
    let word = |word: &RecordedVerdict| {
        let code = word
            .code
            .map_or_else(String::new, |code| format!(" ({code})"));
        format!("{} by `{}`{code}", word.verdict, word.rule)
    };
    let tool = said.tool.as_ref().map_or("?", |tool| tool.as_str());
    let what = match said.compared {
        Compared::Identical | Compared::Person => return,
        Compared::Erased => "erased".to_owned(),
        Compared::Untold => "cannot be decided again".to_owned(),
        Compared::Differs => {
            let now = said.now.as_ref().map_or_else(|| "?".to_owned(), &word);
            format!("now {now}")
        }
    };
    let why = said
        .why
        .as_ref()
        .map_or_else(String::new, |why| format!("\n  {why}"));
    out.line(&format!(
        "message {} {tool} in task {}: {} on record, {what}{why}",
        said.seq,
        said.task,
        word(&said.recorded)
    ));
}
