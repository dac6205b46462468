//! `json.query`: the values at given places of a JSON file.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::file_error::FileError;
use crate::path::WorkspacePath;
use crate::workspace::{FILE_BYTES_MAX, Workspace};

/// Most places of one query.
const POINTERS_MAX: usize = 100;
/// Longest place, in bytes.
const POINTER_BYTES_MAX: usize = 1_024;

/// Arguments of `json.query`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonArgs {
    /// The file, strict JSON of at most 1 MiB.
    pub path: WorkspacePath,
    /// JSON Pointers (RFC 6901) such as `/items/0/name`; the empty one names the whole text. At most 100.
    pub pointers: Vec<String>,
}

/// Output of `json.query`.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct JsonValues {
    /// One value for each pointer, in their order; together at most 1 MiB.
    pub values: Vec<PointedValue>,
}

/// The value at one place.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct PointedValue {
    /// The place.
    pub pointer: String,
    /// True if the file has this place.
    pub found: bool,
    /// The value; null if there is none.
    pub value: Value,
}

impl Workspace {
    /// Reads values out of a JSON file.
    ///
    /// # Errors
    /// As [`Workspace::read`]; no strict JSON; a place is no JSON Pointer; too many places or too large values.
    pub fn query_json(&self, args: &JsonArgs) -> Result<JsonValues, FileError> {
        let unfit = |problem: String, fix| FileError::unfit(&args.path, problem, fix);
        if args.pointers.is_empty() || args.pointers.len() > POINTERS_MAX {
            return Err(unfit(
                format!(
                    "was not read, because `pointers` has {} places",
                    args.pointers.len()
                ),
                "name 1 to 100 of them",
            ));
        }
        for pointer in &args.pointers {
            let begins = pointer.is_empty() || pointer.starts_with('/');
            if !begins || pointer.len() > POINTER_BYTES_MAX {
                return Err(unfit(
                    "was not read, because a place is no JSON Pointer of at most 1,024 bytes"
                        .to_owned(),
                    "write it as `/items/0/name`",
                ));
            }
        }
        self.is_in_place()?;
        let (bytes, _) = self.bytes(&args.path, FILE_BYTES_MAX)?;
        let json = bus_schema::json::parse_wide(&bytes, FILE_BYTES_MAX)
            .map_err(|error| unfit(format!("is no strict JSON ({error})"), "correct the file"))?;
        let mut left = FILE_BYTES_MAX;
        let mut values = Vec::new();
        for pointer in &args.pointers {
            let found = json.pointer(pointer);
            let bytes = found.map_or(0, |value| value.to_string().len());
            left = left.checked_sub(bytes).ok_or(FileError::TooLarge {
                what: "the values",
                max: FILE_BYTES_MAX,
            })?;
            values.push(PointedValue {
                pointer: pointer.clone(),
                found: found.is_some(),
                value: found.cloned().unwrap_or_default(),
            });
        }
        Ok(JsonValues { values })
    }
}
