//! Reads where a value has to come from.

use super::super::source::{Node, Source};
use super::super::tools::About;
use crate::origin::{FieldPath, Origin};

/// Most origins of one bound.
const ORIGINS_MAX: usize = 32;
/// Longest way to a field, in characters.
const FIELD_CHARS_MAX: usize = 500;

/// Reads one origin, or a list of them, any of which will do.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    about: &About<'_>,
) -> Option<Vec<Origin>> {
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
            return Some(Origin::Task);
        }
        let fix = "write \"task\", or { tool = …, field = … }, or { tool = …, argument = … }";
        source.report(node.span(), format!("{word:?} is no origin"), fix);
        return None;
    }
    let of = source.table(node, "`from`", &["tool", "field", "argument"])?;
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
            let field = field?;
            Some(Origin::Field { tool: name, field })
        }
        (None, Some(node)) => {
            let argument = source.text(node, "`argument`", FIELD_CHARS_MAX)?;
            About::check_in(source, node.span(), &argument, &[tool])?;
            let tool = name;
            Some(Origin::Argument { tool, argument })
        }
        (Some(_), Some(_)) | (None, None) => {
            let fix =
                "write `field` for what it returned, or `argument` for what it was called with";
            source.report(
                of.span,
                "`from` needs exactly one of `field` and `argument`",
                fix,
            );
            None
        }
    }
}
