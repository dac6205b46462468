//! `contract amend`: shows the change of a contract that a task asks for, and signs it or not.

use bus_schema::{
    ActionId, AuthorId, Content, ContractRequested, DeploymentId, Digest, PolicyFact, PublicKey,
    RequestFact, Statement, TaskId,
};
use clap::Args;
use contract::{Catalogue, Contract, Fix};
use deployment::Deployment;
use diagnostic::escaped;
use gateway::client::Client;
use policy::Replay;
use serde_json::{Map, Value};

use super::{
    document::{check_signed_text, parse, signed_tools},
    history::History,
    replay::next,
    sign::sign_text,
};
use crate::{
    Error, Output,
    amended::{Amended, amended},
    editor,
    ids::IdPrefix,
    model_line::is_model,
    prompt,
    provenance::{Heard, lines},
    timeline::quoted,
};

const QUESTION: &str = "  sign the new version? [yes/no/edit] ";

/// `contract amend …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual contract amend 01997c2e\n\n\
    An agent or a model can ask for the change that would allow a refused call; it cannot choose the change. You see the difference \
    in sentences, the call that becomes possible, and whose idea each of its values was. Signed, the task goes on under the new \
    version, and what it used stays counted.\n\n\
    Exit codes: 0 answered · 1 nothing is asked, or policy refuses the contract · 64 no terminal · 130 not answered")]
pub(crate) struct Arguments {
    /// The task: its id or the first characters, from `contractual task list`.
    task: IdPrefix,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let task = self.task.task(&client).await?;
        if Box::pin(answer(deployment, (&client, out), task)).await? {
            return Ok(());
        }
        Err(Error::Refused(format!(
            "task {task} asks for no change of its contract"
        )))
    }
}

/// The request of a task, with everything that a person needs to judge it.
struct Judged {
    request: u16,
    action: ActionId,
    reason: String,
    /// The contract of the task, and its text.
    from: Digest,
    text: String,
    fix: Option<Fix>,
    tool: String,
    args: Map<String, Value>,
    heard: Heard,
    tools: Catalogue,
    owner: PublicKey,
    history: History<PolicyFact>,
}

/// Has a person answer the open request of a task. Returns false if it has none.
///
/// # Errors
/// [`Error::Document`] without a terminal, [`Error::Interrupted`] without an answer, and the errors of the bus and of policy.
pub(crate) async fn answer(
    deployment: &Deployment,
    (client, out): (&Client, &Output),
    task: TaskId,
) -> Result<bool, Error> {
    let requests = History::<RequestFact>::read(deployment).await?;
    let Some(open) = open(deployment, &requests, task)? else {
        return Ok(false);
    };
    if !prompt::is_attended() {
        return Err(Error::Document(format!(
            "a person answers a request for another contract at a terminal: `contractual contract amend {task}`"
        )));
    }
    let judged = judge(deployment, task, &open).await?;
    let signed = judged.agreed(task, out).await?;
    let Some(text) = signed else {
        client
            .amend((task, judged.request), judged.from, None)
            .await?;
        out.line_for_people("  refused; the contract stays as it is\n");
        return Ok(true);
    };
    let bus = deployment.bus().await?;
    check_signed_text(("the new version", &text), deployment, &bus).await?;
    drop(bus);
    let to = Digest::of(&[text.as_bytes()]);
    // The task waits for exactly this text, also if this command ends before it is signed.
    let kept = editor::written(&text)?.into_temp_path().keep();
    let kept = kept.map_err(|error| Error::Refused(error.to_string()))?;
    out.line_for_people(&format!(
        "  if this breaks off, end it with: contractual contract sign {}",
        quoted(&kept.display().to_string())
    ));
    // First the task, so that nothing of it is refused between two versions.
    client
        .amend((task, judged.request), judged.from, Some(to))
        .await?;
    sign_text(deployment, &text).await?;
    // Nothing is lost with it.
    std::fs::remove_file(&kept).ok();
    out.line_for_people("  signed; the task goes on under the new version\n");
    Ok(true)
}

/// The open request of a task: the newest one that the owner has not answered.
fn open(
    deployment: &Deployment,
    requests: &History<RequestFact>,
    task: TaskId,
) -> Result<Option<ContractRequested>, Error> {
    let owner = bus_schema::public_key(&deployment.owner_key()?);
    let here = (Some(deployment.file.deployment), task);
    let mut open = None;
    for (_, fact) in &requests.facts {
        match fact {
            RequestFact::ContractRequested(of, fact) if *of == task => open = Some(fact),
            RequestFact::ContractAnswered(of, fact) if *of == task => {
                let said = fact.answer(&owner, here);
                open.take_if(|open| said.is_some_and(|said| said.request == open.request));
            }
            RequestFact::ContractRequested(..) | RequestFact::ContractAnswered(..) => {}
        }
    }
    Ok(open.map(|open| (**open).clone()))
}

/// Decides the refused call again from the record, so that neither gateway nor policy is trusted with the change.
async fn judge(
    deployment: &Deployment,
    task: TaskId,
    open: &ContractRequested,
) -> Result<Judged, Error> {
    let owner = bus_schema::public_key(&deployment.owner_key()?);
    let here = (Some(deployment.file.deployment), task);
    let history = History::<PolicyFact>::read(deployment).await?;
    let facts = &history.facts;
    let tools = signed_tools(deployment, &history.operator).await?;
    let mut replay = Replay::new(owner, facts.clone());
    let mut fix = None;
    while let Some(said) = next(&mut replay, &history).await? {
        if said.action == open.action {
            fix = said.fix;
        }
    }
    let from = replay.contract_of(task).ok_or_else(ended)?;
    let document = facts.iter().find_map(|(_, fact)| {
        let PolicyFact::ContractSigned(_, fact) = fact else {
            return None;
        };
        (fact.contract == from).then_some(fact.document)
    });
    let erased =
        || Error::Refused("the text of the contract was erased; cancel the task".to_owned());
    let document = document.ok_or_else(erased)?;
    let text = history
        .text(AuthorId::Owner, &document)
        .await?
        .ok_or_else(erased)?;
    let proposed = facts.iter().find_map(|(meta, fact)| {
        let PolicyFact::ActionProposed(_, fact) = fact else {
            return None;
        };
        let call = (meta.by, fact.tool.to_string(), fact.args);
        (fact.action == open.action).then_some(call)
    });
    let (by, tool, args) = proposed.ok_or_else(ended)?;
    let args = history.text(by, &args).await?.unwrap_or_default();
    let reason = history.text(AuthorId::Engine, &open.reason).await?;
    let heard = heard(&history, &tools, (&owner, here)).await?;
    Ok(Judged {
        request: open.request,
        action: open.action,
        reason: reason.unwrap_or_default(),
        from,
        text,
        fix,
        tool,
        args: serde_json::from_str(&args).unwrap_or_default(),
        heard,
        tools,
        owner,
        history,
    })
}

fn ended() -> Error {
    Error::Refused("the task has ended; nothing is left to change".to_owned())
}

/// Reads the sources of a task's values: the owner's words, and the results of its calls.
async fn heard(
    history: &History<PolicyFact>,
    tools: &Catalogue,
    (owner, here): (&PublicKey, (Option<DeploymentId>, TaskId)),
) -> Result<Heard, Error> {
    let task = here.1;
    let mut heard = Heard::default();
    let mut called: Vec<(ActionId, String)> = Vec::new();
    let mut results: Vec<(String, AuthorId, Content)> = Vec::new();
    let mut words: Vec<Content> = Vec::new();
    let facts = history.facts.iter();
    for (meta, fact) in facts.filter(|(meta, _)| meta.task == Some(task)) {
        if let PolicyFact::TaskSubmitted(_, fact) = fact {
            if let Ok(Statement::Task(said)) = fact.statement.open(owner) {
                words.extend((said.task == task).then_some(said.playbook));
            }
        } else if let PolicyFact::TaskSaid(_, fact) = fact {
            // Only the owner's own words, in their order, after the text of the task.
            let number = fact.number(owner, here).map(usize::from);
            words.extend(
                (number.map(|number| number + 1) == Some(words.len())).then_some(fact.words),
            );
        } else if let PolicyFact::ActionGranted(_, fact) = fact {
            let draft = &fact.grant.draft;
            // What a model says is the agent's own.
            if !is_model(draft.tool.as_str()) {
                called.push((draft.action, draft.tool.to_string()));
            }
        } else if let PolicyFact::ActionFinished(_, fact) = fact {
            let tool = called.iter().find(|(action, _)| *action == fact.action);
            results.extend(tool.map(|(_, tool)| (tool.clone(), meta.by, fact.output)));
        }
    }
    for content in words {
        heard
            .words
            .extend(history.text(AuthorId::Gateway, &content).await?);
    }
    for (tool, by, content) in results {
        let untrusted = tools
            .get(&tool)
            .is_none_or(|tool| tool.output().integrity == contract::Integrity::Untrusted);
        let text = history.text(by, &content).await?;
        heard
            .results
            .extend(text.map(|text| (tool, untrusted, text)));
    }
    Ok(heard)
}

impl Judged {
    /// Shows the change until the person signs it, and returns the text of the new version; none for a refusal.
    async fn agreed(&self, task: TaskId, out: &Output) -> Result<Option<String>, Error> {
        let old = parse("the contract", &self.text, &self.tools)?;
        self.show_call(&old, task, out);
        let made = self.fix.as_ref().and_then(|fix| amended(&self.text, fix));
        let Amended {
            mut text,
            mut to_do,
        } = made.unwrap_or_else(|| Amended {
            text: self.text.clone(),
            to_do: Some(
                "no change is known that would allow it; write one, and raise the version"
                    .to_owned(),
            ),
        });
        loop {
            let new = parse("the new version", &text, &self.tools);
            match (&new, &to_do) {
                (_, Some(to_do)) => out.line_for_people(&format!("\n  to do with edit: {to_do}")),
                (Err(problems), None) => out.line_for_people(&format!("\n{problems}")),
                (Ok(new), None) => {
                    self.show_change((&old, new, &text), out).await?;
                }
            }
            let said = prompt::value(QUESTION.to_owned()).await;
            match (said.as_deref().map(str::trim), &new) {
                (None, _) => return Err(Error::Interrupted),
                (Some("no"), _) => return Ok(None),
                (Some("yes"), Ok(new)) if new.name() != old.name() => {
                    prompt::tell(
                        "it has another name, so the task cannot move to it; answer edit or no",
                    );
                }
                (Some("yes"), Ok(_)) if to_do.is_none() => return Ok(Some(text)),
                (Some("edit"), _) => {
                    text = editor::edited(&text).await?;
                    to_do = None;
                }
                (Some("yes"), _) => prompt::tell("it cannot be signed yet; answer edit or no"),
                (Some(_), _) => prompt::tell("answer with the whole word yes, no or edit"),
            }
        }
    }

    /// Shows the refused call, and whose idea each of its values was.
    fn show_call(&self, old: &Contract, task: TaskId, out: &Output) {
        let mut text = format!(
            "\ntask {task} asks for a change of `{}`, version {}\n  it says: {}\n  the refused call: {} {}",
            old.name(),
            old.version(),
            escaped(&self.reason),
            self.tool,
            escaped(&Value::Object(self.args.clone()).to_string())
        );
        for line in lines(&self.args, &self.heard) {
            text.push_str(&format!("\n    {line}"));
        }
        out.line_for_people(&text);
    }

    /// Shows the difference in sentences, and the verdict on the refused call with it.
    async fn show_change(
        &self,
        (old, new, text): (&Contract, &Contract, &str),
        out: &Output,
    ) -> Result<(), Error> {
        let difference = contract::diff(old, new, &self.tools).text();
        let verdict = self.verdict(text).await?;
        out.line_for_people(&format!(
            "\nthe difference of version {}:\n{difference}\n\n  an example: the refused call is {verdict}\n",
            new.version()
        ));
        Ok(())
    }

    /// The verdict on the refused call at its moment, under this text.
    async fn verdict(&self, text: &str) -> Result<String, Error> {
        let facts = self.history.facts.clone();
        let under = Replay::new(self.owner, facts).under("the new version", text, &self.tools);
        let mut replay = under.map_err(|problems| Error::Document(problems.to_string()))?;
        while let Some(said) = next(&mut replay, &self.history).await? {
            if said.action != self.action {
                continue;
            }
            let now = said.now.map(|now| (now.verdict, now.rule));
            return Ok(match now {
                Some(("granted", rule)) => format!("then granted by `{rule}`"),
                Some(("ask", rule)) => format!("then asked about by `{rule}`"),
                Some((_, rule)) => format!("still refused, by `{rule}`"),
                None => "of an unknown verdict".to_owned(),
            });
        }
        Ok("not on record".to_owned())
    }
}
