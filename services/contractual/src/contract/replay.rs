//! `contract replay`: the recorded verdicts, decided again by policy's own core.

use actor::{Clock, signing_key};
use bus_schema::AuthorId;
use policy::{Compared, Fetch, Fetched, Redecided, Replay, Step, Word};
use serde::Serialize;

use super::{history::History, read_catalogue, read_text};
use crate::{Dir, Error, args::ReplayArguments, output::Output};

/// How the verdicts compare.
#[derive(Debug, Default, Serialize)]
struct Counts {
    identical: usize,
    differ: usize,
    erased: usize,
    /// What a person said, or did not say.
    people: usize,
    untold: usize,
}

/// Decides the recorded history again and prints what differs, or with `--json` every verdict.
///
/// # Errors
/// [`Error::Document`] with what is wrong with the contract; [`Error::Found`] if verdicts differ; what the bus refused.
pub async fn replay(
    dir: &Dir,
    arguments: &ReplayArguments,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let tools = read_catalogue(&dir.catalogue())?;
    let owner = bus_schema::public_key(&signing_key::load(&dir.owner_key())?);
    let mut history = History::read(dir, clock).await?;
    let facts = std::mem::take(&mut history.facts);
    let mut replay = Replay::new(owner, tools, facts);
    if let Some(path) = &arguments.contract {
        let text = read_text(path)?;
        let under = replay.under(&path.display().to_string(), &text);
        replay = under.map_err(|problems| Error::Document(problems.to_string()))?;
    }
    let mut counts = Counts::default();
    loop {
        match replay.step() {
            Step::Fetch(fetches) => {
                for fetch in fetches {
                    replay.input(fetched(&history, fetch).await?);
                }
            }
            Step::Verdict(said) => {
                if arguments.task.is_none_or(|task| task == said.task) {
                    counts.add(&said);
                    print(&said, out);
                }
            }
            Step::End => break,
        }
    }
    out.print(&counts, || counts.text());
    match counts.differ + counts.untold {
        0 => Ok(()),
        differ => Err(Error::Found(format!(
            "{differ} verdicts are not those on record"
        ))),
    }
}

async fn fetched(history: &History, fetch: Fetch) -> Result<Fetched, Error> {
    Ok(match fetch {
        Fetch::Document { contract, content } => {
            let bytes = history.operator.get(AuthorId::Owner, &content).await?;
            Fetched::Document(contract, content, bytes)
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
        Fetch::Words { task, content } => {
            let bytes = history.operator.get(AuthorId::Gateway, &content).await?;
            Fetched::Words(task, bytes)
        }
        Fetch::Earlier {
            task,
            action,
            half,
            by,
            content,
        } => Fetched::Earlier(
            task,
            action,
            half,
            history.operator.get(by, &content).await?,
        ),
    })
}

impl Counts {
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
            (people, "say what a person said, or did not say"),
            (untold, "cannot be decided again"),
        ] {
            if *many > 0 {
                text.push_str(&format!(", {many} {what}"));
            }
        }
        text
    }
}

/// People see what is not identical, programs everything.
fn print(said: &Redecided, out: &Output) {
    if out.json() {
        out.print(said, String::new);
        return;
    }
    let word = |word: &Word| {
        let code = word
            .code
            .map_or_else(String::new, |code| format!(" ({code})"));
        format!("{} by `{}`{code}", word.verdict, word.rule)
    };
    let tool = said.tool.as_ref().map_or("?", |tool| tool.as_str());
    let what = match said.compared {
        Compared::Identical | Compared::Person => return,
        Compared::Erased => "erased".to_owned(),
        Compared::Untold => "cannot be told".to_owned(),
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
