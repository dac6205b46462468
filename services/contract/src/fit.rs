//! Compares the arguments and the result of one call with the schemas of its tool, for a person who tries the tool.

use bus_schema::json;
use serde_json::Value;

use crate::catalogue::Tool;

impl Tool {
    /// Checks arguments against the schema.
    ///
    /// # Errors
    /// The place and the violation, without the values.
    pub fn check_arguments(&self, arguments: &Value) -> Result<(), String> {
        self.arguments().validate(arguments)
    }

    /// Checks an output against the schema of the results, as conditions on results read it; `None` if the catalogue
    /// states no schema.
    ///
    /// # Errors
    /// The place and the violation, without the values.
    #[must_use]
    pub fn check_output(&self, output: &[u8]) -> Option<Result<(), String>> {
        let schema = self.output_schema()?;
        let Some(result) = json::result(output) else {
            let bytes_max = json::RESULT_BYTES_MAX;
            return Some(Err(format!(
                "it is neither strict JSON nor a text, or is longer than {bytes_max} bytes"
            )));
        };
        Some(schema.check(&result))
    }
}
