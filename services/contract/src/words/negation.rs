//! Values that a text negates: `do not send to …`, `except …`, `… must not get it`.
//!
//! In doubt a value counts as negated: then a person is asked.

use std::ops::Range;

use super::sentences::sentence;
use super::tokens::{SpokenToken, tokens};

/// Words that negate what follows them.
const NEGATIONS: [&str; 53] = [
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
    "nothing",
    "nichts",
    "niemand",
    "rien",
    "nada",
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
const PAIRS: [(&str, &[&str]); 12] = [
    ("leave", &["out", "off"]),
    ("refrain", &["from"]),
    ("beware", &["of"]),
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
/// Words after a negation that make it none: `do not forget`, `not only`.
const HARMLESS: [&str; 8] = [
    "only", "forget", "hesitate", "worry", "just", "problem", "nur", "vergiss",
];
/// Words after a negation that make it none before `than`: `no later than`.
const COMPARED: [&str; 5] = ["later", "earlier", "more", "less", "longer"];
/// Words before a negation that make it none: `why not write to …`.
const ASKING: [&str; 2] = ["why", "warum"];
/// Words before `forget` that make it none of the negations: `do not forget`.
const NEGATED: [&str; 4] = ["not", "t", "never", "nicht"];
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
const VERBS: [&str; 31] = [
    "is", "are", "was", "were", "must", "should", "shall", "may", "can", "could", "would", "will",
    "has", "had", "does", "did", "isn", "aren", "shouldn", "mustn", "won", "doesn", "didn", "wasn",
    "darf", "soll", "sollte", "wird", "ist", "hat", "kann",
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
fn negates_behind(before: &[SpokenToken]) -> bool {
    let mut reaches = false;
    let mut conditional = false;
    let mut inserted = false;
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
        let order = comma && token.is_one_of(&ORDERS);
        if reaches && ((is_turn(rest) && !excepts) || (order && !inserted)) {
            reaches = false;
        }
        inserted &= !order;
        if token.is(",") && conditional {
            (reaches, conditional) = (false, false);
        }
        let asks = last.is_some_and(|last| last.is_one_of(&ASKING));
        let forgets = token.is("forget") && !last.is_some_and(|last| last.is_one_of(&NEGATED));
        if (negation(rest) && !asks) || forgets {
            reaches = true;
            // `do not, whatever he says, write to …`
            inserted = rest.get(1).is_some_and(|next| next.is(","));
        }
    }
    reaches
}

fn is_turn(tokens: &[SpokenToken]) -> bool {
    let next = tokens.get(1);
    let pair = next.is_some_and(|next| next.is_one_of(&["of", "than"]));
    tokens.first().is_some_and(|token| token.is_one_of(&TURNS)) && !pair
}

fn is_pair(first: &SpokenToken, second: Option<&SpokenToken>) -> bool {
    PAIRS
        .iter()
        .any(|(one, others)| first.is(one) && second.is_some_and(|second| second.is_one_of(others)))
}

/// Returns true if a negation begins at the first of these tokens.
fn negation(tokens: &[SpokenToken]) -> bool {
    let Some(token) = tokens.first() else {
        return false;
    };
    let next = tokens.get(1);
    let pair = is_pair(token, next);
    // `don't`, `isn’t`.
    let short = token.is_one_of(&["'", "\u{2019}"])
        && next.is_some_and(|next| next.is("t") && next.at.start == token.at.end);
    let behind = if short { tokens.get(2) } else { next };
    let than = tokens
        .iter()
        .take(4)
        .any(|word| word.is_one_of(&["than", "als"]));
    let harmless =
        behind.is_some_and(|word| word.is_one_of(&HARMLESS) || (than && word.is_one_of(&COMPARED)));
    let stops = token.is("stop") && next.is_some_and(|next| next.text.ends_with("ing"));
    // `no. 5` is a number.
    let number =
        token.is("no") && next.is_some_and(|next| next.is(".") || next.number(9).is_some());
    let word = token.is_one_of(&NEGATIONS) && !number;
    pair || stops || ((word || short) && !harmless)
}

/// Returns true if these tokens begin with a clause that negates what is before it.
fn negates_before(after: &[SpokenToken]) -> bool {
    let is_sign = |token: &&SpokenToken| !token.text.starts_with(char::is_alphanumeric);
    let mut words = after.iter().filter(|token| !is_sign(token));
    if let (Some(only), None) = (words.next(), words.next())
        && only.is_one_of(&NEGATIONS)
    {
        return true;
    }
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
            let later = next
                .iter()
                .take(3)
                .any(|word| word.is_one_of(&["nicht", "nie", "keine"]));
            if later {
                return true;
            }
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
