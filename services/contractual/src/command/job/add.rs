//! `job add`: checks a job, and signs it with its playbook.

use std::path::{Path, PathBuf};

use actor::BusClient;
use bus_schema::{AuthorId, JobSigned, Jobs, Sealed, Time};
use clap::Args;
use contract::{Catalogue, Contract, Risk, SlotValues};
use deployment::{Deployment, jobs, owner::owner, read_text};
use job::Job;
use serde_json::json;
use worker::Playbook;

use super::known;
use crate::{
    Error, Output,
    command::contract::{
        ContractEntry, ContractStatus,
        document::{parse, signed_tools},
        entries,
    },
};

/// The number of coming times that are printed.
const SHOWN: usize = 3;

/// `job add …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual job add job.toml\n\n\
    A job has a name, a purpose, a contract in force with `principal = \"job:<name>\"`, a playbook beside it, and `[when]`. \
    Sign it again after another version of its contract came into force. `contractual job next` shows its coming times.\n\n\
    Exit codes: 0 signed · 1 the contract is not in force, or the bus refused it · 64 the job or its playbook is not valid")]
pub(crate) struct Arguments {
    /// The job, such as job.toml.
    file: PathBuf,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let text = read_text(&self.file)?;
        let job = Job::parse(&self.file.display().to_string(), &text)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        let now = deployment.clock.wall();
        let coming = coming(&job, now)?;
        let playbook = self.playbook(&job)?;
        let bus = deployment.bus().await?;
        let entry = in_force(deployment, &job).await?;
        let tools = signed_tools(deployment, &bus).await?;
        let contract = contract(&bus, &entry, &tools).await?;
        permits(&contract, &job)?;
        for note in refused_tools(&playbook, &tools) {
            out.line_for_people(&note);
        }
        let slots = slots(&contract, &job, now)?;
        let sealed = |bytes: &[u8]| {
            let sealed = Sealed::new(deployment.clock.salt(), bytes);
            sealed.map_err(|error| Error::Document(error.to_string()))
        };
        let slots = slots.map(|slots| sealed(&slots)).transpose()?;
        let (document, steps) = (
            sealed(text.as_bytes())?,
            sealed(playbook.source().as_bytes())?,
        );
        let before = jobs::read(&bus, owner(&deployment.dir)?).await?;
        follows(&bus, &before, &job).await?;
        let before = before
            .get(&job.name)
            .map_or(0, |newest| newest.signed.version);
        let fact = JobSigned {
            job: job.name.clone(),
            version: before.saturating_add(1),
            contract: entry.contract,
            document: document.content(),
            playbook: steps.content(),
            slots: slots.as_ref().map(Sealed::content),
        };
        let version = fact.version;
        let contents = slots.into_iter().chain([document, steps]).collect();
        let seq = jobs::sign(deployment, &bus, fact, contents).await?;
        let shown: Vec<_> = coming.iter().map(|at| job.when.shown(*at)).collect();
        let said = json!({
            "job": job.name, "version": version, "contract": entry.contract, "seq": seq, "next": coming,
        });
        out.print(&said, || {
            let next = match shown.as_slice() {
                [] => String::new(),
                shown => format!("\nnext  {}", shown.join("\n      ")),
            };
            format!(
                "{} version {version}: signed as message {seq}\nwhen  {}{next}",
                job.name, job.when
            )
        });
        Ok(())
    }

    fn playbook(&self, job: &Job) -> Result<Playbook, Error> {
        let folder = self.file.parent().unwrap_or(Path::new(""));
        let file = folder.join(&job.playbook);
        let text = read_text(&file)?;
        let playbook = Playbook::parse(&file.display().to_string(), &text)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        playbook.with_inputs(&job.inputs).map_err(|error| {
            Error::Document(format!(
                "{error}; write the values of the inputs under `[inputs]` of the job"
            ))
        })
    }
}

/// Checks that the job after which this one runs is signed, and that no chain of jobs leads back to this one.
async fn follows(bus: &BusClient, all: &Jobs, job: &Job) -> Result<(), Error> {
    let mut chain = vec![job.name.clone()];
    let mut next = job.when.after().map(|(other, _)| other.clone());
    while let Some(other) = next {
        if other == job.name {
            chain.push(other);
            let chain = chain.iter().map(ToString::to_string).collect::<Vec<_>>();
            return Err(Error::Document(format!(
                "the jobs would start each other for ever: {} each run after the next; give one of them a time under `[when]`",
                chain.join(", ")
            )));
        }
        let record = all.get(&other).filter(|record| !record.is_revoked);
        let Some(record) = record else {
            if chain.len() > 1 {
                return Ok(());
            }
            return Err(Error::Refused(format!(
                "there is no job `{other}` to run after: sign it first, see `contractual job list`"
            )));
        };
        if chain.contains(&other) {
            return Ok(());
        }
        chain.push(other);
        let document = known::document(bus, record).await?;
        next = document.and_then(|(_, of)| of.when.after().map(|(other, _)| other.clone()));
    }
    Ok(())
}

/// Returns the first coming times.
fn coming(job: &Job, now: Time) -> Result<Vec<Time>, Error> {
    let next = |after: &Time| job.when.next(*after, now);
    let coming: Vec<_> = std::iter::successors(next(&now), next)
        .take(SHOWN)
        .collect();
    if coming.is_empty() && !job.when.has_no_slots() {
        return Err(Error::Document(format!(
            "the job `{}` never runs: it is to run {}, and now it is {now}; write a later time",
            job.name, job.when
        )));
    }
    Ok(coming)
}

async fn in_force(deployment: &Deployment, job: &Job) -> Result<ContractEntry, Error> {
    let mut all = entries(deployment).await?.into_iter();
    let active =
        |one: &ContractEntry| one.name == job.contract && one.state == ContractStatus::Active;
    all.find(active).ok_or_else(|| {
        Error::Refused(format!(
            "no contract `{}` is in force: sign it with `contractual contract sign`, see `contractual contract list`",
            job.contract
        ))
    })
}

async fn contract(
    bus: &BusClient,
    entry: &ContractEntry,
    tools: &Catalogue,
) -> Result<Contract, Error> {
    let bytes = bus.get(AuthorId::Owner, &entry.document).await?;
    let text = bytes.and_then(|bytes| String::from_utf8(bytes).ok());
    let text = text.ok_or_else(|| {
        Error::Refused(format!(
            "the text of the contract `{}` was erased: sign it again",
            entry.name
        ))
    })?;
    parse(entry.name.as_str(), &text, tools)
}

/// Checks that the contract covers the job.
fn permits(contract: &Contract, job: &Job) -> Result<(), Error> {
    let own = format!("job:{}", job.name);
    let mut principals = contract.principals().iter();
    if principals.any(|one| *one == own || one == "job") {
        return Ok(());
    }
    Err(Error::Document(format!(
        "the contract `{}` does not cover the job: write `principal = \"{own}\"` into it and sign its next version",
        job.contract
    )))
}

/// Returns a note for each tool that policy refuses to jobs.
fn refused_tools(playbook: &Playbook, tools: &Catalogue) -> Vec<String> {
    let steps = playbook.steps().iter();
    let high = steps.filter_map(|step| {
        let tool = tools.get(step.tool()?.as_str())?;
        (tool.risk() == Some(Risk::High)).then(|| (step.id(), tool.name()))
    });
    let note = |(step, tool)| {
        format!(
            "note: the step `{step}` is refused: its tool {tool} has a high risk, and jobs may not use it; if its risk is lower, \
             write \"risk\" into the catalogue"
        )
    };
    high.map(note).collect()
}

/// Returns the values of the contract's slots as canonical JSON; none for a contract without slots.
fn slots(contract: &Contract, job: &Job, now: Time) -> Result<Option<Vec<u8>>, Error> {
    let now_ms = now.ns().div_euclid(1_000_000);
    let wrong = |error: contract::SlotError| {
        Error::Document(format!(
            "{error}; write the values of the slots under `[slots]` of the job"
        ))
    };
    let mut values = SlotValues::default();
    // Policy checks what messages fill in, with each run.
    let mapped = &job.messages.slots;
    for name in mapped.keys() {
        if job.slots.contains_key(name) {
            return Err(Error::Document(format!(
                "the slot `{name}` stands under `[slots]` and under `[message] slots`: keep one of them"
            )));
        }
        let mut known = contract.slots().map(|slot| slot.name.as_str());
        if !known.any(|known| known == name) {
            return Err(Error::Document(format!(
                "the contract `{}` has no slot `{name}`: write one of its slots under `[message] slots`, or add it to the contract",
                job.contract
            )));
        }
    }
    for (name, text) in &job.slots {
        let value = contract.typed(name, text, now_ms).map_err(wrong)?;
        values.insert(name.clone(), value);
    }
    let mut unfilled = contract.unfilled(&values);
    if unfilled.any(|slot| !mapped.contains_key(&slot.name)) {
        contract.check_slots(&values, now_ms).map_err(wrong)?;
    }
    Ok((!values.is_empty()).then(|| values.encode()))
}
