//! `template`: a fixed text with holes, each with a bound of its own.

use std::collections::BTreeMap;
use std::fmt;

use diagnostic::is_hidden;
use serde_json::Value;

use super::kind::{Inner, Kind, Reader, Unit, VALUE_CHARS_MAX};
use super::matching::{CallContext, Match};
use crate::parse::source::Node;
use crate::show::words::joined;
use crate::toml_text::{key, quoted};
use bus_schema::json;

/// Maximum number of holes.
const HOLES_MAX: usize = 16;
/// Maximum length of a number in a hole, in bytes.
const NUMBER_BYTES_MAX: usize = 40;

/// A text with holes.
#[derive(Debug, Clone, PartialEq)]
pub struct Template<B> {
    text: String,
    /// The holes in order, each with the fixed text before it.
    pieces: Vec<Piece>,
    /// The fixed text after the last hole.
    tail: String,
    /// The bounds by the name of the hole.
    pub(super) holes: BTreeMap<String, B>,
}

/// A hole and the fixed text before it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Piece {
    before: String,
    name: String,
}

/// The pieces of a template and the fixed text after the last hole, or a problem and what to write instead.
type Parsed = Result<(Vec<Piece>, String), (String, &'static str)>;

/// Splits a template at its holes; `{{` and `}}` stand for braces.
fn parse(text: &str) -> Parsed {
    let braces = "write `{name}` for a hole, and `{{` or `}}` for a brace";
    let (mut pieces, mut fixed) = (Vec::<Piece>::new(), String::new());
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        let (before, from) = rest.split_at(at);
        fixed.push_str(before);
        let doubled = ["{{", "}}"].into_iter().find(|two| from.starts_with(two));
        if let Some(two) = doubled {
            fixed.push_str(two.get(1..).unwrap_or_default());
            rest = from.get(2..).unwrap_or_default();
            continue;
        }
        let inner = from.strip_prefix('{').and_then(|from| from.split_once('}'));
        let Some((name, after)) = inner.filter(|(name, _)| is_hole(name)) else {
            return Err((
                "a brace of the template opens or closes no hole".to_owned(),
                braces,
            ));
        };
        if !pieces.is_empty() && fixed.is_empty() {
            let problem = format!("nothing stands between the hole `{name}` and the one before it");
            return Err((
                problem,
                "write a fixed text between them, or make them one hole",
            ));
        }
        if pieces.iter().any(|piece| piece.name == name) {
            let problem = format!("the hole `{name}` stands in the template twice");
            return Err((problem, "give each hole a name of its own"));
        }
        pieces.push(Piece {
            before: std::mem::take(&mut fixed),
            name: name.to_owned(),
        });
        rest = after;
    }
    fixed.push_str(rest);
    Ok((pieces, fixed))
}

fn is_hole(name: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    !name.is_empty() && name.chars().all(fits)
}

impl<B> Template<B> {
    /// Returns the value of each hole, in order. A value has at least one character, no invisible one, and ends where
    /// the fixed text behind its hole begins for the first time, so that there is only one way to split; `None` without
    /// it.
    fn split<'v>(&'v self, text: &'v str) -> Option<Vec<(&'v B, &'v str)>> {
        let first = self.pieces.first()?;
        let mut rest = text.strip_prefix(first.before.as_str())?;
        let mut values = Vec::new();
        let behind = self
            .pieces
            .iter()
            .skip(1)
            .map(|piece| piece.before.as_str());
        for (piece, behind) in self.pieces.iter().zip(behind.chain([self.tail.as_str()])) {
            let (value, after) = if behind.is_empty() {
                (rest, "")
            } else {
                rest.split_once(behind)?
            };
            if value.is_empty() || value.chars().any(is_hidden) {
                return None;
            }
            values.push((self.holes.get(&piece.name)?, value));
            rest = after;
        }
        rest.is_empty().then_some(values)
    }

    /// Returns true if the fixed texts stand in the text in this order, whatever is between them.
    fn has_fixed(&self, text: &str) -> bool {
        let mut before = self.pieces.iter().map(|piece| piece.before.as_str());
        let start = before.next().unwrap_or_default();
        let mut rest = text.strip_prefix(start);
        for fixed in before {
            let behind = rest.and_then(|rest| rest.split_once(fixed));
            rest = behind.map(|(_, behind)| behind);
        }
        rest.is_some_and(|rest| rest.ends_with(&self.tail))
    }
}

/// The values that a hole can mean: its text, and the number that the text writes.
fn meanings(text: &str) -> impl Iterator<Item = Value> {
    let number = json::parse(text.as_bytes(), NUMBER_BYTES_MAX).ok();
    let number =
        number.filter(|value| value.is_number() && json::canonical(value) == text.as_bytes());
    [Value::from(text)].into_iter().chain(number)
}

/// Matches the value of a hole, as text or as number.
fn judge_hole<B: Inner>(bound: &B, text: &str, context: &CallContext<'_>) -> Match {
    let each = meanings(text).map(|value| bound.judge(Some(&value), context));
    let told: Vec<Match> = each.filter(|one| *one != Match::Unknown).collect();
    if told.is_empty() {
        Match::Unknown
    } else {
        Match::any(told)
    }
}

impl<B: Inner + Clone> Kind for Template<B> {
    const KEYS: &'static [&'static str] = &["template", "holes"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        let (Some(template), Some(holes)) = (reader.node("template"), reader.node("holes")) else {
            let Some(node) = reader.node("template").or_else(|| reader.node("holes")) else {
                return Some(Vec::new());
            };
            let problem = "`template` and `holes` belong together";
            let fix = "write { template = \"Hello {name}\", holes = { name = … } }";
            reader.source.report(node.span(), problem, fix);
            return None;
        };
        read(reader, template, holes).map(|found| vec![found])
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let Some(text) = value.as_str() else {
            return Match::Unknown;
        };
        // A text that can only be split otherwise is in doubt.
        let otherwise = if self.has_fixed(text) {
            Match::Unknown
        } else {
            Match::No
        };
        self.split(text).map_or(otherwise, |values| {
            Match::every(
                values
                    .iter()
                    .map(|(bound, text)| judge_hole(*bound, text, context)),
            )
        })
    }

    fn limits_length(&self) -> bool {
        true
    }

    fn permits_links(&self) -> bool {
        self.holes.values().all(Inner::permits_links)
    }

    fn say(&self, _unit: Unit) -> String {
        let holes = self.holes.iter();
        let each = holes.map(|(name, bound)| format!("`{name}` {}", bound.say(Unit::Characters)));
        format!(
            "reads {}, where {}",
            quoted(&self.text),
            joined(each.collect(), "and")
        )
    }

    fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        let determined = |bound: &B, text: &str| {
            meanings(text).any(|value| {
                bound.judge(Some(&value), context) == Match::Yes
                    && bound.determines(&value, context)
            })
        };
        let values = value.as_str().and_then(|text| self.split(text));
        values.is_some_and(|values| values.iter().all(|(bound, text)| determined(bound, text)))
    }

    fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let values = self.split(value.as_str()?)?;
        values.iter().find_map(|(bound, text)| {
            let mut each = meanings(text);
            each.find_map(|value| bound.doubt(&value, context))
        })
    }

    fn widen(&self, value: &Value, context: &CallContext<'_>) -> Option<Self> {
        let mut wider = self.clone();
        for (piece, (bound, text)) in self.pieces.iter().zip(self.split(value.as_str()?)?) {
            if judge_hole(bound, text, context) != Match::Yes {
                let mut each =
                    meanings(text).filter(|one| bound.judge(Some(one), context) != Match::Unknown);
                let bound = bound.widen(Some(&each.next()?), context)?;
                wider.holes.insert(piece.name.clone(), bound);
            }
        }
        Some(wider)
    }
}

fn read<'t, B: Inner>(
    reader: &mut Reader<'_, 't, '_>,
    template: &'t Node<'t>,
    holes: &'t Node<'t>,
) -> Option<Template<B>> {
    let text = reader
        .source
        .text(template, "`template`", VALUE_CHARS_MAX)?;
    let mut refuse = |node: &Node<'_>, problem: String, fix: &str| {
        reader.source.report(node.span(), problem, fix);
        None
    };
    let (pieces, tail) = match parse(&text) {
        Ok(parsed) => parsed,
        Err((problem, fix)) => return refuse(template, problem, fix),
    };
    if pieces.is_empty() || pieces.len() > HOLES_MAX {
        let problem = format!("the template has {} holes", pieces.len());
        let fix = "write 1 to 16 holes such as `{name}`, or the text itself as value";
        return refuse(template, problem, fix);
    }
    let Some(table) = holes.get_ref().as_table() else {
        reader
            .source
            .mistyped(holes, "`holes`", "`holes = { name = …, … }`");
        return None;
    };
    let lacks = |piece: &&Piece| !table.contains_key(piece.name.as_str());
    if let Some(piece) = pieces.iter().find(lacks) {
        let problem = format!("the hole `{}` has no bound", piece.name);
        return refuse(holes, problem, "write `name = …` for it into `holes`");
    }
    let mut bounds = BTreeMap::new();
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        if !pieces.iter().any(|piece| piece.name == name) {
            let problem = format!("the template has no hole `{name}`");
            reader.source.report(
                key.span(),
                problem,
                "write it as `{name}` into the template, or remove it",
            );
            return None;
        }
        // The text "5" is another value than the number 5, so "not 5" would be true of one of them.
        if denies(node) {
            let problem = format!("the hole `{name}` is bound by what it is not");
            reader
                .source
                .report(node.span(), problem, "write what it is");
            return None;
        }
        bounds.insert(name.to_owned(), reader.bound(node)?);
    }
    Some(Template {
        text,
        pieces,
        tail,
        holes: bounds,
    })
}

/// Returns true if a table in the value has the key `not` or `differs_from`.
fn denies(node: &Node<'_>) -> bool {
    let value = node.get_ref();
    let inside = |table: &toml::de::DeTable<'_>| {
        table.contains_key("not")
            || table.contains_key("differs_from")
            || table.values().any(denies)
    };
    value.as_table().is_some_and(inside)
        || value
            .as_array()
            .is_some_and(|items| items.iter().any(denies))
}

impl<B: fmt::Display> fmt::Display for Template<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let holes = self.holes.iter();
        let each: Vec<String> = holes
            .map(|(name, bound)| format!("{} = {bound}", key(name)))
            .collect();
        write!(
            f,
            "template = {}, holes = {{ {} }}",
            quoted(&self.text),
            each.join(", ")
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A template whose holes have no bounds.
    fn template(text: &str) -> Template<()> {
        let (pieces, tail) = parse(text).expect("a template");
        let holes = pieces.iter().map(|piece| (piece.name.clone(), ()));
        Template {
            text: text.to_owned(),
            holes: holes.collect(),
            pieces,
            tail,
        }
    }

    /// Returns true if there is any split into values of at least one character.
    fn splits(pieces: &[Piece], tail: &str, text: &str) -> bool {
        let Some((piece, later)) = pieces.split_first() else {
            return text == tail;
        };
        let Some(rest) = text.strip_prefix(piece.before.as_str()) else {
            return false;
        };
        (1..=rest.len()).any(|at| splits(later, tail, rest.split_at(at).1))
    }

    /// All texts of these letters with at most `most` characters.
    fn texts(letters: &[char], most: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..most {
            let longer = |text: &String| {
                letters
                    .iter()
                    .map(|c| format!("{text}{c}"))
                    .collect::<Vec<_>>()
            };
            last = last.iter().flat_map(longer).collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn text_is_split_in_one_way_or_doubted_or_has_no_split() {
        for written in [
            "{x}a{y}",
            "a{x}ab{y}b",
            "{x}aa{y}",
            "{x}ab",
            "b{x}",
            "{x}a{y}b{z}",
        ] {
            let template = template(written);
            for text in texts(&['a', 'b', '-'], 7) {
                let any = splits(&template.pieces, &template.tail, &text);
                assert!(template.has_fixed(&text) || !any, "{written} {text}");
                let Some(values) = template.split(&text) else {
                    continue;
                };
                let mut again = String::new();
                for (piece, (_, value)) in template.pieces.iter().zip(values) {
                    again.push_str(&piece.before);
                    again.push_str(value);
                }
                again.push_str(&template.tail);
                assert_eq!(again, text, "{written}");
            }
        }
    }

    #[test]
    fn long_text_is_split_in_linear_time() {
        let written: Vec<String> = (0..HOLES_MAX).map(|at| format!("{{h{at}}}a")).collect();
        let template = template(&written.concat());
        let text = "a".repeat(1 << 20);
        assert!(template.split(&text).is_none() && template.has_fixed(&text));
    }
}
