//! Resolves references against the outputs of earlier steps, the inputs of the playbook and the slots of the task, and builds
//! arguments from them.

use job::FieldBound;
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use crate::json::{self, OUTPUT_BYTES_MAX};
use crate::limits::ARGS_BYTES_MAX;
use crate::outcome::Reason;
use crate::playbook::{Arg, Condition, Items};
use crate::progress::{Progress, StepRef};
use crate::reference::{Piece, Reference, Root, Segment};

/// Largest number of field names that a message quotes.
const FIELDS_QUOTED_MAX: usize = 8;
/// Largest number of characters of a quoted field name.
const FIELD_CHARS_QUOTED_MAX: usize = 40;

/// The outputs of an earlier step, as references see them.
#[derive(Debug, Clone)]
pub(crate) enum Past {
    /// One output.
    One(StepRef),
    /// The outputs of the items that succeeded, in order.
    List(Vec<StepRef>),
    /// No output, with the reason: a sentence without its full stop.
    Nothing(String),
}

/// The reason that a value is unavailable.
#[derive(Debug, Clone)]
pub(crate) enum Miss {
    /// The output was erased.
    Erased(StepRef),
    /// These outputs must be fetched first.
    Need(BTreeSet<StepRef>),
    /// There is no such value.
    Wrong(Reason),
}

/// Several misses. Erased outputs come first, then outputs to fetch, so that wrong references are
/// judged only once all outputs are in memory.
#[derive(Default)]
struct Misses {
    erased: Option<StepRef>,
    need: BTreeSet<StepRef>,
    wrong: Option<Reason>,
}

impl Misses {
    fn keep<T>(&mut self, result: Result<T, Miss>) -> Option<T> {
        match result {
            Ok(value) => return Some(value),
            Err(Miss::Erased(of)) => self.erased = self.erased.or(Some(of)),
            Err(Miss::Need(more)) => self.need.extend(more),
            Err(Miss::Wrong(reason)) => self.wrong = self.wrong.take().or(Some(reason)),
        }
        None
    }

    fn or<T>(self, value: T) -> Result<T, Miss> {
        match (self.erased, self.wrong) {
            (Some(of), _) => Err(Miss::Erased(of)),
            (None, _) if !self.need.is_empty() => Err(Miss::Need(self.need)),
            (None, Some(reason)) => Err(Miss::Wrong(reason)),
            (None, None) => Ok(value),
        }
    }
}

/// Reads outputs, each at most once.
pub(crate) struct Resolver<'a, 'o> {
    progress: &'a Progress,
    slots: &'a Value,
    inputs: &'a Map<String, Value>,
    outputs: &'a dyn Fn(StepRef) -> Option<&'o [u8]>,
    parsed: BTreeMap<StepRef, Result<Rc<Value>, String>>,
    bytes_left: usize,
}

/// The value that a reference names.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(crate) past: &'s [Past],
    pub(crate) item: Option<&'s Value>,
}

impl<'a, 'o> Resolver<'a, 'o> {
    pub(crate) fn new(
        progress: &'a Progress,
        (inputs, slots): (&'a Map<String, Value>, &'a Value),
        outputs: &'a dyn Fn(StepRef) -> Option<&'o [u8]>,
    ) -> Self {
        Self {
            progress,
            slots,
            inputs,
            outputs,
            parsed: BTreeMap::new(),
            bytes_left: 0,
        }
    }

    /// Returns the items of a step.
    pub(crate) fn items(&mut self, items: &Items, past: &[Past]) -> Result<Vec<Value>, Miss> {
        self.bytes_left = OUTPUT_BYTES_MAX;
        let scope = Scope { past, item: None };
        match items {
            Items::One => Ok(Vec::new()),
            Items::Each { list, at_most } => match self.value(list, scope)? {
                Value::Array(list) if list.len() <= *at_most => Ok(list),
                Value::Array(found) => {
                    let found = format!(
                        "a list of {} items; at most {at_most} are allowed",
                        found.len()
                    );
                    Err(not(list, &found))
                }
                other @ (Value::Null
                | Value::Bool(_)
                | Value::Number(_)
                | Value::String(_)
                | Value::Object(_)) => {
                    Err(not(list, &format!("{}, not a list", json::kind(&other))))
                }
            },
            Items::Times {
                times: None,
                at_most,
                ..
            } => Ok((1..=*at_most).map(Value::from).collect()),
            Items::Times {
                times: Some(times),
                at_most,
                ..
            } => {
                let value = self.value(times, scope)?;
                let number = value
                    .as_u64()
                    .and_then(|number| usize::try_from(number).ok());
                match number {
                    Some(number) if number <= *at_most => {
                        Ok((1..=number).map(Value::from).collect())
                    }
                    Some(number) => {
                        let found = format!("{number} times; at most {at_most} are allowed");
                        Err(not(times, &found))
                    }
                    None => {
                        let found = format!("{}, not a number of times", json::kind(&value));
                        Err(not(times, &found))
                    }
                }
            }
        }
    }

    /// Returns true if a condition holds.
    pub(crate) fn holds(&mut self, condition: &Condition, past: &[Past]) -> Result<bool, Miss> {
        self.bytes_left = OUTPUT_BYTES_MAX;
        let Condition { value, bound } = condition;
        let is_presence = matches!(bound, FieldBound::Present(_));
        if let (true, Root::Step(step), []) = (is_presence, value.root, value.path.as_slice()) {
            let made = past.get(usize::from(step));
            let is_made = matches!(made, Some(Past::One(_) | Past::List(_)));
            return Ok(bound.takes(is_made.then_some(&Value::Bool(true))));
        }
        let found = match self.value(value, Scope { past, item: None }) {
            Err(Miss::Wrong(_)) if is_presence => return Ok(bound.takes(None)),
            found => found?,
        };
        let wanted = match bound {
            FieldBound::Prefix(_) | FieldBound::Suffix(_) if !found.is_string() => "a string",
            FieldBound::Range { .. } if !found.is_number() => "a number",
            FieldBound::Is(values) => match values.first() {
                Some(one) if json::kind(one) != json::kind(&found) => json::kind(one),
                Some(_) | None => return Ok(bound.takes(Some(&found))),
            },
            FieldBound::Prefix(_)
            | FieldBound::Suffix(_)
            | FieldBound::Range { .. }
            | FieldBound::Present(_) => return Ok(bound.takes(Some(&found))),
        };
        let found = format!(
            "{}, and the condition compares {wanted}",
            json::kind(&found)
        );
        Err(not(value, &found))
    }

    /// Returns a text with its references filled in.
    pub(crate) fn filled(&mut self, pieces: &[Piece], past: &[Past]) -> Result<String, Miss> {
        self.bytes_left = ARGS_BYTES_MAX;
        match self.text(pieces, Scope { past, item: None })? {
            Value::String(text) => Ok(text),
            other @ (Value::Null
            | Value::Bool(_)
            | Value::Number(_)
            | Value::Array(_)
            | Value::Object(_)) => {
                json::as_text(&other).map_err(|problem| Miss::Wrong(Reason::Args { problem }))
            }
        }
    }

    /// Returns the canonical bytes of the arguments, at most [`ARGS_BYTES_MAX`].
    pub(crate) fn args(
        &mut self,
        args: &BTreeMap<String, Arg>,
        scope: Scope<'_>,
    ) -> Result<Vec<u8>, Miss> {
        self.bytes_left = ARGS_BYTES_MAX;
        let value = self.table(args, scope)?;
        let wrong = |problem| Miss::Wrong(Reason::Args { problem });
        let bytes = json::canonical(&value).map_err(wrong)?;
        if bytes.len() > ARGS_BYTES_MAX {
            let problem = format!(
                "{} bytes long; at most {ARGS_BYTES_MAX} are allowed",
                bytes.len()
            );
            return Err(wrong(problem));
        }
        Ok(bytes)
    }

    /// Returns a text with its references filled in, and a dash for each value that there is not.
    ///
    /// # Errors
    /// The outputs that must be fetched first.
    pub(crate) fn summary(
        &mut self,
        pieces: &[Piece],
        past: &[Past],
    ) -> Result<String, BTreeSet<StepRef>> {
        let (mut need, mut out) = (BTreeSet::new(), String::new());
        for piece in pieces {
            match self.filled(std::slice::from_ref(piece), past) {
                Ok(text) => out.push_str(&text),
                Err(Miss::Need(more)) => need.extend(more),
                Err(Miss::Erased(_) | Miss::Wrong(_)) => out.push('–'),
            }
        }
        if need.is_empty() { Ok(out) } else { Err(need) }
    }

    fn table(&mut self, table: &BTreeMap<String, Arg>, scope: Scope<'_>) -> Result<Value, Miss> {
        let (mut misses, mut out) = (Misses::default(), Map::new());
        for (key, arg) in table {
            let value = self.arg(arg, scope);
            out.extend(misses.keep(value).map(|value| (key.clone(), value)));
        }
        misses.or(Value::Object(out))
    }

    fn arg(&mut self, arg: &Arg, scope: Scope<'_>) -> Result<Value, Miss> {
        match arg {
            Arg::Bool(value) => Ok(Value::Bool(*value)),
            Arg::Integer(value) => Ok((*value).into()),
            Arg::Float(value) => Ok((*value).into()),
            Arg::Text(pieces) => self.text(pieces, scope),
            Arg::List(list) => {
                let (mut misses, mut out) = (Misses::default(), Vec::new());
                for one in list {
                    let value = self.arg(one, scope);
                    out.extend(misses.keep(value));
                }
                misses.or(Value::Array(out))
            }
            Arg::Table(table) => self.table(table, scope),
        }
    }

    fn text(&mut self, pieces: &[Piece], scope: Scope<'_>) -> Result<Value, Miss> {
        if let [Piece::Reference(reference)] = pieces {
            return self.value(reference, scope);
        }
        let (mut misses, mut out) = (Misses::default(), String::new());
        for piece in pieces {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Reference(reference) => {
                    let text = self.value(reference, scope).and_then(|value| {
                        json::as_text(&value).map_err(|found| {
                            let whole = reference.prefix(usize::MAX);
                            unresolved(reference, format!("`{whole}` is {found}"))
                        })
                    });
                    out.extend(misses.keep(text));
                }
            }
        }
        misses.or(Value::String(out))
    }

    fn value(&mut self, reference: &Reference, scope: Scope<'_>) -> Result<Value, Miss> {
        let step = match reference.root {
            Root::Item => {
                let item = scope.item.unwrap_or(&Value::Null);
                let value = walk(item, reference, 0)?;
                return self.charge(value, reference);
            }
            Root::Input => {
                let value = walk_fields(self.inputs, reference, 0)?;
                return self.charge(value, reference);
            }
            Root::Slot if self.slots.is_null() => {
                return Err(unresolved(
                    reference,
                    "no slot of the task is filled in".into(),
                ));
            }
            Root::Slot => {
                let value = walk(self.slots, reference, 0)?;
                return self.charge(value, reference);
            }
            Root::Step(step) => scope.past.get(usize::from(step)),
        };
        match step {
            Some(Past::One(at)) => self.output(*at, reference, 0),
            Some(Past::List(items)) => match reference.path.first() {
                None => self.each(items, reference, 0),
                Some(Segment::Each) => self.each(items, reference, 1),
                Some(Segment::Index(index)) => match items.get(*index) {
                    Some(at) => self.output(*at, reference, 1),
                    None => {
                        let (id, len) = (reference.prefix(0), items.len());
                        let found = format!("`{id}` is a list of {len} outputs");
                        Err(unresolved(reference, found))
                    }
                },
                Some(Segment::Name(_) | Segment::Quoted(_)) => Err(unresolved(
                    reference,
                    format!("`{}` is a list", reference.prefix(0)),
                )),
            },
            Some(Past::Nothing(why)) => Err(unresolved(reference, why.clone())),
            None => Err(unresolved(reference, "the step has not run".into())),
        }
    }

    fn each(
        &mut self,
        items: &[StepRef],
        reference: &Reference,
        from: usize,
    ) -> Result<Value, Miss> {
        let (mut misses, mut out) = (Misses::default(), Vec::new());
        for at in items {
            let value = self.output(*at, reference, from);
            out.extend(misses.keep(value));
        }
        misses.or(Value::Array(out))
    }

    /// Returns the value that the segments of `reference` from `from` on name in one output.
    fn output(&mut self, at: StepRef, reference: &Reference, from: usize) -> Result<Value, Miss> {
        if self
            .progress
            .attempt(at)
            .is_some_and(|attempt| attempt.erased)
        {
            return Err(Miss::Erased(at));
        }
        let Some(bytes) = (self.outputs)(at) else {
            return Err(Miss::Need(BTreeSet::from([at])));
        };
        let id = reference.prefix(0);
        if matches!(reference.path.get(from), Some(Segment::Name(name)) if name == "text") {
            let text = json::read_text(bytes).map_err(|found| {
                unresolved(reference, format!("the output of step `{id}` is {found}"))
            })?;
            let value = walk(&Value::String(text), reference, from + 1)?;
            return self.charge(value, reference);
        }
        let parsed = self
            .parsed
            .entry(at)
            .or_insert_with(|| json::read(bytes).map(Rc::new));
        let root = match parsed {
            Ok(root) => Rc::clone(root),
            Err(found) => {
                let text = reference.prefix(from);
                return Err(unresolved(
                    reference,
                    format!(
                        "the output of step `{id}` is {found}; as text it is `{{{text}.text}}`"
                    ),
                ));
            }
        };
        let value = walk(&root, reference, from)?;
        self.charge(value, reference)
    }

    /// Counts a value against the remaining bytes.
    fn charge(&mut self, value: Value, reference: &Reference) -> Result<Value, Miss> {
        match self.bytes_left.checked_sub(json::least_bytes(&value)) {
            Some(left) => {
                self.bytes_left = left;
                Ok(value)
            }
            None => {
                self.bytes_left = 0;
                let found = "the values it adds to are larger than allowed".into();
                Err(unresolved(reference, found))
            }
        }
    }
}

/// The reason that a reference names something else than what is needed.
fn not(reference: &Reference, found: &str) -> Miss {
    let whole = reference.prefix(usize::MAX);
    unresolved(reference, format!("`{whole}` is {found}"))
}

fn unresolved(reference: &Reference, found: String) -> Miss {
    Miss::Wrong(Reason::Unresolved {
        reference: reference.to_string(),
        found,
    })
}

/// Returns the value that the segments of `reference` from `from` on name in `value`.
fn walk(value: &Value, reference: &Reference, from: usize) -> Result<Value, Miss> {
    let Some(segment) = reference.path.get(from) else {
        return Ok(value.clone());
    };
    let found = match (segment, value) {
        (Segment::Name(_) | Segment::Quoted(_), Value::Object(map)) => {
            return walk_fields(map, reference, from);
        }
        (Segment::Index(index), Value::Array(list)) => match list.get(*index) {
            Some(part) => return walk(part, reference, from + 1),
            None => format!("a list of {} items", list.len()),
        },
        (Segment::Each, Value::Array(list)) => {
            let parts = list.iter().map(|part| walk(part, reference, from + 1));
            return parts.collect::<Result<_, _>>().map(Value::Array);
        }
        (Segment::Name(_) | Segment::Quoted(_) | Segment::Index(_) | Segment::Each, other) => {
            json::kind(other).into()
        }
    };
    Err(unresolved(
        reference,
        format!("`{}` is {found}", reference.prefix(from)),
    ))
}

/// Does the same in the fields of an object.
fn walk_fields(
    map: &Map<String, Value>,
    reference: &Reference,
    from: usize,
) -> Result<Value, Miss> {
    let field = reference.path.get(from).and_then(Segment::field);
    match field.and_then(|name| map.get(name)) {
        Some(part) => walk(part, reference, from + 1),
        None => {
            let found = fields(map);
            let at = reference.prefix(from);
            Err(unresolved(reference, format!("`{at}` is {found}")))
        }
    }
}

fn fields(map: &Map<String, Value>) -> String {
    if map.is_empty() {
        return "an object without fields".into();
    }
    let quoted = map.keys().take(FIELDS_QUOTED_MAX).map(|key| {
        let short = key.chars().take(FIELD_CHARS_QUOTED_MAX);
        format!("`{}`", short.collect::<String>().escape_debug())
    });
    let more = map.len().saturating_sub(FIELDS_QUOTED_MAX);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let names = quoted.collect::<Vec<_>>().join(", ");
    format!("an object with the fields {names}{more}")
}
