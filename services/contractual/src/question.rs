//! A question: a call that needs an approval, as text for the person who signs it.

use bus_schema::{AuthorId, CONTENT_BYTES_MAX, Content, DraftGrant, PLAN_CALLS_MAX};
use diagnostic::escaped;
use gateway::client::Client;
use serde_json::Value;

use crate::{
    fact::{bytes, field, one_line},
    unusual::unusual,
};

/// A question: the draft that a person signs, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The draft grant.
    pub(crate) draft: DraftGrant,
    /// The contract's reason for the question, as policy stored it.
    pub(crate) reason: Option<Content>,
}

impl Question {
    /// Returns true if a person has to answer at a terminal.
    pub(crate) fn attended(&self) -> bool {
        let asked = self.draft.asked.as_ref();
        asked.is_some_and(|asked| asked.attended)
    }

    /// The contract's reason for the question on one line, escaped.
    pub(crate) async fn why(&self, client: &Client) -> String {
        match &self.reason {
            Some(reason) => one_line(&bytes(reason, AuthorId::Policy, client).await),
            None => String::new(),
        }
    }

    /// The question of an event `approval.requested`.
    pub(crate) fn of(fact: &Value) -> Option<Self> {
        Some(Self {
            draft: field(fact, "draft")?,
            reason: field(fact, "reason"),
        })
    }

    /// The lines of a question: all facts that matter for the decision, with the arguments byte for byte as the tool
    /// gets them (canonical JSON on one line). `step` names the step that proposed the call, `contract` the contract
    /// that asks.
    ///
    /// # Errors
    /// Returns the reason for which the arguments cannot be shown; they are not signed then.
    pub(crate) async fn lines(
        &self,
        step: &str,
        contract: &str,
        client: &Client,
    ) -> Result<String, String> {
        let draft = &self.draft;
        let args = match client.content(draft.args_by, &draft.args).await {
            Ok(Some(bytes)) => arguments(bytes)?,
            Ok(None) => return Err("the arguments were erased".to_owned()),
            Err(error) => return Err(format!("the arguments cannot be read: {error}")),
        };
        let reason = self.why(client).await;
        let until = draft.asked.as_ref();
        let until = until.map_or_else(|| "?".to_owned(), |asked| asked.until.to_string());
        let person = if self.attended() {
            ", given by a person at a terminal"
        } else {
            ""
        };
        let len = args.len();
        let mut lines = vec![
            ("contract", contract.to_owned()),
            ("rule", draft.rule.to_string()),
            ("reason", reason),
            ("step", step.to_owned()),
            ("action", draft.action.to_string()),
            ("tool", draft.tool.to_string()),
            ("arguments", args.clone()),
            (
                "",
                format!("exactly these {len} bytes, as the tool gets them"),
            ),
        ];
        lines.extend(unusual(&args).map(|what| ("unusual", what)));
        lines.extend([
            (
                "limits",
                format!(
                    "{} ms, {} bytes of output, once",
                    draft.wall_ms, draft.output_bytes_max
                ),
            ),
            ("answer", format!("valid until {until}{person}")),
            ("digest", draft.digest().to_string()),
        ]);
        let lines = lines
            .iter()
            .map(|(name, value)| format!("\n    {name:<9} {}", escaped(value)));
        Ok(lines.collect())
    }
}

/// Divides questions into lists that are answered together: of one contract, at most [`PLAN_CALLS_MAX`] calls each.
pub(crate) fn plans(questions: Vec<Question>) -> Vec<Vec<Question>> {
    let mut plans: Vec<Vec<Question>> = Vec::new();
    for question in questions {
        let fits = |plan: &&mut Vec<Question>| {
            let first = plan.first();
            let same = first.is_some_and(|first| first.draft.contract == question.draft.contract);
            same && plan.len() < PLAN_CALLS_MAX
        };
        match plans.iter_mut().find(fits) {
            Some(plan) => plan.push(question),
            None => plans.push(vec![question]),
        }
    }
    plans
}

/// The text of one question, or of several that are answered together, given the lines of each.
pub(crate) fn text(questions: &[String]) -> String {
    match questions {
        [only] => format!("\n  The contract asks for your yes:{only}\n"),
        several => {
            let all = several.len();
            let mut text =
                format!("\n  The contract asks for your yes to all of these {all} calls:");
            for (at, lines) in several.iter().enumerate() {
                text.push_str(&format!("\n\n    call {} of {all}{lines}", at + 1));
            }
            text.push('\n');
            text
        }
    }
}

/// Returns the text of the arguments if it is canonical JSON, the only form that is signed.
fn arguments(bytes: Vec<u8>) -> Result<String, String> {
    bus_schema::json::parse_canonical(&bytes, CONTENT_BYTES_MAX)
        .map_err(|error| format!("the arguments cannot be shown as they are ({error})"))?;
    String::from_utf8(bytes).map_err(|_| "the arguments are not UTF-8".to_owned())
}

#[cfg(test)]
mod tests {
    use super::arguments;

    #[test]
    fn only_canonical_arguments_are_shown_to_be_signed() {
        let good = "{\"a\":[1,\"\u{202e}\"],\"b\":null}";
        assert_eq!(arguments(good.into()).as_deref(), Ok(good));
        for bad in [
            "{\"a\": 1}",
            "{\"a\":1}\n",
            "{\"b\":1,\"a\":2}",
            "{\"a\":1.0}",
            "{\"a\":\"\\u0061\"}",
            "{\"a\":1,\"a\":1}",
            "a",
        ] {
            let why = arguments(bad.into()).unwrap_err();
            assert!(why.starts_with("the arguments cannot be shown"), "{why}");
        }
        assert!(arguments(vec![b'"', 0xff, b'"']).is_err());
    }
}
