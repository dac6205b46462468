//! Decides the next step of a dialogue: a pure function of its record and its contents.

use std::collections::BTreeMap;

use bus_schema::{PARTS_RULE, TaskId, TaskOutcome, Time, ToolName, json};
use serde_json::{Value, json};

use super::amend::{self, Amendment};
use super::document::{DialogueDocument, OfferedTool};
use super::held::Held;
use super::next::{DialogueEnd, Next, StepProposal};
use super::record::{
    CALLS_STEP, CallEnd, CallState, Dialogue, MODEL_STEP, StoredContent, TurnRecord,
};
use super::results::{self, CallText};
use super::stored::{RequestArgs, StoredRequests};
use super::{retry, room};
use crate::request::REQUEST_TOOL;
use crate::wire::{AnswerFault, Conversation, Message, ModelTurn, Offer, WireCall, WireResult};

/// The time after which a dialogue ends that waits for words, or for the answer to a request: one day.
const IDLE_MS: u64 = 24 * 3600 * 1000;
/// Most bytes of the arguments of a call; policy takes no more.
pub const DIALOGUE_ARGS_BYTES_MAX: usize = 64 << 10;
/// Most calls of one answer that are proposed; the model is told that the others are too many.
pub const CALLS_OF_ANSWER_MAX: usize = 32;
/// Most open actions of a dialogue; more calls wait.
const OPEN_ACTIONS_MAX: usize = 16;
/// The number of equal calls with equal results that end a dialogue.
pub const EQUAL_CALLS_MAX: u32 = 5;
/// Most answers to one request that cannot be read.
const MALFORMED_MAX: usize = 2;

/// Returns the next step.
pub(crate) fn next(task: TaskId, dialogue: &Dialogue, held: &Held, now: Time) -> Next {
    if dialogue.cancelled {
        return if dialogue.open() == 0 {
            Next::Finish(DialogueEnd {
                outcome: TaskOutcome::Cancelled,
                detail: None,
            })
        } else {
            Next::Wait
        };
    }
    if dialogue.requests.is_moving() {
        return unanswered(dialogue, now);
    }
    let missing = |(stored, _): &(StoredContent, bool)| held.get(task, *stored).is_err();
    let missing: Vec<_> = dialogue.contents().filter(missing).collect();
    if !missing.is_empty() {
        return Next::Fetch(missing);
    }
    let next = Reducer::new(task, dialogue, held, now)
        .and_then(Reducer::run)
        .unwrap_or_else(|next| next);
    match next {
        // What is open ends first, so that nothing runs or asks for a task that has ended.
        Next::Finish(_) if dialogue.open() > 0 => Next::Wait,
        next @ (Next::Wait
        | Next::Fetch(_)
        | Next::Pause(_)
        | Next::Propose(_)
        | Next::Request(_)
        | Next::Finish(_)) => next,
    }
}

/// The conversation of a dialogue, as far as it was folded.
struct Reducer<'a> {
    task: TaskId,
    dialogue: &'a Dialogue,
    held: &'a Held,
    now: Time,
    document: DialogueDocument,
    messages: Vec<Message>,
    /// The stored requests, whose lists the next one goes on from.
    stored: StoredRequests,
    /// The calls with their arguments and results, and how often each was there.
    seen: BTreeMap<(String, Vec<u8>, String), u32>,
}

impl<'a> Reducer<'a> {
    fn new(task: TaskId, dialogue: &'a Dialogue, held: &'a Held, now: Time) -> Result<Self, Next> {
        let content = |stored| held.get(task, stored).ok().flatten();
        let erased =
            |what: &str| failed(None, "erased", &format!("{what} was erased; start again."));
        let words = content(dialogue.words).ok_or_else(|| erased("What the person wants"))?;
        let document =
            content(dialogue.document).ok_or_else(|| erased("The dialogue's document"))?;
        let document = DialogueDocument::parse(document).map_err(|problem| {
            failed(
                None,
                "document",
                &format!("The dialogue's document cannot be read: {problem}"),
            )
        })?;
        let words = String::from_utf8_lossy(words).into_owned();
        Ok(Self {
            task,
            dialogue,
            held,
            now,
            document,
            messages: vec![Message::Words(words)],
            stored: StoredRequests::default(),
            seen: BTreeMap::new(),
        })
    }

    /// Folds the turns; returns what the first one lacks that has not ended, or the next request.
    fn run(mut self) -> Result<Next, Next> {
        let dialogue = self.dialogue;
        for (nth, record) in dialogue.turns.iter().enumerate() {
            self.hear(nth);
            let turn = self.answered(nth, record)?;
            if let Some(asked) = record.answered() {
                self.stored.add(asked.content, self.content(asked));
            }
            if turn.calls.is_empty() {
                let goes_on = dialogue.said.iter().any(|(at, _)| usize::from(*at) > nth);
                if goes_on {
                    // No wire takes an answer that says nothing.
                    if !turn.text.trim().is_empty() {
                        self.messages.push(Message::Answer(turn));
                    }
                    continue;
                }
                let idle_at = dialogue.heard.plus_ms(IDLE_MS);
                if self.document.chat && !dialogue.over && self.now < idle_at {
                    return Ok(Next::Pause(idle_at));
                }
                let detail = json!({ "text": turn.text });
                return Ok(Next::Finish(DialogueEnd {
                    outcome: TaskOutcome::Succeeded,
                    detail: Some(json::canonical(&detail)),
                }));
            }
            let results = self.results(nth, record, &turn)?;
            self.messages.push(Message::Answer(turn));
            self.messages.push(Message::Results(results));
        }
        let nth = dialogue.turns.len();
        self.hear(nth);
        let steps_max = self.document.steps_max;
        if nth >= usize::from(steps_max) {
            let reason = format!("The model did not come to an end within {steps_max} steps.");
            return Err(failed(None, "steps", &reason));
        }
        self.ask(nth, 0)
    }

    /// Adds the further words of the owner that stand before an answer.
    fn hear(&mut self, nth: usize) {
        let dialogue = self.dialogue;
        for (_, stored) in dialogue
            .said
            .iter()
            .filter(|(at, _)| usize::from(*at) == nth)
        {
            let words = self.content(*stored).map(String::from_utf8_lossy);
            let words = words.unwrap_or_else(|| "[These words were erased.]".into());
            self.messages.push(Message::Words(words.into_owned()));
        }
    }

    /// Returns the bytes of a content; none if it was erased.
    fn content(&self, stored: StoredContent) -> Option<&'a [u8]> {
        self.held.get(self.task, stored).ok().flatten()
    }

    /// Returns the answer of a turn.
    fn answered(&self, nth: usize, record: &TurnRecord) -> Result<ModelTurn, Next> {
        let step = model_step(nth);
        let attempts = record.attempts.len();
        let end = |code: &str, reason: &str| failed(Some(&step), code, reason);
        let (last, at) = match record.attempts.last() {
            None => return Err(self.ask(nth, attempts)?),
            Some(CallState::Open) => return Err(Next::Wait),
            Some(CallState::Ended(last, at)) => (last, *at),
        };
        let said = match last {
            CallEnd::Succeeded(stored) => {
                let bytes = self.content(*stored);
                let bytes = bytes.ok_or_else(|| end("erased", "The model's answer was erased."))?;
                match self.document.model.wire.turn(nth, bytes) {
                    Ok(turn) => return Ok(turn),
                    Err(fault @ AnswerFault::Malformed(_)) if record.answers() >= MALFORMED_MAX => {
                        return Err(end("answer", &fault.to_string()));
                    }
                    Err(AnswerFault::Malformed(_)) => return Err(self.ask(nth, attempts)?),
                    Err(fault @ (AnswerFault::Cut(_) | AnswerFault::Refused(_))) => {
                        return Err(end("answer", &fault.to_string()));
                    }
                }
            }
            CallEnd::Refused { rule, .. }
                if rule.as_str() == PARTS_RULE && record.refused_parts() == 1 =>
            {
                return Err(self.ask(nth, attempts)?);
            }
            CallEnd::Refused { code, rule, why } => {
                let why = why.and_then(|why| self.content(why));
                let text = results::refusal(*code, rule, why).0.text;
                return Err(end(
                    "refused",
                    &format!("The model may not be asked. {text}"),
                ));
            }
            CallEnd::Failed(stored) => stored.and_then(|stored| self.content(stored)),
            CallEnd::Lapsed | CallEnd::Unknown => None,
        };
        let failures = attempts - record.answers();
        let again = retry::again(said, failures, at);
        let at = again.map_err(|problem| end("model", &problem))?;
        if self.now < at {
            return Err(Next::Pause(at));
        }
        Err(self.ask(nth, attempts)?)
    }

    /// Proposes an attempt to get an answer. If the conversation is too long, parts of results are left out of it.
    fn ask(&self, nth: usize, attempt: usize) -> Result<Next, Next> {
        let mut messages = self.messages.clone();
        let (mut said, mut args) = self.args(&messages);
        while args.len() > DIALOGUE_ARGS_BYTES_MAX {
            if !room::make(&mut messages) {
                let reason = format!(
                    "The conversation has {} bytes, more than the {DIALOGUE_ARGS_BYTES_MAX} that one call can send; start \
                     again with a smaller task.",
                    args.len()
                );
                return Err(failed(Some(&model_step(nth)), "bytes", &reason));
            }
            (said, args) = self.args(&messages);
        }
        let mut turns = self.dialogue.turns.iter();
        let in_parts = !turns.any(|turn| turn.refused_parts() > 0);
        let after = self.stored.after(&said).filter(|_| in_parts);
        let model = &self.document.model;
        Ok(Next::Propose(Box::new(StepProposal {
            step: model_step(nth),
            index: place(nth),
            item: 0,
            items: 1,
            attempt: u8::try_from(attempt + 1).unwrap_or(u8::MAX),
            tool: model.tool.clone(),
            args: after.map_or(args, |after| self.encoded(&after)),
        })))
    }

    /// A request with these messages, and its arguments.
    fn args(&self, messages: &[Message]) -> (Conversation, Vec<u8>) {
        let offers = self.document.tools.iter().map(|tool| Offer {
            name: &tool.name,
            description: &tool.description,
            schema: &tool.schema,
        });
        let offers: Vec<Offer<'_>> = offers.collect();
        let wire = self.document.model.wire;
        let said = wire.conversation(&self.document.instructions, &offers, messages);
        let args = self.encoded(&RequestArgs::whole(&said));
        (said, args)
    }

    /// Returns arguments with the choice of the model, canonical JSON.
    fn encoded(&self, request: &RequestArgs<'_>) -> Vec<u8> {
        let model = &self.document.model;
        let mut args = request.members();
        args.insert("model".to_owned(), model.id.as_str().into());
        args.insert("max_tokens".to_owned(), model.tokens_max.into());
        json::canonical(&Value::Object(args))
    }

    /// Returns the results of all calls of an answer, in their order.
    fn results(
        &mut self,
        nth: usize,
        record: &TurnRecord,
        turn: &ModelTurn,
    ) -> Result<Vec<WireResult>, Next> {
        let (mut results, mut proposal, mut asks, mut waits) = (Vec::new(), None, None, false);
        for (item, call) in turn.calls.iter().enumerate() {
            let result = match record.calls.get(&place(item)) {
                Some(CallState::Open) => None,
                Some(CallState::Ended(end, _)) => Some(self.told((nth, item), call, end)),
                None if self.is_request(call) => match self.amendment((nth, place(item)), call) {
                    Amendment::Told(text) => Some(text),
                    Amendment::Waits => None,
                    Amendment::Make(request) => {
                        asks.get_or_insert(request);
                        None
                    }
                },
                None => match self.prepared(item, call) {
                    Err(text) => Some(text),
                    Ok((tool, args)) => {
                        let items = turn.calls.len().min(CALLS_OF_ANSWER_MAX);
                        proposal.get_or_insert_with(|| StepProposal {
                            step: format!("{CALLS_STEP}{}", nth + 1),
                            index: place(nth),
                            item: place(item),
                            items: place(items),
                            attempt: 1,
                            tool,
                            args,
                        });
                        None
                    }
                },
            };
            match result {
                Some(result) => results.push((call, result)),
                None => waits = true,
            }
        }
        if let Some(proposal) = proposal.filter(|_| self.dialogue.open() < OPEN_ACTIONS_MAX) {
            return Err(Next::Propose(Box::new(proposal)));
        }
        if let Some(request) = asks {
            return Err(Next::Request(Box::new(request)));
        }
        if waits {
            return Err(unanswered(self.dialogue, self.now));
        }
        results
            .into_iter()
            .map(|(call, result)| self.counted(nth, call, &result))
            .collect()
    }

    /// Returns true if a call asks for another contract.
    fn is_request(&self, call: &WireCall) -> bool {
        self.tool(call)
            .is_some_and(|tool| tool.tool.as_str() == REQUEST_TOOL)
    }

    fn amendment(&self, place: (usize, u16), call: &WireCall) -> Amendment {
        amend::amendment(self.dialogue, place, call, |end| match end {
            CallEnd::Refused { code, rule, why } => {
                let why = why.and_then(|why| self.content(why));
                results::refusal(*code, rule, why).1
            }
            CallEnd::Succeeded(_) | CallEnd::Failed(_) | CallEnd::Lapsed | CallEnd::Unknown => {
                false
            }
        })
    }

    /// Returns true if the model may ask for another contract.
    fn may_request(&self) -> bool {
        let mut tools = self.document.tools.iter();
        tools.any(|tool| tool.tool.as_str() == REQUEST_TOOL)
    }

    /// Returns the tool and the arguments of a call, or the error that the model is told instead.
    fn prepared(&self, item: usize, call: &WireCall) -> Result<(ToolName, Vec<u8>), CallText> {
        if item >= CALLS_OF_ANSWER_MAX {
            return Err(CallText::error(format!(
                "Not called: an answer may have at most {CALLS_OF_ANSWER_MAX} calls."
            )));
        }
        let Some(tool) = self.tool(call) else {
            return Err(CallText::error(
                "Not called: there is no tool of this name.",
            ));
        };
        let args = call.args.as_ref().map_err(|problem| {
            CallText::error(format!(
                "Not called: {problem}. Call again with a JSON object."
            ))
        })?;
        let args = json::canonical(&Value::Object(args.clone()));
        if args.len() > DIALOGUE_ARGS_BYTES_MAX {
            return Err(CallText::error(format!(
                "Not called: the arguments have {} bytes, more than the {DIALOGUE_ARGS_BYTES_MAX} that a call may have.",
                args.len()
            )));
        }
        Ok((tool.tool.clone(), args))
    }

    fn tool(&self, call: &WireCall) -> Option<&OfferedTool> {
        self.document
            .tools
            .iter()
            .find(|tool| tool.name == call.name)
    }

    /// Says what became of a call at this place.
    fn told(&self, (nth, item): (usize, usize), call: &WireCall, end: &CallEnd) -> CallText {
        let untrusted = self.tool(call).is_none_or(|tool| tool.untrusted);
        let output = |stored: StoredContent, is_error| match self.content(stored) {
            None => CallText::error("The result was erased."),
            Some(bytes) => CallText {
                text: String::from_utf8_lossy(bytes).into_owned(),
                is_error,
                data: untrusted.then(|| *stored.content.digest()),
                place: None,
            },
        };
        match end {
            CallEnd::Succeeded(stored) => output(*stored, false),
            CallEnd::Failed(Some(stored)) => output(*stored, true),
            CallEnd::Failed(None) => {
                CallText::error("Not executed: the executor declined the call.")
            }
            CallEnd::Refused { code, rule, why } => {
                let why = why.and_then(|why| self.content(why));
                let (mut text, has_fix) = results::refusal(*code, rule, why);
                let place = || format!("{}.{}", nth + 1, item + 1);
                text.place = (has_fix && self.may_request()).then(place);
                text
            }
            CallEnd::Lapsed => CallText::error(
                "Nobody executed the call in time; it did not happen. You may call again.",
            ),
            CallEnd::Unknown => CallText::error(
                "The outcome is unknown: it may have happened. Look before you call again.",
            ),
        }
    }

    /// Counts a call with its result, and returns the result; a call that only repeats itself ends the dialogue.
    fn counted(
        &mut self,
        nth: usize,
        call: &WireCall,
        result: &CallText,
    ) -> Result<WireResult, Next> {
        let args = match &call.args {
            Ok(args) => json::canonical(&Value::Object(args.clone())),
            Err(problem) => problem.clone().into_bytes(),
        };
        let equal = self
            .seen
            .entry((call.name.clone(), args, result.text.clone()));
        let equal = equal.and_modify(|count| *count += 1).or_insert(1);
        if *equal >= EQUAL_CALLS_MAX {
            let reason = format!(
                "The model called a tool {EQUAL_CALLS_MAX} times with the same arguments and the same result."
            );
            let step = format!("{CALLS_STEP}{}", nth + 1);
            return Err(failed(Some(&step), "repetition", &reason));
        }
        Ok(WireResult {
            id: call.id.clone(),
            text: result.marked(),
            is_error: result.is_error,
        })
    }
}

/// Waits for what is open; if that is only a request for another contract, for a day.
fn unanswered(dialogue: &Dialogue, now: Time) -> Next {
    if dialogue.open() > 0 || dialogue.requests.may_ask() {
        return Next::Wait;
    }
    let idle_at = dialogue.heard.plus_ms(IDLE_MS);
    if now < idle_at {
        return Next::Pause(idle_at);
    }
    let reason = "Nobody answered the request for another contract within a day.";
    failed(None, "unanswered", reason)
}

fn model_step(nth: usize) -> String {
    format!("{MODEL_STEP}{}", nth + 1)
}

fn place(nth: usize) -> u16 {
    u16::try_from(nth).unwrap_or(u16::MAX)
}

/// Ends a dialogue early, with a code for programs and a reason for people.
fn failed(step: Option<&str>, code: &str, reason: &str) -> Next {
    let detail = json!({ "step": step, "code": code, "reason": reason });
    Next::Finish(DialogueEnd {
        outcome: TaskOutcome::Failed,
        detail: Some(json::canonical(&detail)),
    })
}
