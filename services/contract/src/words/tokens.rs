//! The words, digits and signs of a text.

use std::ops::Range;

/// A run of letters, a run of digits, or one sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SpokenToken {
    pub(super) at: Range<usize>,
    /// In lower case.
    pub(super) text: String,
}

impl SpokenToken {
    pub(super) fn is(&self, text: &str) -> bool {
        self.text == text
    }

    pub(super) fn is_one_of(&self, texts: &[&str]) -> bool {
        texts.contains(&self.text.as_str())
    }

    /// The number of a run of at most `most` ASCII digits.
    pub(super) fn number(&self, most: usize) -> Option<i32> {
        let digits = self.text.bytes().all(|c| c.is_ascii_digit());
        (digits && self.text.len() <= most).then(|| self.text.parse().ok())?
    }
}

/// Returns the tokens of a text, without white space.
pub(super) fn tokens(text: &str) -> Vec<SpokenToken> {
    #[derive(PartialEq)]
    enum Of {
        Letters,
        Digits,
        Sign,
    }
    let mut found: Vec<SpokenToken> = Vec::new();
    let mut last = (0, Of::Sign);
    for (at, c) in text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
        let of = if c.is_numeric() {
            Of::Digits
        } else if super::edges::is_part(c) {
            Of::Letters
        } else {
            Of::Sign
        };
        let end = at + c.len_utf8();
        let lower = c.to_lowercase();
        match found.last_mut() {
            Some(token) if last == (at, Of::Letters) && of == Of::Letters => {
                token.at.end = end;
                token.text.extend(lower);
            }
            Some(token) if last == (at, Of::Digits) && of == Of::Digits => {
                token.at.end = end;
                token.text.extend(lower);
            }
            Some(_) | None => found.push(SpokenToken {
                at: at..end,
                text: lower.collect(),
            }),
        }
        last = (end, of);
    }
    found
}
