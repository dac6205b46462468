//! The result of an action: its outcome, usage and output.

use bus_schema::{ActionOutcome, CONTENT_BYTES_MAX, Digest, DraftGrant, Money, Usage};
use serde_json::json;

/// The result of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Done {
    /// The outcome.
    pub outcome: ActionOutcome,
    /// The usage, as far as the executor can know it. Wall time and bytes of output are measured for every action.
    pub usage: Usage,
    /// The output of the tool, or at least `{"error"}` of an action that did not succeed; never more than the grant
    /// allows.
    pub output: Vec<u8>,
    /// The bytes that it stored besides its output.
    pub stored: u64,
    /// SHA-256 of the body of the request that was sent, if there was one.
    pub sent: Option<Digest>,
}

impl Done {
    /// Makes the result of a successful action.
    #[must_use]
    pub fn succeeded(output: Vec<u8>) -> Self {
        Self {
            outcome: ActionOutcome::Succeeded,
            usage: Usage::default(),
            output,
            stored: 0,
            sent: None,
        }
    }

    /// Makes the result of a failed action.
    #[must_use]
    pub fn failed(text: &str) -> Self {
        Self::ended(ActionOutcome::Failed, text)
    }

    /// Makes the result of an action that ended before it was successful.
    #[must_use]
    pub fn ended(outcome: ActionOutcome, text: &str) -> Self {
        Self {
            outcome,
            usage: Usage::default(),
            output: json!({ "error": text }).to_string().into_bytes(),
            stored: 0,
            sent: None,
        }
    }

    /// Makes the result of an action that never began. It used no tokens, no money and no bytes; for any other action
    /// the executor may not know these amounts.
    #[must_use]
    pub fn not_begun(grant: &DraftGrant, outcome: ActionOutcome, text: &str) -> Self {
        let nothing = |money: Money| Money { minor: 0, ..money };
        let usage = Usage {
            tokens: Some(0),
            bytes_out: Some(0),
            spend: grant.counts.spend.map(nothing),
            ..Usage::default()
        };
        Self {
            usage,
            ..Self::ended(outcome, text)
        }
    }

    /// Replaces an output of more than `bound` bytes by an error.
    pub(crate) fn bound(&mut self, bound: usize) {
        if self.output.len() > bound {
            let text = format!("the output is larger than the {bound} bytes that were granted");
            self.outcome = ActionOutcome::Failed;
            self.output = error_text(&text, bound);
        }
    }
}

/// Returns the most bytes of output that the grant allows.
#[must_use]
pub fn output_bytes_max(grant: &DraftGrant) -> usize {
    let granted = usize::try_from(grant.output_bytes_max).unwrap_or(usize::MAX);
    granted.min(CONTENT_BYTES_MAX)
}

/// Encodes `{"error"}`, or nothing if even that exceeds `bound` bytes.
#[must_use]
pub fn error_text(text: &str, bound: usize) -> Vec<u8> {
    let output = json!({ "error": text }).to_string().into_bytes();
    if output.len() <= bound {
        output
    } else {
        Vec::new()
    }
}
