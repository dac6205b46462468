//! The calls of a session: each is submitted once, and followed in the record to its end.

use std::{collections::BTreeMap, time::Duration};

use bus_schema::{
    ActionId, ActionOutcome, AuthorId, Content, Digest, RefusalCode, Signed, Statement, TaskId,
    ToolName,
};
use ed25519_dalek::SigningKey;
use engine::REQUEST_TOOL;
use futures::StreamExt as _;
use gateway::{
    api::Event,
    client::{Client, SessionCall},
};
use serde_json::Value;
use tokio::sync::{Mutex, watch};

use crate::{Error, fact::field, question::Question, reason};

/// Most calls of a session; the engine takes no more.
const CALLS_MAX: u16 = engine::CALLS_MAX;

/// A session that policy has admitted.
pub(crate) struct Session {
    client: Client,
    task: TaskId,
    key: SigningKey,
    made: Mutex<MadeCalls>,
    record: watch::Sender<Record>,
}

/// The calls that were made.
#[derive(Debug, Default)]
struct MadeCalls {
    next: u16,
    /// The newest call with these arguments.
    newest: BTreeMap<(ToolName, Vec<u8>), u16>,
}

/// The record of a session.
#[derive(Debug, Default)]
struct Record {
    admitted: bool,
    /// The reason that it takes no more calls.
    over: Option<String>,
    actions: BTreeMap<ActionId, u16>,
    calls: BTreeMap<u16, CallState>,
}

/// The state of a call.
#[derive(Debug, Clone)]
pub(crate) enum CallState {
    /// It waits for a verdict.
    Proposed,
    /// A person is asked.
    Asked(Box<Question>),
    /// It may run, or is running.
    Granted { started: bool },
    /// It was refused by this rule.
    Refused {
        code: Option<RefusalCode>,
        rule: String,
        why: Option<Content>,
    },
    /// It ran.
    Finished {
        outcome: ActionOutcome,
        by: AuthorId,
        output: Content,
    },
    /// Its executor declined it.
    Declined(Option<RefusalCode>),
    /// Nobody claimed it in time: it did not happen.
    Lapsed,
    /// It may or may not have happened.
    Unknown,
    /// It asks for another contract, and a person has not answered.
    Requested,
    /// A person has signed another contract; false: has refused to.
    Amended(bool),
}

impl CallState {
    pub(crate) const fn is_settled(&self) -> bool {
        match self {
            Self::Proposed | Self::Asked(_) | Self::Granted { .. } | Self::Requested => false,
            Self::Refused { .. }
            | Self::Finished { .. }
            | Self::Declined(_)
            | Self::Lapsed
            | Self::Unknown
            | Self::Amended(_) => true,
        }
    }
}

impl Session {
    /// Opens a session under a signed contract, with the owner's key, and waits until policy has admitted it.
    ///
    /// # Errors
    /// The gateway's error, or [`Error::Refused`] with policy's reason.
    pub(crate) async fn open(
        client: Client,
        contract: Digest,
        (wish, key): (&str, SigningKey),
    ) -> Result<Self, Error> {
        let submitted = client.open_session(contract, wish, &key).await?;
        let session = Self {
            client,
            task: submitted.task,
            key,
            made: Mutex::default(),
            record: watch::Sender::new(Record::default()),
        };
        let mut seen = session.record.subscribe();
        let admitted = seen.wait_for(|record| record.admitted || record.over.is_some());
        tokio::select! {
            followed = session.follow() => followed?,
            admitted = admitted => drop(admitted),
        }
        let over = session.record.borrow().over.clone();
        over.map_or(Ok(session), |why| Err(Error::Refused(why)))
    }

    pub(crate) const fn task(&self) -> TaskId {
        self.task
    }

    pub(crate) const fn client(&self) -> &Client {
        &self.client
    }

    /// Follows the session in the record until it ends.
    ///
    /// # Errors
    /// The gateway's error.
    pub(crate) async fn follow(&self) -> Result<(), Error> {
        let mut events = std::pin::pin!(self.client.follow(self.task));
        while let Some(event) = events.next().await {
            let event = event?;
            self.record.send_modify(|record| record.take(&event));
        }
        Ok(())
    }

    /// Makes a call, and returns its number. One with the arguments of an open call is that call.
    ///
    /// # Errors
    /// The gateway's error, or [`Error::Refused`] if the session takes no more calls.
    pub(crate) async fn call(&self, tool: &ToolName, args: Vec<u8>) -> Result<u16, Error> {
        let mut made = self.made.lock().await;
        let same = (tool.clone(), args);
        if let Some(number) = made.newest.get(&same)
            && !self.state(*number).is_settled()
        {
            return Ok(*number);
        }
        if let Some(why) = self.record.borrow().over.clone() {
            return Err(Error::Refused(why));
        }
        let number = made.next;
        if number == CALLS_MAX {
            return Err(Error::Refused(format!(
                "the session made {CALLS_MAX} calls; start another one"
            )));
        }
        let call = SessionCall {
            task: self.task,
            number,
            tool,
            args: &same.1,
        };
        self.client.call(&self.key, call).await?;
        made.next += 1;
        made.newest.insert(same, number);
        Ok(number)
    }

    /// Asks for another contract, and returns the number of the call.
    ///
    /// # Errors
    /// As [`Session::call`].
    pub(crate) async fn request(&self, args: Vec<u8>) -> Result<u16, Error> {
        let tool: ToolName = REQUEST_TOOL
            .parse()
            .map_err(|_| Error::Refused(format!("{REQUEST_TOOL} is no name of a tool")))?;
        self.call(&tool, args).await
    }

    /// Returns true if a call with this number was made.
    pub(crate) async fn has(&self, number: u16) -> bool {
        number < self.made.lock().await.next
    }

    /// The state of a call that was made.
    pub(crate) fn state(&self, number: u16) -> CallState {
        let record = self.record.borrow();
        let state = record.calls.get(&number).cloned();
        state.unwrap_or(CallState::Proposed)
    }

    /// Waits until a call is settled, at most this long, and returns its state.
    pub(crate) async fn settled(&self, number: u16, patience: Duration) -> CallState {
        let mut seen = self.record.subscribe();
        let settled = seen.wait_for(|record| {
            let state = record.calls.get(&number);
            record.over.is_some() || state.is_some_and(CallState::is_settled)
        });
        drop(tokio::time::timeout(patience, settled).await);
        self.state(number)
    }

    /// Ends the session: nothing more is proposed.
    ///
    /// # Errors
    /// The gateway's error.
    pub(crate) async fn end(&self) -> Result<(), Error> {
        self.client.end_session(&self.key, self.task).await?;
        Ok(())
    }
}

impl Record {
    fn take(&mut self, event: &Event) {
        let fact = event.body.get("fact").unwrap_or(&Value::Null);
        match event.kind.as_str() {
            "task.admitted" => self.admitted = true,
            "task.rejected" => {
                let code: Option<RefusalCode> = field(fact, "code");
                let why = code.map_or_else(|| "it was rejected".to_owned(), reason::not_admitted);
                self.over = Some(format!("the session was not admitted: {why}"));
            }
            "task.cancelled" | "task.finished" => {
                self.over
                    .get_or_insert_with(|| "the session has ended; start another one".to_owned());
            }
            "action.proposed" => {
                if let (Some(action), Some(number)) = (field(fact, "action"), field(fact, "index"))
                {
                    self.actions.insert(action, number);
                    self.calls.insert(number, CallState::Proposed);
                }
            }
            "contract.requested" => {
                if let Some(number) = field(fact, "index") {
                    self.calls.insert(number, CallState::Requested);
                }
            }
            "contract.answered" => self.amend(fact),
            "approval.requested" => {
                if let Some(question) = Question::of(fact) {
                    let action = question.draft.action;
                    self.change(action, CallState::Asked(Box::new(question)));
                }
            }
            "action.granted" => {
                let draft = fact.pointer("/grant/draft").unwrap_or(&Value::Null);
                self.by_field(draft, CallState::Granted { started: false });
            }
            "action.started" => self.by_field(fact, CallState::Granted { started: true }),
            "action.refused" => {
                let rule: Option<String> = field(fact, "rule");
                let state = CallState::Refused {
                    code: field(fact, "code"),
                    rule: rule.unwrap_or_default(),
                    why: field(fact, "why"),
                };
                self.by_field(fact, state);
            }
            "action.declined" => self.by_field(fact, CallState::Declined(field(fact, "code"))),
            "action.finished" => self.finished(event, fact),
            "action.expired" => {
                if let Some(action) = field::<ActionId>(fact, "action") {
                    let number = self.actions.get(&action);
                    let state = number.and_then(|number| self.calls.get(number));
                    let end = match state {
                        Some(CallState::Granted { started: true }) => CallState::Unknown,
                        _ => CallState::Lapsed,
                    };
                    self.change(action, end);
                }
            }
            _ => {}
        }
    }

    fn finished(&mut self, event: &Event, fact: &Value) {
        let by: Option<AuthorId> = field(&event.body, "author");
        let state = (field(fact, "outcome"), by, field(fact, "output"));
        if let (Some(outcome), Some(by), Some(output)) = state {
            self.by_field(
                fact,
                CallState::Finished {
                    outcome,
                    by,
                    output,
                },
            );
        }
    }

    /// Ends the open request, of which there is one at a time.
    fn amend(&mut self, fact: &Value) {
        let statement: Option<Signed> = field(fact, "statement");
        let said = statement.and_then(|signed| signed.open(&signed.by()).ok());
        let Some(Statement::Amend(said)) = said else {
            return;
        };
        let mut calls = self.calls.values_mut();
        if let Some(open) = calls.find(|state| matches!(state, CallState::Requested)) {
            *open = CallState::Amended(said.to.is_some());
        }
    }

    fn by_field(&mut self, fact: &Value, state: CallState) {
        if let Some(action) = field(fact, "action") {
            self.change(action, state);
        }
    }

    /// Changes the state of a call that is not settled.
    fn change(&mut self, action: ActionId, state: CallState) {
        let number = self.actions.get(&action);
        if let Some(known) = number.and_then(|number| self.calls.get_mut(number))
            && !known.is_settled()
        {
            *known = state;
        }
    }
}
