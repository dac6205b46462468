//! Puts what a rule says about one argument into words.

use crate::bounds::{
    Bound, EmailBound, End, HostPattern, Number, Operator, Relation, Scalar, UrlBound,
};
use crate::origin::Origin;
use crate::toml_text::quoted;

use super::words::{counted, duration, joined};

/// What the length of a value counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    /// Characters of a text.
    Characters,
    /// Items of a list.
    Items,
    /// Either of them.
    Either,
}

impl Unit {
    /// By the types that the tools declare for the argument.
    pub(super) fn of(types: &[Vec<String>]) -> Self {
        let all = |wanted: &str| {
            let fits = |of: &Vec<String>| of.iter().all(|one| one == wanted || one == "null");
            !types.is_empty() && types.iter().all(|of| !of.is_empty() && fits(of))
        };
        if all("string") {
            Self::Characters
        } else if all("array") {
            Self::Items
        } else {
            Self::Either
        }
    }

    fn word(self, many: u64) -> String {
        match self {
            Self::Characters => counted(many, "character", "characters"),
            Self::Items => counted(many, "item", "items"),
            Self::Either => format!(
                "{} or {}",
                counted(many, "character", "characters"),
                "items"
            ),
        }
    }
}

/// What holds of a value that is within, to be put behind its name: `is "a" or "b"`.
pub(super) fn predicate(bound: &Bound, unit: Unit) -> String {
    match bound {
        Bound::OneOf(set) => format!("is {}", values(set)),
        Bound::All(operators) => {
            let optional = operators.contains(&Operator::Optional);
            let others = operators.iter().filter(|one| **one != Operator::Optional);
            let others: Vec<String> = others.map(|one| operator(one, unit)).collect();
            match (optional, others.is_empty()) {
                (true, true) => "is left out or anything at all".to_owned(),
                (true, false) => format!("is left out or {}", joined(others, "and")),
                (false, _) => joined(others, "and"),
            }
        }
    }
}

fn operator(operator: &Operator, unit: Unit) -> String {
    match operator {
        Operator::Present(true) => "is given".to_owned(),
        Operator::Present(false) => "is not given".to_owned(),
        Operator::Optional => "is left out or anything at all".to_owned(),
        Operator::Range { min, max } => range(*min, *max),
        Operator::Path(glob) => {
            format!("is a path in the workspace like {}", quoted(glob.as_str()))
        }
        Operator::Length { min, max } => length(*min, *max, unit),
        Operator::Prefix(text) => format!("begins with {}", quoted(text)),
        Operator::Suffix(text) => format!("ends with {}", quoted(text)),
        Operator::Like(glob) => format!("reads like {}", quoted(glob.as_str())),
        Operator::Host(hosts) => format!("is {}", host(hosts)),
        Operator::Url(url) => self::url(url),
        Operator::Email(EmailBound::Addresses(each)) => {
            let each = each.iter().map(ToString::to_string).collect();
            format!("is the e-mail address {}", joined(each, "or"))
        }
        Operator::Email(EmailBound::Domains(each)) => {
            format!("is an e-mail address at {}", joined(each.clone(), "or"))
        }
        Operator::Date { from, to } => date(*from, *to),
        Operator::Relation(relation, other) => match relation {
            Relation::SameAs => format!("is the same as `{other}`"),
            Relation::DiffersFrom => format!("is another than `{other}`"),
            Relation::AtMost => format!("is not greater or later than `{other}`"),
            Relation::AtLeast => format!("is not less or earlier than `{other}`"),
        },
        Operator::From(origins) => {
            let each = origins.iter().map(origin).collect();
            format!("is {}", joined(each, "or"))
        }
        Operator::Fields(fields) => {
            let each = fields
                .iter()
                .map(|(name, bound)| format!("its `{name}` {}", predicate(bound, Unit::Either)));
            format!("is such that {}", joined(each.collect(), "and"))
        }
        Operator::Every(bound) => {
            let each = predicate(bound, Unit::Either);
            format!("is a list with at least one item, and each item {each}")
        }
        Operator::Any(bound) => {
            let some = predicate(bound, Unit::Either);
            format!("is a list with an item that {some}")
        }
        Operator::Not(bound) => match &**bound {
            Bound::OneOf(set) => format!("is anything but {}", values(set)),
            inner @ Bound::All(_) => format!("is none that {}", predicate(inner, unit)),
        },
    }
}

fn values(set: &[Scalar]) -> String {
    joined(set.iter().map(Scalar::to_string).collect(), "or")
}

fn range(min: Option<Number>, max: Option<Number>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => format!("is from {min} to {max}"),
        (Some(min), None) => format!("is at least {min}"),
        (None, Some(max)) => format!("is at most {max}"),
        (None, None) => "is a number".to_owned(),
    }
}

fn length(min: Option<u64>, max: Option<u64>, unit: Unit) -> String {
    match (min, max) {
        (Some(min), Some(max)) if min == max => format!("is exactly {} long", unit.word(max)),
        (Some(min), Some(max)) => format!("is from {min} to {} long", unit.word(max)),
        (Some(min), None) => format!("is at least {} long", unit.word(min)),
        (None, Some(max)) => format!("is at most {} long", unit.word(max)),
        (None, None) => "has a length".to_owned(),
    }
}

fn host(hosts: &[HostPattern]) -> String {
    let each = hosts.iter().map(|host| match host {
        HostPattern::Exact(host) => format!("the host {host}"),
        HostPattern::Below(parent) => format!("a host below {parent}"),
    });
    joined(each.collect(), "or")
}

fn url(url: &UrlBound) -> String {
    let UrlBound {
        scheme,
        hosts,
        path,
        port,
    } = url;
    let path = path.as_ref();
    let path = path.map_or_else(String::new, |path| {
        format!(", with a path like {}", quoted(&path.to_string()))
    });
    let port = port.map_or_else(String::new, |port| format!(", at port {port}"));
    format!("is a {scheme} address of {}{port}{path}", host(hosts))
}

fn date(from: Option<End>, to: Option<End>) -> String {
    let ends = |end: End| match end {
        End::At(when) => when.to_string(),
        End::Now { plus_ms: 0 } => "the moment of the call".to_owned(),
        End::Now { plus_ms } => {
            let far = duration(plus_ms.unsigned_abs());
            let side = if plus_ms < 0 { "before" } else { "after" };
            format!("{far} {side} the call")
        }
    };
    match (from, to) {
        (Some(from), Some(to)) => format!("is a date from {} to {}", ends(from), ends(to)),
        (Some(from), None) => format!("is a date not before {}", ends(from)),
        (None, Some(to)) => format!("is a date not after {}", ends(to)),
        (None, None) => "is a date".to_owned(),
    }
}

fn origin(origin: &Origin) -> String {
    match origin {
        Origin::Task => "in the owner's own words".to_owned(),
        Origin::Field { tool, field } => {
            format!(
                "what `{tool}` returned before in this task as `{}`",
                field.as_str()
            )
        }
        Origin::Argument { tool, argument } => {
            format!("what `{tool}` was called with before in this task as `{argument}`")
        }
    }
}
