//! The slots that a bound and the bounds in it read.

use super::any::Any;
use super::every::Every;
use super::fields::Fields;
use super::from::From;
use super::is::Is;
use super::known::Known;
use super::one_of::OneOf;
use super::only_items::OnlyItems;
use super::origin::Origin;
use super::{Bound, Predicate};
use crate::slot::Slot;
use crate::slot_rule::SlotRules;

impl Bound {
    /// Adds the slots that it, or a bound in it, reads.
    pub(crate) fn add_slots<'b>(&'b self, to: &mut Vec<&'b Slot>) {
        let Self::All(predicates) = self else {
            return;
        };
        for one in predicates {
            to.extend(one.origins().iter().filter_map(|origin| match origin {
                Origin::Slot(slot) => Some(&**slot),
                Origin::Task(_) | Origin::Field { .. } | Origin::Argument { .. } => None,
            }));
            one.inner()
                .into_iter()
                .for_each(|inner| inner.add_slots(to));
        }
    }

    /// Adds the bounds of slots to the bounds that take only what is in the slot, except below `not`, where that would
    /// narrow the wrong values.
    pub(crate) fn add_bounds_of(&mut self, slots: &SlotRules) {
        let Self::All(predicates) = self else {
            return;
        };
        let more = predicates.iter().flat_map(|one| of_slot(one, slots));
        let more: Vec<Predicate> = more.collect();
        for one in predicates.iter_mut() {
            if let Predicate::Fields(Fields { fields, .. }) = one {
                let each = fields.values_mut();
                each.for_each(|inner| inner.add_bounds_of(slots));
            } else if let Predicate::Every(Every(inner)) | Predicate::Any(Any(inner)) = one {
                inner.add_bounds_of(slots);
            } else if let Predicate::OneOf(OneOf(each)) | Predicate::OnlyItems(OnlyItems(each)) =
                one
            {
                let each = each.0.iter_mut();
                each.for_each(|inner| inner.add_bounds_of(slots));
            }
        }
        predicates.extend(more);
    }

    /// Returns true if it, or a bound in it, is about more than the value: another argument, the task, or an absent value.
    pub(crate) fn is_about_more(&self) -> bool {
        let Self::All(predicates) = self else {
            return false;
        };
        predicates.iter().any(|one| {
            matches!(
                one,
                Predicate::From(_)
                    | Predicate::CreatedBy(_)
                    | Predicate::SeenIn(_)
                    | Predicate::Compared(_)
                    | Predicate::Present(_)
                    | Predicate::Optional(_)
                    | Predicate::Known(Known { named: true, .. })
            ) || one.inner().iter().any(|inner| inner.is_about_more())
        })
    }
}

/// The bound of the only slot of an origin; none for a slot whose arguments may be of another type than its value.
fn of_slot(predicate: &Predicate, slots: &SlotRules) -> Vec<Predicate> {
    let Predicate::From(From(origins)) = predicate else {
        return Vec::new();
    };
    let [Origin::Slot(slot)] = origins.as_slice() else {
        return Vec::new();
    };
    let rule = slots
        .get(&slot.name)
        .filter(|_| slot.types() == slot.own_types());
    match rule.and_then(|rule| rule.is.clone()) {
        None => Vec::new(),
        Some(Bound::All(predicates)) => predicates,
        Some(Bound::OneOf(values)) => vec![Predicate::Is(Is {
            values,
            ignores_case: false,
        })],
    }
}
