//! The origin of a value in the owner's words: the task text, and the role that the value has there.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use serde_json::Value;

use super::list::one_or_more;
use super::matching::{CallContext, Match};
use crate::parse::source::{Node, Source, Table};
use crate::show::words::joined;
use crate::toml_text::{quoted, quoted_list};
use crate::words::mention::Mention;
use crate::words::wanted::Wanted;
use crate::words::{WordKind, Words};

/// Maximum length of a word beside a value, in characters.
const BESIDE_CHARS_MAX: usize = 40;

/// A value that the task text names, with its role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    /// The kind of value.
    pub kind: WordKind,
    /// The value stands right after one of these words, in lower case; empty for any place.
    pub after: Vec<String>,
    /// The value stands right before one of these words, in lower case; empty for any place.
    pub before: Vec<String>,
    /// True if letters of both cases are equal.
    pub ignore_case: bool,
}

/// The mentions of a value.
#[derive(Debug, Default)]
struct Named {
    /// True if the words name it and neither negate it nor only quote it.
    plainly: bool,
    /// A place where they only negate or quote it.
    doubtful: Option<Mention>,
}

impl Default for Spoken {
    /// Any value in the text, at any place.
    fn default() -> Self {
        Self {
            kind: WordKind::Any,
            after: Vec::new(),
            before: Vec::new(),
            ignore_case: false,
        }
    }
}

impl Spoken {
    /// Returns true if the contract says which value of the text is meant.
    fn has_role(&self) -> bool {
        self.kind != WordKind::Any || !self.after.is_empty() || !self.before.is_empty()
    }

    /// Matches a text or number that the owner's words name. A value that they only negate or quote is `Unknown` in a
    /// role; without a role it matches, and [`Spoken::doubt`] gives its place.
    pub(crate) fn judge(&self, value: &Value, context: &CallContext<'_>) -> Match {
        let Some(words) = words(context) else {
            return Match::No;
        };
        let found = self.find(&words, value, context);
        match (found.plainly, found.doubtful) {
            (true, _) => Match::Yes,
            (false, Some(_)) if self.has_role() => Match::Unknown,
            (false, Some(_)) => Match::Yes,
            (false, None) => Match::No,
        }
    }

    /// Returns true if the words name this value and no other one that is possible in its place.
    pub(crate) fn determines(&self, value: &Value, context: &CallContext<'_>) -> bool {
        let Some(words) = words(context) else {
            return false;
        };
        if !self.find(&words, value, context).plainly {
            return false;
        }
        let wanted = Wanted::new(value, zone(context), self.ignore_case);
        let all = if self.kind_of(&wanted) == WordKind::Any {
            // Any other words of the text match, too; only a quotation says which are meant.
            let quoted = words.mentions(WordKind::Quoted);
            let quoted = words.beside(quoted, &self.after, &self.before);
            if !quoted.iter().any(|one| wanted.is(&words, one)) {
                return false;
            }
            quoted
        } else {
            self.candidates(&words, &wanted)
        };
        let mut others = all.iter().filter(|one| !wanted.is(&words, one));
        others.all(|other| words.doubts(other))
    }

    /// Returns the words around a value that the text only negates or quotes; `None` in a role.
    pub(crate) fn doubt(&self, value: &Value, context: &CallContext<'_>) -> Option<String> {
        let words = words(context).filter(|_| !self.has_role())?;
        let found = self.find(&words, value, context);
        let doubtful = found.doubtful.filter(|_| !found.plainly)?;
        Some(words.passage(&doubtful))
    }

    fn find(&self, words: &Words<'_>, value: &Value, context: &CallContext<'_>) -> Named {
        let wanted = Wanted::new(value, zone(context), self.ignore_case);
        let mut found = Named::default();
        let each = self.candidates(words, &wanted).into_iter();
        let same = each.filter(|one| wanted.is(words, one));
        for one in same.chain(self.literally(words, &wanted)) {
            if !words.doubts(&one) {
                found.plainly = true;
                break;
            }
            found.doubtful.get_or_insert(one);
        }
        found
    }

    /// Returns the kind of the value: the one that the contract says, or else the one that its form suggests.
    fn kind_of(&self, wanted: &Wanted) -> WordKind {
        if self.kind == WordKind::Any {
            wanted.kind()
        } else {
            self.kind
        }
    }

    /// Returns the values of the text that could be meant in place of the wanted one.
    fn candidates(&self, words: &Words<'_>, wanted: &Wanted) -> Vec<Mention> {
        let kind = self.kind_of(wanted);
        let all = if kind == WordKind::Date && wanted.is_moment() {
            words.moments()
        } else {
            words.mentions(kind)
        };
        words.beside(all, &self.after, &self.before)
    }

    /// Returns the places where the text has the value letter by letter: between quotation marks, or as whole words
    /// that nobody writes by chance.
    fn literally(&self, words: &Words<'_>, wanted: &Wanted) -> Vec<Mention> {
        let (WordKind::Any, Some(text)) = (self.kind, wanted.text()) else {
            return Vec::new();
        };
        let mut all = words.mentions(WordKind::Quoted);
        all.retain(|one| wanted.is(words, one));
        if matches!(wanted.kind(), WordKind::Any | WordKind::Path) && wanted.is_unmistakable() {
            all.extend(words.places(text, self.ignore_case));
        }
        words.beside(all, &self.after, &self.before)
    }

    /// Describes the origin: `in the owner's own words`.
    pub(crate) fn say(&self) -> String {
        let mut said = "in the owner's own words".to_owned();
        if self.kind != WordKind::Any {
            said = format!("{} {said}", self.kind.said());
        }
        for (side, each) in [("after", &self.after), ("before", &self.before)] {
            if !each.is_empty() {
                let each = joined(each.iter().map(|word| quoted(word)).collect(), "or");
                said.push_str(&format!(", right {side} {each}"));
            }
        }
        if self.ignore_case {
            said.push_str(", in letters of any case");
        }
        said
    }

    /// Reads `{ task = "email", after = "to" }`.
    pub(super) fn read<'t>(
        source: &mut Source<'t>,
        node: &'t Node<'t>,
        of: &Table<'t>,
    ) -> Option<Self> {
        let task = source.required(of, "task")?;
        let kind = kind(source, task)?;
        let extra = ["tool", "field", "argument"];
        if extra.iter().any(|key| of.table.contains_key(*key)) {
            let fix = "write two origins in a list: [{ task = … }, { tool = …, field = … }]";
            source.report(node.span(), "an origin is the task text or a tool", fix);
            return None;
        }
        let mut beside = |key: &str| match of.table.get(key) {
            Some(node) => {
                let fix = "write the word that stands beside the value, such as \"to\"";
                one_or_more(source, node, "word of a task text", fix, word)
            }
            None => Some(Vec::new()),
        };
        let (after, before) = (beside("after"), beside("before"));
        let ignore_case = match of.table.get("ignore_case") {
            Some(node) => source.boolean(node, "`ignore_case`")?,
            None => false,
        };
        Some(Self {
            kind,
            after: after?,
            before: before?,
            ignore_case,
        })
    }
}

fn kind(source: &mut Source<'_>, node: &Node<'_>) -> Option<WordKind> {
    let text = source.text(node, "`task`", BESIDE_CHARS_MAX)?;
    let mut all = WordKind::ALL.into_iter();
    let found = all.find(|kind| kind.word() == text);
    if found.is_none() {
        let names = WordKind::ALL.map(WordKind::word);
        let fix = diagnostic::nearest(&text, names).map_or_else(
            || format!("use one of: {}", names.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        let problem = format!("{text:?} is no kind of value in a task text");
        source.report(node.span(), problem, fix);
    }
    found
}

/// A word beside a value, in lower case.
fn word(text: &str) -> Option<String> {
    let plain = text
        .chars()
        .all(|c| c == ' ' || !(c.is_whitespace() || diagnostic::is_hidden(c)));
    let edges = |c: char| c.is_alphanumeric() || ".$€£¥%#".contains(c);
    let fits = plain
        && text.starts_with(edges)
        && text.ends_with(edges)
        && text.chars().count() <= BESIDE_CHARS_MAX;
    fits.then(|| text.to_lowercase())
}

/// The words of the owner, if there are any.
pub(super) fn words<'a>(context: &CallContext<'a>) -> Option<Words<'a>> {
    let text = context.view.record.words()?;
    Some(Words::new(text, today(context)))
}

fn zone<'a>(context: &CallContext<'a>) -> &'a TimeZone {
    context.zone
}

/// The day of the call in the contract's zone.
fn today(context: &CallContext<'_>) -> Date {
    let now = Timestamp::from_millisecond(context.view.now_ms).unwrap_or_default();
    context.zone.to_datetime(now).date()
}

impl fmt::Display for Spoken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::default() {
            return f.write_str("\"task\"");
        }
        write!(f, "{{ task = {}", quoted(self.kind.word()))?;
        for (key, each) in [("after", &self.after), ("before", &self.before)] {
            if !each.is_empty() {
                write!(f, ", {key} = {}", quoted_list(each))?;
            }
        }
        if self.ignore_case {
            write!(f, ", ignore_case = true")?;
        }
        f.write_str(" }")
    }
}
