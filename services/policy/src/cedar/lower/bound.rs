//! Writes a bound on one argument as expressions of Cedar, as far as Cedar has the words.

use super::super::shape::{Fields, Shape};
use super::{Told, access, attribute, text};
use crate::bounds::{Bound, Number, Operator, Relation, Scalar};

/// Where the value stands that is bounded.
pub(super) struct Place<'a> {
    /// Its expression.
    pub(super) value: String,
    /// The expression that is true when it is there.
    pub(super) has: String,
    pub(super) shape: &'a Shape,
    /// All arguments, for relations.
    pub(super) fields: &'a Fields,
    /// Whether an argument can be null.
    pub(super) nullable: &'a dyn Fn(&str) -> bool,
}

/// What a bound says of a value; none for what Cedar cannot say.
pub(super) fn told(bound: &Bound, place: &Place<'_>) -> Option<Told> {
    match bound {
        Bound::OneOf(set) => Some(place.guarded(&one_of(set, place)?)),
        Bound::All(operators) => {
            let others = operators.iter().filter(|one| **one != Operator::Optional);
            let each: Option<Vec<Told>> = others.map(|one| operator(one, place)).collect();
            let told = Told::every(&each?);
            if !operators.contains(&Operator::Optional) {
                return Some(told);
            }
            let has = &place.has;
            let Told { within, outside } = told;
            Some(Told::new(
                format!("(!({has}) || {within})"),
                format!("({has} && {outside})"),
            ))
        }
    }
}

impl Place<'_> {
    /// The same where the value is there; nothing can be told of one that is not.
    fn guarded(&self, told: &Told) -> Told {
        let has = &self.has;
        let guard = |expression: &str| match expression {
            "false" => "false".to_owned(),
            other => format!("({has} && {other})"),
        };
        Told::new(guard(&told.within), guard(&told.outside))
    }
}

fn operator(operator: &Operator, place: &Place<'_>) -> Option<Told> {
    let value = &place.value;
    let told = match operator {
        Operator::Present(true) => return Some(Told::exactly(&format!("({})", place.has))),
        Operator::Present(false) => {
            return Some(Told::exactly(&format!("({})", place.has)).opposite());
        }
        Operator::Not(bound) => return told(bound, place).map(Told::opposite),
        Operator::Optional => Told::new("true", "false"),
        Operator::Range { min, max } => range(*min, *max, place)?,
        Operator::Prefix(prefix) => like(place, &format!("{value} like \"{}*\"", pattern(prefix))),
        Operator::Suffix(suffix) => like(place, &format!("{value} like \"*{}\"", pattern(suffix))),
        Operator::Like(glob) => {
            let pieces: Vec<String> = glob.as_str().split('*').map(pattern).collect();
            like(place, &format!("{value} like \"{}\"", pieces.join("*")))
        }
        Operator::Relation(relation, other) => self::relation(*relation, other, place)?,
        Operator::Fields(fields) => {
            let Shape::Record(known) = place.shape else {
                return Some(Told::never());
            };
            let each = fields.iter().map(|(name, bound)| {
                let field = known.known.get(name)?;
                let inner = Place {
                    value: format!("{value}{}", access(name)),
                    has: format!("{} && {value} has {}", place.has, attribute(name)),
                    shape: &field.shape,
                    fields: place.fields,
                    nullable: place.nullable,
                };
                told(bound, &inner)
            });
            let each: Option<Vec<Told>> = each.collect();
            Told::every(&each?)
        }
        Operator::Every(bound) => {
            let set = items(bound, place)?;
            let inside = format!("{set}.containsAll({value})");
            let full = format!("!{value}.isEmpty()");
            Told::new(
                format!("({full} && {inside})"),
                format!("({full} && !{inside})"),
            )
        }
        Operator::Any(bound) => {
            let set = items(bound, place)?;
            Told::exactly(&format!("{value}.containsAny({set})"))
        }
        Operator::Path(_)
        | Operator::Length { .. }
        | Operator::Host(_)
        | Operator::Url(_)
        | Operator::Email(_)
        | Operator::Date { .. }
        | Operator::From(_) => return None,
    };
    Some(place.guarded(&told))
}

/// The members of a set that have the type of the value, if there are any.
fn one_of(set: &[Scalar], place: &Place<'_>) -> Option<Told> {
    if matches!(place.shape, Shape::Decimal) {
        return None;
    }
    Some(match members(set, place.shape) {
        None => Told::never(),
        Some(members) if members.is_empty() => Told::new("false", "true"),
        Some(members) => Told::exactly(&format!(
            "[{}].contains({})",
            members.join(", "),
            place.value
        )),
    })
}

/// What Cedar calls the members that can equal a value of this type; none if no member is of its kind.
fn members(set: &[Scalar], shape: &Shape) -> Option<Vec<String>> {
    let mut kin = false;
    let mut members = Vec::new();
    for one in set {
        match (one, shape) {
            (Scalar::Bool(value), Shape::Bool) => members.push(value.to_string()),
            (Scalar::Text(value), Shape::Text) => members.push(text(value)),
            (Scalar::Number(Number::Integer(value)), Shape::Long) => {
                members.push(value.to_string())
            }
            (Scalar::Number(Number::Decimal(_)), Shape::Long) => {}
            (Scalar::Bool(_) | Scalar::Text(_) | Scalar::Number(_), _) => continue,
        }
        kin = true;
    }
    kin.then_some(members)
}

/// The set that the items of a list are compared with.
fn items(bound: &Bound, place: &Place<'_>) -> Option<String> {
    let (Bound::OneOf(set), Shape::Set(item)) = (bound, place.shape) else {
        return None;
    };
    let members = members(set, item)?;
    (!members.is_empty()).then(|| format!("[{}]", members.join(", ")))
}

fn like(place: &Place<'_>, expression: &str) -> Told {
    if matches!(place.shape, Shape::Text) {
        Told::exactly(&format!("({expression})"))
    } else {
        Told::never()
    }
}

/// A text as a part of a pattern that means just this text.
fn pattern(part: &str) -> String {
    part.escape_debug().to_string().replace('*', "\\*")
}

fn range(min: Option<Number>, max: Option<Number>, place: &Place<'_>) -> Option<Told> {
    match place.shape {
        Shape::Long => {}
        Shape::Decimal => return None,
        Shape::Bool | Shape::Text | Shape::Set(_) | Shape::Record(_) => return Some(Told::never()),
    }
    let end = |number: Number| match number {
        Number::Integer(value) => Some(value),
        Number::Decimal(_) => None,
    };
    let value = &place.value;
    let mut each = Vec::new();
    if let Some(min) = min {
        each.push(format!("{value} >= {}", end(min)?));
    }
    if let Some(max) = max {
        each.push(format!("{value} <= {}", end(max)?));
    }
    Some(Told::exactly(&format!("({})", each.join(" && "))))
}

fn relation(relation: Relation, other: &str, place: &Place<'_>) -> Option<Told> {
    let field = place.fields.known.get(other)?;
    let alike = field.shape == *place.shape;
    let own = place.value.strip_prefix("context.args.")?;
    if !alike || (place.nullable)(other) || (place.nullable)(own) {
        return None;
    }
    let sign = match (relation, place.shape) {
        (Relation::SameAs, Shape::Text | Shape::Long | Shape::Bool) => "==",
        (Relation::DiffersFrom, Shape::Text | Shape::Long | Shape::Bool) => "!=",
        (Relation::AtMost, Shape::Long) => "<=",
        (Relation::AtLeast, Shape::Long) => ">=",
        (
            Relation::SameAs | Relation::DiffersFrom | Relation::AtMost | Relation::AtLeast,
            _,
        ) => return None,
    };
    let has = format!("context.args has {}", attribute(other));
    let compared = format!("{} {sign} context.args{}", place.value, access(other));
    Some(Told::new(
        format!("({has} && {compared})"),
        format!("({has} && !({compared}))"),
    ))
}
