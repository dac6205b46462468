//! Publishes the next verdicts. Each is decided on everything folded so far, which keeps budgets. Several are
//! published at once only if none of them can change another.

use std::collections::{BTreeMap, BTreeSet};

use actor::Outbox;
use bus_schema::{
    ActionGranted, ActionId, ActionRefused, ApprovalRefused, ApprovalRequested, ContractActivated,
    ContractName, ContractRejected, ContractSuspended, Deployment, Draft, DraftGrant, Grant,
    Policy as Me, RefusalCode, Sealed, TaskId, TaskRejected,
};
use contract::{ContractTotals, SlotValues, rule_id};

use crate::core::{PolicyCore, WINDOW};
use crate::decide::{Decision, ProposedCall, Refusal, approved, clipped, drifted, still_covers};
use crate::decision_time::DecisionTime;
use crate::document::Document;
use crate::filled::{admitted, with};
use crate::state::{Answer, PendingContract, Proposal, Question, Submission, Submitted};
use crate::tools::NoTools;

/// Smallest number of verdicts that are appended together: the server stores fewer of them faster one by one.
const TOGETHER_MIN: usize = 4;
/// Longest difference that is recorded in full, in bytes.
const DRIFT_BYTES_MAX: usize = 1 << 20;

impl PolicyCore {
    /// Returns true if audit's log is fresh and close enough to grant the oldest proposal.
    pub(crate) fn grants_possible(&self, moment: &DecisionTime) -> bool {
        let first = self.state.proposed.keys().next();
        moment.logged.is_some() && first.is_none_or(|seq| moment.covers(*seq))
    }

    /// Returns the next verdicts, to be appended together.
    pub(crate) fn verdicts(&self, out: &Outbox<'_, Self>, moment: &DecisionTime) -> Vec<Draft<Me>> {
        let one = self
            .on_contract(out, moment)
            .or_else(|| self.on_drift(out))
            .or_else(|| self.on_stray())
            .or_else(|| self.on_answer(out, moment))
            .or_else(|| self.on_silence(out, moment))
            .or_else(|| self.on_stop(moment))
            .or_else(|| self.on_submission(out, moment))
            .or_else(|| self.on_reuse(out));
        match one {
            Some(one) => vec![one],
            None => self.on_proposals(out, moment),
        }
    }

    fn on_contract(&self, out: &Outbox<'_, Self>, moment: &DecisionTime) -> Option<Draft<Me>> {
        let (pending, document) = self.due()?;
        let contract = pending.contract;
        let in_force = self.state.in_force(&pending.active.name);
        let (fact, why) = match self.acceptable(pending, document, moment) {
            Ok(name) => {
                let old = in_force.map(|(digest, _)| *digest);
                let supersedes = old.filter(|digest| *digest != contract);
                let fact = ContractActivated {
                    contract,
                    name,
                    supersedes,
                };
                return Some(Draft::of(Deployment, fact).because(pending.id));
            }
            Err(refused) => refused,
        };
        let stays = in_force.map_or_else(String::new, |(_, active)| {
            format!(
                "\nversion {} of `{}` stays in force",
                active.version, active.name
            )
        });
        let why = seal(out, format!("{}{stays}", clipped(&why)).as_bytes());
        let fact = ContractRejected {
            contract,
            code: fact,
            why: why.as_ref().map(Sealed::content),
        };
        Some(with(Draft::of(Deployment, fact), why).because(pending.id))
    }

    /// Returns the name under which an offered contract comes into force, or the reason for its rejection.
    fn acceptable(
        &self,
        pending: &PendingContract,
        document: Option<&Document>,
        moment: &DecisionTime,
    ) -> Result<ContractName, (RefusalCode, String)> {
        let signed = &pending.active;
        let no = |code, why: &str| Err((code, why.to_owned()));
        if pending.revoked {
            let why = "the contract was revoked before it was in force";
            return no(RefusalCode::NoContract, why);
        }
        let tools = match self.tools() {
            Ok(tools) => tools,
            Err(NoTools::Unusable(why)) => return no(RefusalCode::NoCatalogue, why),
            Err(NoTools::Unread) => {
                return no(RefusalCode::NoCatalogue, "the catalogue was not read");
            }
        };
        let Some(document) = document else {
            return no(RefusalCode::InvalidContract, "there is no document");
        };
        let found = match document {
            Document::Contract(found, _) => found,
            Document::Unusable(why) => return no(RefusalCode::InvalidContract, why),
        };
        if let Some(differs) = drifted(tools, signed, document, None) {
            let why = format!(
                "the signed envelope is not the one that follows from the document and the catalogue ({}); \
                 sign the contract again with the catalogue and the program that policy has",
                differs.summary()
            );
            return no(RefusalCode::EnvelopeDiffers, &why);
        }
        if (found.name(), found.version()) != (&signed.name, signed.version) {
            let why =
                "it was signed under another name or version than its document has; sign it again";
            return no(RefusalCode::EnvelopeDiffers, why);
        }
        if moment.now >= signed.envelope.expires {
            let why = "the contract has expired; write a later date and sign it again";
            return no(RefusalCode::Expired, why);
        }
        let newest = self.state.in_force(&signed.name);
        let newer = newest.filter(|(digest, active)| {
            **digest != pending.contract
                && active.version >= signed.version
                && moment.now < active.envelope.expires
        });
        match newer {
            None => Ok(signed.name.clone()),
            Some((_, active)) => {
                let next = active.version.saturating_add(1);
                let why = format!(
                    "it is no newer than what is in force; write `version = {next}` and sign it"
                );
                Err((RefusalCode::NotNewer, why))
            }
        }
    }

    /// Suspends a contract in force if its tools or its reading differ from what the owner signed.
    fn on_drift(&self, out: &Outbox<'_, Self>) -> Option<Draft<Me>> {
        let mut each = self
            .state
            .contracts
            .iter()
            .filter(|(_, active)| !active.suspended);
        let catalogue = self.tools().ok()?;
        let (contract, differs) = each.find_map(|(contract, active)| {
            let document = self.read_document(contract, active)?;
            let tools = self.signed_tools.get(&active.pins.tools)?;
            let differs = drifted(catalogue, active, document, tools.as_deref())?;
            Some((*contract, differs))
        })?;
        let text = differs.text();
        let why = if text.len() <= DRIFT_BYTES_MAX {
            text
        } else {
            let summary = differs.summary();
            format!(
                "{summary}; all of it is longer than {DRIFT_BYTES_MAX} bytes: `contractual contract sign` shows it"
            )
        };
        let why = seal(out, why.as_bytes());
        let fact = ContractSuspended {
            contract,
            why: why.as_ref().map(Sealed::content),
        };
        Some(with(Draft::of(Deployment, fact), why))
    }

    fn on_stray(&self) -> Option<Draft<Me>> {
        let stray = self.state.invalid_approvals.values().next()?;
        let (action, code) = (stray.action, stray.code);
        Some(Draft::of(stray.task, ApprovalRefused { action, code }).because(stray.id))
    }

    fn on_answer(&self, out: &Outbox<'_, Self>, moment: &DecisionTime) -> Option<Draft<Me>> {
        let each = self.state.answered.iter().take(WINDOW);
        each.into_iter().find_map(|(_, task, action)| {
            let question = self.state.question(*task, *action)?;
            self.answered(out, moment, question)
        })
    }

    fn answered(
        &self,
        out: &Outbox<'_, Self>,
        moment: &DecisionTime,
        question: &Question,
    ) -> Option<Draft<Me>> {
        let draft = &question.draft;
        let refuse =
            |cause, refusal| refused(out, draft.task, draft.action, refusal).because(cause);
        let cause = match question.answer.as_ref()? {
            Answer::Revoked(cause) => return Some(refuse(*cause, Refusal::no_contract())),
            Answer::Cancelled(cause) => return Some(refuse(*cause, Refusal::cancelled())),
            Answer::No(cause) => {
                let why = "the owner said no";
                let no = Refusal::new(draft.rule.clone(), RefusalCode::SaidNo, why);
                return Some(refuse(*cause, no));
            }
            Answer::Yes(cause) => *cause,
        };
        let judged = ProposedCall {
            task: draft.task,
            action: draft.action,
            tool: &draft.tool,
            args: draft.args,
            by: draft.args_by,
        };
        let refusal = match self.decide(&judged, false, moment) {
            Decision::Wait => return None,
            Decision::Refuse(refusal) => refusal,
            Decision::Ask { draft: again, .. } if again.tool_digest != draft.tool_digest => {
                let why = "the tool has changed since the question was asked";
                Refusal::new(rule_id("catalogue"), RefusalCode::Tool, why)
            }
            Decision::Ask { draft: again, .. } if still_covers(draft, &again) => {
                if !self.may_grant(moment, question.seq) {
                    return None;
                }
                match self.state.lapsed(question, self.owner, moment.now) {
                    Some(code) => {
                        let why = "the device of an approval counts no more; propose it again to ask again";
                        Refusal::new(draft.rule.clone(), code, why)
                    }
                    None => match approved(draft.clone(), question.yes.clone()) {
                        Ok(granted) => {
                            return Some(Draft::of(draft.task, granted).because(cause));
                        }
                        Err(refusal) => refusal,
                    },
                }
            }
            Decision::Ask { .. } | Decision::Grant(_) => {
                let why = "what was approved no longer fits into what is left of the limits";
                Refusal::new(draft.rule.clone(), RefusalCode::Limit, why)
            }
        };
        Some(refuse(cause, refusal))
    }

    fn on_silence(&self, out: &Outbox<'_, Self>, moment: &DecisionTime) -> Option<Draft<Me>> {
        let (until, task, action) = self.state.asks.first()?;
        if moment.now <= *until {
            return None;
        }
        let question = self.state.question(*task, *action)?;
        let rule = question.draft.rule.clone();
        let why = "nobody said yes in time; propose it again to ask again";
        let refusal = Refusal::new(rule, RefusalCode::ApprovalExpired, why);
        Some(refused(out, *task, *action, refusal).because(question.id))
    }

    fn on_submission(&self, out: &Outbox<'_, Self>, moment: &DecisionTime) -> Option<Draft<Me>> {
        let mut waiting = BTreeSet::new();
        let mut each = self.state.submitted.values();
        each.find_map(|one| {
            if waiting.contains(&one.task) {
                return None;
            }
            let said = match one.said {
                Ok(said) if self.must_wait(one, said, moment) => {
                    waiting.insert(one.task);
                    return None;
                }
                Ok(said) => self.admissible(one, said, moment),
                Err(code) => Err((code, None)),
            };
            let draft = match said {
                Ok((said, values)) => admitted(out, one, said, values.as_ref())?,
                Err((code, why)) => {
                    let sealed = why.and_then(|why| seal(out, why.as_bytes()));
                    let why = sealed.as_ref().map(Sealed::content);
                    with(Draft::of(one.task, TaskRejected { code, why }), sealed)
                }
            };
            Some(draft.because(one.id))
        })
    }

    /// Returns true if a submission cannot be judged yet.
    fn must_wait(&self, one: &Submission, said: Submitted, moment: &DecisionTime) -> bool {
        let run = one.run.as_ref();
        self.is_unready(one, said, moment)
            || run.is_some_and(|run| self.run_is_behind(one.task, run, moment.now))
    }

    /// Returns true if a submission cannot be judged yet, whatever else goes on: its contract has no verdict, contract or
    /// slots have not been read, or it is a run whose time has not come.
    pub(crate) fn is_unready(
        &self,
        one: &Submission,
        said: Submitted,
        moment: &DecisionTime,
    ) -> bool {
        let run = one.run.as_ref();
        if run.is_some_and(|run| self.run_is_early(one.task, run, moment.now)) {
            return true;
        }
        let contract = &said.contract;
        let active = self.state.contracts.get(contract);
        let unread = active.is_some_and(|active| !active.suspended)
            && self.document_of(contract).is_none()
            && !matches!(self.tools(), Err(NoTools::Unusable(_)));
        unread || self.state.is_offered(contract) || self.awaits_slots(one.task, said)
    }

    /// Returns what is admitted, or the rejection.
    pub(crate) fn admissible(
        &self,
        one: &Submission,
        said: Submitted,
        moment: &DecisionTime,
    ) -> Result<(Submitted, Option<SlotValues>), (RefusalCode, Option<String>)> {
        let no = |code| Err((code, None));
        let mapped = match &one.run {
            Some(run) => {
                let job = self.check_run(run, moment.now);
                let mapped = job.and_then(|job| self.mapped(one.task, run, job));
                mapped.map_err(|code| (code, None))?
            }
            None => BTreeMap::new(),
        };
        let active = self.state.contracts.get(&said.contract);
        let Some(active) = active else {
            return no(RefusalCode::NoContract);
        };
        let document = self.document_of(&said.contract);
        if active.suspended || document.is_some_and(|found| !active.is_read_as_signed(found)) {
            return no(RefusalCode::Suspended);
        }
        if moment.now >= active.envelope.expires {
            return no(RefusalCode::Expired);
        }
        if self.tools().is_err() {
            return no(RefusalCode::NoCatalogue);
        }
        let unused = ContractTotals::default();
        let shared = self.state.shared.get(&active.name).unwrap_or(&unused);
        let now_ms = moment.now.ns().div_euclid(1_000_000);
        let Some(contract) = document.and_then(Document::contract) else {
            return Ok((said, None));
        };
        if contract.admits(shared, now_ms).is_err() {
            return no(RefusalCode::Limit);
        }
        let filled = self.fills(one.task, said, (contract, now_ms), &mapped);
        let values = filled.map_err(|why| (RefusalCode::Slots, Some(why)))?;
        Ok((said, (!mapped.is_empty()).then_some(values)))
    }

    /// Refuses a reused id only after the first action of that id in the same task has its verdict, so that a
    /// reader who takes the first verdict takes the right one.
    fn on_reuse(&self, out: &Outbox<'_, Self>) -> Option<Draft<Me>> {
        let mut each = self.state.reused.iter().take(WINDOW);
        let ((task, action), cause) =
            each.find(|((task, action), _)| !self.state.is_open(*task, *action))?;
        let why = "the action's id was used before; propose it with a fresh one";
        let refusal = Refusal::new(rule_id("action"), RefusalCode::Reused, why);
        Some(refused(out, *task, *action, refusal).because(*cause))
    }

    /// Decides proposals. Those of one task get their verdicts in stream order, except for grants that wait.
    ///
    /// Most limits belong to one task, so verdicts about several tasks are given together. One task, or one contract
    /// that counts over its tasks, gets one verdict at a time.
    fn on_proposals(&self, out: &Outbox<'_, Self>, moment: &DecisionTime) -> Vec<Draft<Me>> {
        let (mut passed, mut together) = (BTreeSet::new(), BTreeSet::new());
        let mut drafts = Vec::new();
        for (seq, proposal) in self.state.proposed.iter().take(WINDOW) {
            if passed.contains(&proposal.task) {
                continue;
            }
            let decision = self.decide(&judged(proposal), proposal.revoked, moment);
            if matches!(decision, Decision::Grant(_)) && !self.may_grant(moment, *seq) {
                continue;
            }
            if let Decision::Grant(draft) = &decision
                && self.counts_over_tasks(draft)
                && !together.insert(draft.contract)
            {
                continue;
            }
            passed.insert(proposal.task);
            drafts.extend(self.said(out, proposal, decision));
        }
        if drafts.len() < TOGETHER_MIN {
            drafts.truncate(1);
        }
        drafts
    }

    fn counts_over_tasks(&self, draft: &DraftGrant) -> bool {
        match self.document_of(&draft.contract) {
            Some(Document::Contract(contract, _)) => contract.counts_over_tasks(),
            Some(Document::Unusable(_)) | None => true,
        }
    }

    fn may_grant(&self, moment: &DecisionTime, seq: u64) -> bool {
        !self.state.halted && moment.covers(seq)
    }

    fn said(
        &self,
        out: &Outbox<'_, Self>,
        proposal: &Proposal,
        decision: Decision,
    ) -> Option<Draft<Me>> {
        let (task, action) = (proposal.task, proposal.action);
        let draft = match decision {
            Decision::Wait => return None,
            Decision::Grant(draft) => {
                let approvals = Vec::new();
                let grant = Grant { draft, approvals };
                Draft::of(task, ActionGranted { grant })
            }
            Decision::Refuse(refusal) => refused(out, task, action, refusal),
            Decision::Ask { draft, reason } => {
                let reason = seal(out, reason.as_bytes());
                let fact = ApprovalRequested {
                    draft,
                    reason: reason.as_ref().map(Sealed::content),
                };
                with(Draft::of(task, fact), reason)
            }
        };
        Some(draft.because(proposal.id))
    }
}

fn judged(proposal: &Proposal) -> ProposedCall<'_> {
    ProposedCall {
        task: proposal.task,
        action: proposal.action,
        tool: &proposal.tool,
        args: proposal.args,
        by: proposal.by,
    }
}

fn refused(
    out: &Outbox<'_, PolicyCore>,
    task: TaskId,
    action: ActionId,
    refusal: Refusal,
) -> Draft<Me> {
    let mut said = serde_json::Map::new();
    said.insert("why".to_owned(), refusal.why.into());
    if let Some(fix) = refusal.fix {
        said.insert("fix".to_owned(), fix.to_string().into());
    }
    let why = seal(out, &bus_schema::json::canonical(&said.into()));
    let fact = ActionRefused {
        action,
        rule: refusal.rule,
        code: refusal.code,
        why: why.as_ref().map(Sealed::content),
    };
    with(Draft::of(task, fact), why)
}

/// Seals bytes. None if they are too large to be stored; every text here is far smaller.
fn seal(out: &Outbox<'_, PolicyCore>, bytes: &[u8]) -> Option<Sealed> {
    out.seal(bytes).ok()
}
