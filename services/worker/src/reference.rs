//! Reads references such as `{list.files[0].path}` and the texts that hold them.

use std::fmt;
use std::ops::Range;

/// Longest reference, in characters, braces included.
pub const REFERENCE_CHARS_MAX: usize = 256;
/// Largest number of digits of an index.
const INDEX_DIGITS_MAX: usize = 6;

/// The root of a reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Root {
    /// The item of the `for_each` step that holds the reference.
    Item,
    /// The values of the inputs of the playbook.
    Input,
    /// The values of the slots of the task.
    Slot,
    /// The outcome of the step at this index.
    Step(u16),
}

/// One step from a value to a part of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `.name`; directly after a step, `.text` is the whole output.
    Name(String),
    /// `["name"]`: always a field.
    Quoted(String),
    /// `[0]`
    Index(usize),
    /// `.*`
    Each,
}

impl Segment {
    /// Returns the field that it names, if any.
    pub(crate) fn field(&self) -> Option<&str> {
        match self {
            Self::Name(name) | Self::Quoted(name) => Some(name),
            Self::Index(_) | Self::Each => None,
        }
    }
}

/// A reference whose root is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reference {
    pub(crate) root: Root,
    pub(crate) path: Vec<Segment>,
    /// The source text, braces included.
    pub(crate) written: String,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Plain text; doubled braces are single here.
    Literal(String),
    /// A reference.
    Reference(Reference),
}

/// An error in a text; `at` is the byte range of the wrong part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) at: Range<usize>,
    pub(crate) problem: String,
    pub(crate) fix: String,
}

impl Wrong {
    fn new(at: Range<usize>, problem: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            at,
            problem: problem.into(),
            fix: fix.into(),
        }
    }
}

/// Resolves the root of a reference, or returns its error as `(problem, fix)`.
pub(crate) type Roots<'a> = &'a dyn Fn(&str, &[Segment]) -> Result<Root, (String, String)>;

/// Splits `text` into pieces; neighbours are never both literal.
///
/// # Errors
/// The first part that is neither text nor a reference.
pub(crate) fn pieces(text: &str, roots: Roots<'_>) -> Result<Vec<Piece>, Wrong> {
    let mut out = Vec::new();
    let mut literal = String::new();
    let mut at = 0;
    while let Some(c) = text.get(at..).and_then(|rest| rest.chars().next()) {
        let rest = text.get(at..).unwrap_or_default();
        if rest.starts_with("{{") || rest.starts_with("}}") {
            literal.push(c);
            at += 2;
        } else if c == '}' {
            return Err(Wrong::new(
                at..at + 1,
                "a `}` stands alone",
                "write `}}` for a brace that is text",
            ));
        } else if c == '{' {
            let Some(len) = rest.find('}') else {
                return Err(Wrong::new(
                    at..at + 1,
                    "a `{` opens a reference that no `}` closes",
                    "close the reference, or write `{{` for a brace that is text",
                ));
            };
            if !literal.is_empty() {
                out.push(Piece::Literal(std::mem::take(&mut literal)));
            }
            let written = rest.get(..=len).unwrap_or_default();
            out.push(Piece::Reference(reference(written, at, roots)?));
            at += len + 1;
        } else {
            literal.push(c);
            at += c.len_utf8();
        }
    }
    if !literal.is_empty() {
        out.push(Piece::Literal(literal));
    }
    Ok(out)
}

/// Reads one reference, `written` with its braces, that starts at byte `at` of its text.
fn reference(written: &str, at: usize, roots: Roots<'_>) -> Result<Reference, Wrong> {
    let whole = at..at + written.len();
    if written.chars().count() > REFERENCE_CHARS_MAX {
        return Err(Wrong::new(
            whole,
            format!("a reference is longer than {REFERENCE_CHARS_MAX} characters"),
            "shorten it, or write `{{` for a brace that is text",
        ));
    }
    let inner = written
        .strip_prefix('{')
        .and_then(|w| w.strip_suffix('}'))
        .unwrap_or_default();
    let wrong = |problem: String| {
        Wrong::new(
            whole.clone(),
            format!("`{written}` is not a reference: {problem}"),
            "write it like `{step.field}`, `{step.list[0]}` or `{step.list.*.field}`, \
             or write `{{` for a brace that is text",
        )
    };
    let (root, mut rest) = name(inner);
    if root.is_empty() {
        return Err(wrong("it does not start with the id of a step".into()));
    }
    let mut path = Vec::new();
    while !rest.is_empty() {
        let (segment, after) = segment(rest).map_err(&wrong)?;
        path.push(segment);
        rest = after;
    }
    let root =
        roots(root, &path).map_err(|(problem, fix)| Wrong::new(whole.clone(), problem, fix))?;
    Ok(Reference {
        root,
        path,
        written: written.into(),
    })
}

/// Splits one segment off the front of `rest`.
fn segment(rest: &str) -> Result<(Segment, &str), String> {
    if let Some(after) = rest.strip_prefix(".*") {
        return Ok((Segment::Each, after));
    }
    if let Some(after) = rest.strip_prefix('.') {
        let (field, after) = name(after);
        if field.is_empty() {
            return Err("a `.` is not followed by a field or `*`".into());
        }
        return Ok((Segment::Name(field.into()), after));
    }
    if let Some(after) = rest.strip_prefix("[\"") {
        let (field, after) = after
            .split_once("\"]")
            .filter(|(field, _)| !field.is_empty() && !field.contains('"'))
            .ok_or("a `[\"` is not followed by a name and `\"]`")?;
        return Ok((Segment::Quoted(field.into()), after));
    }
    if let Some(after) = rest.strip_prefix('[') {
        let (digits, after) = after.split_once(']').ok_or("a `[` is not closed by `]`")?;
        let plain = !digits.is_empty()
            && digits.len() <= INDEX_DIGITS_MAX
            && digits.bytes().all(|b| b.is_ascii_digit())
            && (digits == "0" || !digits.starts_with('0'));
        let index = digits.parse().ok().filter(|_| plain);
        let index =
            index.ok_or_else(|| format!("`[{digits}]` is not an index from 0 to 999999"))?;
        return Ok((Segment::Index(index), after));
    }
    let c = rest.chars().next().unwrap_or_default();
    Err(format!("`{}` cannot stand there", c.escape_debug()))
}

/// Splits the longest name off the front of `rest`; it may be empty.
fn name(rest: &str) -> (&str, &str) {
    let end = rest
        .find(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '-')
        .unwrap_or(rest.len());
    rest.split_at(end)
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, ".{name}"),
            Self::Quoted(name) => write!(f, "[\"{name}\"]"),
            Self::Index(index) => write!(f, "[{index}]"),
            Self::Each => f.write_str(".*"),
        }
    }
}

impl Reference {
    /// Returns the source text before the segment at `end`, without braces.
    pub(crate) fn prefix(&self, end: usize) -> String {
        let inner = self.written.strip_prefix('{').unwrap_or(&self.written);
        let mut out = name(inner).0.to_string();
        for segment in self.path.iter().take(end) {
            out.push_str(&segment.to_string());
        }
        out
    }
}
