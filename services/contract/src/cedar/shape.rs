//! Derives Cedar types of the arguments of a tool from their JSON Schema.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

/// Maximum number of schemas to visit for one tool; each reference counts.
const VISITS_MAX: usize = 2000;
/// Maximum nesting of typed lists and objects.
const DEPTH_MAX: usize = 12;

/// The type of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    Bool,
    Long,
    Decimal,
    Text,
    Set(Box<Shape>),
    Record(ObjectShape),
}

/// The type of an object.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct ObjectShape {
    /// The typed fields.
    pub(super) known: BTreeMap<String, Field>,
    /// The untyped fields, with the reason.
    pub(super) left_out: BTreeMap<String, &'static str>,
    /// True if the object can have fields that its schema does not name.
    pub(super) open: bool,
}

/// One field of an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Field {
    pub(super) shape: Shape,
    /// True if the field can be absent or null.
    pub(super) optional: bool,
}

/// The type of a value in one schema.
struct ValueShape {
    /// True if the value can be null.
    nullable: bool,
    /// The type of other values; `None` if the value can only be null.
    shape: Option<Shape>,
}

/// Reasons for a value without type.
const MIXED: &str = "it can be of several types";
const SILENT: &str = "its schema does not say what type it has";
const DEEP: &str = "it is nested too deeply";
const NULLS: &str = "its items can be null";
const ENDLESS: &str = "its schema refers to itself or leads nowhere";
const SOMETIMES: &str = "only some forms of these arguments have it";

/// Keywords with lists of schemas of which at least one must match the value.
const CHOICES: [&str; 2] = ["anyOf", "oneOf"];

impl Shape {
    /// The type in Cedar's JSON schema format.
    pub(super) fn schema(&self) -> Value {
        match self {
            Self::Bool => json!({"type": "Boolean"}),
            Self::Long => json!({"type": "Long"}),
            Self::Decimal => json!({"type": "Extension", "name": "decimal"}),
            Self::Text => json!({"type": "String"}),
            Self::Set(item) => json!({"type": "Set", "element": item.schema()}),
            Self::Record(fields) => fields.schema(),
        }
    }

    /// Returns true if a part of the value has no type, so that the whole cannot be compared.
    pub(super) fn is_partial(&self) -> bool {
        match self {
            Self::Bool | Self::Long | Self::Decimal | Self::Text => false,
            Self::Set(item) => item.is_partial(),
            Self::Record(fields) => fields.is_partial(),
        }
    }

    fn join(self, other: Self) -> Option<Self> {
        match (self, other) {
            (one, other) if one == other => Some(one),
            (Self::Long, Self::Decimal) | (Self::Decimal, Self::Long) => Some(Self::Decimal),
            _ => None,
        }
    }
}

impl ObjectShape {
    /// Reads the fields of the arguments from a schema.
    pub(super) fn of_arguments(schema: &Value) -> Self {
        let mut reader = SchemaReader {
            root: schema,
            visits: VISITS_MAX,
        };
        reader.fields(schema, 0)
    }

    /// The type in Cedar's JSON schema format.
    pub(super) fn schema(&self) -> Value {
        let each = self.known.iter();
        let attributes: Map<String, Value> = each
            .map(|(name, field)| (name.clone(), field.schema()))
            .collect();
        json!({"type": "Record", "attributes": attributes})
    }

    fn is_partial(&self) -> bool {
        self.open
            || !self.left_out.is_empty()
            || self.known.values().any(|field| field.shape.is_partial())
    }

    /// Keeps only the fields of these names.
    pub(super) fn only(&self, names: &[&str]) -> Self {
        let known = self
            .known
            .iter()
            .filter(|(name, _)| names.contains(&name.as_str()));
        Self {
            known: known
                .map(|(name, field)| (name.clone(), field.clone()))
                .collect(),
            left_out: BTreeMap::new(),
            open: false,
        }
    }
}

impl Field {
    fn schema(&self) -> Value {
        let mut schema = self.shape.schema();
        if let (true, Some(map)) = (self.optional, schema.as_object_mut()) {
            map.insert("required".to_owned(), Value::Bool(false));
        }
        schema
    }
}

/// Walks one schema document.
struct SchemaReader<'s> {
    root: &'s Value,
    visits: usize,
}

impl<'s> SchemaReader<'s> {
    fn fields(&mut self, schema: &'s Value, depth: usize) -> ObjectShape {
        let mut found = ObjectShape::default();
        let mut required = BTreeSet::new();
        self.collect(schema, depth, &mut found, &mut required);
        for (name, field) in &mut found.known {
            field.optional |= !required.contains(name.as_str());
        }
        found
    }

    /// Adds the fields of the schema of an object. Fields that are optional only because they are not required are
    /// marked later.
    fn collect(
        &mut self,
        schema: &'s Value,
        depth: usize,
        found: &mut ObjectShape,
        required: &mut BTreeSet<&'s str>,
    ) {
        let Some(map) = schema.as_object().filter(|_| self.visit()) else {
            found.open |= schema.as_bool() != Some(false);
            return;
        };
        let further = ["additionalProperties", "unevaluatedProperties"].into_iter();
        found.open |= map.contains_key("patternProperties")
            || further
                .filter_map(|key| map.get(key))
                .any(|value| *value != Value::Bool(false));
        required.extend(list(map, "required").iter().filter_map(Value::as_str));
        for (name, property) in object(map, "properties") {
            if found.known.contains_key(name) {
                continue;
            }
            match self.kind(property, depth + 1).and_then(typed) {
                Ok(field) => {
                    found.left_out.remove(name);
                    found.known.insert(name.clone(), field);
                }
                Err(why) => {
                    found.left_out.insert(name.clone(), why);
                }
            }
        }
        for member in list(map, "allOf") {
            self.collect(member, depth, found, required);
        }
        if let Some(target) = map.get("$ref") {
            match self.target(target) {
                Some(target) => self.collect(target, depth, found, required),
                None => found.open = true,
            }
        }
        let choices = CHOICES.iter().flat_map(|key| list(map, key));
        let choices = choices.chain(["then", "else"].iter().filter_map(|key| map.get(*key)));
        for choice in choices.chain(object(map, "dependentSchemas").map(|(_, schema)| schema)) {
            let mut some = ObjectShape::default();
            self.collect(choice, depth, &mut some, &mut BTreeSet::new());
            found.open |= some.open;
            for name in some.known.into_keys().chain(some.left_out.into_keys()) {
                if !found.known.contains_key(&name) {
                    found.left_out.entry(name).or_insert(SOMETIMES);
                }
            }
        }
    }

    /// Returns the type of a value in a schema. One of several keywords that must all match is enough, because
    /// arguments are validated before conversion.
    fn kind(&mut self, schema: &'s Value, depth: usize) -> Result<ValueShape, &'static str> {
        if depth > DEPTH_MAX {
            return Err(DEEP);
        }
        if !self.visit() {
            return Err(ENDLESS);
        }
        let map = schema.as_object().ok_or(SILENT)?;
        match map.get("type") {
            Some(Value::Array(words)) => {
                return self.joined(words, |reader, word| reader.of_word(word, schema, depth));
            }
            Some(word) => return self.of_word(word, schema, depth),
            None => {}
        }
        if let Some(Value::Array(values)) = map.get("enum") {
            return self.joined(values, |_, value| literal(value));
        }
        if let Some(value) = map.get("const") {
            return literal(value);
        }
        if let Some(target) = map.get("$ref") {
            let target = self.target(target).ok_or(ENDLESS)?;
            return self.kind(target, depth + 1);
        }
        for member in list(map, "allOf") {
            if let Ok(kind) = self.kind(member, depth + 1) {
                return Ok(kind);
            }
        }
        for key in CHOICES {
            if let Some(Value::Array(members)) = map.get(key) {
                return self.joined(members, |reader, member| reader.kind(member, depth + 1));
            }
        }
        if map.contains_key("properties") {
            return Ok(ValueShape::of(Shape::Record(self.fields(schema, depth))));
        }
        Err(SILENT)
    }

    fn of_word(
        &mut self,
        word: &Value,
        schema: &'s Value,
        depth: usize,
    ) -> Result<ValueShape, &'static str> {
        let shape = match word.as_str() {
            Some("null") => {
                return Ok(ValueShape {
                    nullable: true,
                    shape: None,
                });
            }
            Some("boolean") => Shape::Bool,
            Some("integer") => Shape::Long,
            Some("number") => Shape::Decimal,
            Some("string") => Shape::Text,
            Some("object") => Shape::Record(self.fields(schema, depth)),
            Some("array") => {
                if schema.get("prefixItems").is_some() {
                    return Err(MIXED);
                }
                let items = schema.get("items").ok_or(SILENT)?;
                let item = self.kind(items, depth + 1)?;
                let item = item.shape.filter(|_| !item.nullable).ok_or(NULLS)?;
                Shape::Set(Box::new(item))
            }
            Some(_) | None => return Err(SILENT),
        };
        Ok(ValueShape::of(shape))
    }

    /// Joins the types of alternative schemas of a value.
    fn joined(
        &mut self,
        each: &'s [Value],
        kind: impl Fn(&mut Self, &'s Value) -> Result<ValueShape, &'static str>,
    ) -> Result<ValueShape, &'static str> {
        let mut whole = ValueShape {
            nullable: false,
            shape: None,
        };
        for one in each {
            let one = kind(self, one)?;
            whole.nullable |= one.nullable;
            whole.shape = match (whole.shape, one.shape) {
                (Some(a), Some(b)) => Some(a.join(b).ok_or(MIXED)?),
                (a, b) => a.or(b),
            };
        }
        Ok(whole)
    }

    fn target(&self, reference: &Value) -> Option<&'s Value> {
        self.root.pointer(reference.as_str()?.strip_prefix('#')?)
    }

    fn visit(&mut self) -> bool {
        let left = self.visits.checked_sub(1);
        self.visits = left.unwrap_or_default();
        left.is_some()
    }
}

impl ValueShape {
    fn of(shape: Shape) -> Self {
        Self {
            nullable: false,
            shape: Some(shape),
        }
    }
}

fn typed(kind: ValueShape) -> Result<Field, &'static str> {
    Ok(Field {
        shape: kind.shape.ok_or(SILENT)?,
        optional: kind.nullable,
    })
}

fn literal(value: &Value) -> Result<ValueShape, &'static str> {
    Ok(ValueShape::of(match value {
        Value::Null => {
            return Ok(ValueShape {
                nullable: true,
                shape: None,
            });
        }
        Value::Bool(_) => Shape::Bool,
        Value::String(_) => Shape::Text,
        Value::Number(number) if number.is_f64() => Shape::Decimal,
        Value::Number(_) => Shape::Long,
        Value::Array(_) | Value::Object(_) => return Err(SILENT),
    }))
}

fn list<'s>(map: &'s Map<String, Value>, key: &str) -> &'s [Value] {
    map.get(key)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

fn object<'s>(
    map: &'s Map<String, Value>,
    key: &str,
) -> impl Iterator<Item = (&'s String, &'s Value)> {
    map.get(key)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
}
