//! `run` without a contract: drafts the narrowest one for the words, which a person reads, narrows, edits and signs.

use std::collections::BTreeSet;

use contract::{Catalogue, Contract, DraftHeader, DraftScope};
use deployment::Deployment;

use crate::{
    Error, Output,
    command::{
        contract::{document::parse, entries, new, sign},
        tool,
    },
    editor,
    model::{self, KnownModel},
    prompt,
    timeline::quoted,
    too_much,
};

/// The days for which a drafted contract is valid.
const DAYS: u16 = 7;
const QUESTION: &str =
    "  sign it? [yes/no/edit, or what is too much, such as: without file.write] ";

/// A draft that a person reads.
struct Plan<'a> {
    words: &'a str,
    tools: &'a Catalogue,
    header: DraftHeader,
    scope: DraftScope,
    text: String,
    /// True once the person has edited the text.
    edited: bool,
}

/// Has a person sign a contract for words, and returns its name and its text.
///
/// # Errors
/// [`Error::Document`] without a terminal, [`Error::Refused`] without a model, [`Error::Interrupted`] if the person does not
/// sign, and the errors of the bus and of policy.
pub(crate) async fn signed(
    deployment: &Deployment,
    out: &Output,
    (words, model): (&str, Option<&str>),
) -> Result<(String, String), Error> {
    let purpose = new::purpose("the task", words)?;
    if !prompt::is_attended() {
        return Err(Error::Document(format!(
            "there is no --contract, and a person reads and signs the draft of one at a terminal alone; write one with \
             `contractual contract new --task-text {} --out contract.toml`, sign it with `contractual contract sign \
             contract.toml`, and add `--contract contract.toml`",
            quoted(words)
        )));
    }
    let bus = deployment.bus().await?;
    let tools = tool::signed(deployment, &bus).await?.catalogue;
    drop(bus);
    let models = KnownModel::all(&tools);
    let model = model::chosen(&models, model, |_| true)?;
    let others = models.iter().filter(|other| other.tool != model.tool);
    let scope = DraftScope {
        without: others.map(|other| other.tool.to_string()).collect(),
        model: Some(model.drafted()),
    };
    let header = new::header(String::new(), purpose, (DAYS, &deployment.clock));
    let mut plan = Plan {
        words,
        tools: &tools,
        header,
        scope,
        text: String::new(),
        edited: false,
    };
    plan.name(deployment).await?;
    let contract = plan.agreed(out).await?;
    sign::sign_text(deployment, &plan.text).await?;
    out.line_for_people("  signed, and in force\n");
    Ok((contract.name().to_string(), plan.text))
}

impl Plan<'_> {
    /// Drafts the contract under a name that no contract has had.
    async fn name(&mut self, deployment: &Deployment) -> Result<(), Error> {
        self.draft();
        let taken = entries(deployment).await?;
        let taken: BTreeSet<String> = taken.iter().map(|one| one.name.to_string()).collect();
        let first = self.contract()?.name().to_string();
        let numbered = (2..).map(|n| format!("{first}-{n}"));
        let mut names = std::iter::once(first.clone()).chain(numbered);
        let free = names.find(|name| !taken.contains(name));
        self.header.name = free.unwrap_or(first);
        self.draft();
        Ok(())
    }

    fn draft(&mut self) {
        self.text = contract::draft_in_scope(&self.header, self.words, self.tools, &self.scope);
    }

    fn contract(&self) -> Result<Contract, Error> {
        parse("the draft", &self.text, self.tools)
    }

    /// Shows the draft until the person agrees to it, and returns the contract.
    async fn agreed(&mut self, out: &Output) -> Result<Contract, Error> {
        loop {
            let contract = self.contract();
            match &contract {
                Ok(contract) => {
                    let shown = contract::powers(contract, self.tools);
                    out.line_for_people(&format!("\n{}\n", shown.text()));
                }
                Err(problems) => out.line_for_people(&format!("\n{problems}\n")),
            }
            let said = prompt::value(QUESTION.to_owned()).await;
            match (said.as_deref().map(str::trim), contract) {
                (None | Some("no"), _) => return Err(Error::Interrupted),
                (Some("yes"), Ok(contract)) => return Ok(contract),
                (Some("yes"), Err(_)) => prompt::tell("it has problems; edit it, or answer no"),
                (Some("edit"), _) => {
                    self.text = editor::edited(&self.text).await?;
                    self.edited = true;
                }
                (Some(_), _) if self.edited => {
                    prompt::tell("it was edited: answer yes or no, or take it away with edit");
                }
                (Some(said), Ok(contract)) => match too_much::tools(said, &contract, self.tools) {
                    Ok(tools) => {
                        self.scope.without.extend(tools);
                        self.draft();
                    }
                    Err(problem) => prompt::tell(&problem),
                },
                (Some(_), Err(_)) => prompt::tell("answer edit or no"),
            }
        }
    }
}
