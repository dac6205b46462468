//! The tools that an agent is offered: those of which the contract can permit a call, and those of the session itself.

use std::{collections::BTreeMap, sync::Arc};

use bus_schema::ToolName;
use contract::{Catalogue, Contract, Integrity};
use engine::{REASON_CHARS_MAX, REQUEST_NAME};
use rmcp::model::Tool;
use serde_json::{Value, json};

use crate::permitted::permitted;

/// The tools of the session itself: name, description, schema of the arguments.
fn own() -> [(&'static str, &'static str, Value); 4] {
    let call = json!({"type": "integer", "minimum": 0, "description": "The number of the call."});
    [
        (
            "contract_show",
            "Shows the contract: what you may do, after a yes, and never.",
            json!({"type": "object", "properties": {}, "additionalProperties": false}),
        ),
        (
            REQUEST_NAME,
            "Asks a person for the change of the contract that would allow a refused call. The person sees your reason, and signs the \
             change or not.",
            json!({
                "type": "object",
                "properties": {
                    "refused": {"type": "integer", "minimum": 0, "description": "The number of the refused call."},
                    "reason": {"type": "string", "maxLength": REASON_CHARS_MAX, "description": "The reason that the call is needed."},
                },
                "required": ["refused", "reason"], "additionalProperties": false,
            }),
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
        let taken = own().map(|(name, ..)| name.to_owned()).to_vec();
        for one in permitted(contract, catalogue, taken) {
            let schema = one.schema.as_object().cloned().unwrap_or_default();
            let tool = Tool::new(one.name.clone(), one.description, Arc::new(schema));
            offered.tools.push(tool);
            let integrity = if one.untrusted {
                Integrity::Untrusted
            } else {
                Integrity::Trusted
            };
            offered.names.insert(one.name, (one.tool, integrity));
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
