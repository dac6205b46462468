//! Converts the inputs of a condition to Cedar values.

use cedar_policy::RestrictedExpression as Expression;
use jiff::Timestamp;
use jiff::tz::Offset;
use serde_json::{Map, Number, Value};

use super::shape::{ObjectShape, Shape};

/// Maximum number of decimal places of a Cedar decimal.
const DECIMAL_PLACES_MAX: usize = 4;

/// Converts a value of this type; `None` if Cedar has no such value.
pub(super) fn of(value: &Value, shape: &Shape) -> Option<Expression> {
    match (shape, value) {
        (Shape::Bool, Value::Bool(value)) => Some(Expression::new_bool(*value)),
        (Shape::Long, Value::Number(value)) => Some(Expression::new_long(value.as_i64()?)),
        (Shape::Decimal, Value::Number(value)) => decimal(value),
        (Shape::Text, Value::String(value)) => Some(Expression::new_string(value.clone())),
        (Shape::Set(item), Value::Array(items)) => {
            let items: Option<Vec<Expression>> =
                items.iter().map(|value| of(value, item)).collect();
            Some(Expression::new_set(items?))
        }
        (Shape::Record(fields), Value::Object(map)) => record(map, fields),
        (
            Shape::Bool
            | Shape::Long
            | Shape::Decimal
            | Shape::Text
            | Shape::Set(_)
            | Shape::Record(_),
            _,
        ) => None,
    }
}

/// Converts the typed fields of an object. A null counts as absent.
pub(super) fn record(map: &Map<String, Value>, fields: &ObjectShape) -> Option<Expression> {
    let present = fields.known.iter().filter_map(|(name, field)| {
        let value = map.get(name).filter(|value| !value.is_null())?;
        Some((name, value, field))
    });
    let each: Option<Vec<(String, Expression)>> = present
        .map(|(name, value, field)| Some((name.clone(), of(value, &field.shape)?)))
        .collect();
    Expression::new_record(each?).ok()
}

/// Converts the fields of an object, each with its JSON type. A null counts as absent.
pub(super) fn shown_record(map: &Map<String, Value>) -> Option<Expression> {
    let present = map.iter().filter(|(_, value)| !value.is_null());
    let each: Option<Vec<(String, Expression)>> = present
        .map(|(name, value)| Some((name.clone(), shown(value)?)))
        .collect();
    Expression::new_record(each?).ok()
}

/// Converts a value with its JSON type; `None` if Cedar has no such value.
fn shown(value: &Value) -> Option<Expression> {
    match value {
        Value::Null => None,
        Value::Bool(value) => Some(Expression::new_bool(*value)),
        Value::Number(number) => match number.as_i64() {
            Some(number) => Some(Expression::new_long(number)),
            None => decimal(number),
        },
        Value::String(text) => Some(Expression::new_string(text.clone())),
        Value::Array(items) => {
            let items: Option<Vec<Expression>> = items.iter().map(shown).collect();
            Some(Expression::new_set(items?))
        }
        Value::Object(map) => shown_record(map),
    }
}

/// Converts a count.
pub(super) fn count(count: u64) -> Option<Expression> {
    i64::try_from(count).ok().map(Expression::new_long)
}

/// Converts a moment, in milliseconds since 1970 UTC.
pub(super) fn moment(ms: i64) -> Option<Expression> {
    let at = Timestamp::from_millisecond(ms).ok()?;
    let at = Offset::UTC.to_datetime(at);
    (0..=9999).contains(&at.year()).then(|| {
        let text = format!(
            "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
            at.year(),
            at.month(),
            at.day(),
            at.hour(),
            at.minute(),
            at.second(),
            at.millisecond()
        );
        Expression::new_datetime(text)
    })
}

fn decimal(number: &Number) -> Option<Expression> {
    let written = number.to_string();
    if written.contains(['e', 'E']) {
        return None;
    }
    match written.split_once('.') {
        Some((_, places)) if places.len() > DECIMAL_PLACES_MAX => None,
        Some(_) => Some(Expression::new_decimal(written)),
        None => Some(Expression::new_decimal(format!("{written}.0"))),
    }
}
