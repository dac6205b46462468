//! The tools that an agent is offered: those of which the contract can permit a call, and those of the session itself.

use std::{collections::BTreeMap, sync::Arc};

use bus_schema::{Ask, ToolName};
use contract::{Catalogue, Contract, Effect, Integrity};
use rmcp::model::Tool;
use serde_json::{Value, json};

/// Longest name that all known agents take.
const NAME_CHARS: usize = 64;

/// The tools of the session itself: name, description, schema of the arguments.
fn own() -> [(&'static str, &'static str, Value); 3] {
    let call = json!({"type": "integer", "minimum": 0, "description": "The number of the call."});
    [
        (
            "contract_show",
            "Shows the contract: what you may do, after a yes, and never.",
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
        ),
        (
            "contract_await",
            "Waits for the result of a call that is pending, such as one that needs a person's approval.",
            json!({"type": "object", "properties": {"call": call}, "required": ["call"], "additionalProperties": false}),
        ),
        (
            "contract_read",
            "Reads on in the result of a call that was cut.",
            json!({
                "type": "object", "properties": {"call": call, "offset": {"type": "integer", "minimum": 0}},
                "required": ["call", "offset"], "additionalProperties": false,
            }),
        ),
    ]
}

/// The offered tools by the names that the agent knows, in the order of the catalogue.
#[derive(Debug)]
pub(crate) struct Offered {
    pub(crate) tools: Vec<Tool>,
    names: BTreeMap<String, (ToolName, Integrity)>,
}

impl Offered {
    /// Selects the tools of a contract.
    pub(crate) fn of(contract: &Contract, catalogue: &Catalogue) -> Self {
        let mut offered = Self {
            tools: Vec::new(),
            names: BTreeMap::new(),
        };
        let permitted = contract::envelope(contract, catalogue);
        let mut taken: Vec<String> = own().map(|(name, ..)| name.to_owned()).to_vec();
        for tool in catalogue.tools() {
            let mut tools = permitted.tools.iter();
            let Some(permit) = tools.find(|one| one.name == *tool.name()) else {
                continue;
            };
            let name = plain(tool.name().as_str(), &taken);
            taken.push(name.clone());
            let schema = tool.input_schema().as_object().cloned().unwrap_or_default();
            let described = described(permit.ask, tool);
            offered
                .tools
                .push(Tool::new(name.clone(), described, Arc::new(schema)));
            let known = (tool.name().clone(), tool.output().integrity);
            offered.names.insert(name, known);
        }
        for (name, about, schema) in own() {
            let schema = schema.as_object().cloned().unwrap_or_default();
            offered.tools.push(Tool::new(name, about, Arc::new(schema)));
        }
        offered
    }

    /// The tool of the catalogue with this name, and the integrity of its results.
    pub(crate) fn get(&self, name: &str) -> Option<&(ToolName, Integrity)> {
        self.names.get(name)
    }
}

/// The name of a tool as agents take it: letters, digits, `_` and `-`, and not yet taken.
fn plain(name: &str, taken: &[String]) -> String {
    let mut plain = name.replace('.', "_");
    plain.truncate(NAME_CHARS - 3);
    let free = |name: &String| !taken.contains(name);
    if free(&plain) {
        return plain;
    }
    let mut numbered = (2..).map(|n| format!("{plain}_{n}"));
    numbered.find(free).unwrap_or(plain)
}

/// The description of a tool, with what the contract says of its calls.
fn described(ask: Ask, tool: &contract::Tool) -> String {
    let under = match ask {
        Ask::Never => "Calls within the contract are permitted.",
        Ask::Sometimes => "Some calls are permitted, and some need a person's approval.",
        Ask::Always => "Each call needs a person's approval.",
    };
    let effect = match tool.effects().most() {
        Effect::Read => "It only reads.",
        Effect::Write => "It changes something.",
        Effect::Outward => "It sends something out.",
    };
    format!("{} {effect} {under}", tool.description())
}
