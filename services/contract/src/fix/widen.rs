//! Widens a bound by the value of a call, and writes the narrowest bound that takes in a value.

use serde_json::Value;

use crate::bounds::{
    Address, Around, Bound, EmailBound, End, HostPattern, Judgement, Number, Operator, Scalar, When,
};

/// Characters up to which a text is bound exactly; a longer one is bound by its length.
const EXACT_CHARS_MAX: usize = 200;
/// Items up to which the objects of a list are bound.
const OBJECTS_MAX: usize = 8;

/// The bound that takes in what `bound` does, and `value`; `None` for patterns.
pub(super) fn widen(bound: &Bound, value: Option<&Value>, around: &Around<'_>) -> Option<Bound> {
    match bound {
        Bound::OneOf(set) => {
            let mut set = set.clone();
            set.push(Scalar::of(value?)?);
            Some(Bound::OneOf(set))
        }
        Bound::All(operators) => {
            let Some(value) = value.filter(|value| !value.is_null()) else {
                let mut all = operators.clone();
                all.retain(|one| *one != Operator::Present(true));
                all.insert(0, Operator::Optional);
                return (!operators.contains(&Operator::Optional)).then_some(Bound::All(all));
            };
            let each = operators.iter().map(|operator| {
                if operator.judge(value, around) == Judgement::Within {
                    return Some(operator.clone());
                }
                widen_operator(operator, value, around)
            });
            each.collect::<Option<_>>().map(Bound::All)
        }
    }
}

fn widen_operator(operator: &Operator, value: &Value, around: &Around<'_>) -> Option<Operator> {
    match operator {
        Operator::Range { min, max } => widen_range(*min, *max, Number::of(value.as_number()?)?),
        Operator::Length { min, max } => {
            let length = length(value)?;
            Some(Operator::Length {
                min: min.map(|min| min.min(length)),
                max: max.map(|max| max.max(length)),
            })
        }
        Operator::Email(bound) => {
            let address = Address::new(value.as_str()?)?;
            let mut bound = bound.clone();
            match &mut bound {
                EmailBound::Addresses(own) => own.push(address),
                EmailBound::Domains(own) => own.push(address.domain().to_owned()),
            }
            Some(Operator::Email(bound))
        }
        Operator::Host(hosts) => {
            let mut hosts = hosts.clone();
            let host = HostPattern::new(value.as_str()?)?;
            matches!(host, HostPattern::Exact(_)).then(|| hosts.push(host))?;
            Some(Operator::Host(hosts))
        }
        Operator::Date { from, to } => widen_date(*from, *to, When::new(value.as_str()?)?, around),
        Operator::Fields(fields) => {
            let object = value.as_object()?;
            let each = fields.iter().map(|(name, bound)| {
                let value = crate::bounds::lookup(object, name);
                let fits = bound.judge_at(object, name, around) == Judgement::Within;
                let bound = if fits {
                    bound.clone()
                } else {
                    widen(bound, value, around)?
                };
                Some((name.clone(), bound))
            });
            each.collect::<Option<_>>().map(Operator::Fields)
        }
        Operator::Every(bound) => {
            let outside = |item: &&Value| bound.judge(Some(item), around) != Judgement::Within;
            let mut items = value.as_array()?.iter().filter(outside);
            // An item that the bound so far widened already takes in is not added twice.
            let widened = items.try_fold(bound.as_ref().clone(), |bound, item| {
                if bound.judge(Some(item), around) == Judgement::Within {
                    return Some(bound);
                }
                widen(&bound, Some(item), around)
            });
            widened.map(|bound| Operator::Every(Box::new(bound)))
        }
        Operator::Present(_)
        | Operator::Optional
        | Operator::Any(_)
        | Operator::Not(_)
        | Operator::Path(_)
        | Operator::Prefix(_)
        | Operator::Suffix(_)
        | Operator::Like(_)
        | Operator::Url(_)
        | Operator::Relation(..)
        | Operator::From(_) => None,
    }
}

fn widen_range(min: Option<Number>, max: Option<Number>, value: Number) -> Option<Operator> {
    let min = min.map(|min| {
        if min.compare(value).is_gt() {
            value
        } else {
            min
        }
    });
    let max = max.map(|max| {
        if max.compare(value).is_lt() {
            value
        } else {
            max
        }
    });
    Some(Operator::Range { min, max })
}

fn widen_date(
    from: Option<End>,
    to: Option<End>,
    value: When,
    around: &Around<'_>,
) -> Option<Operator> {
    let now_ms = around.view.now_ms;
    let own = End::At(value);
    let from = from.map(|end| {
        if end.compare(value, now_ms).is_lt() {
            own
        } else {
            end
        }
    });
    let to = to.map(|end| {
        if end.compare(value, now_ms).is_gt() {
            own
        } else {
            end
        }
    });
    Some(Operator::Date { from, to })
}

/// The narrowest readable bound that takes in `value`.
pub(super) fn exactly(value: &Value) -> Option<Bound> {
    let fixed = |length| Operator::Length {
        min: Some(length),
        max: Some(length),
    };
    match value {
        Value::String(text) if text.chars().count() > EXACT_CHARS_MAX => {
            Some(Bound::All(vec![fixed(length(value)?)]))
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let (first, rest) = items.split_first()?;
            let bound = exactly(first)?;
            let same = rest.len() < OBJECTS_MAX && rest.iter().all(|item| item == first);
            let every = Operator::Every(Box::new(bound));
            same.then(|| Bound::All(vec![fixed(length(value).unwrap_or_default()), every]))
        }
        Value::Object(fields) if !fields.is_empty() => {
            let each = fields
                .iter()
                .map(|(name, value)| Some((name.clone(), exactly(value)?)));
            let fields = each.collect::<Option<_>>()?;
            Some(Bound::All(vec![Operator::Fields(fields)]))
        }
        Value::Array(items) => {
            let mut all = vec![fixed(length(value)?)];
            let mut set: Vec<Scalar> = Vec::new();
            for item in items {
                let item = Scalar::of(item)?;
                if !set.contains(&item) {
                    set.push(item);
                }
            }
            if !set.is_empty() {
                all.push(Operator::Every(Box::new(Bound::OneOf(set))));
            }
            Some(Bound::All(all))
        }
        Value::Null => Some(Bound::All(vec![Operator::Present(false)])),
        Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_) => {
            Some(Bound::OneOf(vec![Scalar::of(value)?]))
        }
    }
}

/// Characters of a text, items of a list.
fn length(value: &Value) -> Option<u64> {
    let text = value.as_str().map(|text| text.chars().count());
    let length = text.or_else(|| value.as_array().map(Vec::len))?;
    u64::try_from(length).ok()
}
