//! Finds what the first name of a reference stands for: a step, the item of a step, an input, or the slots of the task.

use diagnostic::nearest;
use toml::de::DeTable;

use super::inputs::Inputs;
use crate::reference::{Root, Segment};

/// The header of a step, known before the step is read.
#[derive(Clone)]
pub(super) struct Heading {
    pub(super) id: String,
    /// True if its result is a list, one output for each item.
    pub(super) is_list: bool,
    /// True if it waits and has no output.
    pub(super) is_wait: bool,
    /// The last step of the block with which it is repeated.
    pub(super) block: Option<usize>,
    /// The first of the steps that run beside one another.
    pub(super) group: usize,
}

/// Reads the header of a step.
pub(super) fn heading(table: &DeTable<'_>) -> Heading {
    let id = table.get("id").and_then(|id| id.get_ref().as_str());
    let repeat = table.get("repeat").and_then(|one| one.get_ref().as_table());
    let has_until = repeat.is_some_and(|repeat| repeat.contains_key("until"));
    Heading {
        id: id.unwrap_or_default().into(),
        is_list: table.contains_key("for_each") || table.contains_key("repeat") && !has_until,
        is_wait: table.contains_key("wait"),
        block: None,
        group: 0,
    }
}

/// Resolves the root of a reference in a step, given the steps before and after it; the error is its problem and fix.
pub(super) fn root(
    (earlier, later): (&[Heading], &[Heading]),
    inputs: &Inputs,
    name: &str,
    path: &[Segment],
    has_items: bool,
) -> Result<Root, (String, String)> {
    if name == "item" {
        return if has_items {
            Ok(Root::Item)
        } else {
            Err((
                "`item` is known only in the args of a step with `for_each` or `repeat`".into(),
                "name an earlier step, or add `for_each` to this one".into(),
            ))
        };
    }
    if let Some((at, step)) = earlier.iter().enumerate().find(|(_, s)| s.id == name) {
        let here = later.last();
        if here.is_some_and(|here| here.id != step.id && here.group == step.group) {
            let problem = format!("`{name}` runs beside this step, so it has no output yet");
            return Err((problem, "remove `beside`, or name an earlier step".into()));
        }
        let is_list = step.is_list
            && here.is_none_or(|here| step.block.is_none() || here.block != step.block);
        if step.is_wait {
            let problem = format!("`{name}` waits, so it has no output");
            return Err((problem, "name a step with a tool".into()));
        }
        if let (true, Some(field)) = (is_list, path.first().and_then(Segment::field)) {
            return Err((
                format!("`{name}` has several items, so it is a list and has no field `{field}`"),
                format!("write `{{{name}.*.{field}}}` for all or `{{{name}[0].{field}}}` for one"),
            ));
        }
        return Ok(Root::Step(u16::try_from(at).unwrap_or(u16::MAX)));
    }
    if later.iter().any(|step| step.id == name) {
        return Err((
            format!("step `{name}` has no output yet at this place"),
            format!("refer to an earlier step, or move `{name}` before this one"),
        ));
    }
    if name == "slot" {
        return match path.first().and_then(Segment::field) {
            Some(_) => Ok(Root::Slot),
            None => Err((
                "`slot` alone is no value".into(),
                "name the slot of the contract, such as `{slot.recipient}`".into(),
            )),
        };
    }
    if name == "input" {
        return input(inputs, path);
    }
    let known = earlier.iter().map(|step| step.id.as_str());
    let fix = match nearest(name, known) {
        Some(near) => format!("did you mean `{near}`? A literal brace is written `{{{{`"),
        None => "name an earlier step; a literal brace is written `{{`".into(),
    };
    Err((format!("no earlier step has the id `{name}`"), fix))
}

/// Checks a reference to an input.
fn input(inputs: &Inputs, path: &[Segment]) -> Result<Root, (String, String)> {
    let Some(field) = path.first().and_then(Segment::field) else {
        return Err((
            "`input` alone is no value".into(),
            "name an input, such as `{input.folder}`".into(),
        ));
    };
    if inputs.declared.contains_key(field) {
        return Ok(Root::Input);
    }
    let known = inputs.declared.keys().map(String::as_str);
    let fix = match nearest(field, known) {
        Some(near) => format!("did you mean `{{input.{near}}}`?"),
        None => format!("declare it: `[input.{field}]` with its `type`"),
    };
    Err((format!("the playbook has no input `{field}`"), fix))
}
