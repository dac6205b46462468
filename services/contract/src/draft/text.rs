//! Writes names, values and arguments of a draft as TOML.

use std::collections::BTreeSet;

use bus_schema::ContractFolders;
use serde_json::{Map, Value};

use crate::catalogue::Catalogue;
use crate::toml_text::{key, quoted};

/// Maximum length of a generated name, in bytes.
const NAME_BYTES_MAX: usize = 48;

/// The head of a draft.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DraftHeader {
    /// The name: lower-case letters, digits and `-`.
    pub name: String,
    /// The purpose.
    pub purpose: String,
    /// The owner.
    pub owner: String,
    /// The expiry in contract syntax, such as `2030-01-31`.
    pub expires: String,
    /// The folders of the contract of the recorded task.
    pub folders: ContractFolders,
}

impl DraftHeader {
    /// Writes the lines of the folders.
    pub(super) fn folder_lines(&self) -> String {
        let ContractFolders { workspace, read } = &self.folders;
        let mut lines = String::new();
        if let Some(workspace) = workspace {
            lines.push_str(&format!("workspace = {}\n", quoted(workspace.as_str())));
        }
        if !read.is_empty() {
            let names: Vec<String> = read.iter().map(|name| quoted(name.as_str())).collect();
            lines.push_str(&format!("folders = [{}]\n", names.join(", ")));
        }
        lines
    }
}

/// Writes the line of the hosts that the used tools send to; empty without any.
pub(super) fn host_line(catalogue: &Catalogue, is_used: impl Fn(&str) -> bool) -> String {
    let used = catalogue
        .tools()
        .filter(|tool| is_used(tool.name().as_str()));
    let hosts = used.filter_map(|tool| Some(quoted(&tool.http()?.endpoint().to_string())));
    let hosts: BTreeSet<String> = hosts.collect();
    if hosts.is_empty() {
        return String::new();
    }
    let hosts: Vec<String> = hosts.into_iter().collect();
    format!("hosts = [{}]\n", hosts.join(", "))
}

/// Converts any text to a name of lower-case letters, digits and `-`.
pub(super) fn slug(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().flat_map(char::to_lowercase) {
        let fits = c.is_ascii_lowercase() || c.is_ascii_digit();
        if fits {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
        if name.len() >= NAME_BYTES_MAX {
            break;
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() {
        "task".to_owned()
    } else {
        name.to_owned()
    }
}

/// Writes arguments as an inline table; omits null values.
pub(super) fn table(map: &Map<String, Value>) -> String {
    let given = map.iter().filter(|(_, value)| !value.is_null());
    let each: Vec<String> = given
        .map(|(name, one)| format!("{} = {}", key(name), value(one)))
        .collect();
    if each.is_empty() {
        return "{}".to_owned();
    }
    format!("{{ {} }}", each.join(", "))
}

pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
        Value::String(text) => quoted(text),
        Value::Array(items) => {
            let each: Vec<String> = items.iter().map(self::value).collect();
            format!("[{}]", each.join(", "))
        }
        Value::Object(map) => table(map),
    }
}
