//! `contract new`: a draft for a task, or a contract that permits what a recorded task did and nothing more.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use actor::Clock;
use actor::diagnostic::{escaped_lines, is_hidden};
use bus_schema::{ActionId, ActionOutcome, AuthorId, Content, PolicyFact, TaskId};
use policy::{Above, Catalogue, Choice, Generalised, Offer, Recorded};
use serde_json::{Value, json};

use super::{history::History, parse, read_catalogue, read_text, write_new};
use crate::{Dir, Error, args::NewArguments, output::Output};

/// Most characters of a purpose.
const PURPOSE_CHARS_MAX: usize = 200;
/// Most characters of the owner's words.
const WORDS_CHARS_MAX: usize = 20_000;
/// A day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// Writes a contract, to standard output or a new file.
///
/// # Errors
/// [`Error::Document`] with what is wrong with the tools or the text; [`Error::Refused`] if there is no such task or
/// it did nothing; [`Error::File`] if the file exists.
pub async fn new(
    dir: &Dir,
    arguments: &NewArguments,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let tools = arguments.tools.clone().unwrap_or_else(|| dir.catalogue());
    let tools = read_catalogue(&tools)?;
    let text = match (&arguments.task_text, arguments.from) {
        (_, Some(task)) => from_task(dir, task, arguments, &tools, clock).await?,
        (words, None) => {
            let words = words.as_deref().unwrap_or_default();
            drafted(words, arguments, &tools, clock)?
        }
    };
    parse("the new contract", &text, &tools)?;
    if let Some(path) = &arguments.out {
        write_new(path, &text)?;
        let said = json!({"file": path, "contract": bus_schema::Digest::of(&[text.as_bytes()])});
        out.print(&said, || {
            format!(
                "{}: written; read it, then `contractual contract check` and `sign` it",
                path.display()
            )
        });
    } else {
        out.print(&json!({"contract": text}), || text.trim_end().to_owned());
    }
    Ok(())
}

fn above(arguments: &NewArguments, purpose: &str, clock: &Clock) -> Above {
    let days = u64::from(arguments.days);
    let expires = clock.wall().plus_ms(days * DAY_MS).to_string();
    let purpose: String = purpose
        .chars()
        .filter(|c| !is_hidden(*c))
        .take(PURPOSE_CHARS_MAX)
        .collect();
    Above {
        name: arguments
            .name
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        purpose,
        owner: "The person who signs this".to_owned(),
        expires: expires.get(..10).unwrap_or(&expires).to_owned(),
    }
}

fn drafted(
    words: &str,
    arguments: &NewArguments,
    tools: &Catalogue,
    clock: &Clock,
) -> Result<String, Error> {
    let path = Path::new(words);
    let words = if path.is_file() {
        read_text(path)?
    } else {
        words.to_owned()
    };
    if words.trim().is_empty() || words.chars().count() > WORDS_CHARS_MAX {
        let wrong = format!(
            "--task-text is empty or longer than {WORDS_CHARS_MAX} characters; write what the task is"
        );
        return Err(Error::Document(wrong));
    }
    let purpose = words
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default();
    Ok(policy::draft(
        &above(arguments, purpose.trim(), clock),
        words.trim(),
        tools,
    ))
}

async fn from_task(
    dir: &Dir,
    task: TaskId,
    arguments: &NewArguments,
    tools: &Catalogue,
    clock: &Clock,
) -> Result<String, Error> {
    let history = History::read(dir, clock).await?;
    let calls = recorded(&history, task).await?;
    if calls.is_empty() {
        return Err(Error::Refused(format!(
            "task {task} is not on record, or nothing that it did has succeeded: see `contractual task list`"
        )));
    }
    let mut above = above(
        arguments,
        &format!("What task {task} did, and nothing more"),
        clock,
    );
    if above.name.is_empty() {
        let id = task.to_string();
        above.name = format!("from-{}", id.get(..8).unwrap_or(&id));
    }
    let mut made = Generalised::exactly(above, calls, tools);
    if !arguments.yes && std::io::stdin().is_terminal() {
        let asking = tokio::task::spawn_blocking(move || {
            while let Some(choice) = made.choice() {
                let offer = ask(&choice);
                made.settle(&choice, &offer);
            }
            made
        });
        made = asking
            .await
            .map_err(|_| Error::Refused("the terminal was closed".to_owned()))?;
    }
    Ok(made.toml())
}

/// Asks until there is a clear answer; the end of input keeps the calls as they were.
fn ask(choice: &Choice) -> Offer {
    let mut terminal = std::io::stderr();
    let values: Vec<String> = choice.values.iter().take(5).map(Value::to_string).collect();
    let more = choice.values.len().saturating_sub(values.len());
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let mut text = format!(
        "\n`{}` of {} was {}{more}. What may it be?\n",
        choice.argument,
        choice.tool,
        values.join(", ")
    );
    for (at, offer) in choice.offers.iter().enumerate() {
        text.push_str(&format!("  {}  {}\n", at + 1, offer.text()));
    }
    let text = escaped_lines(&text);
    loop {
        // A terminal that is gone cannot answer either.
        write!(terminal, "{text}  [1] ").ok();
        terminal.flush().ok();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        let line = line.trim();
        if matches!(read, Ok(0) | Err(_)) || line.is_empty() {
            return Offer::Exactly;
        }
        let chosen = line.parse::<usize>().ok().and_then(|at| at.checked_sub(1));
        if let Some(offer) = chosen.and_then(|at| choice.offers.get(at)) {
            return offer.clone();
        }
    }
}

/// A call of the task, as far as it was read.
struct Call {
    tool: String,
    args: Content,
    by: AuthorId,
    /// The reason, if it was asked about and one is on record.
    asked: Option<Option<Content>>,
    secrets: Vec<bus_schema::SecretName>,
    tokens: u64,
}

/// What was granted to a task and succeeded, in the order of the record.
async fn recorded(history: &History, task: TaskId) -> Result<Vec<Recorded>, Error> {
    let (mut asked, mut granted) = (BTreeMap::new(), BTreeMap::<ActionId, Call>::new());
    let (mut order, mut succeeded) = (Vec::new(), BTreeSet::new());
    for (_, fact) in &history.facts {
        match fact {
            PolicyFact::ApprovalRequested(of, fact) if *of == task => {
                asked.insert(fact.draft.action, fact.reason);
            }
            PolicyFact::ActionGranted(of, fact) if *of == task => {
                let draft = &fact.grant.draft;
                order.push(draft.action);
                let call = Call {
                    tool: draft.tool.to_string(),
                    args: draft.args,
                    by: draft.args_by,
                    asked: asked.get(&draft.action).copied(),
                    secrets: draft.secrets.clone(),
                    tokens: draft.counts.tokens,
                };
                granted.entry(draft.action).or_insert(call);
            }
            PolicyFact::ActionFinished(of, fact) if *of == task => {
                if fact.outcome == ActionOutcome::Succeeded {
                    succeeded.insert(fact.action);
                }
            }
            PolicyFact::RosterChanged(..)
            | PolicyFact::ContractSigned(..)
            | PolicyFact::ContractRevoked(..)
            | PolicyFact::ContractActivated(..)
            | PolicyFact::ContractSuspended(..)
            | PolicyFact::ContractRejected(..)
            | PolicyFact::HaltOrdered(..)
            | PolicyFact::HaltLifted(..)
            | PolicyFact::TaskSubmitted(..)
            | PolicyFact::TaskAdmitted(..)
            | PolicyFact::TaskRejected(..)
            | PolicyFact::TaskFinished(..)
            | PolicyFact::ActionProposed(..)
            | PolicyFact::ActionGranted(..)
            | PolicyFact::ActionRefused(..)
            | PolicyFact::ApprovalRequested(..)
            | PolicyFact::ApprovalCarried(..)
            | PolicyFact::ApprovalRefused(..)
            | PolicyFact::ActionStarted(..)
            | PolicyFact::ActionFinished(..)
            | PolicyFact::ActionDeclined(..)
            | PolicyFact::ActionExpired(..) => {}
        }
    }
    let mut calls = Vec::new();
    for action in order
        .into_iter()
        .filter(|action| succeeded.contains(action))
    {
        if let Some(call) = granted.remove(&action) {
            calls.push(read(history, call).await?);
        }
    }
    Ok(calls)
}

async fn read(history: &History, call: Call) -> Result<Recorded, Error> {
    let Call {
        tool,
        args,
        by,
        asked,
        secrets,
        tokens,
    } = call;
    let bytes = history.operator.get(by, &args).await?;
    let args = bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let Some(args) = args else {
        let erased = format!(
            "the arguments of a call of `{tool}` were erased, so that nobody can say what it did"
        );
        return Err(Error::Refused(erased));
    };
    let asked = match asked {
        Some(reason) => {
            let reason = match reason {
                Some(reason) => history.text(AuthorId::Policy, &reason).await?,
                None => None,
            };
            Some(reason.unwrap_or_else(|| "a person was asked about it".to_owned()))
        }
        None => None,
    };
    Ok(Recorded {
        tool,
        args,
        asked,
        secrets,
        tokens,
    })
}
