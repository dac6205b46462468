//! `from`: a value from the task text, a slot of the task, an earlier trusted result, or an earlier argument.

use std::fmt;
use std::sync::Arc;

use diagnostic::nearest;
use serde_json::Value;

use super::field_path::{FieldPath, PathEnd};
use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use super::origin::{self, Origin};
use super::spoken::Spoken;
use crate::catalogue::Tool;
use crate::dead::possible::Possible;
use crate::dead::text::Text;
use crate::name::NAME_BYTES_MAX;
use crate::parse::source::{Node, Source, Table, place};
use crate::parse::tools::About;
use crate::show::words::joined;
use crate::slot::Slot;
use crate::toml_text::{key, one_or_list};
use crate::words::WordKind;

/// The keys of an origin.
const KEYS: [&str; 11] = [
    "task",
    "slot",
    "after",
    "before",
    "ignore_case",
    "tool",
    "field",
    "argument",
    "whole",
    "any_value",
    "keys",
];
/// The keys of the role of a value in the task text.
const ROLE_KEYS: [&str; 3] = ["after", "before", "ignore_case"];
/// Maximum number of origins of one bound.
const ORIGINS_MAX: usize = 32;
/// Maximum length of a field path, in characters.
const FIELD_CHARS_MAX: usize = 500;

/// A value from one of these origins; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct From(pub Vec<Origin>);

impl Kind for From {
    const KEYS: &'static [&'static str] = &["from"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("from", |reader, node| {
            read(reader.source, node, reader.about).map(Self)
        })
    }

    fn types(&self) -> &'static [&'static str] {
        &["string", "integer", "number", "boolean"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        Match::any(self.0.iter().map(|origin| origin.judge(value, context)))
    }

    fn permits_links(&self) -> bool {
        // A result can repeat the arguments of its call, which an attacker may have chosen.
        let of_owner = |origin: &Origin| matches!(origin, Origin::Task(_) | Origin::Slot(_));
        self.0.iter().all(of_owner)
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        possible.types(self.types());
        let dead = self.0.iter().map(|origin| origin.dead(possible));
        // One origin that can have such a value is enough.
        if let Some(reasons) = dead.collect::<Option<Vec<_>>>() {
            reasons
                .into_iter()
                .take(1)
                .for_each(|reason| possible.never(reason));
        }
        if let [Origin::Slot(slot)] = self.0.as_slice() {
            narrow_to(slot, possible);
        }
    }

    fn say(&self, _unit: Unit) -> String {
        let each = self.0.iter().map(said).collect();
        format!("is {}", joined(each, "or"))
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        origin::determine(&self.0, value, context)
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let mut matching = self
            .0
            .iter()
            .filter(|origin| origin.judge(value, context) == Match::Yes)
            .map(|origin| origin.doubt(value, context));
        // Any other origin of the value is beyond doubt.
        let first = matching.next()??;
        matching.all(|doubt| doubt.is_some()).then_some(first)
    }

    fn origins(&self) -> &[Origin] {
        &self.0
    }
}

fn said(origin: &Origin) -> String {
    match origin {
        Origin::Task(spoken) => spoken.say(),
        Origin::Slot(slot) => {
            let may = if slot.optional {
                "may fill in"
            } else {
                "fills in"
            };
            format!(
                "the {} `{}` that the owner {may} with the task",
                slot.bare(),
                slot.name
            )
        }
        Origin::Field { tool, field } => field.say(tool),
        Origin::Argument { tool, argument } => {
            format!("what `{tool}` was called with before in this task as `{argument}`")
        }
    }
}

/// Keeps the values that are of the kind of a slot.
fn narrow_to(slot: &Slot, possible: &mut Possible<'_>) {
    possible.types(slot.types());
    possible.keep(|value, context| Match::of(value.is_number() || slot.takes(value, context.zone)));
    match slot.kind {
        WordKind::Email => possible.text(Text::Domains(Vec::new())),
        WordKind::Date => possible.text(Text::Date),
        WordKind::Any
        | WordKind::Iban
        | WordKind::Url
        | WordKind::Path
        | WordKind::Time
        | WordKind::Amount
        | WordKind::Number
        | WordKind::Name
        | WordKind::Word
        | WordKind::Quoted => {}
    }
    if slot.types() == ["string"] {
        possible.length(slot.least_chars(), u64::MAX);
    }
}

/// Reads one origin or a list of origins.
fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>, about: &About<'_>) -> Option<Vec<Origin>> {
    if node.get_ref().as_array().is_none() {
        return Some(vec![one(source, node, about)?]);
    }
    let items = source.items(node, "`from`")?;
    if items.len() > ORIGINS_MAX {
        let problem = format!("`from` has more than {ORIGINS_MAX} entries");
        source.report(node.span(), problem, "remove some");
        return None;
    }
    items.iter().map(|item| one(source, item, about)).collect()
}

fn one<'t>(source: &mut Source<'t>, node: &'t Node<'t>, about: &About<'_>) -> Option<Origin> {
    if let Some(word) = node.get_ref().as_str() {
        if word == "task" {
            return Some(Origin::Task(Spoken::default()));
        }
        let fix = "write \"task\", { task = … }, { slot = … }, { tool = …, field = … } or { tool = …, argument = … }";
        source.report(node.span(), format!("{word:?} is no origin"), fix);
        return None;
    }
    let of = source.table(node, "`from`", &KEYS)?;
    if of.table.contains_key("task") {
        return Spoken::read(source, node, &of).map(Origin::Task);
    }
    if let Some(node) = of.table.get("slot") {
        return slot(source, node, &of, about).map(Origin::Slot);
    }
    if let Some(key) = ROLE_KEYS.iter().find(|key| of.table.contains_key(**key)) {
        let problem = format!("`{key}` is about the task text");
        source.report(place(&of, key), problem, "write it beside `task = …`");
        return None;
    }
    let tool = source.required(&of, "tool")?;
    let tool = about.tool(source, tool)?;
    let name = tool.name().to_string();
    if let Some(node) = of.table.get("argument").filter(|_| of.table.len() == 2) {
        let argument = source.text(node, "`argument`", FIELD_CHARS_MAX)?;
        About::check_in(source, node.span(), &argument, &[tool])?;
        let tool = name;
        return Some(Origin::Argument { tool, argument });
    }
    let field = field(source, &of, about)?;
    Some(Origin::Field { tool: name, field })
}

/// Reads the slot of a name.
fn slot<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    of: &Table<'t>,
    about: &About<'_>,
) -> Option<Arc<Slot>> {
    if of.table.len() > 1 {
        let problem = "a slot is an origin by itself";
        let fix = "remove the other keys; write two origins in a list: [{ slot = … }, { tool = …, field = … }]";
        source.report(of.span.clone(), problem, fix);
        return None;
    }
    let name = source.text(node, "`slot`", NAME_BYTES_MAX)?;
    if let Some(slot) = about.slots.get(&name) {
        return Some(Arc::clone(slot));
    }
    let names = about.slots.keys().map(String::as_str);
    let fix = nearest(&name, names).map_or_else(
        || {
            format!(
                "add `[slots]` with `{} = \"text\"`, or another kind",
                key(&name)
            )
        },
        |near| format!("did you mean `{near}`?"),
    );
    let problem = format!("the contract has no slot `{name}`");
    source.report(node.span(), problem, fix);
    None
}

/// Reads the place of a value in a result.
fn field<'t>(source: &mut Source<'t>, of: &Table<'t>, about: &About<'_>) -> Option<FieldPath> {
    let (node, whole) = (of.table.get("field"), of.table.get("whole"));
    let ends = [("any_value", PathEnd::AnyValue), ("keys", PathEnd::Keys)];
    let mut ends = ends
        .into_iter()
        .filter(|(key, _)| of.table.contains_key(*key));
    let (end, second) = (ends.next(), ends.next());
    let says = node.is_some() || whole.is_some() || end.is_some();
    let twice = second.is_some() || (whole.is_some() && (node.is_some() || end.is_some()));
    if !says || twice || of.table.contains_key("argument") {
        let problem = "`from` does not say which value of the call it is";
        let fix = "write one of `field = …` (perhaps with `any_value = true` or `keys = true`), `whole = true` or `argument = …`";
        source.report(of.span.clone(), problem, fix);
        return None;
    }
    for key in ["whole", "any_value", "keys"] {
        let Some(node) = of.table.get(key) else {
            continue;
        };
        if !source.boolean(node, &format!("`{key}`"))? {
            let problem = format!("`{key} = false` says nothing");
            source.report(node.span(), problem, "remove it");
            return None;
        }
    }
    let end = end.map_or(PathEnd::Value, |(_, end)| end);
    let Some(node) = node else {
        return Some(FieldPath::whole(end));
    };
    let text = source.text(node, "`field`", FIELD_CHARS_MAX)?;
    let Some(field) = FieldPath::ending(&text, end) else {
        let fix = "write names joined by dots, with `[]` for each item of a list, such as \"results[].email\"";
        source.report(node.span(), format!("{text:?} is no way to a field"), fix);
        return None;
    };
    if let Some(name) = field.pattern() {
        let problem = format!("`{name}` would be the name of a field, and no pattern");
        let fix = "write the names of fields joined by dots, with `[]` for each item of a list, or `any_value = true`; a field of this name is written in quotes";
        source.report(node.span(), problem, fix);
        return None;
    }
    for name in field.arguments() {
        about.check(source, node.span(), name)?;
        let counts = |tool: &&Tool| {
            let types = tool.arguments().types(name);
            types.is_empty() || types.iter().any(|one| one == "integer" || one == "number")
        };
        if !about.matched.iter().all(counts) {
            let problem = format!("`{name}` is no number, so it says no place in a list");
            let fix = "name an argument that counts from 0, or write `[]` for each item";
            source.report(node.span(), problem, fix);
            return None;
        }
    }
    Some(field)
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from = {}", one_or_list(&self.0))
    }
}
