//! Finds the arguments of a call that contract, owner's words and trusted results leave open.

use serde_json::{Map, Value};

use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::matching::{CallContext, lookup};
use crate::links::{Carried, carried, in_all};
use crate::rule::{Rule, is_below};
use crate::schema::Arguments;

/// Longest chain of arguments that are the same as another.
const SAME_MAX: usize = 8;
/// The name of all arguments that the schema does not name.
pub(crate) const OTHERS: &str = "…";

/// An argument that has more than one possible value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OpenArgument {
    /// Its name; a name with dots is a path into objects.
    pub(crate) name: String,
    pub(crate) why: Openness,
}

/// The reason why an argument has more than one possible value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Openness {
    /// The rule has no bound on it, or several values match.
    Chosen,
    /// It is absent, and the rule does not demand that.
    Absent,
    /// It may be any text, but it carries this.
    Carries(Carried),
}

/// The arguments that are open in one call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Openings {
    /// None.
    None,
    /// The call has no argument, so that nothing determines it.
    NoArguments,
    /// These; never empty.
    Arguments(Vec<OpenArgument>),
}

impl Rule {
    /// Finds the arguments of a matching call that have more than one possible value by the contract, the task text and
    /// trusted results.
    pub(crate) fn open_arguments(
        &self,
        tool: &Arguments,
        context: &CallContext<'_>,
    ) -> Vec<OpenArgument> {
        let mut open = Vec::new();
        let present = context.args.iter().filter(|(_, value)| !value.is_null());
        for (name, value) in present {
            self.open_below(name, value, context, &mut open);
        }
        let is_absent = |name: &&str| context.args.get(*name).is_none_or(Value::is_null);
        let may_be_there = |name: &str| match self.bounds.get(name) {
            Some(bound) => !bound.is_absent(),
            None => !self.only || self.bounds_below(name),
        };
        let absent = tool.names().filter(is_absent);
        let absent = absent.filter(|name| may_be_there(name));
        open.extend(absent.map(absent_argument));
        let inner = self.bounds.iter().filter(|(name, bound)| {
            let is_absent = lookup(context.args, name).is_none_or(Value::is_null);
            name.contains('.') && is_absent && !bound.is_absent()
        });
        open.extend(inner.map(|(name, _)| absent_argument(name)));
        if tool.is_open() && !self.only {
            open.push(absent_argument(OTHERS));
        }
        open.sort_by(|one, other| one.name.cmp(&other.name));
        open
    }

    /// Finds what is open in a call after untrusted data. An argument that the rule declares free is open only by what
    /// it carries.
    pub(crate) fn openings(&self, tool: &Arguments, context: &CallContext<'_>) -> Openings {
        let open = self.open_arguments(tool, context);
        let Some(free) = &self.free else {
            let nothing = context.args.values().all(Value::is_null);
            return match (open.is_empty(), nothing) {
                (false, _) => Openings::Arguments(open),
                (true, true) => Openings::NoArguments,
                (true, false) => Openings::None,
            };
        };
        let is_free = |name: &str| {
            let mut free = free.iter();
            free.any(|free| free == name || is_below(name, free))
        };
        let mut texts = Vec::new();
        let mut open: Vec<OpenArgument> = open
            .into_iter()
            .filter_map(|one| {
                if !is_free(&one.name) {
                    return Some(one);
                }
                let value = lookup(context.args, &one.name)?;
                // What a message filled in can carry anything.
                let bound = self.bounds.get(&one.name);
                let bound = bound.filter(|_| context.view.record.slots_are_the_owners());
                let found = match bound {
                    Some(bound) if bound.permits_links() => None,
                    Some(_) | None => {
                        texts.push((one.name.clone(), value));
                        carried(value)
                    }
                };
                found.map(|found| OpenArgument {
                    why: Openness::Carries(found),
                    ..one
                })
            })
            .collect();
        if open.is_empty()
            && let Some(found) = in_all(texts.iter().map(|(_, value)| *value))
        {
            let why = Openness::Carries(found);
            open.extend(
                texts
                    .into_iter()
                    .map(|(name, _)| OpenArgument { name, why }),
            );
        }
        if open.is_empty() {
            Openings::None
        } else {
            Openings::Arguments(open)
        }
    }

    fn open_below(
        &self,
        name: &str,
        value: &Value,
        context: &CallContext<'_>,
        open: &mut Vec<OpenArgument>,
    ) {
        if let Some(bound) = self.bounds.get(name) {
            if !self.is_determined(bound, value, context, SAME_MAX) {
                open.push(chosen(name));
            }
            return;
        }
        match value.as_object().filter(|_| self.bounds_below(name)) {
            Some(object) => self.open_fields(name, object, context, open),
            None => open.push(chosen(name)),
        }
    }

    /// Finds the open fields of an object with bounds on its fields.
    fn open_fields(
        &self,
        name: &str,
        object: &Map<String, Value>,
        context: &CallContext<'_>,
        open: &mut Vec<OpenArgument>,
    ) {
        for (field, value) in object {
            let name = format!("{name}.{field}");
            if !value.is_null() {
                self.open_below(&name, value, context, open);
            } else if !self.bounds.contains_key(&name) {
                open.push(absent_argument(&name));
            }
        }
        if !self.only {
            open.push(absent_argument(&format!("{name}.{OTHERS}")));
        }
    }

    /// Returns true if the bound determines the value, also through another argument that it is the same as.
    fn is_determined(
        &self,
        bound: &Bound,
        value: &Value,
        context: &CallContext<'_>,
        left: usize,
    ) -> bool {
        if bound.determines(value, context) {
            return true;
        }
        let Some(left) = left.checked_sub(1) else {
            return false;
        };
        bound.same_as().any(|other| {
            let bound = self.bounds.get(other);
            let value = lookup(context.args, other);
            bound
                .zip(value)
                .is_some_and(|(bound, value)| self.is_determined(bound, value, context, left))
        })
    }
}

fn absent_argument(name: &str) -> OpenArgument {
    OpenArgument {
        name: name.to_owned(),
        why: Openness::Absent,
    }
}

fn chosen(name: &str) -> OpenArgument {
    OpenArgument {
        name: name.to_owned(),
        why: Openness::Chosen,
    }
}
