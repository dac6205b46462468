//! Converts errors of Cedar to errors in terms of the condition.

use cedar_policy::{ParseErrors, ValidationError, ValidationWarning};
use miette::Diagnostic;

use super::ConditionError;
use super::shape::{ObjectShape, Shape};
use super::tokens::{Chain, ParsedCondition};

/// The text before a condition in the validated policy.
pub(super) const HEAD: &str = "permit(principal, action, resource) when {\n";

/// Converts the error of a condition that is not an expression.
pub(super) fn unreadable(source: &ParsedCondition, errors: &ParseErrors) -> ConditionError {
    let Some(error) = errors.iter().next() else {
        return ConditionError::new(0, "the condition cannot be read; write it anew");
    };
    let at = source.place(start(error).unwrap_or_default());
    let said = plain(&error.to_string());
    let said = said.replace("unexpected end of input", "it ends too early");
    ConditionError::new(
        at,
        format!("the condition cannot be read here: {said}; correct it"),
    )
}

/// Converts the error of a condition that could fail or names unknown things.
pub(super) fn invalid(
    source: &ParsedCondition,
    error: &ValidationError,
    tool: &str,
    fields: &ObjectShape,
) -> ConditionError {
    let at = start(error).unwrap_or_default().saturating_sub(HEAD.len());
    let at = source.place(at);
    let chain = source.chains.iter().find(|chain| chain.span.contains(&at));
    let problem = match (error, chain) {
        (ValidationError::UnsafeOptionalAttributeAccess(_), Some(chain)) => {
            let (parent, name) = optional(chain, fields);
            format!("`{parent}.{name}` can be missing in a call of `{tool}`; write `{parent} has {name} && …` before it")
        }
        (ValidationError::UnsafeAttributeAccess(_), Some(chain)) => {
            let whole = std::iter::once(&chain.root).chain(&chain.path);
            let whole = whole.map(String::as_str).collect::<Vec<_>>().join(".");
            format!("`{tool}` has no `{whole}`; ask with `has` first, or correct the name")
        }
        (ValidationError::NonLitExtConstructor(_), _) => {
            "only a text in quotes can be made a decimal, a date or a duration; write one, or use a bound".to_owned()
        }
        (ValidationError::EmptySetForbidden(_), _) => {
            "an empty list has no type here; use `isEmpty()` or name at least one item".to_owned()
        }
        _ => {
            let help = error.help().map(|help| plain(&help.to_string()));
            let help = help.unwrap_or_else(|| "correct it".to_owned());
            let said = plain(&error.to_string());
            let decimal = if said.contains("decimal") {
                "; a decimal is compared like this: `args.amount.lessThanOrEqual(decimal(\"9.50\"))`"
            } else {
                ""
            };
            format!("for calls of `{tool}`: {said}; {help}{decimal}")
        }
    };
    ConditionError::new(at, problem)
}

/// Returns true if a condition without errors can be true.
pub(super) fn is_possible<'w>(
    warnings: impl Iterator<Item = &'w ValidationWarning>,
) -> Result<bool, ConditionError> {
    let mut possible = true;
    for warning in warnings {
        possible &= !matches!(warning, ValidationWarning::ImpossiblePolicy(_));
        if matches!(
            warning,
            ValidationWarning::BidiCharsInString(_) | ValidationWarning::BidiCharsInIdentifier(_)
        ) {
            let problem = "the condition has a character that turns the direction of writing, so that it reads otherwise than it works; remove it";
            return Err(ConditionError::new(0, problem));
        }
    }
    Ok(possible)
}

/// Returns the first optional field on the path, and its parent.
fn optional<'c>(chain: &'c Chain, fields: &ObjectShape) -> (String, &'c str) {
    let mut parent = chain.root.clone();
    let mut fields = Some(fields);
    let mut last = "";
    for (at, name) in chain.path.iter().enumerate() {
        let field = fields.and_then(|fields| fields.known.get(name));
        last = name;
        if field.is_none_or(|field| field.optional) || at + 1 == chain.path.len() {
            break;
        }
        parent = format!("{parent}.{name}");
        fields = field.and_then(|field| match &field.shape {
            Shape::Record(inner) => Some(inner),
            Shape::Bool | Shape::Long | Shape::Decimal | Shape::Text | Shape::Set(_) => None,
        });
    }
    (parent, last)
}

fn start(error: &dyn Diagnostic) -> Option<usize> {
    error.labels()?.next().map(|label| label.offset())
}

/// Removes terms from Cedar's message that a condition does not have.
fn plain(text: &str) -> String {
    let text = text
        .replace("for policy `when`, ", "")
        .replace("context.", "");
    text.replace("__cedar::", "")
}
