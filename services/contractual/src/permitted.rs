//! The tools of which a contract can permit a call, as agents and models are offered them.

use bus_schema::{Ask, ToolName};
use contract::{Catalogue, Contract, Effect, Integrity};
use engine::OfferedTool;

/// Most bytes of a description with the rules of the contract.
const DESCRIPTION_BYTES_MAX: usize = 2000;
/// Longest name that all known agents take.
const NAME_CHARS: usize = 64;

/// Returns the tools, in the order of the catalogue, by names that are not taken.
pub(crate) fn permitted(
    contract: &Contract,
    catalogue: &Catalogue,
    mut taken: Vec<String>,
) -> Vec<OfferedTool> {
    let envelope = contract::envelope(contract, catalogue);
    let mut offered = Vec::new();
    for tool in catalogue.tools() {
        let mut tools = envelope.tools.iter();
        let Some(permit) = tools.find(|one| one.name == *tool.name()) else {
            continue;
        };
        let offer = contract::offer(contract, catalogue, tool);
        let name = plain(tool.name().as_str(), &taken);
        taken.push(name.clone());
        offered.push(OfferedTool {
            name,
            tool: ToolName::clone(tool.name()),
            description: described(permit.ask, tool, &offer.rules),
            schema: offer.schema,
            untrusted: tool.output().integrity == Integrity::Untrusted,
        });
    }
    offered
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
fn described(ask: Ask, tool: &contract::Tool, rules: &[String]) -> String {
    let under = match ask {
        Ask::Never => "Calls within the contract are permitted.",
        Ask::Sometimes => "Some calls are permitted, and some need a person's approval.",
        Ask::Always => "Each call needs a person's approval.",
    };
    let effect = match tool.effects().most() {
        Effect::Read => "It only reads.",
        Effect::Write => "It changes something.",
        Effect::Tell => "It tells a host something.",
        Effect::Outward => "It sends something out.",
    };
    let mut said = format!("{} {effect} {under} The contract says:", tool.description());
    for rule in rules {
        if said.len() + rule.len() > DESCRIPTION_BYTES_MAX {
            said.push_str("\n- (further rules)");
            break;
        }
        said.push_str("\n- ");
        said.push_str(rule);
    }
    said
}
