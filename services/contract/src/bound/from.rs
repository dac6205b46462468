//! `from`: a value from the task text, an earlier trusted result, or an earlier argument.

use std::fmt;

use serde_json::Value;

use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use super::origin::{FieldPath, Origin};
use super::spoken::Spoken;
use crate::parse::source::{Node, Source, place};
use crate::parse::tools::About;
use crate::show::words::joined;
use crate::toml_text::one_or_list;

/// The keys of an origin.
const KEYS: [&str; 7] = [
    "task",
    "after",
    "before",
    "ignore_case",
    "tool",
    "field",
    "argument",
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

    fn say(&self, _unit: Unit) -> String {
        let each = self.0.iter().map(said).collect();
        format!("is {}", joined(each, "or"))
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        let mut each = self.0.iter();
        each.any(|origin| origin.determines(value, context))
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
        Origin::Field { tool, field } => {
            format!(
                "what `{tool}` returned before in this task as `{}`",
                field.as_str()
            )
        }
        Origin::Argument { tool, argument } => {
            format!("what `{tool}` was called with before in this task as `{argument}`")
        }
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
        let fix =
            "write \"task\", { task = … }, { tool = …, field = … } or { tool = …, argument = … }";
        source.report(node.span(), format!("{word:?} is no origin"), fix);
        return None;
    }
    let of = source.table(node, "`from`", &KEYS)?;
    if of.table.contains_key("task") {
        return Spoken::read(source, node, &of).map(Origin::Task);
    }
    if let Some(key) = ROLE_KEYS.iter().find(|key| of.table.contains_key(**key)) {
        let problem = format!("`{key}` is about the task text");
        source.report(place(&of, key), problem, "write it beside `task = …`");
        return None;
    }
    let tool = source.required(&of, "tool")?;
    let tool = about.tool(source, tool)?;
    let name = tool.name().to_string();
    match (of.table.get("field"), of.table.get("argument")) {
        (Some(node), None) => {
            let text = source.text(node, "`field`", FIELD_CHARS_MAX)?;
            let field = FieldPath::new(&text);
            if field.is_none() {
                let fix = "write names joined by dots, with `[]` for each item of a list, such as \"results[].email\"";
                source.report(node.span(), format!("{text:?} is no way to a field"), fix);
            }
            Some(Origin::Field {
                tool: name,
                field: field?,
            })
        }
        (None, Some(node)) => {
            let argument = source.text(node, "`argument`", FIELD_CHARS_MAX)?;
            About::check_in(source, node.span(), &argument, &[tool])?;
            let tool = name;
            Some(Origin::Argument { tool, argument })
        }
        (Some(_), Some(_)) | (None, None) => {
            let problem = "`from` needs exactly one of `field` and `argument`";
            let fix =
                "write `field` for what it returned, or `argument` for what it was called with";
            source.report(of.span, problem, fix);
            None
        }
    }
}

impl fmt::Display for From {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "from = {}", one_or_list(&self.0))
    }
}
