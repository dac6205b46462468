//! Properties of a bound together with the bounds in it.

use super::any::Any;
use super::every::Every;
use super::fields::Fields;
use super::is::Is;
use super::matching::CallContext;
use super::one_of::OneOf;
use super::only_items::OnlyItems;
use super::origin::Origin;
use super::scalar::Scalar;
use super::{Bound, Predicate};
use crate::known::KnownSet;
use serde_json::Value;

impl Bound {
    /// Adds the known sets that it, or a bound in it, is about.
    pub(crate) fn add_known<'b>(&'b self, to: &mut Vec<&'b KnownSet>) {
        let Self::All(predicates) = self else {
            return;
        };
        for one in predicates {
            to.extend(one.known().map(|known| &*known.set));
            one.inner()
                .into_iter()
                .for_each(|inner| inner.add_known(to));
        }
    }

    /// Makes every object with `fields` exact, except below `not`, where that would widen the bound.
    pub(crate) fn close(&mut self) {
        let Self::All(predicates) = self else {
            return;
        };
        for one in predicates {
            if let Predicate::Fields(Fields { fields, exact }) = one {
                *exact = true;
                fields.values_mut().for_each(Self::close);
            } else if let Predicate::Every(Every(inner)) | Predicate::Any(Any(inner)) = one {
                inner.close();
            } else if let Predicate::OneOf(OneOf(each)) | Predicate::OnlyItems(OnlyItems(each)) =
                one
            {
                each.0.iter_mut().for_each(Self::close);
            }
        }
    }

    /// Returns true if an object with a further field matches less: at any depth in a deny, below `not` otherwise.
    pub(crate) fn is_bypassed(&self, negated: bool) -> bool {
        let Self::All(predicates) = self else {
            return false;
        };
        predicates.iter().any(|one| {
            let exact = matches!(one, Predicate::Fields(Fields { exact: true, .. }));
            let below = negated || matches!(one, Predicate::Not(_));
            (negated && exact) || one.inner().iter().any(|inner| inner.is_bypassed(below))
        })
    }

    /// Returns true if it, or a bound in it, is about paths of the workspace.
    pub(crate) fn is_about_paths(&self) -> bool {
        match self {
            Self::OneOf(_) => false,
            Self::All(predicates) => predicates.iter().any(|one| {
                matches!(one, Predicate::Path(_))
                    || one.inner().iter().any(|inner| inner.is_about_paths())
            }),
        }
    }

    /// Returns true if it demands that the argument is absent or null.
    pub(crate) fn is_absent(&self) -> bool {
        matches!(self, Self::All(predicates) if predicates.contains(&Predicate::absent()))
    }

    /// Returns true if a matching value is of bounded length.
    pub(crate) fn limits_length(&self) -> bool {
        match self {
            Self::OneOf(_) => true,
            Self::All(predicates) => {
                let limits = |one: &Predicate| one.limits_length();
                let mut inner = predicates.iter().flat_map(Predicate::inner);
                predicates.iter().any(limits) && inner.all(Self::limits_length)
            }
        }
    }

    /// Returns true if it bounds each item of a list.
    pub(crate) fn is_about_items(&self) -> bool {
        let of_items =
            |one: &Predicate| matches!(one, Predicate::Every(_) | Predicate::OnlyItems(_));
        matches!(self, Self::All(predicates) if predicates.iter().any(of_items))
    }

    /// The arguments that the value must be the same as.
    pub(crate) fn same_as(&self) -> impl Iterator<Item = &str> {
        let predicates = match self {
            Self::OneOf(_) => &[],
            Self::All(predicates) => predicates.as_slice(),
        };
        predicates.iter().filter_map(Predicate::same_as)
    }

    /// Returns true if it, or a bound in it, reads the task text or its slots.
    pub(crate) fn reads_words(&self) -> bool {
        match self {
            Self::OneOf(_) => false,
            Self::All(predicates) => predicates.iter().any(|one| {
                let mut origins = one.origins().iter();
                origins.any(|origin| matches!(origin, Origin::Task(_) | Origin::Slot(_)))
                    || one.inner().iter().any(|inner| inner.reads_words())
            }),
        }
    }

    /// Describes the place in an earlier result where a matching value stands, if the bound asks for one.
    pub(crate) fn seen(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let predicates = match self {
            Self::OneOf(_) => return None,
            Self::All(predicates) => predicates.iter(),
        };
        let in_items = |inner: &Self| {
            let mut items = value.as_array()?.iter();
            items.find_map(|item| inner.seen(item, context))
        };
        let mut each = predicates;
        each.find_map(|one| {
            if let Predicate::SeenIn(seen) = one {
                return seen.place(value, context);
            }
            if let Predicate::Every(Every(inner)) | Predicate::Any(Any(inner)) = one {
                return in_items(inner);
            }
            if let Predicate::OnlyItems(OnlyItems(each)) = one {
                return each.0.iter().find_map(in_items);
            }
            if let Predicate::Fields(Fields { fields, .. }) = one {
                let object = value.as_object()?;
                let mut fields = fields.iter();
                return fields.find_map(|(name, inner)| inner.seen(object.get(name)?, context));
            }
            if let Predicate::OneOf(OneOf(each)) = one {
                return each.0.iter().find_map(|inner| inner.seen(value, context));
            }
            None
        })
    }

    /// The JSON Schema types that each part of it can match; empty for any.
    pub(crate) fn types(&self) -> Vec<&'static [&'static str]> {
        let predicates = match self {
            Self::OneOf(set) => return set.iter().map(Scalar::types).collect(),
            Self::All(predicates) => predicates.iter(),
        };
        let each = predicates.flat_map(|one| {
            if let Predicate::Is(Is { values, .. }) = one {
                values.iter().map(Scalar::types).collect()
            } else if let Predicate::OneOf(OneOf(each)) = one {
                each.0.iter().flat_map(Self::types).collect()
            } else {
                vec![one.types()]
            }
        });
        each.collect()
    }
}
