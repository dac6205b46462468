//! Decides recorded proposals again with policy's own core, in the state of the time when each verdict was recorded.

mod instead;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use actor::Core as _;
use bus_schema::{
    ActionId, Author as _, Content, ContractName, Counts, Digest, DraftGrant, Meta, PolicyFact,
    PublicKey, RefusalCode, SecretName, TaskId, Time, ToolName,
};
use contract::{Catalogue, Fix};
use diagnostic::Diagnostics;
use serde::Serialize;

use crate::core::PolicyCore;
use crate::decide::{Decision, ProposedCall, Refusal, still_covers};
use crate::decision_time::DecisionTime;
use crate::fetch::{Fetch, Fetched};
use crate::state::{Answer, State};

use instead::Instead;

/// Largest number of verdicts that are compared at earlier moments: each is folded again from the start.
const LOOKED_BACK_MAX: usize = 256;

/// The compared parts of a verdict on a proposal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecordedVerdict {
    /// `granted`, `ask` or `refused`.
    pub verdict: &'static str,
    /// The rule or check that decides.
    pub rule: String,
    /// The reason for the refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<RefusalCode>,
    /// The bounds of its usage, and its secrets.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub within: Option<Allowed>,
}

/// The bounds of a grant, or of a draft under question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Allowed {
    /// Milliseconds.
    pub wall_ms: u32,
    /// Bytes of output.
    pub output_bytes_max: u32,
    /// Amounts that count against the other limits.
    pub counts: Counts,
    /// Secrets that may be released.
    pub secrets: Vec<SecretName>,
}

/// The result of comparing a verdict with the recorded one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Compared {
    /// The same.
    Identical,
    /// Different.
    Differs,
    /// Undecidable, because bytes that it depends on were erased.
    Erased,
    /// Decided by a person's answer or silence, so it does not follow from rules.
    Person,
    /// Undecidable: it was recorded before the facts that it depends on, or needs bytes that are not available.
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
    /// The stored time of the recorded verdict: the moment of the decision.
    pub at: Time,
    /// The recorded verdict.
    pub recorded: RecordedVerdict,
    /// The verdict now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub now: Option<RecordedVerdict>,
    /// The result of the comparison.
    pub compared: Compared,
    /// The reason for refusing it now, or for being undecidable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The change of the contract that would permit it, if it is refused now and there is one.
    #[serde(skip)]
    pub fix: Option<Fix>,
}

/// A decision: the verdict, its reason, and the change that would permit a refused call.
struct Said {
    word: RecordedVerdict,
    why: Option<String>,
    fix: Option<Fix>,
}

/// The next step of a replay.
#[derive(Debug)]
pub enum Step {
    /// Bytes are needed first; pass each answer to [`Replay::input`].
    Fetch(Vec<Fetch>),
    /// A verdict was decided again.
    Verdict(Box<Redecided>),
    /// The end of the record.
    End,
}

/// A record that is decided again, oldest fact first.
#[derive(Debug)]
pub struct Replay {
    core: PolicyCore,
    /// The first catalogue that the owner signed.
    first: Option<Content>,
    facts: VecDeque<(Meta, PolicyFact)>,
    /// The state after policy's last verdict, and the facts folded since.
    said: State,
    since: Vec<(Meta, PolicyFact)>,
    /// The contract that replaces every version of its name.
    instead: Option<Instead>,
    /// Tasks with erased history.
    erased: BTreeSet<TaskId>,
    asked: BTreeSet<String>,
    tools: BTreeMap<ActionId, ToolName>,
    looked_back: usize,
}

impl Replay {
    /// Creates a replay of these facts, in stream order from the start. Each verdict is decided with the catalogue that
    /// the owner had signed by then; one from before the first is decided with the first.
    #[must_use]
    pub fn new(owner: PublicKey, facts: Vec<(Meta, PolicyFact)>) -> Self {
        let first = facts.iter().find_map(|(_, fact)| {
            if let PolicyFact::CatalogueSigned(_, fact) = fact {
                Some(fact.document)
            } else {
                None
            }
        });
        Self {
            core: PolicyCore::new(owner),
            first,
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

    /// Replaces every version of the contract's name with this contract, which is valid with `tools`. Recorded calls
    /// happened: a call that this contract permits counts under its rules, a call that it refuses counts under the rules
    /// that permitted it.
    ///
    /// # Errors
    /// The errors of the contract.
    pub fn under(mut self, file: &str, text: &str, tools: &Catalogue) -> Result<Self, Diagnostics> {
        self.instead = Some(Instead::new(file, text, tools)?);
        Ok(self)
    }

    /// Returns the name of the contract that replaces others.
    #[must_use]
    pub fn instead(&self) -> Option<&ContractName> {
        self.instead.as_ref().map(Instead::name)
    }

    /// The contract that a task is under, at this place of the record.
    #[must_use]
    pub fn contract_of(&self, task: TaskId) -> Option<Digest> {
        self.core.state.tasks.get(&task).map(|of| of.contract)
    }

    /// Advances to the next verdict, or to the next bytes that a verdict needs.
    pub fn step(&mut self) -> Step {
        while let Some((meta, fact)) = self.facts.front() {
            let (seq, at) = (meta.seq, meta.stored);
            if let (Some((action, word)), Some(task)) = (recorded(fact), meta.task) {
                // A policy without a catalogue refused so; an older one had its own.
                let had_none = word.code == Some(RefusalCode::NoCatalogue);
                self.core.before_first = self.first.filter(|_| !had_none);
                if let Some(instead) = &mut self.instead {
                    instead.substitute(&mut self.core);
                }
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

    /// Passes requested bytes to the core.
    pub fn input(&mut self, input: Fetched) {
        if let Fetched::Words(task, None)
        | Fetched::Said(task, _, None)
        | Fetched::Slots(task, None)
        | Fetched::Earlier(task, _, _, None) = &input
        {
            self.erased.insert(*task);
        }
        self.core.input(input);
    }

    /// Returns the fetches that were not requested yet.
    fn wanted(&mut self) -> Vec<Fetch> {
        let mut wanted = self.core.fetches();
        if self.said.catalogue != self.core.state.catalogue {
            // The verdict may have been decided before the newest catalogue was folded.
            std::mem::swap(&mut self.core.state, &mut self.said);
            wanted.extend(self.core.fetches());
            std::mem::swap(&mut self.core.state, &mut self.said);
        }
        // Each fetch is requested once, so that a replay cannot loop for ever.
        wanted.retain(|(key, fetch)| self.asked.insert(format!("{key:?} {fetch:?}")));
        wanted.into_iter().map(|(_, fetch)| fetch).collect()
    }

    /// Folds the next fact; `now` is the verdict that replaces the recorded one.
    fn fold(&mut self, now: Option<&RecordedVerdict>) {
        self.asked.clear();
        let Some((meta, mut fact)) = self.facts.pop_front() else {
            return;
        };
        self.recount(&mut fact, now);
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

    /// Replaces the counts of a grant by those of the verdict `now`.
    fn recount(&self, fact: &mut PolicyFact, now: Option<&RecordedVerdict>) {
        if self.instead.is_some()
            && let PolicyFact::ActionGranted(_, granted) = fact
            && let Some(now) = now
            && let (Some(within), Ok(rule)) = (&now.within, now.rule.parse())
        {
            let draft = &mut granted.grant.draft;
            draft.rule = rule;
            draft.counts = within.counts.clone();
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
            fix: None,
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
            Some(Said { word, why, fix }) if word == said.recorded => {
                said.compared = Compared::Identical;
                (said.now, said.why, said.fix) = (Some(word), why, fix);
            }
            Some(Said { word, why, fix }) => {
                said.compared = self.otherwise(task, action, at, &said.recorded);
                (said.now, said.why, said.fix) = (Some(word), why, fix);
            }
        }
        if said.compared == Compared::Identical {
            said.now = Some(said.recorded.clone());
            said.why = None;
        }
        said
    }

    /// Compares a verdict at earlier moments: it may have been decided before the latest facts were folded.
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
        said.is_some_and(|said| said.word == *recorded)
    }

    /// Returns the core's verdict on a proposal, or on an approved question.
    fn decide(&self, task: TaskId, action: ActionId, now: Time) -> Option<Said> {
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
            // The approval covers the question that is asked again.
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

/// Returns true if a refusal follows from a person's answer or silence, or from an id.
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

/// Returns the verdict that a fact records.
fn recorded(fact: &PolicyFact) -> Option<(ActionId, RecordedVerdict)> {
    let permits = |verdict, draft: &DraftGrant| RecordedVerdict {
        verdict,
        rule: draft.rule.to_string(),
        code: None,
        within: Some(within(draft)),
    };
    if let PolicyFact::ActionGranted(_, fact) = fact {
        let draft = &fact.grant.draft;
        return Some((draft.action, permits("granted", draft)));
    }
    if let PolicyFact::ApprovalRequested(_, fact) = fact {
        return Some((fact.draft.action, permits("ask", &fact.draft)));
    }
    let PolicyFact::ActionRefused(_, fact) = fact else {
        return None;
    };
    let refused = RecordedVerdict {
        verdict: "refused",
        rule: fact.rule.to_string(),
        code: Some(fact.code),
        within: None,
    };
    Some((fact.action, refused))
}

/// Returns a decision as a verdict, with its reason; none if it waits for bytes.
fn word(decision: Decision) -> Option<Said> {
    let (word, why, fix) = match decision {
        Decision::Wait => return None,
        Decision::Refuse(refusal) => {
            let word = RecordedVerdict {
                verdict: "refused",
                rule: refusal.rule.to_string(),
                code: Some(refusal.code),
                within: None,
            };
            (word, Some(refusal.why), refusal.fix.map(|fix| *fix))
        }
        Decision::Ask { draft, reason } => {
            let word = RecordedVerdict {
                verdict: "ask",
                rule: draft.rule.to_string(),
                code: None,
                within: Some(within(&draft)),
            };
            (word, Some(reason), None)
        }
        Decision::Grant(draft) => {
            let word = RecordedVerdict {
                verdict: "granted",
                rule: draft.rule.to_string(),
                code: None,
                within: Some(within(&draft)),
            };
            (word, None, None)
        }
    };
    Some(Said { word, why, fix })
}
