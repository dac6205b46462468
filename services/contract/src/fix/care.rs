//! The reasons for which a fix permits a call only after a question.

use serde_json::Value;

use crate::catalogue::{Effect, Risk};
use crate::valid_call::ValidCall;

/// Returns the reason for which a person has to see the call; `None` if a rule may allow it.
pub(super) fn reason(case: &ValidCall<'_>) -> Option<&'static str> {
    match (case.effect, case.tool.risk()) {
        (Effect::Tell | Effect::Outward, _) => Some("this call lets something leave"),
        (_, Some(Risk::High)) => Some("this call cannot be undone, or moves money"),
        (Effect::Write, Some(Risk::Medium)) => Some("this call is hard to undo"),
        (Effect::Read | Effect::Write, Some(Risk::Low | Risk::Medium) | None) => {
            let outside = case.context.args.values().any(names_outside);
            outside.then_some("this call names a path outside of the workspace")
        }
    }
}

/// Returns true if a text of the value is a path that leads out of a folder.
fn names_outside(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
        Value::String(text) => leads_outside(text),
        Value::Array(items) => items.iter().any(names_outside),
        Value::Object(fields) => fields.values().any(names_outside),
    }
}

fn leads_outside(text: &str) -> bool {
    let drive = |text: &str| {
        let mut chars = text.chars();
        chars.next().is_some_and(|c| c.is_ascii_alphabetic())
            && chars.next() == Some(':')
            && matches!(chars.next(), Some('/' | '\\'))
    };
    text.starts_with(['/', '\\', '~'])
        || drive(text)
        || text.split(['/', '\\']).any(|name| name == "..")
}
