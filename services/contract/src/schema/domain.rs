//! The values that a place of a JSON Schema can have, never fewer than it permits.

use serde_json::{Map, Value};

/// Maximum number of schemas to visit for one place.
const VISITS_MAX: usize = 400;
/// Maximum number of alternatives of one place; more are taken for any value.
const ALTERNATIVES_MAX: usize = 32;

/// The presence of a value in every call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Presence {
    /// It is, and is not null.
    Always,
    /// It can be missing or null.
    Sometimes,
}

/// The JSON types of a value, as bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TypeSet(u8);

impl TypeSet {
    pub(crate) const NULL: Self = Self(1);
    pub(crate) const TEXT: Self = Self(16);
    pub(crate) const LIST: Self = Self(32);
    pub(crate) const OBJECT: Self = Self(64);
    /// Numbers, whole ones included.
    pub(crate) const NUMBER: Self = Self(4 | 8);
    /// All but null.
    pub(crate) const PRESENT: Self = Self(126);
    const ALL: Self = Self(127);
    const NONE: Self = Self(0);

    /// The types of these words of JSON Schema.
    pub(crate) fn of_words<'w>(words: impl IntoIterator<Item = &'w str>) -> Self {
        let bits = words.into_iter().map(|word| match word {
            "null" => 1,
            "boolean" => 2,
            "number" => 4 | 8,
            "integer" => 8,
            "string" => 16,
            "array" => 32,
            "object" => 64,
            _ => 0,
        });
        Self(bits.fold(0, |all, one| all | one))
    }

    /// The type of a value.
    fn of(value: &Value) -> Self {
        match value {
            Value::Null => Self(1),
            Value::Bool(_) => Self(2),
            Value::Number(number) if is_whole(number) => Self(8),
            Value::Number(_) => Self(4),
            Value::String(_) => Self::TEXT,
            Value::Array(_) => Self::LIST,
            Value::Object(_) => Self::OBJECT,
        }
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Returns true if every number of these types is whole.
    const fn is_integer(self) -> bool {
        self.0 & 4 == 0
    }

    /// The types in words, for people.
    pub(crate) fn words(self) -> String {
        let each = [
            (1, "null"),
            (2, "true or false"),
            (4, "a number"),
            (16, "a text"),
            (32, "a list"),
            (64, "an object"),
        ];
        let integer = (self.0 & 12 == 8).then_some("a whole number");
        let named = each.iter().filter(|(bit, _)| self.0 & bit != 0);
        let words: Vec<&str> = named.map(|(_, word)| *word).chain(integer).collect();
        words.join(" or ")
    }
}

/// Returns true if the values are equal; numbers by value.
fn is_same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => one.as_f64() == other.as_f64(),
        (
            Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::String(_)
            | Value::Array(_)
            | Value::Object(_),
            _,
        ) => one == other,
    }
}

fn is_whole(number: &serde_json::Number) -> bool {
    number.is_i64() || number.is_u64() || number.as_f64().is_some_and(|value| value.fract() == 0.0)
}

/// The values that a place can have: those of one of the alternatives.
#[derive(Debug, Clone)]
pub(crate) struct Domain<'s> {
    root: &'s Value,
    pub(crate) alternatives: Vec<Alternative<'s>>,
}

/// Values of some types within all of these limits.
#[derive(Debug, Clone)]
pub(crate) struct Alternative<'s> {
    pub(crate) types: TypeSet,
    /// The only values, if they are listed.
    pub(crate) values: Option<Vec<&'s Value>>,
    /// The smallest and the greatest number.
    pub(crate) number: (f64, f64),
    /// The fewest and the most characters of a text.
    pub(crate) length: (u64, u64),
    /// The fewest and the most items of a list.
    pub(crate) items: (u64, u64),
    /// The schemas that all apply.
    schemas: Vec<&'s Map<String, Value>>,
}

impl<'s> Alternative<'s> {
    const ANY: Self = Self {
        types: TypeSet::ALL,
        values: None,
        number: (f64::NEG_INFINITY, f64::INFINITY),
        length: (0, u64::MAX),
        items: (0, u64::MAX),
        schemas: Vec::new(),
    };

    /// The values of the keywords of one schema, without those that lead to other schemas.
    fn of(map: &'s Map<String, Value>) -> Self {
        let types = match map.get("type") {
            Some(Value::String(word)) => TypeSet::of_words([word.as_str()]),
            Some(Value::Array(words)) => TypeSet::of_words(words.iter().filter_map(Value::as_str)),
            Some(_) | None => TypeSet::ALL,
        };
        let values = match (map.get("const"), map.get("enum")) {
            (Some(one), _) => Some(vec![one]),
            (None, Some(Value::Array(several))) => Some(several.iter().collect()),
            (None, _) => None,
        };
        let number = |key: &str| map.get(key).and_then(Value::as_f64);
        let least = [
            number("minimum"),
            number("exclusiveMinimum").map(f64::next_up),
        ];
        let most = [
            number("maximum"),
            number("exclusiveMaximum").map(f64::next_down),
        ];
        let count = |key: &str, usual: u64| map.get(key).and_then(Value::as_u64).unwrap_or(usual);
        Self {
            types,
            values,
            number: (
                least
                    .into_iter()
                    .flatten()
                    .fold(f64::NEG_INFINITY, f64::max),
                most.into_iter().flatten().fold(f64::INFINITY, f64::min),
            ),
            length: (count("minLength", 0), count("maxLength", u64::MAX)),
            items: (count("minItems", 0), count("maxItems", u64::MAX)),
            schemas: vec![map],
        }
    }

    fn and(&self, other: &Self) -> Self {
        let values = match (&self.values, &other.values) {
            (Some(one), Some(two)) => Some(
                one.iter()
                    .filter(|value| two.contains(value))
                    .copied()
                    .collect(),
            ),
            (Some(one), None) | (None, Some(one)) => Some(one.clone()),
            (None, None) => None,
        };
        Self {
            types: self.types.and(other.types),
            values,
            number: (
                self.number.0.max(other.number.0),
                self.number.1.min(other.number.1),
            ),
            length: (
                self.length.0.max(other.length.0),
                self.length.1.min(other.length.1),
            ),
            items: (
                self.items.0.max(other.items.0),
                self.items.1.min(other.items.1),
            ),
            schemas: self.schemas.iter().chain(&other.schemas).copied().collect(),
        }
    }

    /// Returns true if the value may be possible.
    pub(crate) fn takes(&self, value: &Value) -> bool {
        let listed = |values: &Vec<&Value>| values.iter().any(|one| is_same(one, value));
        let within = |(least, most): (u64, u64), count: usize| {
            u64::try_from(count).is_ok_and(|count| (least..=most).contains(&count))
        };
        let fits = match value {
            Value::Number(number) => {
                let (least, most) = self.number;
                number
                    .as_f64()
                    .is_some_and(|number| (least..=most).contains(&number))
            }
            Value::String(text) => within(self.length, text.chars().count()),
            Value::Array(items) => within(self.items, items.len()),
            Value::Null | Value::Bool(_) | Value::Object(_) => true,
        };
        fits && !self.types.and(TypeSet::of(value)).is_empty()
            && self.values.as_ref().is_none_or(listed)
    }

    /// Drops the types that have no value, and the listed values outside of the limits.
    pub(crate) fn settle(mut self) -> Option<Self> {
        if let Some(mut values) = self.values.take() {
            values.retain(|value| self.takes(value));
            let each = values.iter().map(|value| TypeSet::of(value).0);
            self.types = TypeSet(each.fold(0, |all, one| all | one));
            self.values = Some(values);
        }
        if self.types.is_integer() {
            self.number = (self.number.0.ceil(), self.number.1.floor());
        }
        let (least, most) = self.number;
        if least > most {
            self.types = TypeSet(self.types.0 & !TypeSet::NUMBER.0);
        }
        if self.length.0 > self.length.1 {
            self.types = TypeSet(self.types.0 & !TypeSet::TEXT.0);
        }
        if self.items.0 > self.items.1 {
            self.types = TypeSet(self.types.0 & !TypeSet::LIST.0);
        }
        (self.types != TypeSet::NONE).then_some(self)
    }

    /// Returns true if every object has the field.
    pub(crate) fn requires(&self, name: &str) -> bool {
        let mut required = self.required();
        required.any(|one| one == name)
    }

    /// The fields that every object has.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'s str> {
        let each = self.schemas.clone().into_iter();
        let each = each.filter_map(|map| map.get("required")?.as_array());
        each.flatten().filter_map(Value::as_str)
    }
}

impl<'s> Domain<'s> {
    /// The values of a schema of the document `root`.
    pub(crate) fn of(root: &'s Value, schema: &'s Value) -> Self {
        let mut left = VISITS_MAX;
        Self {
            root,
            alternatives: alternatives(root, schema, &mut left),
        }
    }

    /// Every value.
    fn any(root: &'s Value) -> Self {
        Self {
            root,
            alternatives: vec![Alternative::ANY],
        }
    }

    /// The types of its values.
    pub(crate) fn types(&self) -> TypeSet {
        let each = self.alternatives.iter().map(|one| one.types.0);
        TypeSet(each.fold(0, |all, one| all | one))
    }

    /// Returns whether the value is there, if something is at its place.
    pub(crate) fn presence(&self) -> Presence {
        if self.has_null() {
            Presence::Sometimes
        } else {
            Presence::Always
        }
    }

    /// The fields that every object of the first alternative has.
    pub(crate) fn required(&self) -> impl Iterator<Item = &'s str> {
        let first = self.alternatives.first().cloned();
        let all = first.map(|one| one.required().collect::<Vec<_>>());
        all.into_iter().flatten()
    }

    /// The values of the items of a list; empty if it is never a list.
    pub(crate) fn item(&self) -> Self {
        self.below(TypeSet::LIST, |map, named| {
            if !map.contains_key("prefixItems") {
                named.extend(map.get("items"));
            }
            true
        })
    }

    /// Returns true if null is possible.
    pub(crate) fn has_null(&self) -> bool {
        !self.types().and(TypeSet::NULL).is_empty()
    }

    /// Returns true if a value that is no object is possible.
    pub(crate) fn is_not_always_object(&self) -> bool {
        self.types() != TypeSet::OBJECT
    }

    /// The values of other alternatives of the same document.
    pub(crate) fn with(&self, alternatives: Vec<Alternative<'s>>) -> Self {
        Self {
            root: self.root,
            alternatives,
        }
    }

    /// All values, if they are listed.
    pub(crate) fn listed(&self) -> Option<Vec<&'s Value>> {
        let each = self.alternatives.iter().map(|one| one.values.clone());
        each.collect::<Option<Vec<_>>>().map(|each| each.concat())
    }

    /// Returns true if no value is possible.
    pub(crate) fn is_empty(&self) -> bool {
        self.alternatives.is_empty()
    }

    /// Returns true if every object of every alternative has the field.
    pub(crate) fn requires(&self, name: &str) -> bool {
        let mut each = self.alternatives.iter();
        !self.alternatives.is_empty() && each.all(|one| one.requires(name))
    }

    /// The values of a field; empty if no object has it. Objects have only the fields that a schema names, unless the
    /// schema permits others.
    pub(crate) fn field(&self, name: &str) -> Self {
        self.below(TypeSet::OBJECT, |map, named| {
            let own = map.get("properties").and_then(|each| each.get(name));
            if let Some(own) = own {
                named.push(own);
                return true;
            }
            is_open(map)
        })
    }

    /// Joins what `find` names in the schemas of each alternative of a type; `find` returns true if a value is possible
    /// there at all.
    fn below(
        &self,
        of: TypeSet,
        find: impl Fn(&'s Map<String, Value>, &mut Vec<&'s Value>) -> bool,
    ) -> Self {
        let mut whole = Vec::new();
        for one in self
            .alternatives
            .iter()
            .filter(|one| !one.types.and(of).is_empty())
        {
            let mut named = Vec::new();
            let mut possible = one.schemas.is_empty() || one.values.is_some();
            for map in &one.schemas {
                possible |= find(map, &mut named);
            }
            if !possible {
                continue;
            }
            let mut left = VISITS_MAX;
            let mut inner = vec![Alternative::ANY];
            for schema in named {
                inner = joined(&inner, &alternatives(self.root, schema, &mut left));
            }
            whole.append(&mut inner);
            if whole.len() > ALTERNATIVES_MAX {
                return Self::any(self.root);
            }
        }
        Self {
            root: self.root,
            alternatives: whole,
        }
    }
}

/// Returns true if objects of the schema can have fields that it does not name.
fn is_open(map: &Map<String, Value>) -> bool {
    let further = ["additionalProperties", "unevaluatedProperties"].iter();
    let mut further = further.filter_map(|key| map.get(*key));
    let hidden = ["if", "then", "else", "dependentSchemas", "$dynamicRef"];
    map.contains_key("patternProperties")
        || further.any(|value| *value != Value::Bool(false))
        || hidden.iter().any(|key| map.contains_key(*key))
}

fn alternatives<'s>(root: &'s Value, schema: &'s Value, left: &mut usize) -> Vec<Alternative<'s>> {
    let Some(rest) = left.checked_sub(1) else {
        return vec![Alternative::ANY];
    };
    *left = rest;
    let map = match schema {
        Value::Object(map) => map,
        Value::Bool(false) => return Vec::new(),
        Value::Null | Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
            return vec![Alternative::ANY];
        }
    };
    let mut whole = vec![Alternative::of(map)];
    if let Some(target) = map.get("$ref").and_then(Value::as_str) {
        let target = target
            .strip_prefix('#')
            .and_then(|target| root.pointer(target));
        if let Some(target) = target {
            whole = joined(&whole, &alternatives(root, target, left));
        }
    }
    for member in map
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        whole = joined(&whole, &alternatives(root, member, left));
    }
    for key in ["anyOf", "oneOf"] {
        let Some(members) = map.get(key).and_then(Value::as_array) else {
            continue;
        };
        let mut either = Vec::new();
        for member in members {
            either.append(&mut alternatives(root, member, left));
        }
        whole = joined(&whole, &either);
    }
    whole.into_iter().filter_map(Alternative::settle).collect()
}

/// The values that are in both.
fn joined<'s>(one: &[Alternative<'s>], two: &[Alternative<'s>]) -> Vec<Alternative<'s>> {
    if one.len().saturating_mul(two.len()) > ALTERNATIVES_MAX {
        return vec![Alternative::ANY];
    }
    let pairs = one.iter().flat_map(|a| two.iter().map(|b| a.and(b)));
    pairs.filter_map(Alternative::settle).collect()
}
