//! Validates the arguments of one tool against its JSON Schema, closed against undeclared properties.

mod dialect;
pub(crate) mod domain;
pub(crate) mod output;

use std::collections::{BTreeMap, BTreeSet};

use diagnostic::is_hidden;
use jsonschema::{Draft, PatternOptions, ValidationError, Validator};
use serde_json::{Map, Value};

use self::domain::{Domain, Presence};
use crate::when::When;

/// Maximum number of local references that are followed to find the names of arguments.
const REFERENCES_MAX: usize = 32;
/// Maximum size of a compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 1 << 20;
/// Maximum length of a reported violation, in characters.
const VIOLATION_CHARS_MAX: usize = 300;

/// Keywords whose subschema applies to the same place of the document as the parent schema.
const IN_PLACE: [&str; 9] = [
    "$ref",
    "$dynamicRef",
    "allOf",
    "anyOf",
    "oneOf",
    "if",
    "then",
    "else",
    "dependentSchemas",
];

/// The compiled argument schema of a tool.
#[derive(Debug)]
pub(crate) struct Arguments {
    validator: Validator,
    schema: Value,
    names: BTreeMap<String, Vec<String>>,
    /// The names of all properties at any depth.
    all_names: BTreeSet<String>,
    open: bool,
}

/// Gives the place and the violation, without the values.
fn violation(validated: Result<(), ValidationError<'_>>) -> Result<(), String> {
    validated.map_err(|error| {
        let path = error.instance_path().to_string();
        let place = if path.is_empty() { "/" } else { &path };
        short(&format!("at {place}: {}", error.masked()))
    })
}

impl Arguments {
    /// Compiles a schema. An object that does not declare further properties rejects them;
    /// patterns run in linear time; external references are never fetched.
    pub(crate) fn new(schema: &Value) -> Result<Self, String> {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            return Err("its top level lacks `\"type\": \"object\"`; add it".to_owned());
        }
        let (validator, schema) = compile(schema)?;
        let mut names = BTreeMap::new();
        let mut left = REFERENCES_MAX;
        let open = declared(&schema, &schema, &mut names, &mut left);
        let mut all_names = BTreeSet::new();
        add_names(&schema, &mut all_names);
        Ok(Self {
            validator,
            schema,
            names,
            all_names,
            open,
        })
    }

    /// Returns true if the schema names a property so, at any depth. Another name could carry data.
    pub(crate) fn names_somewhere(&self, name: &str) -> bool {
        self.all_names.contains(name)
    }

    /// Validates `arguments`. The error gives the place and the violation, without the values.
    pub(crate) fn validate(&self, arguments: &Value) -> Result<(), String> {
        violation(self.validator.validate(arguments))
    }

    /// The arguments that it permits, as an object.
    pub(crate) fn domain(&self) -> Domain<'_> {
        Domain::of(&self.schema, &self.schema)
    }

    /// The values of the argument of this name, and whether it can be absent or null; a name with dots is a path into
    /// objects.
    pub(crate) fn place(&self, name: &str) -> (Domain<'_>, Presence) {
        let whole = self.domain();
        let path: Vec<&str> = if self.names.contains_key(name) {
            vec![name]
        } else {
            name.split('.').collect()
        };
        let mut presence = Presence::Always;
        let mut place = whole;
        for part in path {
            let inner = place.field(part);
            if !place.requires(part) || inner.has_null() || place.is_not_always_object() {
                presence = Presence::Sometimes;
            }
            place = inner;
        }
        (place, presence)
    }

    /// The names of the arguments, sorted.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.names.keys().map(String::as_str)
    }

    /// Returns true if an argument of this name can exist; a name with dots is a path into objects.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.open || self.names.contains_key(name) || self.below(name).is_some()
    }

    /// Returns true if an argument can exist that `given` does not have.
    pub(crate) fn others(&self, given: &Map<String, Value>) -> bool {
        self.open || self.names.keys().any(|name| !given.contains_key(name))
    }

    /// Returns true if a call may have arguments that the schema does not name.
    pub(crate) fn is_open(&self) -> bool {
        self.open
    }

    /// Returns true if the schema names this argument and does not require it; a name with dots is a path into objects.
    pub(crate) fn may_lack(&self, name: &str) -> bool {
        let (parent, last) = name.rsplit_once('.').map_or(("", name), |ends| ends);
        let mut left = REFERENCES_MAX;
        let mut places = vec![&self.schema];
        for part in parent.split('.').filter(|part| !part.is_empty()) {
            places = places_inside(&self.schema, &places, part, &mut left);
        }
        // An argument of the whole name comes before a path into objects.
        let own = parent.is_empty() || !self.names.contains_key(name);
        let (places, last) = if own {
            (places, last)
        } else {
            (vec![&self.schema], name)
        };
        let named = places_inside(&self.schema, &places, last, &mut left);
        let required =
            |place: &&Value| requires(&self.schema, place, last, &mut REFERENCES_MAX.clone());
        !named.is_empty() && !places.iter().any(required)
    }

    /// The JSON types of the argument; empty if they are not declared directly.
    pub(crate) fn types(&self, name: &str) -> Vec<String> {
        let own = self.names.get(name).cloned();
        own.or_else(|| self.below(name)).unwrap_or_default()
    }

    /// Returns true if the schema itself bounds the length of a text at this argument.
    pub(crate) fn limits_length(&self, name: &str) -> bool {
        let mut left = REFERENCES_MAX;
        let mut places = Vec::new();
        inside(&self.schema, &self.schema, name, &mut left, &mut places);
        let is_bounded = |place: &&Value| {
            let mut keys = ["enum", "const", "maxLength"].iter();
            keys.any(|key| place.get(key).is_some())
        };
        !places.is_empty() && places.iter().all(is_bounded)
    }

    /// The types at a name with dots; `None` if no such place can exist.
    fn below(&self, name: &str) -> Option<Vec<String>> {
        let (parent, last) = name.rsplit_once('.')?;
        let mut left = REFERENCES_MAX;
        let mut places = vec![&self.schema];
        for part in parent.split('.') {
            places = places_inside(&self.schema, &places, part, &mut left);
        }
        let (mut names, mut open, some) = (BTreeMap::new(), false, !places.is_empty());
        for place in places {
            open |= declared(&self.schema, place, &mut names, &mut left);
        }
        names.remove(last).or_else(|| (open && some).then(Vec::new))
    }
}

/// Compiles a schema: the validator, closed against undeclared properties, and the schema in the newest dialect. Patterns
/// run in linear time; external references are never fetched.
fn compile(schema: &Value) -> Result<(Validator, Value), String> {
    local_only(schema, true)?;
    let mut schema = schema.clone();
    dialect::modern(&mut schema);
    references(&schema, &schema)?;
    let mut closed = schema.clone();
    close(&mut closed);
    let validator = jsonschema::options()
        .with_draft(Draft::Draft202012)
        .offline()
        .should_validate_formats(true)
        .should_ignore_unknown_formats(false)
        .with_format("date-time", |text: &str| {
            matches!(When::new(text), Some(When::Moment(_)))
        })
        .with_pattern_options(
            PatternOptions::regex()
                .size_limit(PATTERN_BYTES_MAX)
                .dfa_size_limit(PATTERN_BYTES_MAX),
        )
        .build(&closed)
        .map_err(|error| format!("{}; correct the schema", short(&error.to_string())))?;
    Ok((validator, schema))
}

/// Refuses unsupported dialects and external references.
fn local_only(schema: &Value, is_root: bool) -> Result<(), String> {
    match schema {
        Value::Object(map) => {
            map.iter()
                .try_for_each(|(key, value)| match (key.as_str(), value.as_str()) {
                    ("$schema", Some(dialect)) if !dialect::is_read(dialect) => Err(format!(
                        "it is written in another dialect; write it for {}",
                        dialect::NEWEST
                    )),
                    ("$ref" | "$dynamicRef", Some(target)) if !target.starts_with('#') => {
                        Err(format!(
                            "the reference {:?} is external; copy its target into `$defs`",
                            short(target)
                        ))
                    }
                    ("$id", Some(_)) if !is_root => Err(
                        "it has a nested `$id`, which changes the targets of references; remove it"
                            .to_owned(),
                    ),
                    _ => local_only(value, false),
                })
        }
        Value::Array(items) => items.iter().try_for_each(|item| local_only(item, false)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Refuses references to places that [`close`] does not reach.
fn references(root: &Value, schema: &Value) -> Result<(), String> {
    match schema {
        Value::Object(map) => map.iter().try_for_each(|(key, value)| {
            let target = value.as_str().filter(|_| key == "$ref" || key == "$dynamicRef");
            match target {
                Some(target) if !is_schema(root, target) => Err(format!(
                    "the reference {:?} does not name a schema of it; move its target into `$defs` and write `#/$defs/<name>`",
                    short(target)
                )),
                Some(_) => Ok(()),
                None => references(root, value),
            }
        }),
        Value::Array(items) => items.iter().try_for_each(|item| references(root, item)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

/// Returns true if a local reference passes only through schemas of a part of the arguments.
fn is_schema(root: &Value, target: &str) -> bool {
    let mut steps = target.split('/');
    if steps.next() != Some("#") || root.pointer(target.trim_start_matches('#')).is_none() {
        return false;
    }
    while let Some(step) = steps.next() {
        match step {
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas"
            | "prefixItems" | "allOf" | "anyOf" | "oneOf" => {
                if steps.next().is_none() {
                    return false;
                }
            }
            "items"
            | "additionalProperties"
            | "unevaluatedProperties"
            | "unevaluatedItems"
            | "then"
            | "else" => {}
            _ => return false,
        }
    }
    true
}

/// Collects the names of top-level properties; returns true if other names are possible.
fn declared(
    root: &Value,
    schema: &Value,
    names: &mut BTreeMap<String, Vec<String>>,
    left: &mut usize,
) -> bool {
    let Some(map) = schema.as_object() else {
        return false;
    };
    let mut open = map.contains_key("patternProperties")
        || ["additionalProperties", "unevaluatedProperties"]
            .iter()
            .any(|key| {
                map.get(*key)
                    .is_some_and(|value| *value != Value::Bool(false))
            });
    for (name, property) in objects(map, "properties") {
        names.entry(name.clone()).or_insert_with(|| types(property));
    }
    for key in ["allOf", "anyOf", "oneOf"] {
        for item in map.get(key).and_then(Value::as_array).into_iter().flatten() {
            open |= declared(root, item, names, left);
        }
    }
    for item in ["then", "else"].iter().filter_map(|key| map.get(*key)) {
        open |= declared(root, item, names, left);
    }
    for (_, item) in objects(map, "dependentSchemas") {
        open |= declared(root, item, names, left);
    }
    if let Some(target) = map.get("$ref").or_else(|| map.get("$dynamicRef")) {
        let found = target
            .as_str()
            .and_then(|target| root.pointer(target.strip_prefix('#')?));
        match (found, left.checked_sub(1)) {
            (Some(found), Some(rest)) => {
                *left = rest;
                open |= declared(root, found, names, left);
            }
            (_, None) | (None, _) => open = true,
        }
    }
    open
}

/// Returns the schemas of the property `name` at these places.
fn places_inside<'v>(
    root: &'v Value,
    places: &[&'v Value],
    name: &str,
    left: &mut usize,
) -> Vec<&'v Value> {
    let mut inner = Vec::new();
    for place in places {
        inside(root, place, name, left, &mut inner);
    }
    inner
}

/// Returns true if every object of the schema has the property `name`.
fn requires(root: &Value, schema: &Value, name: &str, left: &mut usize) -> bool {
    let Some(map) = schema.as_object() else {
        return false;
    };
    let mut own = map
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    if own.any(|one| one == name) {
        return true;
    }
    let mut joined = map
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten();
    if joined.any(|item| requires(root, item, name, left)) {
        return true;
    }
    let target = map.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
    match (target, left.checked_sub(1)) {
        (Some(target), Some(rest)) => {
            *left = rest;
            requires(root, target, name, left)
        }
        (None, _) | (_, None) => false,
    }
}

/// Collects the schemas of the property `name`.
fn inside<'v>(
    root: &'v Value,
    schema: &'v Value,
    name: &str,
    left: &mut usize,
    found: &mut Vec<&'v Value>,
) {
    let Some(map) = schema.as_object() else {
        return;
    };
    found.extend(map.get("properties").and_then(|each| each.get(name)));
    let lists = ["allOf", "anyOf", "oneOf"].iter();
    for item in lists.filter_map(|key| map.get(*key)?.as_array()).flatten() {
        inside(root, item, name, left, found);
    }
    let target = map.get("$ref").and_then(Value::as_str);
    let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
    if let (Some(target), Some(rest)) = (target, left.checked_sub(1)) {
        *left = rest;
        inside(root, target, name, left, found);
    }
}

fn types(property: &Value) -> Vec<String> {
    let words = |value: &Value| value.as_str().map(str::to_owned);
    match property.get("type") {
        Some(Value::Array(several)) => several.iter().filter_map(words).collect(),
        Some(one) => words(one).into_iter().collect(),
        None => Vec::new(),
    }
}

/// Closes a schema and every schema below it against undeclared properties.
fn close(schema: &mut Value) {
    let Some(map) = schema.as_object_mut() else {
        return;
    };
    close_below(map);
    let said = [
        "const",
        "enum",
        "additionalProperties",
        "unevaluatedProperties",
    ];
    if said.iter().any(|key| map.contains_key(*key)) {
        return;
    }
    let joined = IN_PLACE.iter().any(|key| map.contains_key(*key));
    let key = if joined {
        "unevaluatedProperties"
    } else {
        "additionalProperties"
    };
    map.insert(key.to_owned(), Value::Bool(false));
}

/// Closes the schemas below, also through keywords for the same place. The schemas of `if`,
/// `not` and `contains` are conditions: closing them would change their results.
fn close_below(map: &mut Map<String, Value>) {
    for (key, value) in map.iter_mut() {
        match (key.as_str(), value) {
            ("properties" | "patternProperties", Value::Object(each)) => {
                each.values_mut().for_each(close);
            }
            ("prefixItems", Value::Array(each)) => each.iter_mut().for_each(close),
            (
                "items" | "additionalProperties" | "unevaluatedProperties" | "unevaluatedItems",
                below,
            ) => close(below),
            ("allOf" | "anyOf" | "oneOf", Value::Array(each)) => each
                .iter_mut()
                .filter_map(Value::as_object_mut)
                .for_each(close_below),
            ("dependentSchemas" | "$defs" | "definitions", Value::Object(each)) => each
                .values_mut()
                .filter_map(Value::as_object_mut)
                .for_each(close_below),
            ("then" | "else", Value::Object(same)) => close_below(same),
            _ => {}
        }
    }
}

fn objects<'a>(
    map: &'a Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    map.get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}

/// Shortens a text to one line of bounded length without control characters.
fn short(text: &str) -> String {
    let shown = text.chars().take(VIOLATION_CHARS_MAX);
    shown.map(|c| if is_hidden(c) { ' ' } else { c }).collect()
}

/// Collects the names of the properties of a schema, at any depth.
fn add_names(schema: &Value, names: &mut BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            names.extend(objects(map, "properties").map(|(name, _)| name.clone()));
            map.values().for_each(|inner| add_names(inner, names));
        }
        Value::Array(items) => items.iter().for_each(|inner| add_names(inner, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
