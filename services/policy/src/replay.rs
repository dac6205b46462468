//! Decides recorded proposals again, each by policy's own core, as everything stood when its verdict was recorded.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use actor::Core as _;
use bus_schema::{
    ActionId, Author as _, ContractName, Counts, DraftGrant, Envelope, Meta, PolicyFact, PublicKey,
    RefusalCode, SecretName, TaskId, Time, ToolName,
};
use contract::{Catalogue, Contract, envelope, pins};
use diagnostic::Diagnostics;
use serde::Serialize;

use crate::core::PolicyCore;
use crate::decide::{Decision, ProposedCall, Refusal, still_covers};
use crate::decision_time::DecisionTime;
use crate::document::Document;
use crate::fetch::{Fetch, Fetched};
use crate::state::{Answer, State};

/// Most verdicts whose earlier moments are looked at: each is folded again from the start.
const LOOKED_BACK_MAX: usize = 256;

/// What is said to a proposal, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedVerdict {
    /// `granted`, `ask` or `refused`.
    pub verdict: &'static str,
    /// The rule or check that decides.
    pub rule: String,
    /// Why it is refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<RefusalCode>,
    /// What it may use, and what may be released for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Allowed>,
}

/// The bounds of a grant, or of what a person is asked about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// Milliseconds.
    pub wall_ms: u32,
    /// Bytes of output.
    pub output_bytes_max: u32,
    /// What counts against the other limits.
    pub counts: Counts,
    /// Secrets that may be released.
    pub secrets: Vec<SecretName>,
}

/// How a verdict compares with the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// The same.
    Identical,
    /// Another one.
    Differs,
    /// Bytes that it depends on were erased, so that nobody can tell.
    Erased,
    /// It does not follow from rules: what a person said, or did not say.
    Person,
    /// It was recorded before what it depends on, or waits for more than is looked at.
    Untold,
}

/// A recorded verdict, decided again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Redecided {
    /// The place of the recorded verdict in the stream.
    pub seq: u64,
    /// The task.
    pub task: TaskId,
    /// The action.
    pub action: ActionId,
    /// Its tool, if its proposal is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tool: Option<ToolName>,
    /// When the recorded verdict was stored: the moment of the decision.
    pub at: Time,
    /// What is on record.
    pub recorded: RecordedVerdict,
    /// What is said now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<RecordedVerdict>,
    /// How they compare.
    pub compared: Compared,
    /// Why it is refused now, or why it cannot be told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

/// What comes next.
#[derive(Debug)]
pub enum Step {
    /// Bytes are needed first; each answer is handed to [`Replay::input`].
    Fetch(Vec<Fetch>),
    /// A verdict was decided again.
    Verdict(Box<Redecided>),
    /// The record is at its end.
    End,
}

/// A record that is decided again, oldest fact first.
#[derive(Debug)]
pub struct Replay {
    core: PolicyCore,
    facts: VecDeque<(Meta, PolicyFact)>,
    /// The state after policy's last word, and what was folded since.
    said: State,
    since: Vec<(Meta, PolicyFact)>,
    /// Another contract in the place of those of its name.
    instead: Option<(Contract, Envelope)>,
    /// Tasks of whose past something was erased.
    erased: BTreeSet<TaskId>,
    asked: BTreeSet<String>,
    tools: BTreeMap<ActionId, ToolName>,
    looked_back: usize,
}

impl Replay {
    /// A replay of these facts, in the order of the stream from its start, with the tools there are.
    #[must_use]
    pub fn new(owner: PublicKey, catalogue: Catalogue, facts: Vec<(Meta, PolicyFact)>) -> Self {
        Self {
            core: PolicyCore::new(owner, catalogue),
            facts: facts.into(),
            said: State::default(),
            since: Vec::new(),
            instead: None,
            erased: BTreeSet::new(),
            asked: BTreeSet::new(),
            tools: BTreeMap::new(),
            looked_back: 0,
        }
    }

    /// The same with another contract in the place of every version of its name. What is on record happened: what the
    /// other contract permits counts under its rules, what it refuses under those that permitted it.
    ///
    /// # Errors
    /// What is wrong with the contract.
    pub fn under(mut self, file: &str, text: &str) -> Result<Self, Diagnostics> {
        let contract = Contract::parse(file, text, &self.core.catalogue)?;
        let envelope = envelope(&contract, &self.core.catalogue);
        self.instead = Some((contract, envelope));
        Ok(self)
    }

    /// The name of the contract that stands in the place of others.
    #[must_use]
    pub fn instead(&self) -> Option<&ContractName> {
        self.instead.as_ref().map(|(contract, _)| contract.name())
    }

    /// Goes on to the next verdict, or to the next bytes that are needed for one.
    pub fn step(&mut self) -> Step {
        while let Some((meta, fact)) = self.facts.front() {
            let (seq, at) = (meta.seq, meta.stored);
            if let (Some((action, word)), Some(task)) = (recorded(fact), meta.task) {
                let wanted = self.wanted();
                if !wanted.is_empty() {
                    return Step::Fetch(wanted);
                }
                let said = self.redecide(seq, task, action, at, word);
                self.fold(said.now.as_ref());
                return Step::Verdict(Box::new(said));
            }
            self.fold(None);
        }
        Step::End
    }

    /// Takes in bytes that were asked for.
    pub fn input(&mut self, input: Fetched) {
        if let Fetched::Words(task, None) | Fetched::Earlier(task, _, _, None) = &input {
            self.erased.insert(*task);
        }
        self.core.input(input);
    }

    /// What was not asked for yet.
    fn wanted(&mut self) -> Vec<Fetch> {
        let mut wanted = self.core.fetches();
        // What is answered is not asked again, so that nothing is asked for ever.
        wanted.retain(|(key, fetch)| self.asked.insert(format!("{key:?} {fetch:?}")));
        wanted.into_iter().map(|(_, fetch)| fetch).collect()
    }

    /// Folds the next fact; `now` is what is said to it in the place of what is on record.
    fn fold(&mut self, now: Option<&RecordedVerdict>) {
        self.asked.clear();
        let Some((meta, mut fact)) = self.facts.pop_front() else {
            return;
        };
        self.replace(&mut fact, now);
        let owner = self.core.owner;
        if let PolicyFact::ActionProposed(_, proposed) = &fact {
            self.tools.insert(proposed.action, proposed.tool.clone());
        }
        self.core.state.fold(&meta, fact.clone(), &owner);
        if let Some((action, _)) = recorded(&fact) {
            self.core.arguments.remove(&action);
        }
        if let PolicyFact::TaskFinished(task, _) = &fact {
            self.core.histories.forget(task);
        }
        self.since.push((meta, fact));
        if meta.by == bus_schema::Policy::ID {
            for (meta, fact) in std::mem::take(&mut self.since) {
                self.said.fold(&meta, fact, &owner);
            }
        }
    }

    /// Puts the other contract into a fact.
    fn replace(&mut self, fact: &mut PolicyFact, now: Option<&RecordedVerdict>) {
        let Some((contract, envelope)) = &self.instead else {
            return;
        };
        match fact {
            PolicyFact::ContractSigned(_, signed) if signed.name == *contract.name() => {
                signed.envelope = envelope.clone();
                signed.pins = pins(&self.core.catalogue, signed.pins.tools);
                let own = contract.clone().in_place_of(signed.contract);
                let document = Document::Contract(Box::new(own), envelope.clone());
                let place = (signed.contract, signed.document);
                self.core.documents.insert(place, document);
            }
            PolicyFact::ActionGranted(_, granted) => {
                let draft = &mut granted.grant.draft;
                let within = now.and_then(|now| Some((now.within.as_ref()?, now.rule.parse())));
                if let Some((within, Ok(rule))) = within {
                    draft.rule = rule;
                    draft.counts = within.counts.clone();
                }
            }
            PolicyFact::RosterChanged(..)
            | PolicyFact::ContractSigned(..)
            | PolicyFact::ContractRevoked(..)
            | PolicyFact::ContractActivated(..)
            | PolicyFact::ContractSuspended(..)
            | PolicyFact::ContractRejected(..)
            | PolicyFact::HaltOrdered(..)
            | PolicyFact::HaltLifted(..)
            | PolicyFact::TaskSubmitted(..)
            | PolicyFact::TaskAdmitted(..)
            | PolicyFact::TaskRejected(..)
            | PolicyFact::TaskFinished(..)
            | PolicyFact::ActionProposed(..)
            | PolicyFact::ActionRefused(..)
            | PolicyFact::ApprovalRequested(..)
            | PolicyFact::ApprovalCarried(..)
            | PolicyFact::ApprovalRefused(..)
            | PolicyFact::ActionStarted(..)
            | PolicyFact::ActionFinished(..)
            | PolicyFact::ActionDeclined(..)
            | PolicyFact::ActionExpired(..) => {}
        }
    }

    fn redecide(
        &mut self,
        seq: u64,
        task: TaskId,
        action: ActionId,
        at: Time,
        recorded: RecordedVerdict,
    ) -> Redecided {
        let mut said = Redecided {
            seq,
            task,
            action,
            tool: self.tools.get(&action).cloned(),
            at,
            recorded,
            now: None,
            compared: Compared::Untold,
            why: None,
        };
        if person(said.recorded.code) {
            said.compared = Compared::Person;
            return said;
        }
        if matches!(self.core.arguments.get(&action), Some(None)) {
            said.compared = Compared::Erased;
            said.why = Some("the arguments were erased".to_owned());
            return said;
        }
        match self.decide(task, action, at) {
            None => said.why = Some("its proposal, or the bytes it needs, are not here".to_owned()),
            Some((word, why)) if word == said.recorded => {
                said.compared = Compared::Identical;
                (said.now, said.why) = (Some(word), why);
            }
            Some((word, why)) => {
                said.compared = self.otherwise(task, action, at, &said.recorded);
                (said.now, said.why) = (Some(word), why);
            }
        }
        if said.compared == Compared::Identical {
            said.now = Some(said.recorded.clone());
            said.why = None;
        }
        said
    }

    /// A verdict that differs on everything before it may be the one that was given before its last facts outcome.
    fn otherwise(
        &mut self,
        task: TaskId,
        action: ActionId,
        at: Time,
        recorded: &RecordedVerdict,
    ) -> Compared {
        if self.instead.is_none() && self.looked_back < LOOKED_BACK_MAX {
            self.looked_back += 1;
            let owner = self.core.owner;
            let before = self.said.clone();
            let whole = std::mem::replace(&mut self.core.state, before);
            let mut same = self.says(task, action, at, recorded);
            for (meta, fact) in &self.since {
                if same {
                    break;
                }
                self.core.state.fold(meta, fact.clone(), &owner);
                same = self.says(task, action, at, recorded);
            }
            self.core.state = whole;
            if same {
                return Compared::Identical;
            }
        }
        if self.erased.contains(&task) {
            return Compared::Erased;
        }
        Compared::Differs
    }

    fn says(&self, task: TaskId, action: ActionId, at: Time, recorded: &RecordedVerdict) -> bool {
        let said = self.decide(task, action, at);
        said.is_some_and(|(word, _)| word == *recorded)
    }

    /// What the core says to a proposal, or to a question that was answered with yes.
    fn decide(
        &self,
        task: TaskId,
        action: ActionId,
        now: Time,
    ) -> Option<(RecordedVerdict, Option<String>)> {
        let state = &self.core.state;
        let moment = DecisionTime {
            now,
            logged: Some(actor::Logged::EVERYTHING),
        };
        let proposals = || state.proposed.values();
        let waits = proposals().find(|one| one.task == task && one.action == action);
        if let Some(proposal) = waits {
            let judged = ProposedCall {
                task,
                action,
                tool: &proposal.tool,
                args: proposal.args,
                by: proposal.by,
            };
            return word(self.core.decide(&judged, proposal.revoked, &moment));
        }
        let question = state.question(task, action)?;
        let draft = &question.draft;
        let judged = ProposedCall {
            task,
            action,
            tool: &draft.tool,
            args: draft.args,
            by: draft.args_by,
        };
        let revoked = matches!(question.answer, Some(Answer::Revoked(_)));
        let decision = match self.core.decide(&judged, revoked, &moment) {
            // A yes still_covers the question that is asked again.
            Decision::Ask { draft: again, .. } if still_covers(draft, &again) => {
                Decision::Grant(draft.clone())
            }
            Decision::Grant(again) if self.instead.is_some() => Decision::Grant(again),
            Decision::Ask { .. } | Decision::Grant(_) if self.instead.is_none() => {
                let why = "what was approved no longer fits into what is left of the limits";
                let refusal = Refusal::new(draft.rule.clone(), RefusalCode::Limit, why);
                Decision::Refuse(refusal)
            }
            other @ (Decision::Wait
            | Decision::Refuse(_)
            | Decision::Ask { .. }
            | Decision::Grant(_)) => other,
        };
        word(decision)
    }
}

/// Whether a refusal says what a person said, or that nobody did, or what outcome of an id.
fn person(code: Option<RefusalCode>) -> bool {
    matches!(
        code,
        Some(RefusalCode::SaidNo | RefusalCode::ApprovalExpired | RefusalCode::Reused)
    )
}

fn within(draft: &DraftGrant) -> Allowed {
    Allowed {
        wall_ms: draft.wall_ms,
        output_bytes_max: draft.output_bytes_max,
        counts: draft.counts.clone(),
        secrets: draft.secrets.clone(),
    }
}

/// The verdict that a fact records.
fn recorded(fact: &PolicyFact) -> Option<(ActionId, RecordedVerdict)> {
    let permits = |verdict, draft: &DraftGrant| RecordedVerdict {
        verdict,
        rule: draft.rule.to_string(),
        code: None,
        within: Some(within(draft)),
    };
    match fact {
        PolicyFact::ActionGranted(_, fact) => {
            let draft = &fact.grant.draft;
            Some((draft.action, permits("granted", draft)))
        }
        PolicyFact::ApprovalRequested(_, fact) => {
            Some((fact.draft.action, permits("ask", &fact.draft)))
        }
        PolicyFact::ActionRefused(_, fact) => {
            let word = RecordedVerdict {
                verdict: "refused",
                rule: fact.rule.to_string(),
                code: Some(fact.code),
                within: None,
            };
            Some((fact.action, word))
        }
        PolicyFact::RosterChanged(..)
        | PolicyFact::ContractSigned(..)
        | PolicyFact::ContractRevoked(..)
        | PolicyFact::ContractActivated(..)
        | PolicyFact::ContractSuspended(..)
        | PolicyFact::ContractRejected(..)
        | PolicyFact::HaltOrdered(..)
        | PolicyFact::HaltLifted(..)
        | PolicyFact::TaskSubmitted(..)
        | PolicyFact::TaskAdmitted(..)
        | PolicyFact::TaskRejected(..)
        | PolicyFact::TaskFinished(..)
        | PolicyFact::ActionProposed(..)
        | PolicyFact::ApprovalCarried(..)
        | PolicyFact::ApprovalRefused(..)
        | PolicyFact::ActionStarted(..)
        | PolicyFact::ActionFinished(..)
        | PolicyFact::ActionDeclined(..)
        | PolicyFact::ActionExpired(..) => None,
    }
}

/// A decision as a word, with its reason; none if it waits for bytes.
fn word(decision: Decision) -> Option<(RecordedVerdict, Option<String>)> {
    match decision {
        Decision::Wait => None,
        Decision::Refuse(refusal) => {
            let word = RecordedVerdict {
                verdict: "refused",
                rule: refusal.rule.to_string(),
                code: Some(refusal.code),
                within: None,
            };
            Some((word, Some(refusal.why)))
        }
        Decision::Ask { draft, reason } => {
            let word = RecordedVerdict {
                verdict: "ask",
                rule: draft.rule.to_string(),
                code: None,
                within: Some(within(&draft)),
            };
            Some((word, Some(reason)))
        }
        Decision::Grant(draft) => {
            let word = RecordedVerdict {
                verdict: "granted",
                rule: draft.rule.to_string(),
                code: None,
                within: Some(within(&draft)),
            };
            Some((word, None))
        }
    }
}
