//! Checks of answers and grants: which statement answers a draft, and whether a grant is inside what the owner signed.

use std::collections::BTreeSet;

use crate::{
    Answer, Ask, Asked, DeviceRefused, DraftGrant, Envelope, GRANT_TTL_MS_MAX, Grant, NotSigned,
    OutsideEnvelope, PLAN_CALLS_MAX, PublicKey, Signed, Signers, Statement, Time,
};

impl DraftGrant {
    /// Returns the answer that `statement` gives to exactly this draft at `now`, in bus time. A device of the owner
    /// answers in the owner's place.
    ///
    /// # Errors
    /// Returns the reason if it is no answer to this draft.
    pub fn answer(
        &self,
        statement: &Signed,
        signers: &Signers<'_>,
        now: Time,
    ) -> Result<Answer, OutsideEnvelope> {
        let key = statement.by();
        let by = signers.answers_for(&key, now)?;
        let asked = self.asked.as_ref();
        let from = asked.and_then(|asked| asked.from(&by));
        let from = from.ok_or(NotSigned::UnknownKey)?;
        let (contract, same, yes) = match statement.open(&key)? {
            Statement::Approval(said) => {
                let same = said.deployment == self.deployment
                    && said.task == self.task
                    && said.action == self.action
                    && said.draft == self.digest();
                (said.contract, same, said.approve)
            }
            Statement::Plan(said) => {
                let same = said.deployment == self.deployment
                    && said.task == self.task
                    && said.drafts.len() <= PLAN_CALLS_MAX
                    && said.drafts.contains(&self.digest());
                (said.contract, same, said.approve)
            }
            Statement::Task(_)
            | Statement::Access(_)
            | Statement::Call(_)
            | Statement::End(_)
            | Statement::SignIn(_)
            | Statement::Pairing(_)
            | Statement::Said(_)
            | Statement::Amend(_) => {
                return Err(OutsideEnvelope::ApprovalDiffers);
            }
        };
        if contract != self.contract {
            return Err(OutsideEnvelope::ApprovalContract);
        }
        if yes && !statement.is_verified() && asked.is_some_and(|asked| asked.verified) {
            return Err(DeviceRefused::Unverified.into());
        }
        if same {
            Ok(Answer { by, yes, from })
        } else {
            Err(OutsideEnvelope::ApprovalDiffers)
        }
    }
}

impl Asked {
    /// Returns the moment from which the answer of `key` counts; none if it never counts.
    fn from(&self, key: &PublicKey) -> Option<Time> {
        if self.approvers.contains(key) {
            return Some(Time::default());
        }
        let later = self.escalation.as_ref()?;
        later.approvers.contains(key).then_some(later.from)
    }
}

impl Grant {
    /// Checks that this grant is inside `envelope`, which the owner signed, given the number of earlier uses of the
    /// tool in the task and the bus time of the grant.
    ///
    /// # Errors
    /// Returns the first limit that it exceeds.
    pub fn check_envelope(
        &self,
        envelope: &Envelope,
        signers: &Signers<'_>,
        used: u32,
        stored: Time,
    ) -> Result<(), OutsideEnvelope> {
        let draft = &self.draft;
        if stored >= envelope.expires {
            return Err(OutsideEnvelope::Expired);
        }
        let tool = envelope
            .tools
            .iter()
            .find(|tool| tool.name == draft.tool)
            .ok_or(OutsideEnvelope::Tool)?;
        if tool.digest != draft.tool_digest {
            return Err(OutsideEnvelope::ToolChanged);
        }
        let limits = draft.ttl_ms <= GRANT_TTL_MS_MAX
            && draft.wall_ms <= envelope.wall_ms_max
            && draft.output_bytes_max <= envelope.output_bytes_max;
        if !limits {
            return Err(OutsideEnvelope::Limits);
        }
        if used >= tool.calls {
            return Err(OutsideEnvelope::Calls);
        }
        if !draft
            .secrets
            .iter()
            .all(|secret| envelope.secrets.contains(secret))
        {
            return Err(OutsideEnvelope::Secret);
        }
        match (&draft.asked, tool.ask) {
            (None, Ask::Always) => Err(OutsideEnvelope::ApprovalMissing),
            (None, Ask::Never | Ask::Sometimes) if self.approvals.is_empty() => Ok(()),
            (None, Ask::Never | Ask::Sometimes) => Err(OutsideEnvelope::ApprovalDiffers),
            (Some(asked), _) => self.check_approvals(asked, envelope, signers, stored),
        }
    }

    /// Checks that enough permitted approvers approved in time.
    fn check_approvals(
        &self,
        asked: &Asked,
        envelope: &Envelope,
        signers: &Signers<'_>,
        stored: Time,
    ) -> Result<(), OutsideEnvelope> {
        let named = |key: &PublicKey| *key == signers.owner || envelope.approvers.contains(key);
        let later = asked.escalation.iter().flat_map(|later| &later.approvers);
        if asked.quorum == 0 || !asked.approvers.iter().chain(later).all(named) {
            return Err(OutsideEnvelope::Approver);
        }
        let mut said = BTreeSet::new();
        for statement in &self.approvals {
            let answer = self.draft.answer(statement, signers, stored)?;
            if !answer.yes || answer.from > stored || !said.insert(answer.by) {
                return Err(OutsideEnvelope::ApprovalDiffers);
            }
        }
        if said.len() < usize::from(asked.quorum) {
            return Err(OutsideEnvelope::ApprovalMissing);
        }
        if stored > asked.until {
            return Err(OutsideEnvelope::ApprovalExpired);
        }
        Ok(())
    }
}
