//! Folds the facts about one dialogue: the calls of its model, the calls that the model wants, and what became of each.

use std::collections::BTreeMap;

use bus_schema::{
    ActionId, ActionProposed, ActionRefused, AuthorId, Content, ContractRequested, DraftGrant,
    EventId, Meta, PARTS_RULE, RefusalCode, RuleId, Time,
};
use proposer::{End, Heard, OpenGrants};
use serde::{Deserialize, Serialize};

use crate::request::Requests;

/// The beginning of the name of a step that asks the model.
pub(super) const MODEL_STEP: &str = "model-";
/// The beginning of the name of a step with the calls of an answer.
pub(super) const CALLS_STEP: &str = "calls-";

/// One admitted dialogue that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Dialogue {
    /// The words of the person.
    pub(super) words: StoredContent,
    /// Its document.
    pub(super) document: StoredContent,
    /// The event of another author that the dialogue's next one answers.
    pub(crate) cause: EventId,
    pub(super) turns: Vec<TurnRecord>,
    /// The actions that are not settled, with their places.
    open: BTreeMap<ActionId, CallPlace>,
    granted: OpenGrants,
    pub(super) cancelled: bool,
    /// The further words of the owner, each with the answer that it stands before.
    pub(super) said: Vec<(u16, StoredContent)>,
    /// True once the owner has ended it: the next answer of words alone is the last one.
    pub(super) over: bool,
    /// Its requests for another contract.
    pub(crate) requests: Requests,
    /// The time of the last fact that it waited for.
    pub(super) heard: Time,
}

/// A content with the author that stored it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StoredContent {
    /// The author.
    pub by: AuthorId,
    /// The content.
    pub content: Content,
}

/// One request for an answer, and the calls of the answer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TurnRecord {
    /// The attempts to get the answer.
    pub(super) attempts: Vec<CallState>,
    /// The arguments of each of them.
    #[serde(default)]
    pub(super) asked: Vec<Content>,
    /// The calls of the answer by their places in it, as far as they were proposed.
    pub(super) calls: BTreeMap<u16, CallState>,
    /// The refused calls, by their places.
    pub(super) refused: BTreeMap<u16, ActionId>,
    /// The requests for another contract, by their places.
    pub(super) requests: BTreeMap<u16, u16>,
}

/// The place of an action in a dialogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
enum CallPlace {
    /// An attempt at an answer.
    Model {
        /// The answer, from 0.
        turn: u16,
        /// The attempt, from 0.
        attempt: u16,
    },
    /// A call of an answer.
    Call {
        /// The answer, from 0.
        turn: u16,
        /// The call, from 0.
        item: u16,
    },
}

/// The state of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CallState {
    /// It waits for a verdict, a person, its executor or its end.
    Open,
    /// It has ended.
    Ended(CallEnd, Time),
}

/// The end of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CallEnd {
    /// It succeeded, with this output.
    Succeeded(StoredContent),
    /// It ended in another way; its executor may have said why.
    Failed(Option<StoredContent>),
    /// Policy refused it.
    Refused {
        code: RefusalCode,
        rule: RuleId,
        why: Option<StoredContent>,
    },
    /// Nobody claimed it in time: it did not happen.
    Lapsed,
    /// It may or may not have happened.
    Unknown,
}

impl TurnRecord {
    /// The arguments of the last attempt, if the host answered it with success.
    pub(super) fn answered(&self) -> Option<StoredContent> {
        let is_answered = matches!(
            self.attempts.last(),
            Some(CallState::Ended(CallEnd::Succeeded(_), _))
        );
        let content = self.asked.last().filter(|_| is_answered)?;
        Some(StoredContent {
            by: AuthorId::Engine,
            content: *content,
        })
    }

    /// The number of attempts that were refused because their arguments were in parts.
    pub(super) fn refused_parts(&self) -> usize {
        let is_such = |state: &&CallState| match state {
            CallState::Ended(CallEnd::Refused { rule, .. }, _) => rule.as_str() == PARTS_RULE,
            CallState::Open | CallState::Ended(..) => false,
        };
        self.attempts.iter().filter(is_such).count()
    }

    /// The number of attempts that the host answered with success.
    pub(super) fn answers(&self) -> usize {
        let is_answer =
            |state: &&CallState| matches!(state, CallState::Ended(CallEnd::Succeeded(_), _));
        self.attempts.iter().filter(is_answer).count()
    }
}

impl CallState {
    /// The content that says what became of it; true if every byte of it is needed.
    const fn said(&self) -> Option<(StoredContent, bool)> {
        match self {
            Self::Ended(CallEnd::Succeeded(stored) | CallEnd::Failed(Some(stored)), _) => {
                Some((*stored, false))
            }
            Self::Ended(
                CallEnd::Refused {
                    why: Some(stored), ..
                },
                _,
            ) => Some((*stored, true)),
            Self::Open
            | Self::Ended(
                CallEnd::Failed(None)
                | CallEnd::Refused { why: None, .. }
                | CallEnd::Lapsed
                | CallEnd::Unknown,
                _,
            ) => None,
        }
    }
}

impl Dialogue {
    pub(crate) fn new(meta: &Meta, words: Content, document: Content) -> Self {
        let by = AuthorId::Gateway;
        Self {
            words: StoredContent { by, content: words },
            document: StoredContent {
                by,
                content: document,
            },
            cause: meta.id,
            turns: Vec::new(),
            open: BTreeMap::new(),
            granted: OpenGrants::default(),
            cancelled: false,
            said: Vec::new(),
            over: false,
            requests: Requests::default(),
            heard: meta.stored,
        }
    }

    pub(crate) const fn granted(&self) -> &OpenGrants {
        &self.granted
    }

    /// The contents that its next step depends on; true for those of which every byte is needed.
    pub(super) fn contents(&self) -> impl Iterator<Item = (StoredContent, bool)> + '_ {
        let first = [(self.words, true), (self.document, true)];
        let of = |record: &TurnRecord| {
            let attempts = record.attempts.iter().map(|state| (state, true));
            let calls = record.calls.values().map(|state| (state, false));
            let all = attempts.chain(calls).filter_map(|(state, is_answer)| {
                let (stored, is_whole) = state.said()?;
                Some((stored, is_whole || is_answer))
            });
            let asked = record.answered().map(|asked| (asked, true));
            all.chain(asked).collect::<Vec<_>>()
        };
        let said = self.said.iter().map(|(_, stored)| (*stored, true));
        first
            .into_iter()
            .chain(said)
            .chain(self.turns.iter().flat_map(of))
    }

    /// The number of actions that are not settled.
    pub(super) fn open(&self) -> usize {
        self.open.len()
    }

    /// Proposes nothing more, and ends once no action is open.
    pub(crate) fn cancel(&mut self, meta: &Meta) {
        self.cancelled = true;
        self.cause = meta.id;
    }

    /// Folds further words of the owner with this number: only the next ones count. They stand before the next request.
    pub(crate) fn say(&mut self, meta: &Meta, number: u16, words: Content) {
        if usize::from(number) == self.said.len()
            && let Ok(turn) = u16::try_from(self.turns.len())
        {
            let by = AuthorId::Gateway;
            let content = words;
            self.said.push((turn, StoredContent { by, content }));
            self.hear_of(meta);
        }
    }

    /// Ends it with the next answer of words alone.
    pub(crate) fn end(&mut self, meta: &Meta) {
        self.over = true;
        self.hear_of(meta);
    }

    /// Notes an event of another author that the next one answers.
    pub(crate) fn hear_of(&mut self, meta: &Meta) {
        self.cause = meta.id;
        self.heard = meta.stored;
    }

    /// Folds a request of its own for another contract.
    pub(crate) fn request(&mut self, fact: &ContractRequested) {
        self.requests.make(fact.request);
        if let Some(record) = self.turns.get_mut(usize::from(fact.index)) {
            record.requests.insert(fact.item, fact.request);
        }
    }

    /// Folds a proposal of its own: one at the next place, because the own chain has no gaps.
    pub(crate) fn propose(&mut self, fact: &ActionProposed) {
        let turn = usize::from(fact.index);
        if turn == self.turns.len() {
            self.turns.push(TurnRecord::default());
        }
        let Some(record) = self.turns.get_mut(turn) else {
            return;
        };
        let place = if fact.step.as_str().starts_with(MODEL_STEP) {
            record.attempts.push(CallState::Open);
            record.asked.push(fact.args);
            CallPlace::Model {
                turn: fact.index,
                attempt: u16::from(fact.attempt).saturating_sub(1),
            }
        } else {
            record.calls.insert(fact.item, CallState::Open);
            CallPlace::Call {
                turn: fact.index,
                item: fact.item,
            }
        };
        self.open.insert(fact.action, place);
    }

    /// Folds a refusal. It counts only before a grant, because a granted action may have run.
    pub(crate) fn refuse(&mut self, meta: &Meta, fact: &ActionRefused) {
        if !self.granted.has(fact.action) {
            let by = meta.by;
            let why = fact.why.map(|content| StoredContent { by, content });
            if let Some(CallPlace::Call { turn, item }) = self.open.get(&fact.action)
                && let Some(record) = self.turns.get_mut(usize::from(*turn))
            {
                record.refused.insert(*item, fact.action);
            }
            let end = CallEnd::Refused {
                code: fact.code,
                rule: fact.rule.clone(),
                why,
            };
            self.settle(meta, fact.action, end);
        }
    }

    pub(crate) fn grant(&mut self, meta: &Meta, draft: &DraftGrant) {
        if self.open.contains_key(&draft.action) {
            self.granted.grant(meta, draft);
        }
    }

    /// Folds a fact about a granted action.
    pub(crate) fn hear(&mut self, meta: &Meta, action: ActionId, heard: Heard<'_>) {
        let by = meta.by;
        let said = match heard {
            Heard::Finished(fact) => Some(StoredContent {
                by,
                content: fact.output,
            }),
            Heard::Started | Heard::Declined | Heard::Expired => None,
        };
        let end = match self.granted.hear(meta, action, heard) {
            None => return,
            Some(End::Succeeded(by, content)) => CallEnd::Succeeded(StoredContent { by, content }),
            Some(End::Failed) => CallEnd::Failed(said),
            Some(End::Lapsed) => CallEnd::Lapsed,
            Some(End::Unknown) => CallEnd::Unknown,
        };
        self.settle(meta, action, end);
    }

    fn settle(&mut self, meta: &Meta, action: ActionId, end: CallEnd) {
        let Some(place) = self.open.remove(&action) else {
            return;
        };
        self.hear_of(meta);
        let state = match place {
            CallPlace::Model { turn, attempt } => {
                let record = self.turns.get_mut(usize::from(turn));
                record.and_then(|record| record.attempts.get_mut(usize::from(attempt)))
            }
            CallPlace::Call { turn, item } => {
                let record = self.turns.get_mut(usize::from(turn));
                record.and_then(|record| record.calls.get_mut(&item))
            }
        };
        if let Some(state) = state {
            *state = CallState::Ended(end, meta.stored);
        }
    }
}
