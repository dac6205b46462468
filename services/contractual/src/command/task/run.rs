//! `run`: submits a task, of words for a model or a playbook, follows it, and answers its questions.

use std::path::{Path, PathBuf};

use bus_schema::RefusalCode;
use clap::Args;
use deployment::{Deployment, read_text};
use diagnostic::{escaped, escaped_lines};
use gateway::{api::Submitted, client::Client};
use serde_json::json;

use super::{
    dialogue::{self, NewDialogue},
    inputs, plan,
    talk::Talk,
};
use crate::{
    Error, Output,
    command::{
        contract::{self, document},
        up::Interrupt,
    },
    filled::filled,
    follower::{Answer, Follower},
    reason,
    timeline::{Timeline, quoted},
};

/// The example of `task run`.
pub(super) const TASK_EXAMPLE: &str =
    "Example: contractual task run --contract contract.toml --playbook playbook.toml";

/// `run …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual run \"Add up the invoices\" --contract invoices\n\
    Example: contractual run --contract contract.toml --playbook playbook.toml --input folder=2027\n\n\
    Without --contract, words get the draft of the narrowest contract that fits them. A person at a terminal reads what it may \
    read, change, send and spend, takes away what is too much or edits it, and signs it; then it runs.\n\n\
    A model works on the words with the tools of the contract; its calls are decided as those of a playbook, and so are the \
    calls of the model itself. `contractual model add` adds one."
)]
pub(crate) struct Arguments {
    /// Your wish, in your own words; bounds with `from = "task"` read it.
    #[arg(value_name = "WORDS", required_unless_present = "playbook")]
    words: Option<String>,
    /// The contract, such as contract.toml; sign it first with `contract sign`. For words also the name of one in force.
    #[arg(long, value_name = "FILE", required_unless_present = "words")]
    contract: Option<PathBuf>,
    /// The playbook, such as playbook.toml.
    #[arg(long, value_name = "FILE", conflicts_with = "words")]
    playbook: Option<PathBuf>,
    /// The model that works on the words, such as main; may be left out if the contract permits one model alone.
    #[arg(long, value_name = "NAME", requires = "words")]
    model: Option<String>,
    /// The value of a slot of the contract, such as recipient=ann@x.example; repeat it for each slot. A terminal is asked for
    /// missing ones.
    #[arg(long, value_name = "SLOT=VALUE")]
    set: Vec<String>,
    /// The value of an input of the playbook, such as folder=2027; repeat it for each input. `name=@FILE` reads a file, and
    /// `name=@@text` begins with `@`.
    #[arg(long, value_name = "INPUT=VALUE", requires = "playbook")]
    input: Vec<String>,
    /// Approve every question; by default the answer is read from standard input, and EOF means no.
    #[arg(long)]
    yes: bool,
    /// Do not follow the task; answer its questions with `contractual approve`.
    #[arg(long)]
    detach: bool,
}

impl Arguments {
    pub(crate) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let playbook = self.read_playbook()?;
        if client.tasks().await?.halted {
            return Err(Error::Refused(
                "everything is halted, so nothing would be granted: run `contractual resume` first"
                    .to_owned(),
            ));
        }
        let (contract, signed) = self.contract(deployment, out).await?;
        let submitted = self
            .submit(deployment, &client, (&contract, signed, playbook))
            .await?;
        if self.detach {
            out.print(&submitted, || format!("task {}", submitted.task));
            return Ok(());
        }
        let answer = if self.yes { Answer::Yes } else { Answer::Asked };
        let follower = Follower {
            deployment,
            client: &client,
            out,
            live: true,
        };
        let mut timeline = Timeline::new();
        let task = submitted.task;
        let mut interrupt = Interrupt::listen()?;
        let talk = Talk {
            follower,
            task,
            answer,
            spoken: self.words.is_some(),
            chat: false,
        };
        let approved = Box::pin(talk.follow(&mut timeline, &mut interrupt)).await?;
        for question in approved {
            let draft = question.draft;
            out.line_for_people(&format!(
                "signed with --yes: {} by rule {}, action {}",
                draft.tool, draft.rule, draft.action
            ));
        }
        let counts = &timeline.counts;
        if counts.succeeded {
            if let Some(words) = &timeline.last_words {
                let end = json!({"task": task, "text": words});
                out.print(&end, || format!("\n{}", escaped_lines(words)));
            }
            Ok(())
        } else if timeline.reason == reason::in_words(RefusalCode::NoContract) {
            Err(Error::Refused(unsigned(&contract)?))
        } else {
            Err(Error::Refused(ended(&counts.outcome, &timeline.reason)))
        }
    }

    /// Reads the playbook; none for words.
    fn read_playbook(&self) -> Result<Option<String>, Error> {
        let Some(file) = &self.playbook else {
            return Ok(None);
        };
        let text = read_text(file)?;
        let playbook = worker::Playbook::parse(&file.display().to_string(), &text)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        let filled = inputs::filled(&playbook, &self.input)?;
        Ok(Some(filled.source().to_owned()))
    }

    /// The contract: the named one, or the one that the person signs for the words, with the signed text.
    async fn contract(
        &self,
        deployment: &Deployment,
        out: &Output,
    ) -> Result<(PathBuf, Option<String>), Error> {
        match (&self.contract, self.words.as_deref()) {
            (None, Some(words)) => {
                let asked = (words, self.model.as_deref());
                let (name, text) = Box::pin(plan::signed(deployment, out, asked)).await?;
                Ok((PathBuf::from(name), Some(text)))
            }
            (contract, _) => Ok((contract.clone().unwrap_or_default(), None)),
        }
    }

    async fn submit(
        &self,
        deployment: &Deployment,
        client: &Client,
        (contract, signed, playbook): (&Path, Option<String>, Option<String>),
    ) -> Result<Submitted, Error> {
        let Some(playbook) = playbook else {
            let contract = contract.display().to_string();
            // A file of the same name is another contract.
            let text = match signed {
                Some(text) => text,
                None => contract::text(deployment, &contract).await?,
            };
            let words = self.words.as_deref().unwrap_or_default();
            let asked = NewDialogue {
                words,
                contract: (&contract, &text),
                model: self.model.as_deref(),
                chat: false,
                tools: true,
                set: &self.set,
            };
            return dialogue::open(deployment, client, &asked).await;
        };
        let digest = document::digest(contract)?;
        let slots = filled(deployment, contract, &self.set).await?;
        let playbook = playbook.as_bytes();
        Ok(client
            .submit_filled(digest, playbook, slots.as_deref())
            .await?)
    }
}

/// Describes a contract that is not in force, by the name and version in its text.
fn unsigned(contract: &Path) -> Result<String, Error> {
    let text = read_text(contract).unwrap_or_default();
    let head: toml::Table = toml::from_str(&text).unwrap_or_default();
    let name = head.get("contract").and_then(toml::Value::as_str);
    let version = head.get("version").and_then(toml::Value::as_integer);
    let what = match (name, version) {
        (Some(name), Some(version)) => {
            format!("version {version} of `{}` in this file", escaped(name))
        }
        (Some(_) | None, _) => "the contract in this file".to_owned(),
    };
    let file = quoted(&contract.display().to_string());
    Ok(format!(
        "no such contract is in force: {what} is not signed, or was revoked or replaced; run `contractual contract sign {file}`"
    ))
}

/// The end of a task in words, with its reason.
pub(crate) fn ended(outcome: &str, reason: &str) -> String {
    match reason {
        "" => format!("the task ended as {outcome}"),
        reason => format!("the task ended as {outcome}: {reason}"),
    }
}
