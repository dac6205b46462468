//! Makes a conversation shorter that does not fit into one request.

use super::results::without_middle;
use crate::wire::{Message, WireResult};

/// The words in the place of an old result that is left out.
const LEFT_OUT: &str =
    "[This earlier result was left out, because the conversation is long. Call again to see it.]";
/// Most bytes of a result that is not shortened any more.
const SHORT_BYTES: usize = 2 << 10;
/// The bytes of the end of a result that stay; its mark is there.
const END_BYTES: usize = 256;

/// Leaves out the oldest result of an earlier answer, or the middle of the longest one of the last answer; false if nothing can be
/// left out.
pub(super) fn make(messages: &mut [Message]) -> bool {
    let Some((last, earlier)) = messages.split_last_mut() else {
        return false;
    };
    let mut old = earlier.iter_mut().flat_map(results_of);
    if let Some(oldest) = old.find(|result| result.text.len() > LEFT_OUT.len()) {
        LEFT_OUT.clone_into(&mut oldest.text);
        return true;
    }
    let longest = results_of(last).iter_mut();
    let longest = longest.max_by_key(|result| result.text.len());
    let Some(longest) = longest.filter(|result| result.text.len() > SHORT_BYTES) else {
        return false;
    };
    let begin = longest.text.len() / 2;
    longest.text = without_middle(&longest.text, begin, END_BYTES);
    true
}

fn results_of(message: &mut Message) -> &mut [WireResult] {
    match message {
        Message::Results(results) => results,
        Message::Words(_) | Message::Answer(_) => &mut [],
    }
}
