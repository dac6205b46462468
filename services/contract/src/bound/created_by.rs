//! `created_by`: a value with which a tool has succeeded before in this task, such as the path of a written file.

use std::fmt;

use serde_json::Value;

use super::from::From;
use super::kind::{Kind, Reader, Unit};
use super::list;
use super::matching::{CallContext, Match};
use super::origin::Origin;
use crate::catalogue::Tool;
use crate::parse::source::{Node, Source, TEXT_CHARS_MAX};
use crate::parse::tools::About;
use crate::show::words::joined;
use crate::toml_text::one_or_list;

/// An argument of an earlier call that succeeded, one origin for each tool; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct CreatedBy(pub From);

impl Kind for CreatedBy {
    const KEYS: &'static [&'static str] = &["created_by"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let about = reader.about;
        reader.one("created_by", |reader, node| {
            let each = list::each(reader.source, node, "`created_by`", |source, node| {
                one(source, node, about)
            });
            each.map(|each| Self(From(each)))
        })
    }

    fn types(&self) -> &'static [&'static str] {
        self.0.types()
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        self.0.judge(value, context)
    }

    fn limits_length(&self) -> bool {
        self.0.limits_length()
    }

    fn permits_links(&self) -> bool {
        self.0.permits_links()
    }

    fn say(&self, _unit: Unit) -> String {
        let each = self.0.0.iter().filter_map(|origin| match origin {
            Origin::Argument { tool, argument } => Some(format!("`{tool}` as its `{argument}`")),
            Origin::Task(_) | Origin::Slot(_) | Origin::Field { .. } => None,
        });
        format!(
            "was created in this task by {}",
            joined(each.collect(), "or")
        )
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        self.0.determines(value, context)
    }

    fn origins(&self) -> &[Origin] {
        self.0.origins()
    }
}

/// Reads a tool, or a tool with the argument that names what it creates.
fn one<'t>(source: &mut Source<'t>, node: &'t Node<'t>, about: &About<'_>) -> Option<Origin> {
    if node.get_ref().as_str().is_some() {
        let tool = about.tool(source, node)?;
        let argument = named(source, node, tool, about)?;
        let tool = tool.name().to_string();
        return Some(Origin::Argument { tool, argument });
    }
    let of = source.table(node, "`created_by`", &["tool", "argument"])?;
    let tool = source.required(&of, "tool");
    let argument = source.required(&of, "argument");
    let (tool, node) = (about.tool(source, tool?)?, argument?);
    let argument = source.text(node, "`argument`", TEXT_CHARS_MAX)?;
    About::check_in(source, node.span(), &argument, &[tool])?;
    let tool = tool.name().to_string();
    Some(Origin::Argument { tool, argument })
}

/// Returns the argument of the tool that has the name of the bounded one, or the only argument.
fn named(
    source: &mut Source<'_>,
    node: &Node<'_>,
    tool: &Tool,
    about: &About<'_>,
) -> Option<String> {
    let arguments = tool.arguments();
    let mut names = arguments.names();
    let only = names.next().filter(|_| names.next().is_none());
    let same = about.argument.filter(|name| arguments.has(name));
    if let Some(name) = same.or(only) {
        return Some(name.to_owned());
    }
    let name = tool.name();
    let problem =
        format!("`{name}` has several arguments, and none is called like the bounded one");
    let fix = format!("write {{ tool = \"{name}\", argument = … }}");
    source.report(node.span(), problem, fix);
    None
}

impl fmt::Display for CreatedBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "created_by = {}", one_or_list(&self.0.0))
    }
}
