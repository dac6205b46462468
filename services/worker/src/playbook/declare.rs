//! Reads the inputs that a playbook declares, and the values that a task gives them.

use diagnostic::nearest;
use job::{BOUND_FIX, FieldBound, scalar};
use serde_json::Value as Json;
use toml::de::{DeTable, DeValue};

use super::inputs::{INPUT_KINDS, INPUTS_MAX, Input};
use super::reader::{Reader, Value};

const INPUT_KEYS: &[&str] = &["type", "default", "about", "is"];
/// Longest text about an input, in characters.
const ABOUT_CHARS_MAX: usize = 500;
const NAME_FIX: &str = "use 1 to 64 lower-case letters, digits and `-`, a letter first";
const GIVEN_FIX: &str = "write a string, a number, true, false or a list of them";

impl Reader<'_> {
    /// Reads `[input]` and `[given]`.
    pub(super) fn inputs(&mut self, top: &DeTable<'_>, is_name: fn(&str) -> bool) {
        if let Some(table) = self.table_of(top, "input") {
            for (name, value) in table {
                if is_name(name.get_ref()) {
                    let input = self.input(name.get_ref(), value);
                    let named = input.map(|input| (input.name.clone(), input));
                    self.inputs.declared.extend(named);
                } else {
                    let problem = format!("`{}` is no name of an input", name.get_ref());
                    self.wrong::<()>(name.span(), problem, NAME_FIX);
                }
            }
        }
        let declared = self.inputs.declared.values();
        let defaults = declared.filter_map(|one| Some((one.name.clone(), one.default.clone()?)));
        self.inputs.values = defaults.collect();
        if let Some(table) = self.table_of(top, "given") {
            self.inputs.given = true;
            for (name, value) in table {
                let known = self.inputs.declared.get(name.get_ref().as_ref()).cloned();
                let Some(input) = known else {
                    let problem = format!("the playbook has no input `{}`", name.get_ref());
                    let names = self.inputs.declared.keys().map(String::as_str);
                    let fix = match nearest(name.get_ref(), names) {
                        Some(near) => format!("did you mean `{near}`?"),
                        None => "remove it, or declare it under `[input]`".to_owned(),
                    };
                    self.wrong::<()>(name.span(), problem, fix);
                    continue;
                };
                let value = self.value_of(&input, value);
                let named = value.map(|value| (input.name, value));
                self.inputs.values.extend(named);
            }
        }
    }

    fn table_of<'t, 'i>(&mut self, top: &'t DeTable<'i>, key: &str) -> Option<&'t DeTable<'i>> {
        let value = top.get(key)?;
        match value.get_ref().as_table() {
            Some(table) if table.len() <= INPUTS_MAX => Some(table),
            Some(_) | None => {
                let problem = format!("`{key}` is not a table of at most {INPUTS_MAX} inputs");
                let fix = "write `[input.NAME]` for each input, and `NAME = VALUE` under `[given]`";
                self.wrong(value.span(), problem, fix)
            }
        }
    }

    fn input(&mut self, name: &str, value: &Value<'_>) -> Option<Input> {
        let Some(table) = value.get_ref().as_table() else {
            let fix = format!("write `[input.{name}]`, and `type = \"string\"` under it");
            return self.wrong(value.span(), format!("`{name}` is not a table"), fix);
        };
        self.keys(table, INPUT_KEYS, "an input");
        let kind = self.required(table, value.span(), "type", "the input")?;
        let word = self.string(kind, "type")?;
        let Some((_, kind)) = INPUT_KINDS.iter().find(|(one, _)| *one == word) else {
            let words = INPUT_KINDS.map(|(word, _)| word);
            let fix = match nearest(&word, words) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write one of {}", words.join(", ")),
            };
            return self.wrong(kind.span(), format!("there is no type `{word}`"), fix);
        };
        let about = match table.get("about") {
            None => None,
            Some(value) => Some(self.about(value)?),
        };
        let is = match table.get("is") {
            None => None,
            Some(value) => match FieldBound::of_value(value.get_ref()) {
                Some(FieldBound::Present(_)) | None => {
                    return self.wrong(value.span(), "`is` is no bound of a value", BOUND_FIX);
                }
                bound => bound,
            },
        };
        let mut input = Input {
            name: name.to_owned(),
            kind: *kind,
            about,
            is,
            default: None,
        };
        if let Some(value) = table.get("default") {
            input.default = Some(self.value_of(&input, value)?);
        }
        Some(input)
    }

    fn about(&mut self, value: &Value<'_>) -> Option<String> {
        let fits = |text: &str| {
            text.chars().count() <= ABOUT_CHARS_MAX && !text.contains(diagnostic::is_hidden)
        };
        let fix = format!("say it in at most {ABOUT_CHARS_MAX} visible characters");
        self.checked(value, "about", fits, &fix)
    }

    fn value_of(&mut self, input: &Input, value: &Value<'_>) -> Option<Json> {
        let read = match value.get_ref() {
            DeValue::Array(list) => {
                let items = list.iter().map(|one| scalar(one.get_ref()));
                items.collect::<Option<Vec<_>>>().map(Json::from)
            }
            other @ (DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_)
            | DeValue::Table(_)) => scalar(other),
        };
        let name = &input.name;
        let Some(read) = read else {
            let problem = format!("the value of `{name}` is not {}", input.said());
            return self.wrong(value.span(), problem, GIVEN_FIX);
        };
        match input.check(&read) {
            Ok(()) => Some(read),
            Err(found) => {
                let fix = format!("write {}", input.said());
                self.wrong(value.span(), format!("the value of `{name}` {found}"), fix)
            }
        }
    }
}
