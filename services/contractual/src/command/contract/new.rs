//! `contract new`: writes a contract from the text of a task, or from a recorded task.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use actor::{Clock, files};
use bus_schema::{
    ActionId, ActionOutcome, AuthorId, CallFact, Content, ContractFact, ContractFolders,
    ContractName, TaskId,
};
use clap::Args;
use contract::{Catalogue, DraftHeader, Recorded};
use deployment::{Deployment, read_text};
use diagnostic::is_hidden;
use serde_json::json;

use super::{
    document::{parse, read_catalogue},
    history::History,
};
use crate::{Error, command::context::Context, ids::IdPrefix};

/// Most characters of a purpose.
const PURPOSE_CHARS_MAX: usize = 200;
/// Most characters of the task's text.
const WORDS_CHARS_MAX: usize = 20_000;
/// A day in milliseconds.
const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// `contract new …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual contract new --task-text 'Sort my inbox' --tools tools.json > contract.toml\n\
    Example: contractual contract new --from TASK --out contract.toml\n\n\
    From a text: a draft that allows what reads, binds writes to the words, and asks about the rest. From a recorded \
    task: exactly its calls; a call that the language cannot describe exactly becomes a question, and the order of the \
    items of a list does not matter.\n\n\
    Exit codes: 0 written · 1 no such task, or it did nothing · 64 the tools cannot be read"
)]
pub(crate) struct Arguments {
    /// The task in your own words, such as 'Sort my inbox', or a file with them.
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    task_text: Option<String>,
    /// A recorded task: its id or the first characters, from `contractual task list`.
    #[arg(long, value_name = "TASK")]
    from: Option<IdPrefix>,
    /// The tool catalogue, such as tools.json; by default the deployment's.
    #[arg(long, value_name = "FILE")]
    tools: Option<PathBuf>,
    /// The contract's name, such as sort-inbox: lower-case letters, digits and `-`.
    #[arg(long)]
    name: Option<ContractName>,
    /// The number of days until it expires.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    days: u16,
    /// No effect: nothing is asked.
    #[arg(long, hide = true)]
    yes: bool,
    /// A new file for the contract, such as contract.toml; by default standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment.
    pub(super) const fn needs_no_folder(&self) -> bool {
        self.tools.is_some() && self.from.is_none()
    }

    /// Writes the contract to standard output or a new file.
    pub(super) async fn run(&self, context: &Context) -> Result<(), Error> {
        let tools = self
            .tools
            .clone()
            .unwrap_or_else(|| context.dir.catalogue());
        let tools = read_catalogue(&tools)?;
        let text = match (&self.task_text, &self.from) {
            (_, Some(typed)) => {
                let deployment = context.deployment()?;
                let task = typed.task_of(&deployment).await?;
                self.of_task(&deployment, task, &tools).await?
            }
            (words, None) => {
                let words = words.as_deref().unwrap_or_default();
                self.drafted(words, &tools, &context.clock)?
            }
        };
        parse("the new contract", &text, &tools)?;
        if let Some(path) = &self.out {
            files::write_new(path, text.as_bytes())?;
            let said =
                json!({"file": path, "contract": bus_schema::Digest::of(&[text.as_bytes()])});
            context.out.print(&said, || {
                format!(
                    "{}: written; read it, then `contractual contract check` and `sign` it",
                    path.display()
                )
            });
        } else {
            context
                .out
                .print(&json!({"contract": text}), || text.trim_end().to_owned());
        }
        Ok(())
    }

    fn header(&self, purpose: &str, clock: &Clock) -> DraftHeader {
        let name = self.name.as_ref().map(ToString::to_string);
        header(name.unwrap_or_default(), purpose, (self.days, clock))
    }

    fn drafted(&self, words: &str, tools: &Catalogue, clock: &Clock) -> Result<String, Error> {
        let path = Path::new(words);
        let words = if path.is_file() {
            read_text(path)?
        } else {
            words.to_owned()
        };
        let purpose = purpose("--task-text", &words)?;
        let header = self.header(purpose, clock);
        Ok(contract::draft_of_text(&header, words.trim(), tools))
    }

    async fn of_task(
        &self,
        deployment: &Deployment,
        task: TaskId,
        tools: &Catalogue,
    ) -> Result<String, Error> {
        let history = History::read(deployment).await?;
        let calls = recorded(&history, task).await?;
        if calls.is_empty() {
            return Err(Error::Refused(format!(
                "task {task} is not on record, or none of its actions succeeded: see `contractual task list`"
            )));
        }
        let mut header = self.header(
            &format!("What task {task} did, and nothing more"),
            &deployment.clock,
        );
        header.folders = folders(deployment, &history, task).await?;
        if header.name.is_empty() {
            let id = task.to_string();
            header.name = format!("from-{}", id.get(..8).unwrap_or(&id));
        }
        Ok(contract::draft_of_calls(&header, &calls, tools))
    }
}

/// The purpose of a contract for these words: their first line. `what` names them in the error.
///
/// # Errors
/// [`Error::Document`] for words that are empty or too long.
pub(crate) fn purpose<'w>(what: &str, words: &'w str) -> Result<&'w str, Error> {
    let first = words.lines().find(|line| !line.trim().is_empty());
    match first.filter(|_| words.chars().count() <= WORDS_CHARS_MAX) {
        Some(first) => Ok(first.trim()),
        None => Err(Error::Document(format!(
            "{what} is empty or longer than {WORDS_CHARS_MAX} characters; describe the task"
        ))),
    }
}

/// The head of a draft that is valid for these days; without a name, the draft gets one from the words.
pub(crate) fn header(name: String, purpose: &str, (days, clock): (u16, &Clock)) -> DraftHeader {
    let expires = clock.wall().plus_ms(u64::from(days) * DAY_MS).to_string();
    let purpose = purpose.chars().filter(|c| !is_hidden(*c));
    DraftHeader {
        name,
        purpose: purpose.take(PURPOSE_CHARS_MAX).collect(),
        owner: "The person who signs this".to_owned(),
        expires: expires.get(..10).unwrap_or(&expires).to_owned(),
        folders: ContractFolders::default(),
    }
}

/// Returns the folders of the contract under which a task had its first grant.
async fn folders(
    deployment: &Deployment,
    history: &History<CallFact>,
    task: TaskId,
) -> Result<ContractFolders, Error> {
    let mut facts = history.facts.iter();
    let under = facts.find_map(|(_, fact)| {
        let CallFact::ActionGranted(of, fact) = fact else {
            return None;
        };
        (*of == task).then_some(fact.grant.draft.contract)
    });
    let signed = History::<ContractFact>::read(deployment).await?;
    let mut signed = signed.facts.into_iter();
    let found = signed.find_map(|(_, fact)| {
        let ContractFact::ContractSigned(_, fact) = fact else {
            return None;
        };
        (Some(fact.contract) == under).then_some(fact.envelope.folders)
    });
    Ok(found.unwrap_or_default())
}

/// A recorded call, whose contents are not read yet.
struct Call {
    tool: String,
    args: Content,
    by: AuthorId,
    /// The question about it, if there was one, with its reason if one is on record.
    asked: Option<Option<Content>>,
    secrets: Vec<bus_schema::SecretName>,
    tokens: u64,
}

/// The granted calls of a task that succeeded, in the order of the record.
async fn recorded(history: &History<CallFact>, task: TaskId) -> Result<Vec<Recorded>, Error> {
    let (mut asked, mut granted) = (BTreeMap::new(), BTreeMap::<ActionId, Call>::new());
    let (mut order, mut succeeded) = (Vec::new(), BTreeSet::new());
    for (_, fact) in &history.facts {
        match fact {
            CallFact::ApprovalRequested(of, fact) if *of == task => {
                asked.insert(fact.draft.action, fact.reason);
            }
            CallFact::ActionGranted(of, fact) if *of == task => {
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
            CallFact::ActionFinished(of, fact) if *of == task => {
                if fact.outcome == ActionOutcome::Succeeded {
                    succeeded.insert(fact.action);
                }
            }
            CallFact::ApprovalRequested(..)
            | CallFact::ActionGranted(..)
            | CallFact::ActionFinished(..) => {}
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

async fn read(history: &History<CallFact>, call: Call) -> Result<Recorded, Error> {
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
            "the arguments of a call of `{tool}` were erased: no contract can be written from this task"
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
