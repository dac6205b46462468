//! `playbook from`: writes a playbook with the calls of a recorded task.

use std::path::PathBuf;

use actor::{BusClient, files};
use bus_schema::ActionOutcome;
use clap::Args;
use deployment::Deployment;
use serde_json::json;
use worker::{Playbook, RecordedCall, STEPS_MAX};

use crate::{
    Error, Output,
    ids::IdPrefix,
    model,
    recorded::{ActionState, RecordedAction, RecordedTask},
};

/// `playbook from …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual playbook from 01997c2e --out stocktake.toml\n\n\
    Each call that succeeded becomes a step, in the order of the record, without calls of models. A text that an earlier call \
    returned as a whole or in one field becomes a reference to it; every other value stands as it was. Calls that were refused or \
    failed are left out. `contractual contract new --from TASK` writes the contract for it.\n\n\
    Exit codes: 0 written · 1 no such task, or it did nothing · 64 a call does not fit into a playbook"
)]
pub(crate) struct Arguments {
    /// The task's id or its first characters, from `contractual task list`.
    task: IdPrefix,
    /// The playbook's name, such as stocktake: lower-case letters, digits and `-`.
    #[arg(long)]
    name: Option<String>,
    /// A new file for the playbook, such as stocktake.toml; by default standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let found = RecordedTask::read(deployment, &bus, &self.task).await?;
        let (mut calls, mut left_out) = (Vec::new(), 0_usize);
        for action in &found.actions {
            if action.tool.as_str().starts_with(model::PREFIX) {
                continue;
            }
            match call(&bus, action).await? {
                Some(call) => calls.push(call),
                None => left_out += 1,
            }
        }
        let task = found.task;
        if calls.is_empty() {
            return Err(Error::Refused(format!(
                "none of the calls of task {task} succeeded, so there is nothing to write: see `contractual task show {task}`"
            )));
        }
        let text = self.text(&found, &calls)?;
        if left_out > 0 {
            out.line_for_people(&format!(
                "left out, because they did not succeed: {left_out} of the task's calls"
            ));
        }
        match &self.out {
            Some(path) => {
                files::write_new(path, text.as_bytes())?;
                let said = json!({"file": path, "steps": calls.len()});
                out.print(&said, || {
                    format!(
                        "{}: written, {} steps; read it, then `contractual playbook check` it",
                        path.display(),
                        calls.len()
                    )
                });
            }
            None => out.print(&json!({"playbook": text}), || text.trim_end().to_owned()),
        }
        Ok(())
    }

    fn text(&self, found: &RecordedTask, calls: &[RecordedCall]) -> Result<String, Error> {
        let task = found.task.to_string();
        let most = STEPS_MAX;
        if calls.len() > most {
            return Err(Error::Document(format!(
                "the task has {} calls that succeeded, and a playbook has at most {most} steps",
                calls.len()
            )));
        }
        let name = self.name.clone();
        let name = name.unwrap_or_else(|| format!("from-{}", task.get(..8).unwrap_or(&task)));
        let purpose = format!("Does again what task {task} did.");
        let text = worker::draft(&name, &purpose, calls).map_err(Error::Document)?;
        Playbook::parse("the new playbook", &text)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        Ok(text)
    }
}

/// Reads a call; none if it did not succeed.
async fn call(bus: &BusClient, action: &RecordedAction) -> Result<Option<RecordedCall>, Error> {
    let (ActionState::Ended(ActionOutcome::Succeeded, output), Some(grant)) =
        (action.state, &action.granted)
    else {
        return Ok(None);
    };
    let erased = |what: &str| {
        let (step, tool) = (&action.step, &action.tool);
        Error::Refused(format!(
            "the {what} of {step} ({tool}) are not stored any more: no playbook can be written from this task"
        ))
    };
    let args = bus.get(grant.args_by, &grant.args).await?;
    let args = args.and_then(|args| serde_json::from_slice(&args).ok());
    let output = bus.get(action.executor, &output).await?;
    Ok(Some(RecordedCall {
        tool: action.tool.clone(),
        args: args.ok_or_else(|| erased("arguments"))?,
        output: output.ok_or_else(|| erased("results"))?,
    }))
}
