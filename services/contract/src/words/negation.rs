//! Values that a text negates: `do not send to …`, `except …`, `… must not get it`.
//!
//! In doubt a value counts as negated: then a person is asked.

use std::ops::Range;

use super::sentences::sentence;
use super::tokens::{Token, tokens};

/// Words that negate what follows them.
const NEGATIONS: [&str; 48] = [
    "not",
    "no",
    "never",
    "neither",
    "nor",
    "without",
    "except",
    "excepting",
    "excluding",
    "exclude",
    "excluded",
    "excludes",
    "ignore",
    "ignores",
    "ignored",
    "ignoring",
    "avoid",
    "avoiding",
    "skip",
    "omit",
    "forbid",
    "forbidden",
    "prohibit",
    "prohibited",
    "cannot",
    "nobody",
    "none",
    "nicht",
    "kein",
    "keine",
    "keinen",
    "keinem",
    "keiner",
    "keines",
    "niemals",
    "nie",
    "ohne",
    "außer",
    "ausser",
    "statt",
    "anstatt",
    "ignoriere",
    "ignorieren",
    "jamais",
    "sauf",
    "sans",
    "nunca",
    "excepto",
];
/// Pairs of words that negate what follows them.
const PAIRS: [(&str, &[&str]); 9] = [
    ("instead", &["of"]),
    ("rather", &["than"]),
    ("other", &["than"]),
    ("apart", &["from"]),
    ("all", &["but"]),
    ("anyone", &["but", "except"]),
    ("everyone", &["but", "except"]),
    ("anybody", &["but", "except"]),
    ("everybody", &["but", "except"]),
];
/// Words after a negation that make it none: `do not forget`, `not only`, `no later than`.
const HARMLESS: [&str; 13] = [
    "only", "later", "earlier", "more", "less", "longer", "forget", "hesitate", "worry", "just",
    "problem", "nur", "vergiss",
];
/// Words that turn: what follows them is meant.
const TURNS: [&str; 6] = ["but", "sondern", "instead", "rather", "mais", "sino"];
/// Words after a comma that begin another order.
const ORDERS: [&str; 42] = [
    "please", "then", "just", "send", "write", "use", "pay", "book", "invite", "create", "add",
    "make", "put", "tell", "mail", "email", "forward", "share", "transfer", "schedule", "reply",
    "post", "give", "get", "find", "move", "copy", "save", "set", "update", "ask", "take", "call",
    "i", "we", "you", "he", "she", "it", "they", "bitte", "sende",
];
/// Words that make a negation a condition: `if there is no …, then …`.
const CONDITIONS: [&str; 7] = ["if", "when", "whether", "in case", "falls", "wenn", "si"];
/// Verbs before a negation that speak of what is before them: `… must not get it`.
const VERBS: [&str; 26] = [
    "is", "are", "was", "were", "must", "should", "shall", "may", "can", "could", "would", "will",
    "has", "had", "does", "did", "isn", "aren", "shouldn", "mustn", "won", "doesn", "didn", "wasn",
    "darf", "soll",
];
/// Words that join another clause, so that a verb behind them speaks of something else.
const JOINTS: [&str; 7] = ["and", "or", "but", "then", "so", "und", "oder"];

/// Returns true if the sentence around a place negates it.
pub(super) fn is_negated(text: &str, at: &Range<usize>) -> bool {
    let whole = sentence(text, at);
    let before = tokens(text.get(whole.start..at.start).unwrap_or_default());
    let after = tokens(text.get(at.end..whole.end).unwrap_or_default());
    negates_behind(&before) || negates_before(&after)
}

/// Returns true if a negation in these tokens reaches to their end.
fn negates_behind(before: &[Token]) -> bool {
    let mut reaches = false;
    let mut conditional = false;
    for place in 0..before.len() {
        let rest = before.get(place..).unwrap_or_default();
        let Some(token) = rest.first() else {
            break;
        };
        if token.is_one_of(&CONDITIONS) {
            conditional = !reaches;
        }
        let last = place.checked_sub(1).and_then(|last| before.get(last));
        let comma = last.is_some_and(|last| last.is(","));
        let excepts = last.is_some_and(|last| is_pair(last, Some(token)));
        if reaches && ((is_turn(rest) && !excepts) || (comma && token.is_one_of(&ORDERS))) {
            reaches = false;
        }
        if token.is(",") && conditional {
            (reaches, conditional) = (false, false);
        }
        if negation(rest) {
            reaches = true;
        }
    }
    reaches
}

fn is_turn(tokens: &[Token]) -> bool {
    let next = tokens.get(1);
    let pair = next.is_some_and(|next| next.is_one_of(&["of", "than"]));
    tokens.first().is_some_and(|token| token.is_one_of(&TURNS)) && !pair
}

fn is_pair(first: &Token, second: Option<&Token>) -> bool {
    PAIRS
        .iter()
        .any(|(one, others)| first.is(one) && second.is_some_and(|second| second.is_one_of(others)))
}

/// Returns true if a negation begins at the first of these tokens.
fn negation(tokens: &[Token]) -> bool {
    let Some(token) = tokens.first() else {
        return false;
    };
    let next = tokens.get(1);
    let pair = is_pair(token, next);
    // `don't`, `isn’t`.
    let short = token.is_one_of(&["'", "\u{2019}"])
        && next.is_some_and(|next| next.is("t") && next.at.start == token.at.end);
    let behind = if short { tokens.get(2) } else { next };
    let harmless = behind.is_some_and(|word| word.is_one_of(&HARMLESS));
    let stops = token.is("stop") && next.is_some_and(|next| next.text.ends_with("ing"));
    // `no. 5` is a number.
    let number =
        token.is("no") && next.is_some_and(|next| next.is(".") || next.number(9).is_some());
    let word = token.is_one_of(&NEGATIONS) && !number;
    pair || stops || ((word || short) && !harmless)
}

/// Returns true if these tokens begin with a clause that negates what is before it.
fn negates_before(after: &[Token]) -> bool {
    for place in 0..after.len() {
        let rest = after.get(place..).unwrap_or_default();
        let [token, next @ ..] = rest else {
            return false;
        };
        if token.is(",") || token.is_one_of(&JOINTS) {
            return false;
        }
        if token.is_one_of(&["excluded", "ignored", "forbidden"]) {
            return true;
        }
        if token.is_one_of(&VERBS) {
            let word = next.first();
            let be = word.is_some_and(|word| word.is_one_of(&["to", "be"]));
            return negation(next)
                || (be
                    && next
                        .iter()
                        .take(3)
                        .any(|word| negation(std::slice::from_ref(word))));
        }
        if token.is_one_of(&["not", "nicht"]) {
            return false;
        }
    }
    false
}
