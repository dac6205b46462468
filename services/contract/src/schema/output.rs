//! Validates the results of a tool against its JSON Schema, closed against undeclared properties.

use std::borrow::Cow;

use jsonschema::Validator;
use serde_json::Value;

use super::domain::Domain;
use bus_schema::json;

/// The compiled schema of the results of a tool.
#[derive(Debug)]
pub(crate) struct OutputSchema {
    validator: Validator,
    schema: Value,
}

impl OutputSchema {
    /// Compiles a schema, which may be of any type. An object that does not declare further properties rejects them.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        let (validator, schema) = super::compile(schema)?;
        Ok(Self { validator, schema })
    }

    /// Returns true if the result has this schema; a text of a JSON object or list is read as what it contains.
    pub(crate) fn takes(&self, result: &Value) -> bool {
        self.validator.is_valid(&read(result))
    }

    /// Checks a result. The error gives the place and the violation, without the values.
    pub(crate) fn check(&self, result: &Value) -> Result<(), String> {
        super::violation(self.validator.validate(&read(result)))
    }

    /// The results that it permits.
    pub(crate) fn domain(&self) -> Domain<'_> {
        Domain::of(&self.schema, &self.schema)
    }
}

/// Reads a result as origins read it: a text of a JSON object or list as that object or list.
fn read(result: &Value) -> Cow<'_, Value> {
    let inner = result
        .as_str()
        .and_then(|text| json::parse_wide(text.as_bytes(), json::RESULT_BYTES_MAX).ok());
    match inner {
        Some(inner @ (Value::Object(_) | Value::Array(_))) => Cow::Owned(inner),
        Some(Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) | None => {
            Cow::Borrowed(result)
        }
    }
}
