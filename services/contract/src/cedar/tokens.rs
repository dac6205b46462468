//! Splits a condition into tokens, finds the names in it, and converts it to Cedar source.

use std::ops::Range;

use super::ConditionError;

/// The roots of names in a condition.
pub(super) const ROOTS: [&str; 4] = ["args", "earlier", "now", "task"];
/// The roots of Cedar that a condition cannot use.
const FOREIGN: [&str; 4] = ["action", "context", "principal", "resource"];
/// The prefix that is added to each root.
const PREFIX: &str = "context.";
/// Maximum number of tokens; together with [`DEPTH_MAX`], it bounds the recursion of Cedar.
const TOKENS_MAX: usize = 800;
/// Maximum nesting of brackets.
const DEPTH_MAX: usize = 24;

/// The kind of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TokenKind {
    Word,
    Text,
    Number,
    Sign,
}

/// A token of a condition.
#[derive(Debug, Clone)]
struct Token<'t> {
    kind: TokenKind,
    text: &'t str,
    at: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.at + self.text.len()
    }

    fn is(&self, sign: &str) -> bool {
        self.kind != TokenKind::Text && self.text == sign
    }

    /// The content of a quoted text, if it has no escapes.
    fn quoted(&self) -> Option<&str> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        (self.kind == TokenKind::Text && !inner.contains('\\')).then_some(inner)
    }
}

/// A name of a condition, such as `args.to.address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// One of [`ROOTS`].
    pub(super) root: String,
    /// The steps after it.
    pub(super) path: Vec<String>,
    /// The number of last steps that are only tested by `has`.
    pub(super) asked: usize,
    /// The place in the text.
    pub(super) span: Range<usize>,
    /// The texts that the name is compared with, with their places.
    pub(super) compared: Vec<(String, usize)>,
}

/// A condition as written and as Cedar source.
#[derive(Debug)]
pub(super) struct ParsedCondition {
    /// The Cedar source.
    pub(super) cedar: String,
    /// The names, in the order of the text.
    pub(super) chains: Vec<Chain>,
    /// The places of the roots in the text.
    roots: Vec<usize>,
    length: usize,
}

impl ParsedCondition {
    /// Parses a condition.
    pub(super) fn read(text: &str) -> Result<Self, ConditionError> {
        let tokens = split(text)?;
        bounded(&tokens)?;
        let mut roots = Vec::new();
        let mut chains = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            if token.text == "::" && token.kind == TokenKind::Sign {
                let problem = "a condition names no entities; compare texts, such as `task.principal == \"session\"`";
                return Err(ConditionError::new(token.at, problem));
            }
            if !stands_alone(&tokens, at) {
                continue;
            }
            if FOREIGN.contains(&token.text) {
                let problem = format!(
                    "`{}` means nothing here; use `args`, `task`, `now` or `earlier`",
                    token.text
                );
                return Err(ConditionError::new(token.at, problem));
            }
            if ROOTS.contains(&token.text) {
                roots.push(token.at);
                chains.push(chain(&tokens, at)?);
            }
        }
        Ok(Self {
            cedar: rewritten(text, &roots),
            chains,
            roots,
            length: text.len(),
        })
    }

    /// Converts a place in the Cedar source to a place in the written text.
    pub(super) fn place(&self, cedar: usize) -> usize {
        let mut added = 0;
        for root in &self.roots {
            let start = root + added;
            if cedar <= start {
                break;
            }
            if cedar < start + PREFIX.len() {
                return *root;
            }
            added += PREFIX.len();
        }
        cedar.saturating_sub(added).min(self.length)
    }
}

fn rewritten(text: &str, roots: &[usize]) -> String {
    let mut cedar = String::with_capacity(text.len() + roots.len() * PREFIX.len());
    let mut done = 0;
    for root in roots {
        cedar.push_str(text.get(done..*root).unwrap_or_default());
        cedar.push_str(PREFIX);
        done = *root;
    }
    cedar.push_str(text.get(done..).unwrap_or_default());
    cedar
}

/// Returns true if the token is a word, but not a step of a name, a key of a record or a function.
fn stands_alone(tokens: &[Token<'_>], at: usize) -> bool {
    let near = |at: Option<usize>, sign: &str| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| token.is(sign))
    };
    let (last, next) = (at.checked_sub(1), at.checked_add(1));
    let step = near(last, ".") || (near(last, "has") && !near(at.checked_sub(2), "."));
    let key = near(next, ":") && (near(last, "{") || near(last, ","));
    let word = tokens
        .get(at)
        .is_some_and(|token| token.kind == TokenKind::Word);
    word && !step && !key && !near(next, "(")
}

/// Parses the name that starts at a root.
fn chain(tokens: &[Token<'_>], start: usize) -> Result<Chain, ConditionError> {
    let mut path = Vec::new();
    let mut at = steps(tokens, start + 1, &mut path)?;
    let used = path.len();
    if tokens.get(at).is_some_and(|token| token.is("has")) {
        if let Some(step) = tokens.get(at + 1) {
            path.push(name(step)?);
        }
        at = steps(tokens, at + 2, &mut path)?;
    }
    let from = tokens.get(start);
    let to = at
        .checked_sub(1)
        .and_then(|at| tokens.get(at))
        .or(tokens.last());
    Ok(Chain {
        root: from.map(|token| token.text.to_owned()).unwrap_or_default(),
        asked: path.len() - used,
        path,
        span: from.map_or(0, |token| token.at)..to.map_or(0, Token::end),
        compared: compared(tokens, start, at),
    })
}

/// Parses `.name` and `["name"]` from `at` on; returns the place after them. A method is not a step.
fn steps(
    tokens: &[Token<'_>],
    mut at: usize,
    path: &mut Vec<String>,
) -> Result<usize, ConditionError> {
    loop {
        let [first, second, rest @ ..] = tokens.get(at..).unwrap_or_default() else {
            return Ok(at);
        };
        let closes = |sign: &str| rest.first().is_some_and(|token| token.is(sign));
        if first.is(".") && second.kind == TokenKind::Word && !closes("(") {
            path.push(second.text.to_owned());
            at += 2;
        } else if first.is("[") && second.kind == TokenKind::Text && closes("]") {
            path.push(name(second)?);
            at += 3;
        } else {
            return Ok(at);
        }
    }
}

fn name(token: &Token<'_>) -> Result<String, ConditionError> {
    if token.kind == TokenKind::Text {
        let plain = token.quoted().map(str::to_owned);
        return plain.ok_or_else(|| {
            ConditionError::new(
                token.at,
                "a name has no escapes such as `\\n`; write it plainly",
            )
        });
    }
    Ok(token.text.to_owned())
}

/// Returns the texts that the name between `start` and `end` is compared with by `==`, `!=` or `[…].contains(…)`.
fn compared(tokens: &[Token<'_>], start: usize, end: usize) -> Vec<(String, usize)> {
    let equals =
        |token: Option<&Token<'_>>| token.is_some_and(|token| token.is("==") || token.is("!="));
    let mut found = Vec::new();
    let mut note = |token: Option<&Token<'_>>| {
        if let Some((text, at)) = token.and_then(|token| Some((token.quoted()?, token.at))) {
            found.push((text.to_owned(), at));
        }
    };
    if equals(tokens.get(end)) {
        note(tokens.get(end + 1));
    }
    let before = tokens.get(..start).unwrap_or_default();
    match before {
        [.., other, sign] if equals(Some(sign)) => note(Some(other)),
        [list @ .., close, dot, method, open]
            if open.is("(") && method.is("contains") && dot.is(".") && close.is("]") =>
        {
            let items = list.iter().rev().take_while(|token| !token.is("["));
            items.for_each(|item| note(Some(item)));
        }
        _ => {}
    }
    found
}

fn bounded(tokens: &[Token<'_>]) -> Result<(), ConditionError> {
    if let Some(token) = tokens.get(TOKENS_MAX) {
        let problem = format!(
            "a condition has at most {TOKENS_MAX} words and signs; split it into several rules"
        );
        return Err(ConditionError::new(token.at, problem));
    }
    let mut depth = 0_usize;
    for token in tokens {
        if ["(", "[", "{", "if"].iter().any(|open| token.is(open)) {
            depth += 1;
        } else if [")", "]", "}"].iter().any(|close| token.is(close)) {
            depth = depth.saturating_sub(1);
        }
        if depth > DEPTH_MAX {
            let problem =
                format!("a condition nests at most {DEPTH_MAX} deep; split it into several rules");
            return Err(ConditionError::new(token.at, problem));
        }
    }
    Ok(())
}

fn split(text: &str) -> Result<Vec<Token<'_>>, ConditionError> {
    let mut tokens = Vec::new();
    let mut at = 0;
    while let Some(rest) = text.get(at..).filter(|rest| !rest.is_empty()) {
        let (kind, length) =
            piece(rest).ok_or_else(|| ConditionError::new(at, "this text has no end; add `\"`"))?;
        let token = text.get(at..at + length).unwrap_or(rest);
        if let Some(kind) = kind {
            tokens.push(Token {
                kind,
                text: token,
                at,
            });
        }
        at += token.len();
    }
    Ok(tokens)
}

/// Returns the kind and length of the first token; no kind for space and comments.
fn piece(rest: &str) -> Option<(Option<TokenKind>, usize)> {
    let run = |part: fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some((None, run(char::is_whitespace)));
    }
    if rest.starts_with("//") {
        return Some((None, run(|c| c != '\n' && c != '\r')));
    }
    if first == '"' {
        return Some((Some(TokenKind::Text), quoted_length(rest)?));
    }
    if first.is_ascii_digit() {
        return Some((Some(TokenKind::Number), run(|c| c.is_ascii_digit())));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        return Some((
            Some(TokenKind::Word),
            run(|c| c.is_ascii_alphanumeric() || c == '_'),
        ));
    }
    let two = rest
        .get(..2)
        .filter(|two| ["::", "==", "!=", "<=", ">=", "&&", "||"].contains(two));
    Some((
        Some(TokenKind::Sign),
        two.map_or(first.len_utf8(), str::len),
    ))
}

fn quoted_length(rest: &str) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return Some(at + 1),
            _ => {}
        }
    }
    None
}
