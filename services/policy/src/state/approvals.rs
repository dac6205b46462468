//! Folds the answers of people to questions, and the revocations of devices that gave some.

use bus_schema::{
    ApprovalCarried, ApprovalRefused, DeviceRefused, DeviceRevoked, Meta, NotSigned,
    OutsideEnvelope, PublicKey, RefusalCode, Signed, Signers, Statement, TaskId, Time,
};

use super::{APPROVALS_REFUSED_MAX, Answer, InvalidApproval, Question, Stage, State};

impl State {
    /// Folds a forwarded statement: an answer of an approver, or one that policy refuses.
    pub(super) fn carried(
        &mut self,
        meta: &Meta,
        task: TaskId,
        fact: ApprovalCarried,
        owner: &PublicKey,
    ) {
        let action = fact.action;
        if !self.tasks.contains_key(&task) {
            return;
        }
        let signers = Signers {
            owner: *owner,
            devices: &self.devices,
        };
        let of = self.tasks.get_mut(&task);
        let stage = of.and_then(|of| of.actions.get_mut(&action));
        let taken = match stage.map(|of| &mut of.stage) {
            Some(Stage::Asked(question)) => taken(question, fact.statement, meta, &signers),
            Some(
                Stage::Proposed(_) | Stage::Granted { .. } | Stage::Started { .. } | Stage::Over,
            )
            | None => Err(RefusalCode::ApprovalNotOpen),
        };
        let code = match taken {
            Ok(None) => return,
            Ok(Some(answer)) => return self.answer(task, action, answer),
            Err(code) => code,
        };
        let Some(of) = self.tasks.get_mut(&task) else {
            return;
        };
        let invalid_approvals = match of.actions.get_mut(&action) {
            Some(known) => &mut known.invalid_approvals,
            None => &mut of.invalid_approvals,
        };
        if *invalid_approvals < APPROVALS_REFUSED_MAX {
            *invalid_approvals += 1;
            let id = meta.id;
            let stray = InvalidApproval {
                task,
                action,
                code,
                id,
            };
            self.invalid_approvals.insert(meta.seq, stray);
        }
    }

    /// Returns the code of the first approval of a question that counts no more at `now`, in bus time: its device has
    /// expired since.
    pub(crate) fn lapsed(
        &self,
        question: &Question,
        owner: PublicKey,
        now: Time,
    ) -> Option<RefusalCode> {
        let signers = Signers {
            owner,
            devices: &self.devices,
        };
        let said = question.yes.iter();
        let mut said = said.map(|one| question.draft.answer(one, &signers, now));
        said.find_map(|one| one.err().map(no_answer))
    }

    /// Folds the refusal of a forwarded statement.
    pub(super) fn approval_refused(&mut self, task: TaskId, fact: &ApprovalRefused) {
        let same = |one: &InvalidApproval| one.task == task && one.action == fact.action;
        let first = self.invalid_approvals.iter().find(|(_, one)| same(one));
        if let Some(seq) = first.map(|(seq, _)| *seq) {
            self.invalid_approvals.remove(&seq);
        }
    }

    /// Folds the revocation of a device: its approvals count no more, and a question that they answered is open again.
    pub(super) fn device_revoked(&mut self, fact: &DeviceRevoked) {
        let Some(key) = self.devices.revoke(fact) else {
            return;
        };
        for (task, of) in &mut self.tasks {
            for (action, of) in &mut of.actions {
                let Stage::Asked(question) = &mut of.stage else {
                    continue;
                };
                let before = question.yes.len();
                question.yes.retain(|one| one.by() != key);
                let was_answered = matches!(question.answer, Some(Answer::Yes(_)));
                if was_answered && question.yes.len() < before {
                    question.answer = None;
                    self.answered.remove(&(question.seq, *task, *action));
                    self.asks.insert((question.until, *task, *action));
                }
            }
        }
    }
}

/// Adds a statement to a question and returns the resulting answer. A no counts until the grant, even after
/// approvals.
fn taken(
    question: &mut Question,
    statement: Signed,
    meta: &Meta,
    signers: &Signers<'_>,
) -> Result<Option<Answer>, RefusalCode> {
    let said = question.draft.answer(&statement, signers, meta.stored);
    let said = said.map_err(|why| {
        let other = why == OutsideEnvelope::ApprovalDiffers && is_of_other(question, &statement);
        if other {
            RefusalCode::ApprovalOtherAction
        } else {
            no_answer(why)
        }
    })?;
    if meta.stored > question.until {
        return Err(RefusalCode::ApprovalExpired);
    }
    if meta.stored < said.from {
        return Err(RefusalCode::ApproverUnknown);
    }
    if !said.yes {
        return match question.answer {
            None | Some(Answer::Yes(_)) => Ok(Some(Answer::No(meta.id))),
            Some(Answer::No(_) | Answer::Revoked(_) | Answer::Cancelled(_)) => {
                Err(RefusalCode::ApprovalNotOpen)
            }
        };
    }
    if question
        .yes
        .iter()
        .any(|one| signers.person(&one.by()) == said.by)
    {
        return Err(RefusalCode::ApprovalUsed);
    }
    if question.answer.is_some() {
        return Err(RefusalCode::ApprovalNotOpen);
    }
    question.yes.push(statement);
    let quorum = question.draft.asked.as_ref().map(|asked| asked.quorum);
    let enough = quorum.is_some_and(|quorum| question.yes.len() >= usize::from(quorum));
    Ok(enough.then_some(Answer::Yes(meta.id)))
}

/// Returns true if a statement, by any signer, is about another action than the question.
fn is_of_other(question: &Question, statement: &Signed) -> bool {
    match statement.open(&statement.by()) {
        Ok(Statement::Approval(said)) => {
            (said.task, said.action) != (question.draft.task, question.draft.action)
        }
        Ok(Statement::Plan(said)) => {
            said.task != question.draft.task || !said.drafts.contains(&question.draft.digest())
        }
        Ok(
            Statement::Task(_)
            | Statement::Access(_)
            | Statement::Call(_)
            | Statement::End(_)
            | Statement::SignIn(_)
            | Statement::Pairing(_)
            | Statement::Said(_)
            | Statement::Amend(_),
        )
        | Err(_) => false,
    }
}

/// Returns the code of a statement that does not answer a draft.
const fn no_answer(why: OutsideEnvelope) -> RefusalCode {
    match why {
        OutsideEnvelope::Approval(NotSigned::UnknownKey) => RefusalCode::ApproverUnknown,
        OutsideEnvelope::ApprovalDiffers => RefusalCode::ApprovalDiffers,
        OutsideEnvelope::ApprovalContract => RefusalCode::ApprovalOtherContract,
        OutsideEnvelope::Device(DeviceRefused::Revoked) => RefusalCode::DeviceRevoked,
        OutsideEnvelope::Device(DeviceRefused::Expired) => RefusalCode::DeviceExpired,
        OutsideEnvelope::Device(DeviceRefused::Role) => RefusalCode::DeviceRole,
        OutsideEnvelope::Device(DeviceRefused::Unverified) => RefusalCode::DeviceUnverified,
        OutsideEnvelope::Approval(NotSigned::BadSignature | NotSigned::Malformed)
        | OutsideEnvelope::Expired
        | OutsideEnvelope::Tool
        | OutsideEnvelope::ToolChanged
        | OutsideEnvelope::Limits
        | OutsideEnvelope::Calls
        | OutsideEnvelope::Secret
        | OutsideEnvelope::ApprovalMissing
        | OutsideEnvelope::ApprovalExpired
        | OutsideEnvelope::Approver => RefusalCode::BadStatement,
    }
}
