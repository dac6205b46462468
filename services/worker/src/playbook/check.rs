//! Finds the steps that can never run, and the results that may be missing where a step needs them.

use std::ops::Range;

use diagnostic::nearest;
use job::FieldBound;
use serde_json::Value as Json;
use toml::Spanned;
use toml::de::DeTable;

use super::inputs::{Input, InputKind, bound_said};
use super::reader::Reader;
use super::{Arg, Condition, Items, OnRefusal, Otherwise, Step, Work};
use crate::reference::{Piece, Reference, Root};

impl Reader<'_> {
    /// Notes what cannot work in steps that were read.
    pub(super) fn flow(&mut self, steps: &[Step], tables: &[(&DeTable<'_>, Range<usize>)]) {
        for (position, step) in (0_u16..).zip(steps) {
            let table = tables.get(usize::from(position));
            let place = |key: &str| {
                table.map_or(0..0, |(table, span)| {
                    table.get(key).map_or(span.clone(), Spanned::span)
                })
            };
            for (key, condition) in [("if", &step.when), ("unless", &step.unless)] {
                if let Some((problem, fix)) = condition.as_ref().and_then(|one| self.idle(one)) {
                    self.wrong::<()>(place(key), problem, fix);
                }
            }
            if step.when.is_some() && step.when == step.unless {
                let problem = "the step never runs: `if` and `unless` are the same condition";
                self.wrong::<()>(place("unless"), problem, "remove one of the two");
            }
            let passes_over =
                (step.on_refusal, step.on_failure) == (OnRefusal::Continue, Otherwise::Continue);
            if !step.otherwise.is_empty() && passes_over {
                let problem = "the steps under `otherwise` never run: refusals and failures of this step are passed over";
                let fix = "remove `on_refusal` and `on_failure`, or `otherwise`";
                self.wrong::<()>(place("otherwise"), problem, fix);
            }
            for (key, reference) in references(step) {
                let Root::Step(of) = reference.root else {
                    continue;
                };
                let made = steps.get(usize::from(of)).filter(|_| of != position);
                let lacks = made.and_then(|made| lacks((step, position), (made, of)));
                if let Some((problem, fix)) = lacks {
                    self.wrong::<()>(place(key), problem, fix);
                }
            }
        }
    }

    /// Returns the problem of a condition on an input that no value of it meets.
    fn idle(&self, condition: &Condition) -> Option<(String, String)> {
        if let FieldBound::Range {
            min: Some(min),
            max: Some(max),
        } = condition.bound
            && min > max
        {
            let problem = format!("no number is at least {min} and at most {max}");
            return Some((problem, "exchange the two".to_owned()));
        }
        let reference = &condition.value;
        let (Root::Input, [name]) = (reference.root, reference.path.as_slice()) else {
            return None;
        };
        let input = self.inputs.declared.get(name.field()?)?;
        let never = |fix: String| {
            let bound = bound_said(&condition.bound);
            let problem = format!(
                "`{reference}` is never a value {bound}: it is {}",
                input.said()
            );
            Some((problem, fix))
        };
        match &condition.bound {
            FieldBound::Is(values) => {
                let can_be = |value: &&Json| input.check(value).is_ok();
                if values.iter().any(|value| can_be(&value)) {
                    return None;
                }
                never(nearest_choice(input, values))
            }
            FieldBound::Prefix(_) | FieldBound::Suffix(_) if input.kind != InputKind::String => {
                never("compare a string with it".to_owned())
            }
            FieldBound::Range { .. }
                if !matches!(input.kind, InputKind::Integer | InputKind::Number) =>
            {
                never("compare a number with it".to_owned())
            }
            FieldBound::Prefix(_)
            | FieldBound::Suffix(_)
            | FieldBound::Range { .. }
            | FieldBound::Present(_) => None,
        }
    }
}

fn nearest_choice(input: &Input, values: &[Json]) -> String {
    let choices = input.choices().unwrap_or_default();
    let known = choices.iter().filter_map(Json::as_str);
    let typed = values.first().and_then(Json::as_str).unwrap_or_default();
    match nearest(typed, known) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => "write a value that the input can have".to_owned(),
    }
}

/// Returns the reason for which a result may be missing where a step needs it, with the repair.
fn lacks((step, position): (&Step, u16), (made, of): (&Step, u16)) -> Option<(String, String)> {
    let id = made.id();
    if made.otherwise.contains(&position) {
        let problem =
            format!("`{id}` has no result here: this step runs if it is refused or fails");
        return Some((problem, "refer to another step".to_owned()));
    }
    let is_plain = made.when.is_none()
        && made.unless.is_none()
        && made.branch_of.is_empty()
        && made.otherwise.is_empty();
    let goes_on = step.on_failure == Otherwise::Continue || !step.otherwise.is_empty();
    if is_plain || goes_on || asks_for(step, of) {
        return None;
    }
    let alike = (made.when.is_none() || made.when == step.when)
        && (made.unless.is_none() || made.unless == step.unless)
        && made
            .branch_of
            .iter()
            .all(|one| step.branch_of.contains(one))
        && (made.branch_of.is_empty() || step.branch_of.len() == made.branch_of.len())
        && made.otherwise.is_empty();
    if alike {
        return None;
    }
    let why = if made.otherwise.is_empty() {
        "does not run in every case"
    } else {
        "may be refused or fail, and the task goes on"
    };
    let fix = format!("add `if = {{ value = \"{{{id}}}\", present = true }}` to this step");
    Some((
        format!("`{id}` {why}, so its result may be missing here"),
        fix,
    ))
}

/// Returns true if the step runs only if there is a result of the step `of`.
fn asks_for(step: &Step, of: u16) -> bool {
    let of_it = |condition: &Option<Condition>, present| {
        condition.as_ref().is_some_and(|one| {
            one.value.root == Root::Step(of) && one.bound == FieldBound::Present(present)
        })
    };
    of_it(&step.when, true) || of_it(&step.unless, false)
}

/// Returns the references that a step needs to have a value, each with its key.
fn references(step: &Step) -> Vec<(&'static str, &Reference)> {
    let mut found = Vec::new();
    for (key, condition) in [("if", &step.when), ("unless", &step.unless)] {
        let needed = condition
            .as_ref()
            .filter(|one| !matches!(one.bound, FieldBound::Present(_)));
        found.extend(needed.map(|one| (key, &one.value)));
    }
    match &step.items {
        Items::One => {}
        Items::Each { list, .. } => found.push(("for_each", list)),
        Items::Times { times, until, .. } => {
            found.extend(times.iter().map(|times| ("repeat", times)));
            found.extend(until.iter().map(|until| ("repeat", &until.value)));
        }
    }
    match &step.work {
        Work::Call { args, .. } => {
            for arg in args.values() {
                of_arg(arg, &mut found);
            }
        }
        Work::Wait(pieces) => of_pieces("wait", pieces, &mut found),
    }
    found
}

fn of_arg<'s>(arg: &'s Arg, found: &mut Vec<(&'static str, &'s Reference)>) {
    match arg {
        Arg::Bool(_) | Arg::Integer(_) | Arg::Float(_) => {}
        Arg::Text(pieces) => of_pieces("args", pieces, found),
        Arg::List(list) => list.iter().for_each(|arg| of_arg(arg, found)),
        Arg::Table(table) => table.values().for_each(|arg| of_arg(arg, found)),
    }
}

fn of_pieces<'s>(
    key: &'static str,
    pieces: &'s [Piece],
    found: &mut Vec<(&'static str, &'s Reference)>,
) {
    for piece in pieces {
        if let Piece::Reference(reference) = piece {
            found.push((key, reference));
        }
    }
}
