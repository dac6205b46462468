//! Tells whether a bound leaves no choice to whoever wrote the call, other than among values the owner chose.

use serde_json::Value;

use super::{Around, Bound, EmailBound, HostPattern, Judgement, Operator};

impl Bound {
    /// Whether the contract, the owner's words or a trusted result named this very value. Asked only of values
    /// that are within.
    pub(crate) fn determines(&self, value: &Value, around: &Around<'_>) -> bool {
        match self {
            Self::OneOf(_) => true,
            Self::All(operators) => operators.iter().any(|one| one.determines(value, around)),
        }
    }
}

impl Operator {
    fn determines(&self, value: &Value, around: &Around<'_>) -> bool {
        match (self, value) {
            (Self::From(origins), value) => origins.iter().any(|origin| {
                origin.is_trusted() && origin.judge(value, around.view.record) == Judgement::Within
            }),
            (Self::Every(bound), Value::Array(items)) => {
                items.iter().all(|item| bound.determines(item, around))
            }
            (Self::Fields(fields), Value::Object(object)) => object.iter().all(|(name, value)| {
                let bound = fields.get(name);
                value.is_null() || bound.is_some_and(|bound| bound.determines(value, around))
            }),
            (Self::Length { max: Some(0), .. }, _) | (Self::Email(EmailBound::Addresses(_)), _) => {
                true
            }
            (Self::Host(hosts), _) => hosts
                .iter()
                .all(|host| matches!(host, HostPattern::Exact(_))),
            (
                Self::Present(_)
                | Self::Optional
                | Self::Range { .. }
                | Self::Path(_)
                | Self::Length { .. }
                | Self::Prefix(_)
                | Self::Suffix(_)
                | Self::Like(_)
                | Self::Url(_)
                | Self::Email(EmailBound::Domains(_))
                | Self::Date { .. }
                | Self::Relation(..)
                | Self::Fields(_)
                | Self::Every(_)
                | Self::Any(_)
                | Self::Not(_),
                _,
            ) => false,
        }
    }
}
