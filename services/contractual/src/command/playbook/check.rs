//! `playbook check`: checks a playbook against the signed catalogue.

use std::path::PathBuf;

use clap::Args;
use contract::{Catalogue, Tool};
use deployment::{Deployment, read_text};
use diagnostic::nearest;
use serde_json::{Value, json};
use worker::{Playbook, Step};

use crate::{Error, Output, command::contract::document::signed_tools};

/// `playbook check …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual playbook check stocktake.toml\n\n\
    Nothing runs, and no contract is read: `contractual contract decide` says if a contract permits a call.\n\n\
    Exit codes: 0 good · 1 no catalogue is signed, or the bus does not answer · 64 the playbook is not valid")]
pub(crate) struct Arguments {
    /// The playbook, such as stocktake.toml.
    file: PathBuf,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let text = read_text(&self.file)?;
        let file = self.file.display().to_string();
        let playbook = Playbook::parse(&file, &text)
            .map_err(|problems| Error::Document(problems.to_string()))?;
        let bus = deployment.bus().await?;
        let tools = signed_tools(deployment, &bus).await?;
        let problems = problems(&playbook, &tools);
        if !problems.is_empty() {
            let problems = problems.join("\n");
            return Err(Error::Document(format!("{file}: {problems}")));
        }
        let steps = playbook.steps().len();
        let said = json!({"playbook": playbook.name(), "steps": steps});
        out.print(&said, || {
            let steps = if steps == 1 {
                "1 step".to_owned()
            } else {
                format!("{steps} steps")
            };
            format!("{}: good, {steps}", playbook.name())
        });
        Ok(())
    }
}

/// Returns each call that the catalogue does not have, with its fix.
fn problems(playbook: &Playbook, tools: &Catalogue) -> Vec<String> {
    let mut found = Vec::new();
    for step in playbook.steps() {
        let Some(name) = step.tool() else {
            continue;
        };
        match tools.get(name.as_str()) {
            Some(tool) => arguments(step, tool, &mut found),
            None => {
                let known = tools.tools().map(|tool| tool.name().as_str());
                let fix = nearest(name.as_str(), known).map_or_else(
                    || "`contractual tool list` shows the tools".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                );
                found.push(format!(
                    "the step `{}` uses the tool `{name}`, which the signed catalogue does not have: {fix}",
                    step.id()
                ));
            }
        }
    }
    found
}

fn arguments(step: &Step, tool: &Tool, found: &mut Vec<String>) {
    let schema = tool.input_schema();
    let properties = schema.get("properties").and_then(Value::as_object);
    let names = || {
        properties
            .into_iter()
            .flat_map(|all| all.keys().map(String::as_str))
    };
    // Only a schema with its names in one place can be compared by name.
    let is_open = schema
        .get("additionalProperties")
        .is_some_and(|more| *more != Value::Bool(false));
    let is_plain = properties.is_some() && !is_open;
    for name in step.arg_names().filter(|_| is_plain) {
        if names().any(|known| known == name) {
            continue;
        }
        let fix = nearest(name, names()).map_or_else(
            || format!("it has {}", names().collect::<Vec<_>>().join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        found.push(format!(
            "the step `{}` gives `{name}` to `{}`, which has no such argument: {fix}",
            step.id(),
            tool.name()
        ));
    }
    for name in tool.required() {
        if !step.arg_names().any(|given| given == name) {
            found.push(format!(
                "the step `{}` lacks the argument `{name}` of `{}`: add it to `args`",
                step.id(),
                tool.name()
            ));
        }
    }
}
