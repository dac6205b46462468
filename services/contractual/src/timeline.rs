//! The timeline: a task's events as text, and their totals.

use std::collections::BTreeMap;

use bus_schema::{ActionId, AuthorId, Content, Signed, Statement, Time};
use diagnostic::escaped;
use gateway::{api::Event, client::Client};
use serde::Serialize;
use serde_json::Value;
use worker::Playbook;

use crate::{
    cost::Cost,
    fact::{bytes, field, one_line},
    model_line,
    output::Output,
    question::Question,
    reason,
    step_bar::StepBar,
};

/// Most characters of a content on one line.
const SHOWN_CHARS_MAX: usize = 160;
/// Characters of an id that differ between ids made in the same millisecond.
const SHORT_CHARS: usize = 18;

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
    /// The id of its step.
    id: String,
    /// The step and the item, as shown.
    step: String,
    /// True if the step has several items.
    repeats: bool,
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
    /// The reason for an end without success.
    pub(crate) reason: String,
    /// The last words of a model.
    pub(crate) last_words: Option<String>,
    /// The words of a model's newest answer that called nothing.
    pub(crate) answer: Option<String>,
    /// True from such an answer on, until the owner speaks.
    pub(crate) awaits_words: bool,
    /// The number of the owner's further words.
    pub(crate) said: u16,
    /// The usage so far.
    pub(crate) cost: Cost,
    /// The progress of the step in work.
    pub(crate) bar: StepBar,
    /// The last refusal or failure of each step.
    causes: BTreeMap<String, String>,
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
        let mut text = self.text(event, fact, by, client).await;
        let action = action(fact);
        if let Some(action) = action {
            text = format!("{} {text}", self.short(action));
        }
        let ms = event.stored.ms_since(begun);
        let asked = event.kind == "approval.requested";
        Shown {
            head: format!("{ms:>7} ms  {by:<8} "),
            verdict: verdict(&event.kind, fact),
            text,
            action,
            ask: asked.then(|| Question::of(fact)).flatten(),
            decided: action.filter(|_| decides(&event.kind)),
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
                self.blame(fact, &why);
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
                let code = field(fact, "code");
                self.reason = code.map_or_else(|| text(fact, "code"), reason::not_admitted);
                if let Some(why) = content(fact, "why", by, client).await {
                    self.reason = format!("{}: {}", self.reason, one_line(&why));
                }
                self.reason.clone()
            }
            "task.cancelled" => "nothing more of it is granted or claimed".to_owned(),
            "approval.refused" => format!("{name}{}", words(fact)),
            "action.declined" => {
                let why = words(fact);
                self.blame(fact, &why);
                format!("{name}{why}")
            }
            "task.submitted" => submitted(fact, by, client).await,
            "task.admitted" => "the contract is in force".to_owned(),
            "task.said" => {
                self.hear(fact);
                self.awaits_words = false;
                let words = content(fact, "words", by, client).await;
                format!("the owner: {}", shorten(&words.unwrap_or_default()))
            }
            "contract.requested" => {
                let reason = content(fact, "reason", by, client).await;
                let reason = shorten(&reason.unwrap_or_default());
                format!("a change of the contract: {reason}")
            }
            "contract.answered" => "the owner's signed answer".to_owned(),
            "session.called" => "a call, signed by the session".to_owned(),
            "session.ended" => "the end, signed by the session".to_owned(),
            "approval.carried" => format!("{name}a signed answer"),
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

    /// Counts further words with the next number, as the engine and policy do: another terminal may have sent the same number.
    fn hear(&mut self, fact: &Value) {
        let signed: Option<Signed> = field(fact, "statement");
        let said = signed.and_then(|signed| signed.open(&signed.by()).ok());
        if let Some(Statement::Said(said)) = said
            && said.number == self.said
        {
            self.said = self.said.saturating_add(1);
        }
    }

    /// The step that proposed the action.
    pub(crate) fn step(&self, action: ActionId) -> &str {
        let proposed = self.actions.get(&action);
        proposed.map_or("?", |proposed| proposed.step.as_str())
    }

    /// Returns true if a model answers the action.
    pub(crate) fn is_of_model(&self, action: ActionId) -> bool {
        let proposed = self.actions.get(&action);
        proposed.is_some_and(|proposed| model_line::is_model(&proposed.tool))
    }

    /// The id of the step that proposed the action, if the step has several items: their calls belong together.
    pub(crate) fn repeated(&self, action: ActionId) -> Option<&str> {
        let proposed = self.actions.get(&action)?;
        proposed.repeats.then_some(proposed.id.as_str())
    }

    /// The first characters of an action's id, as many as name it among the actions so far.
    fn short(&self, action: ActionId) -> String {
        let whole = action.to_string();
        let begins = |chars: usize| whole.get(..chars).unwrap_or(&whole).to_owned();
        let short = begins(SHORT_CHARS);
        let others = self.actions.keys().filter(|other| **other != action);
        let mut others = others.map(ToString::to_string);
        if others.any(|other| other.starts_with(&short)) {
            whole
        } else {
            short
        }
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
        let Some(detail) = detail else {
            return String::new();
        };
        let words = detail.get("text").and_then(Value::as_str);
        if let Some(words) = words {
            self.last_words = Some(words.to_owned());
            self.awaits_words = false;
            if detail.get("reason").is_none() {
                return shorten(words);
            }
        }
        let reason = text(&detail, "reason");
        let cause = self.causes.get(&text(&detail, "step"));
        self.reason = match cause.filter(|_| !self.counts.succeeded) {
            Some(cause) => format!("{}: {cause}", reason.trim_end_matches('.')),
            None => reason,
        };
        self.reason.clone()
    }

    /// Notes the reason for which an action of a step did not succeed.
    fn blame(&mut self, fact: &Value, why: &str) {
        if let Some(proposed) = self.proposal(fact) {
            let step = proposed.id.clone();
            let first = why.lines().next().unwrap_or_default();
            self.causes.insert(step, first.to_owned());
        }
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
        let id = text(fact, "step");
        let mut step = id.clone();
        if items > 1 {
            step.push_str(&format!(" {}/{items}", item + 1));
        }
        let proposed = Proposed {
            id,
            step,
            repeats: items > 1,
            tool: text(fact, "tool"),
            at: event.stored,
            started: None,
        };
        let args = bytes(&args, by, client).await;
        let asked = Some(&args).filter(|_| model_line::is_model(&proposed.tool));
        let asked = asked.and_then(|args| model_line::asked(args));
        let shown = asked.unwrap_or_else(|| shorten(&args));
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
        let answers = model_line::is_model(&proposed.tool);
        self.cost.add(fact, answers);
        let output = match field::<Content>(fact, "output") {
            Some(output) => {
                let output = bytes(&output, by, client).await;
                let turn = answers.then(|| model_line::turn(&output)).flatten();
                if let Some(words) = turn.as_ref().and_then(model_line::words) {
                    self.answer = Some(words.to_owned());
                    self.awaits_words = true;
                }
                let answered = turn.map(|turn| model_line::answered(&turn, fact));
                shorten(&answered.unwrap_or(output))
            }
            None => String::new(),
        };
        if text(fact, "outcome") != "succeeded" {
            self.blame(fact, &output);
        }
        format!("{name}{ran} ms, {whole} ms since it was proposed -> {output}")
    }

    async fn why(&self, fact: &Value, client: &Client) -> String {
        let code = words(fact);
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

/// The refusal code of a fact, in words.
fn words(fact: &Value) -> String {
    field(fact, "code").map_or_else(|| text(fact, "code"), reason::in_words)
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

/// The owner's submission, with the values of slots and inputs.
async fn submitted(fact: &Value, by: AuthorId, client: &Client) -> String {
    let slots = content(fact, "slots", by, client).await;
    let is_playbook = fact.get("session").is_none() && fact.get("dialogue").is_none();
    let playbook = match is_playbook {
        true => content(fact, "playbook", by, client).await,
        false => None,
    };
    let playbook = playbook.and_then(|text| Playbook::parse("playbook", &text).ok());
    let inputs = playbook.map(|playbook| playbook.input_values().clone());
    let inputs = inputs.filter(|inputs| !inputs.is_empty());
    let inputs = inputs.map(|inputs| Value::Object(inputs).to_string());
    let values: Vec<_> = slots
        .into_iter()
        .chain(inputs)
        .map(|one| one_line(&one))
        .collect();
    match values.as_slice() {
        [] => "signed by the owner".to_owned(),
        values => format!("signed by the owner with {}", values.join(" ")),
    }
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
