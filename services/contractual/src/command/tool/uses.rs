//! Compares the arguments that a part of an entry uses with those that its schema declares.

use contract::Tool;
use diagnostic::Diagnostic;
use serde_json::Value;

use super::place::Place;

/// The arguments that a part of an entry uses, and the words of its problems.
pub(super) struct Uses<'t> {
    /// The part, such as `argv`.
    pub(super) part: &'static str,
    /// The verb of its use.
    pub(super) verb: &'static str,
    /// The place of the part in the entry.
    pub(super) at: &'static [&'static str],
    /// The arguments; true for those that every call needs.
    pub(super) names: Vec<(&'t str, bool)>,
    /// The fix for an argument that the part does not use.
    pub(super) unused: fn(&str) -> String,
}

impl Uses<'_> {
    /// Adds each argument that only one side has, and each that every call needs and the schema does not require.
    pub(super) fn compare(&self, place: &Place<'_>, tool: &Tool, found: &mut Vec<Diagnostic>) {
        let Self { part, verb, .. } = self;
        let schema = tool.input_schema();
        let properties = schema.get("properties").and_then(Value::as_object);
        let is_required = |name: &str| tool.required().any(|one| one == name);
        for (name, is_needed) in &self.names {
            if properties.is_none_or(|all| !all.contains_key(*name)) {
                let problem = format!(
                    "`{part}` {verb} the argument `{name}`, which `input_schema` does not have"
                );
                let fix = format!("add `{name}` to the properties of `input_schema`");
                found.push(place.at(self.at).problem(problem, fix));
            } else if *is_needed && !is_required(name) {
                let problem = format!(
                    "`{part}` needs the argument `{name}` in every call, and it is not required"
                );
                let fix = format!("add `{name}` to `required`");
                found.push(place.at(&["input_schema"]).problem(problem, fix));
            }
        }
        for name in properties.into_iter().flat_map(|all| all.keys()) {
            if !self.names.iter().any(|(used, _)| used == name) {
                let problem = format!(
                    "no part of `{part}` {verb} the argument `{name}`, so every call with it fails"
                );
                let at = place.at(&["input_schema", "properties", name.as_str()]);
                found.push(at.problem(problem, (self.unused)(name)));
            }
        }
    }
}
