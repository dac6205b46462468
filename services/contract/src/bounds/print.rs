//! Writes bounds as the TOML that is read back as them.

use std::fmt;

use super::{Bound, EmailBound, End, Operator, Scalar, UrlBound};
use crate::toml_text::{key, one_or_list, quoted, quoted_list};

/// Writes what is given of two ends as the entries of a TOML inline table.
fn entries<T: fmt::Display>(keys: [&str; 2], ends: [Option<&T>; 2]) -> String {
    let each = keys.iter().zip(ends);
    let given = each.filter_map(|(key, end)| end.map(|end| format!("{key} = {end}")));
    given.collect::<Vec<_>>().join(", ")
}

impl fmt::Display for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(value) => value.fmt(f),
            Self::Number(value) => value.fmt(f),
            Self::Text(value) => f.write_str(&quoted(value)),
        }
    }
}

impl fmt::Display for UrlBound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{{ scheme = {}, host = {}",
            quoted(&self.scheme),
            quoted_list(&self.hosts)
        )?;
        if let Some(path) = &self.path {
            write!(f, ", path = {}", quoted(&path.to_string()))?;
        }
        if let Some(port) = self.port {
            write!(f, ", port = {port}")?;
        }
        f.write_str(" }")
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Present(present) => write!(f, "present = {present}"),
            Self::Optional => f.write_str("optional = true"),
            Self::Range { min, max } => {
                f.write_str(&entries(["min", "max"], [min.as_ref(), max.as_ref()]))
            }
            Self::Path(glob) => write!(f, "path = {}", quoted(glob.as_str())),
            Self::Length { min, max } => {
                let inner = entries(["min", "max"], [min.as_ref(), max.as_ref()]);
                write!(f, "length = {{ {inner} }}")
            }
            Self::Prefix(text) => write!(f, "prefix = {}", quoted(text)),
            Self::Suffix(text) => write!(f, "suffix = {}", quoted(text)),
            Self::Like(glob) => write!(f, "like = {}", quoted(glob.as_str())),
            Self::Host(hosts) => write!(f, "host = {}", quoted_list(hosts)),
            Self::Url(url) => write!(f, "url = {url}"),
            Self::Email(EmailBound::Addresses(each)) => write!(f, "email = {}", quoted_list(each)),
            Self::Email(EmailBound::Domains(each)) => {
                write!(f, "email = {{ domain = {} }}", quoted_list(each))
            }
            Self::Date { from, to } => {
                let text = |end: &End| quoted(&end.to_string());
                let (from, to) = (from.as_ref().map(text), to.as_ref().map(text));
                let inner = entries(["from", "to"], [from.as_ref(), to.as_ref()]);
                write!(f, "date = {{ {inner} }}")
            }
            Self::Relation(relation, other) => {
                write!(f, "{} = {}", relation.word(), quoted(other))
            }
            Self::From(origins) => write!(f, "from = {}", one_or_list(origins)),
            Self::Fields(fields) => {
                let each = fields
                    .iter()
                    .map(|(name, bound)| format!("{} = {bound}", key(name)));
                write!(f, "fields = {{ {} }}", each.collect::<Vec<_>>().join(", "))
            }
            Self::Every(bound) => write!(f, "every = {bound}"),
            Self::Any(bound) => write!(f, "any = {bound}"),
            Self::Not(bound) => write!(f, "not = {bound}"),
        }
    }
}

/// Writes the bound as the TOML value that is read back as it.
impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OneOf(set) => f.write_str(&one_or_list(set)),
            Self::All(operators) => {
                let each: Vec<String> = operators.iter().map(Operator::to_string).collect();
                write!(f, "{{ {} }}", each.join(", "))
            }
        }
    }
}
