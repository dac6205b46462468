//! The arguments of an entry: parameters and members of the body, each under a name of its own.

use serde_json::{Map, Value, json};

use super::document::{Document, Operation, plain_name};
use super::schemas::{Direction, Schemas};

/// The place of a parameter that a tool can send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum SentIn {
    Path,
    Query,
    Header,
}

/// The arguments of an entry, and the places where they are sent.
#[derive(Debug)]
pub(super) struct Inputs<'d> {
    document: &'d Document,
    schemas: Schemas<'d>,
    properties: Map<String, Value>,
    required: Vec<String>,
    /// The path of the operation, with the names of arguments.
    path: String,
    query: Vec<Value>,
    headers: Vec<Value>,
    body: Option<Value>,
    /// The reasons that something was left out.
    pub(super) notes: Vec<String>,
}

/// The parts of an entry that the arguments make.
#[derive(Debug)]
pub(super) struct RequestParts {
    pub(super) path: String,
    pub(super) query: Vec<Value>,
    pub(super) headers: Vec<Value>,
    pub(super) body: Option<Value>,
    pub(super) input_schema: Value,
    /// True if a call sends an argument.
    pub(super) sends: bool,
}

impl<'d> Inputs<'d> {
    /// Takes the parameters and the body of an operation.
    ///
    /// # Errors
    /// Returns the reason that no tool can send what the operation needs.
    pub(super) fn of(document: &'d Document, operation: &Operation<'d>) -> Result<Self, String> {
        let mut inputs = Self {
            document,
            schemas: Schemas::new(document, Direction::Sent),
            properties: Map::new(),
            required: Vec::new(),
            path: operation.path.to_owned(),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            notes: Vec::new(),
        };
        for parameter in parameters(document, operation)? {
            inputs.parameter(parameter)?;
        }
        let takes_body = matches!(operation.method.as_str(), "POST" | "PUT" | "PATCH");
        if let Some(body) = operation.written.get("requestBody") {
            let body = document.resolve(body)?;
            let is_required = is_true(body, "required");
            if takes_body {
                inputs.take_body(body)?;
            } else if is_required {
                return Err(format!("{} sends no body", operation.method));
            }
        }
        Ok(inputs)
    }

    /// Returns the parts of the entry.
    ///
    /// # Errors
    /// Returns the problem of a schema.
    pub(super) fn parts(self) -> Result<RequestParts, String> {
        let sends = !self.properties.is_empty();
        let mut input_schema = json!({
            "type": "object", "properties": self.properties, "required": self.required,
            "additionalProperties": false,
        });
        let definitions = self.schemas.definitions()?;
        if !definitions.is_empty()
            && let Some(members) = input_schema.as_object_mut()
        {
            members.insert("$defs".to_owned(), Value::Object(definitions));
        }
        Ok(RequestParts {
            path: self.path,
            query: self.query,
            headers: self.headers,
            body: self.body,
            input_schema,
            sends,
        })
    }

    fn parameter(&mut self, parameter: &Value) -> Result<(), String> {
        let text = |key: &str| parameter.get(key).and_then(Value::as_str);
        let name = text("name").unwrap_or_default().to_owned();
        let place = match text("in") {
            Some("path") => SentIn::Path,
            Some("query") => SentIn::Query,
            Some("header") => SentIn::Header,
            Some(_) | None => {
                return self.unsent(parameter, &name, "is a cookie, which a tool does not send");
            }
        };
        let lower = name.to_ascii_lowercase();
        if place == SentIn::Header
            && matches!(lower.as_str(), "accept" | "content-type" | "authorization")
        {
            return Ok(());
        }
        let schema = parameter.get("schema").cloned().unwrap_or_default();
        if schema.is_null() || !is_scalar(self.document, &schema) {
            let why = "is no text, number or truth value, and a tool sends only those";
            return self.unsent(parameter, &name, why);
        }
        let mut schema = self.schemas.convert(&schema)?;
        let described = text("description").map(super::schemas::described);
        if let (Some(description), Some(members)) = (described, schema.as_object_mut()) {
            members
                .entry("description")
                .or_insert(Value::String(description));
        }
        let is_required = place == SentIn::Path || is_true(parameter, "required");
        let argument = self.argument(&name, schema, is_required);
        match place {
            SentIn::Path => {
                let written = format!("{{{name}}}");
                self.path = self.path.replace(&written, &format!("{{{argument}}}"));
            }
            SentIn::Query => self.query.push(json!({"name": name, "value": argument})),
            SentIn::Header => self.headers.push(json!({"name": lower, "value": argument})),
        }
        Ok(())
    }

    /// Leaves an optional parameter out.
    fn unsent(&mut self, parameter: &Value, name: &str, why: &str) -> Result<(), String> {
        if is_true(parameter, "required") {
            return Err(format!("its parameter `{name}` {why}"));
        }
        self.notes.push(format!("without `{name}`: it {why}"));
        Ok(())
    }

    fn take_body(&mut self, body: &Value) -> Result<(), String> {
        let schema = json_of(body).and_then(|media| media.get("schema"));
        // Without it, even an optional one, the operation would do something else than its summary says.
        let schema = schema.ok_or("its body is not JSON")?;
        let converted = self.schemas.convert(schema)?;
        let is_required = is_true(body, "required");
        let whole = self.document.resolve(schema)?;
        let whole = if std::ptr::eq(whole, schema) {
            converted.clone()
        } else {
            self.schemas.convert(whole)?
        };
        let Some(members) = flat(&whole) else {
            let argument = self.argument("body", converted, is_required);
            self.body = Some(json!({ "$value": argument }));
            return Ok(());
        };
        let required = whole.get("required").cloned().unwrap_or_default();
        let mut template = Map::new();
        for (name, schema) in members {
            let needs = required
                .as_array()
                .is_some_and(|names| names.iter().any(|needed| needed == name));
            let argument = self.argument(name, schema.clone(), needs && is_required);
            template.insert(name.clone(), json!({ "$value": argument }));
        }
        self.body = Some(Value::Object(template));
        Ok(())
    }

    /// Adds an argument under its name, or under that name with a number.
    fn argument(&mut self, name: &str, schema: Value, is_required: bool) -> String {
        let plain = plain_name(name);
        let plain = if plain.is_empty() {
            "value".to_owned()
        } else {
            plain
        };
        let mut argument = plain.clone();
        let mut number = 2;
        while self.properties.contains_key(&argument) {
            argument = format!("{plain}_{number}");
            number += 1;
        }
        if is_required {
            self.required.push(argument.clone());
        }
        self.properties.insert(argument.clone(), schema);
        argument
    }
}

/// The parameters of an operation, after those of its path that it does not replace.
fn parameters<'d>(
    document: &'d Document,
    operation: &Operation<'d>,
) -> Result<Vec<&'d Value>, String> {
    let listed = |from: Option<&'d Value>| {
        let list = from.and_then(Value::as_array).into_iter().flatten();
        list.map(|parameter| document.resolve(parameter))
            .collect::<Result<Vec<_>, _>>()
    };
    let own = listed(operation.written.get("parameters"))?;
    let key = |parameter: &Value| (parameter.get("name").cloned(), parameter.get("in").cloned());
    let mut all = listed(operation.item.get("parameters"))?;
    all.retain(|parameter| !own.iter().any(|other| key(other) == key(parameter)));
    all.extend(own);
    Ok(all)
}

/// The part of a body or an answer in JSON.
pub(super) fn json_of(body: &Value) -> Option<&Value> {
    let content = body.get("content")?.as_object()?;
    let mut kinds = content.iter();
    let is_json = |kind: &str| {
        let kind = kind.split(';').next().unwrap_or_default().trim();
        kind.eq_ignore_ascii_case("application/json")
    };
    kinds.find_map(|(kind, media)| is_json(kind).then_some(media))
}

/// The properties of an object that is nothing else, each with a name that an argument can have.
fn flat(schema: &Value) -> Option<&Map<String, Value>> {
    let members = schema.as_object()?;
    let properties = members.get("properties")?.as_object()?;
    let is_plain = members.get("type").is_none_or(|kind| kind == "object")
        && !["allOf", "anyOf", "oneOf", "not"]
            .iter()
            .any(|key| members.contains_key(*key));
    let names = properties.keys().all(|name| plain_name(name) == *name);
    (is_plain && names && !properties.is_empty()).then_some(properties)
}

/// Returns true for a schema of texts, numbers or truth values alone.
fn is_scalar(document: &Document, schema: &Value) -> bool {
    let Ok(schema) = document.resolve(schema) else {
        return false;
    };
    let is_plain = |kind: &Value| {
        let kind = kind.as_str();
        kind.is_some_and(|kind| matches!(kind, "string" | "integer" | "number" | "boolean"))
    };
    match schema.get("type") {
        Some(Value::Array(kinds)) => kinds.iter().all(|kind| is_plain(kind) || kind == "null"),
        Some(kind) => is_plain(kind),
        None => ["anyOf", "oneOf", "allOf"].iter().any(|key| {
            let each = schema.get(*key).and_then(Value::as_array);
            each.is_some_and(|each| each.iter().all(|inner| is_scalar(document, inner)))
        }),
    }
}

fn is_true(value: &Value, key: &str) -> bool {
    value.get(key) == Some(&Value::Bool(true))
}
