//! An OpenAPI document: its operations, and what its references point to.

use contract::Endpoint;
use serde_json::{Map, Value};

/// Largest document, in bytes.
const BYTES_MAX: usize = 32 * 1024 * 1024;
/// Most references that lead to one value.
const REFERENCES_MAX: usize = 32;
/// The methods that a tool can have, as a document names them.
const METHODS: [&str; 6] = ["get", "head", "post", "put", "patch", "delete"];

/// A document of OpenAPI 3.0 or 3.1, in JSON.
#[derive(Debug)]
pub(crate) struct Document(Value);

/// One operation of a document.
#[derive(Debug, Clone)]
pub(crate) struct Operation<'d> {
    /// Its `operationId`, or method and path in the form of a name.
    pub(crate) id: String,
    /// Upper case.
    pub(crate) method: String,
    pub(crate) path: &'d str,
    pub(super) item: &'d Map<String, Value>,
    pub(super) written: &'d Value,
}

impl Document {
    /// Reads a document.
    ///
    /// # Errors
    /// Returns the problem, with what to give instead.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, String> {
        if bytes.len() > BYTES_MAX {
            return Err(format!(
                "it has more than {} MiB; take the operations that you need out of it",
                BYTES_MAX / 1024 / 1024
            ));
        }
        let root: Value = serde_json::from_slice(bytes).map_err(|error| {
            format!("it is not JSON: {error}; convert a document in YAML first")
        })?;
        if root.get("swagger").is_some() {
            return Err(
                "it is a document of Swagger 2.0; convert it to OpenAPI 3.0 or 3.1 first"
                    .to_owned(),
            );
        }
        let version = root.get("openapi").and_then(Value::as_str);
        let version = version.unwrap_or_default();
        if !version.starts_with("3.0") && !version.starts_with("3.1") {
            return Err(
                "it has no `openapi` with the version 3.0 or 3.1; give a document of these versions"
                    .to_owned(),
            );
        }
        Ok(Self(root))
    }

    /// The operations, in the order of the document.
    pub(crate) fn operations(&self) -> Vec<Operation<'_>> {
        let paths = self.0.get("paths").and_then(Value::as_object);
        let mut operations = Vec::new();
        for (path, item) in paths.into_iter().flatten() {
            let Some(item) = self.resolve(item).ok().and_then(Value::as_object) else {
                continue;
            };
            for method in METHODS {
                let Some(written) = item.get(method).filter(|written| written.is_object()) else {
                    continue;
                };
                let id = written.get("operationId").and_then(Value::as_str);
                let id = id.map_or_else(|| format!("{method}{path}"), str::to_owned);
                operations.push(Operation {
                    id: plain_name(&id),
                    method: method.to_ascii_uppercase(),
                    path,
                    item,
                    written,
                });
            }
        }
        operations
    }

    /// Follows the references of a value within the document.
    ///
    /// # Errors
    /// Returns the problem of a reference.
    pub(super) fn resolve<'d>(&'d self, value: &'d Value) -> Result<&'d Value, String> {
        let mut value = value;
        for _ in 0..REFERENCES_MAX {
            let Some(reference) = value.get("$ref").and_then(Value::as_str) else {
                return Ok(value);
            };
            let pointer = reference.strip_prefix('#').ok_or_else(|| {
                format!("it refers to {reference:?}, which is outside of the document")
            })?;
            value = self.0.pointer(pointer).ok_or_else(|| {
                format!("it refers to {reference:?}, which the document does not have")
            })?;
        }
        Err(format!(
            "it refers to a value through more than {REFERENCES_MAX} references"
        ))
    }

    /// The path before all paths of the document: that of the first server with this host, or of a server without a host.
    pub(crate) fn base(&self, endpoint: &Endpoint) -> Option<String> {
        let own = format!("https://{endpoint}");
        let path = self.servers().into_iter().find_map(|url| {
            let path = url.strip_prefix(&own).unwrap_or(url);
            (path.is_empty() || path.starts_with('/')).then_some(path)
        })?;
        Some(path.trim_end_matches('/').to_owned())
    }

    /// The URLs of the servers that the document names.
    pub(crate) fn servers(&self) -> Vec<&str> {
        let servers = self.0.get("servers").and_then(Value::as_array);
        let urls = servers.into_iter().flatten();
        urls.filter_map(|server| server.get("url").and_then(Value::as_str))
            .collect()
    }
}

impl Operation<'_> {
    /// One line about the operation.
    pub(crate) fn summary(&self) -> String {
        let text = |key: &str| self.written.get(key).and_then(Value::as_str);
        let text = text("summary").or_else(|| text("description"));
        let first = text.unwrap_or_default().trim().lines().next();
        first.unwrap_or_default().to_owned()
    }
}

/// A name of letters, digits, `-` and `_`.
pub(super) fn plain_name(text: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    let name: String = text.chars().map(plain).collect();
    let name = name.split('_').filter(|part| !part.is_empty());
    let mut name = name.collect::<Vec<_>>().join("_");
    name.truncate(64);
    name
}
