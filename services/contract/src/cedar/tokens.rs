//! Splits a condition into tokens, finds the names in it, and writes it as Cedar reads it.

use std::ops::Range;

use super::ConditionError;

/// What a condition can start a name with.
pub(super) const ROOTS: [&str; 4] = ["args", "earlier", "now", "task"];
/// What Cedar knows beside them, and a condition does not.
const FOREIGN: [&str; 4] = ["action", "context", "principal", "resource"];
/// What is written before each root.
const PREFIX: &str = "context.";
/// Most tokens: with the depth below, the bound on how deep Cedar recurses.
const TOKENS_MAX: usize = 800;
/// Deepest nesting of brackets.
const DEPTH_MAX: usize = 24;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Word,
    Text,
    Number,
    Sign,
}

/// A piece of a condition.
#[derive(Debug, Clone)]
struct Token<'t> {
    kind: Kind,
    text: &'t str,
    at: usize,
}

impl Token<'_> {
    fn end(&self) -> usize {
        self.at + self.text.len()
    }

    fn is(&self, sign: &str) -> bool {
        self.kind != Kind::Text && self.text == sign
    }

    /// What a quoted text says, if nothing in it is escaped.
    fn quoted(&self) -> Option<&str> {
        let inner = self.text.strip_prefix('"')?.strip_suffix('"')?;
        (self.kind == Kind::Text && !inner.contains('\\')).then_some(inner)
    }
}

/// A name of a condition, such as `args.to.address`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Chain {
    /// One of [`ROOTS`].
    pub(super) root: String,
    /// The steps after it.
    pub(super) path: Vec<String>,
    /// How many of the steps, from the last, are only asked for by `has`.
    pub(super) asked: usize,
    /// Where it stands.
    pub(super) span: Range<usize>,
    /// The texts it is compared with.
    pub(super) compared: Vec<(String, usize)>,
}

/// A condition as it was written and as Cedar reads it.
#[derive(Debug)]
pub(super) struct Source {
    /// What Cedar reads.
    pub(super) cedar: String,
    /// The names, in the order of the text.
    pub(super) chains: Vec<Chain>,
    /// Where roots stand in the text.
    roots: Vec<usize>,
    length: usize,
}

impl Source {
    /// Reads a condition.
    pub(super) fn read(text: &str) -> Result<Self, ConditionError> {
        let tokens = split(text)?;
        bounded(&tokens)?;
        let mut roots = Vec::new();
        let mut chains = Vec::new();
        for (at, token) in tokens.iter().enumerate() {
            if token.text == "::" && token.kind == Kind::Sign {
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

    /// The place in the written text of a place in what Cedar reads.
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

/// Whether the token is a word that is neither a step of a name, nor a key of a record, nor a function.
fn stands_alone(tokens: &[Token<'_>], at: usize) -> bool {
    let near = |at: Option<usize>, sign: &str| {
        at.and_then(|at| tokens.get(at))
            .is_some_and(|token| token.is(sign))
    };
    let (last, next) = (at.checked_sub(1), at.checked_add(1));
    let step = near(last, ".") || (near(last, "has") && !near(at.checked_sub(2), "."));
    let key = near(next, ":") && (near(last, "{") || near(last, ","));
    let word = tokens.get(at).is_some_and(|token| token.kind == Kind::Word);
    word && !step && !key && !near(next, "(")
}

/// Reads the name that starts at a root.
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

/// Reads `.name` and `["name"]` from `at` on; the place behind them. A method is no step.
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
        if first.is(".") && second.kind == Kind::Word && !closes("(") {
            path.push(second.text.to_owned());
            at += 2;
        } else if first.is("[") && second.kind == Kind::Text && closes("]") {
            path.push(name(second)?);
            at += 3;
        } else {
            return Ok(at);
        }
    }
}

fn name(token: &Token<'_>) -> Result<String, ConditionError> {
    if token.kind == Kind::Text {
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

/// The texts that the name between `start` and `end` is compared with by `==`, `!=` or `[…].contains(…)`.
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

/// What the text starts with and how long that is; no kind for space and comments.
fn piece(rest: &str) -> Option<(Option<Kind>, usize)> {
    let run = |part: fn(char) -> bool| rest.find(|c| !part(c)).unwrap_or(rest.len());
    let first = rest.chars().next()?;
    if first.is_whitespace() {
        return Some((None, run(char::is_whitespace)));
    }
    if rest.starts_with("//") {
        return Some((None, run(|c| c != '\n' && c != '\r')));
    }
    if first == '"' {
        return Some((Some(Kind::Text), quoted_length(rest)?));
    }
    if first.is_ascii_digit() {
        return Some((Some(Kind::Number), run(|c| c.is_ascii_digit())));
    }
    if first.is_ascii_alphabetic() || first == '_' {
        return Some((
            Some(Kind::Word),
            run(|c| c.is_ascii_alphanumeric() || c == '_'),
        ));
    }
    let two = rest
        .get(..2)
        .filter(|two| ["::", "==", "!=", "<=", ">=", "&&", "||"].contains(two));
    Some((Some(Kind::Sign), two.map_or(first.len_utf8(), str::len)))
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
