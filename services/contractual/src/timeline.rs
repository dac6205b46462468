//! The timeline: a task's events as text, and their totals.

use std::collections::BTreeMap;

use bus_schema::{ActionId, AuthorId, CONTENT_BYTES_MAX, Content, DraftGrant, Time};
use diagnostic::escaped;
use gateway::{api::Event, client::Client};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{output::Output, unusual::unusual};

/// Most characters of a content on one line.
const SHOWN_CHARS_MAX: usize = 160;

/// The totals of a task's events.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Counts {
    /// Granted actions.
    pub(crate) granted: u32,
    /// Actions that needed an approval.
    pub(crate) asked: u32,
    /// Refused actions.
    pub(crate) refused: u32,
    /// True if the task succeeded.
    pub(crate) succeeded: bool,
    /// The task's outcome.
    pub(crate) outcome: String,
}

#[derive(Debug, Clone)]
struct Proposed {
    step: String,
    tool: String,
    at: Time,
    started: Option<Time>,
}

/// Folds a task's events into lines.
#[derive(Debug, Default)]
pub(crate) struct Timeline {
    begun: Option<Time>,
    actions: BTreeMap<ActionId, Proposed>,
    /// The totals of the events so far.
    pub(crate) counts: Counts,
    /// The time from the submission of the task to its first finished action.
    pub(crate) first_action_ms: Option<u64>,
}

/// A line of the timeline, and the question that comes with it.
#[derive(Debug)]
pub(crate) struct Shown {
    head: String,
    verdict: String,
    text: String,
    /// The action that the event is about.
    pub(crate) action: Option<ActionId>,
    /// The question, if the event asks one.
    pub(crate) ask: Option<Question>,
    /// The action whose question ends with the event.
    pub(crate) decided: Option<ActionId>,
}

/// A question: the draft that a person signs, and the reason.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    /// The draft grant.
    pub(crate) draft: DraftGrant,
    /// The contract's reason for the question, as policy stored it.
    pub(crate) reason: Option<Content>,
}

impl Timeline {
    /// Creates an empty timeline.
    #[must_use]
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Adds an event and returns its line.
    pub(crate) async fn show(&mut self, event: &Event, client: &Client) -> Shown {
        let begun = *self.begun.get_or_insert(event.stored);
        let fact = event.body.get("fact").unwrap_or(&Value::Null);
        let by: AuthorId = field(&event.body, "author").unwrap_or(AuthorId::Gateway);
        let text = self.text(event, fact, by, client).await;
        let ms = event.stored.ms_since(begun);
        let asked = event.kind == "approval.requested";
        Shown {
            head: format!("{ms:>7} ms  {by:<8} "),
            verdict: verdict(&event.kind, fact),
            text,
            action: action(fact),
            ask: asked.then(|| question(fact)).flatten(),
            decided: decides(&event.kind).then(|| action(fact)).flatten(),
        }
    }

    async fn text(&mut self, event: &Event, fact: &Value, by: AuthorId, client: &Client) -> String {
        let name = self.name(fact);
        match event.kind.as_str() {
            "action.proposed" => self.proposed(event, fact, by, client).await,
            "action.granted" => self.granted(fact, &name),
            "action.refused" => {
                self.counts.refused += 1;
                let why = self.why(fact, client).await;
                format!("{name}by {}: {why}", text(fact, "rule"))
            }
            "approval.requested" => {
                self.counts.asked += 1;
                format!("{name}waits for an approval")
            }
            "action.started" => {
                if let Some(proposed) = self.proposal(fact) {
                    proposed.started = Some(event.stored);
                }
                name
            }
            "action.finished" => self.finished(event, fact, by, client).await,
            "task.finished" => self.ended(fact, by, client).await,
            "task.rejected" => {
                self.counts.outcome = "rejected".to_owned();
                text(fact, "code")
            }
            "task.submitted" => "signed by the owner".to_owned(),
            "task.admitted" => "the contract is in force".to_owned(),
            "approval.carried" => format!("{name}a signed answer"),
            "approval.refused" | "action.declined" => format!("{name}{}", text(fact, "code")),
            "action.expired" => match self.proposal(fact) {
                Some(Proposed {
                    started: Some(_), ..
                }) => {
                    format!("{name}outcome unknown")
                }
                Some(_) | None => format!("{name}not claimed in time"),
            },
            _ => name,
        }
    }

    /// The step that proposed the action.
    pub(crate) fn step(&self, action: ActionId) -> &str {
        let proposed = self.actions.get(&action);
        proposed.map_or("?", |proposed| proposed.step.as_str())
    }

    /// The proposal that a fact is about.
    fn proposal(&mut self, fact: &Value) -> Option<&mut Proposed> {
        self.actions.get_mut(&action(fact)?)
    }

    fn name(&self, fact: &Value) -> String {
        let proposed = action(fact).and_then(|id| self.actions.get(&id));
        proposed.map_or_else(String::new, Proposed::name)
    }

    fn granted(&mut self, fact: &Value, name: &str) -> String {
        self.counts.granted += 1;
        let grant = fact.get("grant").unwrap_or(&Value::Null);
        let rule = grant
            .get("draft")
            .map_or_else(String::new, |draft| text(draft, "rule"));
        let approvals = grant.get("approvals").and_then(Value::as_array);
        let signed = match approvals.map_or(0, Vec::len) {
            0 => String::new(),
            1 => ", signed by a person".to_owned(),
            several => format!(", signed by {several} people"),
        };
        format!("{name}by {rule}{signed}")
    }

    async fn ended(&mut self, fact: &Value, by: AuthorId, client: &Client) -> String {
        self.counts.outcome = text(fact, "outcome");
        self.counts.succeeded = self.counts.outcome == "succeeded";
        let detail = content(fact, "detail", by, client).await;
        let detail = detail.and_then(|detail| serde_json::from_str::<Value>(&detail).ok());
        detail.map_or_else(String::new, |detail| text(&detail, "reason"))
    }

    async fn proposed(
        &mut self,
        event: &Event,
        fact: &Value,
        by: AuthorId,
        client: &Client,
    ) -> String {
        let (Some(action), Some(args)) = (field(fact, "action"), field::<Content>(fact, "args"))
        else {
            return "?".to_owned();
        };
        let items = field(fact, "items").unwrap_or(1_u16);
        let item = field(fact, "item").unwrap_or(0_u16);
        let mut step = text(fact, "step");
        if items > 1 {
            step.push_str(&format!(" {}/{items}", item + 1));
        }
        let proposed = Proposed {
            step,
            tool: text(fact, "tool"),
            at: event.stored,
            started: None,
        };
        let shown = shorten(&bytes(&args, by, client).await);
        let line = format!("{}: {} {shown}", proposed.step, proposed.tool);
        self.actions.insert(action, proposed);
        line
    }

    async fn finished(
        &mut self,
        event: &Event,
        fact: &Value,
        by: AuthorId,
        client: &Client,
    ) -> String {
        if text(fact, "outcome") == "succeeded" && self.first_action_ms.is_none() {
            self.first_action_ms = self.begun.map(|begun| event.stored.ms_since(begun));
        }
        let Some(proposed) = self.proposal(fact) else {
            return String::new();
        };
        let whole = event.stored.ms_since(proposed.at);
        let ran = proposed
            .started
            .map_or(0, |started| event.stored.ms_since(started));
        let name = proposed.name();
        let output = match field::<Content>(fact, "output") {
            Some(output) => shorten(&bytes(&output, by, client).await),
            None => String::new(),
        };
        format!("{name}{ran} ms, {whole} ms since it was proposed -> {output}")
    }

    async fn why(&self, fact: &Value, client: &Client) -> String {
        let code = text(fact, "code");
        let Some(why) = content(fact, "why", AuthorId::Policy, client).await else {
            return code;
        };
        let Ok(why) = serde_json::from_str::<Value>(&why) else {
            return code;
        };
        let mut line = text(&why, "why");
        if let Some(fix) = why.get("fix").and_then(Value::as_str) {
            line.push_str("\n            smallest change that would allow it:");
            for part in fix.lines() {
                line.push_str("\n              ");
                line.push_str(&escaped(part));
            }
        }
        line
    }

    /// The text of a question: all facts that matter for the decision, with the arguments byte for byte as the tool
    /// gets them (canonical JSON on one line). `contract` names the contract that asks.
    ///
    /// # Errors
    /// Returns the reason for which the arguments cannot be shown; they are not signed then.
    pub(crate) async fn question(
        &self,
        question: &Question,
        contract: &str,
        client: &Client,
    ) -> Result<String, String> {
        let Question { draft, reason } = question;
        let args = match client.content(draft.args_by, &draft.args).await {
            Ok(Some(bytes)) => arguments(bytes)?,
            Ok(None) => return Err("the arguments were erased".to_owned()),
            Err(error) => return Err(format!("the arguments cannot be read: {error}")),
        };
        let reason = match reason {
            Some(reason) => bytes(reason, AuthorId::Policy, client).await,
            None => String::new(),
        };
        let step = self.step(draft.action);
        let until = draft.asked.as_ref();
        let until = until.map_or_else(|| "?".to_owned(), |asked| asked.until.to_string());
        let len = args.len();
        let mut lines = vec![
            ("contract", contract.to_owned()),
            ("rule", draft.rule.to_string()),
            ("reason", one_line(&reason)),
            ("step", step.to_owned()),
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
            ("answer", format!("valid until {until}")),
            ("digest", draft.digest().to_string()),
        ]);
        let mut text = "\n  The contract asks for your yes:".to_owned();
        for (name, value) in lines {
            text.push_str(&format!("\n    {name:<9} {}", escaped(&value)));
        }
        text.push('\n');
        Ok(text)
    }
}

impl Shown {
    /// Prints the line.
    pub(crate) fn print(&self, out: &Output) {
        let colour = match self.verdict.as_str() {
            "granted" | "succeeded" => Some(32),
            "refused" | "rejected" | "failed" | "declined" | "expired" => Some(31),
            "asks" | "carried" => Some(33),
            _ => None,
        };
        let verdict = format!("{:<9}", self.verdict);
        out.painted(&self.head, (&verdict, colour), &format!(" {}", self.text));
    }
}

impl Proposed {
    fn name(&self) -> String {
        format!("{}: {} ", self.step, self.tool)
    }
}

/// The word that stands for an event.
fn verdict(kind: &str, fact: &Value) -> String {
    match kind {
        "action.finished" | "task.finished" => text(fact, "outcome"),
        "approval.requested" => "asks".to_owned(),
        "approval.refused" => "ignored".to_owned(),
        kind => kind.rsplit('.').next().unwrap_or(kind).to_owned(),
    }
}

/// Returns true for an event that ends the question of its action.
fn decides(kind: &str) -> bool {
    matches!(
        kind,
        "action.granted" | "action.refused" | "action.declined" | "action.expired"
    )
}

/// The question of an event `approval.requested`.
fn question(fact: &Value) -> Option<Question> {
    Some(Question {
        draft: field(fact, "draft")?,
        reason: field(fact, "reason"),
    })
}

/// Quotes a word for a shell.
#[must_use]
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%,=".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

/// The action that a fact is about.
fn action(fact: &Value) -> Option<ActionId> {
    let draft = fact.get("grant").unwrap_or(fact).get("draft");
    field(draft.unwrap_or(fact), "action")
}

/// An event as one line of JSON.
#[must_use]
pub(crate) fn json(event: &Event) -> String {
    serde_json::to_string(event).unwrap_or_default()
}

fn field<T: DeserializeOwned>(value: &Value, name: &str) -> Option<T> {
    value
        .get(name)
        .cloned()
        .and_then(|value| serde_json::from_value(value).ok())
}

fn text(value: &Value, name: &str) -> String {
    match value.get(name) {
        Some(Value::String(text)) => one_line(text),
        Some(Value::Null) | None => String::new(),
        Some(other) => escaped(&other.to_string()),
    }
}

async fn content(fact: &Value, name: &str, by: AuthorId, client: &Client) -> Option<String> {
    let content: Content = field(fact, name)?;
    Some(bytes(&content, by, client).await)
}

async fn bytes(content: &Content, by: AuthorId, client: &Client) -> String {
    match client.content(by, content).await {
        Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
        Ok(None) => "(erased)".to_owned(),
        Err(error) => format!("({error})"),
    }
}

/// Returns the text of the arguments if it is canonical JSON, the only form that is signed.
fn arguments(bytes: Vec<u8>) -> Result<String, String> {
    bus_schema::json::parse_canonical(&bytes, CONTENT_BYTES_MAX)
        .map_err(|error| format!("the arguments cannot be shown as they are ({error})"))?;
    String::from_utf8(bytes).map_err(|_| "the arguments are not UTF-8".to_owned())
}

/// Text on one line, escaped: text of a tool or a model must not move the cursor or look like our own lines.
fn one_line(text: &str) -> String {
    escaped(&text.replace('\n', " "))
}

fn shorten(text: &str) -> String {
    let line = one_line(text);
    if line.chars().count() <= SHOWN_CHARS_MAX {
        return line;
    }
    format!(
        "{}…",
        line.chars().take(SHOWN_CHARS_MAX).collect::<String>()
    )
}

#[cfg(test)]
mod tests {
    use super::{arguments, one_line};

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

    #[test]
    fn what_came_from_elsewhere_is_one_line() {
        let text = "a\n  The contract asks for your yes:\r\u{2028}\u{1b}[2Jb";
        let shown = "a   The contract asks for your yes:\\u{d}\\u{2028}\\u{1b}[2Jb";
        assert_eq!(one_line(text), shown);
    }
}
