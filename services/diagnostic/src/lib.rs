//! Diagnostics that show a place in a document, the problem and its repair.

use std::fmt;
use std::ops::Range;

use unicode_general_category::{GeneralCategory, get_general_category};

/// Maximum number of diagnostics in a report; further ones are only counted.
pub const SHOWN_MAX: usize = 20;
/// Maximum quoted length of a source line, in characters; longer lines are cut around the caret.
pub const QUOTED_CHARS_MAX: usize = 160;
/// Maximum length of a text for [`nearest`], in characters.
pub const TYPED_CHARS_MAX: usize = 128;

/// Characters kept before the caret when a long line is cut.
const LEAD_CHARS: usize = 60;

/// One problem at one place of one text.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Diagnostic {
    file: String,
    line: usize,
    column: usize,
    problem: String,
    fix: String,
    excerpt: String,
    lead: usize,
    width: usize,
}

impl Diagnostic {
    /// Makes a diagnostic for the bytes `span` of `text`.
    ///
    /// A span that reaches beyond the text, or into the middle of a character, is moved to the
    /// nearest place inside it. A span over several lines is shown on its first line.
    /// `problem` and `fix` are one sentence each; an empty `fix` is not shown.
    #[must_use]
    pub fn at(
        file: impl Into<String>,
        text: &str,
        span: Range<usize>,
        problem: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        let start = floor(text, span.start);
        let end = floor(text, span.end).max(start);
        let before = text.get(..start).unwrap_or_default();
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let rest = text.get(line_start..).unwrap_or_default();
        let source = rest.split('\n').next().unwrap_or_default();
        let source = source.strip_suffix('\r').unwrap_or(source);
        let lead = before.get(line_start..).unwrap_or_default().chars().count();
        let marked = text.get(start..end).unwrap_or_default();
        let marked = marked.split(['\r', '\n']).next().unwrap_or_default();
        let (excerpt, lead_shown, width) = quote(source, lead, marked.chars().count());
        Self {
            file: file.into(),
            line: before.matches('\n').count() + 1,
            column: lead + 1,
            problem: problem.into(),
            fix: fix.into(),
            excerpt,
            lead: lead_shown,
            width,
        }
    }

    /// Makes a diagnostic from a `toml` error: its message, at its span, or at the start of
    /// `text` when it has none.
    #[must_use]
    pub fn from_toml(
        file: impl Into<String>,
        text: &str,
        error: &toml::de::Error,
        fix: impl Into<String>,
    ) -> Self {
        let problem = error.message().lines().collect::<Vec<_>>().join("; ");
        Self::at(file, text, error.span().unwrap_or(0..0), problem, fix)
    }

    /// The name of the document as given.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The line, counted from 1.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// The column in characters, counted from 1.
    #[must_use]
    pub fn column(&self) -> usize {
        self.column
    }

    /// The problem.
    #[must_use]
    pub fn problem(&self) -> &str {
        &self.problem
    }

    /// The repair; empty if there is none to suggest.
    #[must_use]
    pub fn fix(&self) -> &str {
        &self.fix
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (line, gutter) = (self.line, " ".repeat(self.line.to_string().len()));
        writeln!(
            f,
            "{}:{line}:{}: {}",
            escaped(&self.file),
            self.column,
            escaped(&self.problem)
        )?;
        writeln!(f, " {line} | {}", self.excerpt)?;
        write!(
            f,
            " {gutter} | {}{}",
            " ".repeat(self.lead),
            "^".repeat(self.width)
        )?;
        if self.fix.is_empty() {
            return Ok(());
        }
        let fix = self.fix.lines().map(escaped).collect::<Vec<_>>();
        write!(f, "\nfix: {}", fix.join("\n     "))
    }
}

impl std::error::Error for Diagnostic {}

/// All problems found in one pass, at least one, in the order of their places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostics {
    shown: Vec<Diagnostic>,
    hidden: usize,
}

impl Diagnostics {
    /// Returns `Ok` if there are no diagnostics; otherwise sorts by file, line and column, removes
    /// duplicates and keeps the first [`SHOWN_MAX`].
    ///
    /// # Errors
    /// The collected diagnostics, if there is at least one.
    pub fn none_in(mut found: Vec<Diagnostic>) -> Result<(), Self> {
        if found.is_empty() {
            return Ok(());
        }
        found.sort();
        found.dedup();
        let hidden = found.len().saturating_sub(SHOWN_MAX);
        found.truncate(SHOWN_MAX);
        Err(Self {
            shown: found,
            hidden,
        })
    }

    /// The shown diagnostics, sorted, from 1 to [`SHOWN_MAX`] of them.
    #[must_use]
    pub fn shown(&self) -> &[Diagnostic] {
        &self.shown
    }

    /// The number of further diagnostics.
    #[must_use]
    pub fn hidden(&self) -> usize {
        self.hidden
    }
}

impl From<Diagnostic> for Diagnostics {
    fn from(only: Diagnostic) -> Self {
        Self {
            shown: vec![only],
            hidden: 0,
        }
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, one) in self.shown.iter().enumerate() {
            if place > 0 {
                f.write_str("\n\n")?;
            }
            one.fmt(f)?;
        }
        if self.hidden > 0 {
            let noun = if self.hidden == 1 {
                "problem"
            } else {
                "problems"
            };
            write!(f, "\n\nand {} more {noun}", self.hidden)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}

/// Suggests the nearest of `known` to `typed`, if it is near enough to be a typing error:
/// at most one edit in three characters, ignoring case. Ties go to the first in order. Returns
/// `None` for a text of more than [`TYPED_CHARS_MAX`] characters.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = typed.to_lowercase();
    if lower.chars().count() > TYPED_CHARS_MAX {
        return None;
    }
    let allowed = lower.chars().count().div_ceil(3);
    known
        .into_iter()
        .map(|name| (distance(&lower, &name.to_lowercase()), name))
        .filter(|(edits, _)| *edits <= allowed)
        .min_by_key(|(edits, _)| *edits)
        .map(|(_, name)| name)
}

/// Counts the edits (insert, remove, replace) that change `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, left) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        let mut last = i + 1;
        for ((right, diagonal), above) in b.iter().zip(&row).zip(row.iter().skip(1)) {
            last = (diagonal + usize::from(left != *right))
                .min(above + 1)
                .min(last + 1);
            next.push(last);
        }
        row = next;
    }
    row.last().copied().unwrap_or_default()
}

/// Returns the largest character boundary of `text` up to `at`.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len()))
        .rev()
        .find(|&place| text.is_char_boundary(place))
        .unwrap_or_default()
}

/// Escapes a source line for a terminal and cuts it around the marked part; returns the excerpt,
/// the characters before the caret and the length of the caret line, both as displayed.
fn quote(source: &str, lead: usize, marked: usize) -> (String, usize, usize) {
    let skip = if source.chars().count() > QUOTED_CHARS_MAX {
        lead.saturating_sub(LEAD_CHARS)
    } else {
        0
    };
    let (mut excerpt, mut lead_shown, mut width) = (String::new(), 0, 0);
    if skip > 0 {
        excerpt.push('…');
        lead_shown += 1;
    }
    let mut chars = source.chars().enumerate().skip(skip);
    for (place, c) in chars.by_ref().take(QUOTED_CHARS_MAX) {
        let shown = escaped(c.encode_utf8(&mut [0; 4]));
        let cells = shown.chars().count();
        if place < lead {
            lead_shown += cells;
        } else if place < lead + marked {
            width += cells;
        }
        excerpt.push_str(&shown);
    }
    if chars.next().is_some() {
        excerpt.push('…');
    }
    (excerpt, lead_shown, width.max(1))
}

/// Escapes characters that could move the cursor, reorder text or be invisible; the result is one line.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c == '\t' {
            out.push(' ');
        } else if is_hidden(c) {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Escapes as [`escaped`] does, but keeps line ends and tabs.
#[must_use]
pub fn escaped_lines(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_hidden(c) && c != '\n' && c != '\t' {
            out.extend(c.escape_unicode());
        } else {
            out.push(c);
        }
    }
    out
}

/// Returns true if the character is invisible or moves other characters: controls, formats, direction marks, line
/// separators, unassigned and private characters, and all that Unicode permits to ignore in display (fillers, variation
/// selectors, tags).
#[must_use]
pub fn is_hidden(c: char) -> bool {
    let category = get_general_category(c);
    matches!(
        category,
        GeneralCategory::Control
            | GeneralCategory::Format
            | GeneralCategory::LineSeparator
            | GeneralCategory::ParagraphSeparator
            | GeneralCategory::PrivateUse
            | GeneralCategory::Unassigned
    ) || matches!(c, '\u{34f}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
        | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{ffa0}' | '\u{fffc}' | '\u{e0100}'..='\u{e01ef}')
}
