//! Folds the facts of the stream into the projection, for one executor; the broker folds egress's in the same way.

use bus_schema::{
    ActionId, AuthorId, DeviceEndorsed, ExecutorFact, Meta, PublicKey, SecretReleased,
};

use crate::state::{Started, State};

/// The meaning of a fact for what is under way.
#[derive(Debug)]
pub enum Folded {
    /// None.
    Nothing,
    /// A halt, a revocation, a cancellation or a secret: the gate may have changed.
    Gate,
    /// A grant.
    Granted,
    /// A claim of the executor; none inside if it came too late, or without a grant.
    Started(ActionId, Option<Box<Started>>),
    /// The outcome of a claim of the executor.
    Finished(ActionId),
    /// The executor declined a grant.
    Declined(ActionId),
    /// The broker released a secret.
    Released(SecretReleased),
}

impl State {
    /// Folds a fact as the executor `me` does.
    pub fn fold(
        &mut self,
        meta: &Meta,
        fact: ExecutorFact,
        owner: &PublicKey,
        me: AuthorId,
    ) -> Folded {
        match fact {
            ExecutorFact::RosterChanged(_, fact) => {
                self.deployment = Some(fact.deployment);
                return Folded::Nothing;
            }
            ExecutorFact::CatalogueSigned(_, fact) => {
                fact.replace(&mut self.catalogue);
                return Folded::Nothing;
            }
            // The loop handles these: it holds claims back.
            ExecutorFact::StreamDoubted(..) | ExecutorFact::StreamAdopted(..) => {
                return Folded::Nothing;
            }
            ExecutorFact::TaskSubmitted(task, fact) => {
                self.submit(task, &fact.statement, owner);
                return Folded::Nothing;
            }
            ExecutorFact::ContractAnswered(task, fact) => self.amend(task, &fact, owner),
            ExecutorFact::JobSigned(_, fact) => {
                self.jobs.sign(meta.stored, *fact);
                return Folded::Nothing;
            }
            ExecutorFact::JobRevoked(_, fact) => self.jobs.revoke(&fact),
            ExecutorFact::RunDue(_, fact) => {
                self.run_due(&fact);
                return Folded::Nothing;
            }
            ExecutorFact::DeviceEndorsed(_, fact) => return self.endorsed(meta, *fact),
            ExecutorFact::DeviceRevoked(_, fact) => {
                self.devices.revoke(&fact);
                return Folded::Nothing;
            }
            ExecutorFact::SecretReleased(_, fact) => return Folded::Released(*fact),
            ExecutorFact::ActionGranted(_, fact) => {
                self.grant(meta, *fact, me);
                return Folded::Granted;
            }
            // What another executor says is about its own actions.
            ExecutorFact::ActionStarted(..)
            | ExecutorFact::ActionFinished(..)
            | ExecutorFact::ActionDeclined(..)
                if meta.by != me =>
            {
                return Folded::Nothing;
            }
            ExecutorFact::ActionStarted(_, fact) => {
                let started = self.start(meta, fact.action);
                return Folded::Started(fact.action, started.map(Box::new));
            }
            ExecutorFact::ActionFinished(_, fact) => return Folded::Finished(fact.action),
            ExecutorFact::ActionDeclined(_, fact) => {
                self.close(fact.action);
                return Folded::Declined(fact.action);
            }
            ExecutorFact::ContractSigned(_, fact) => self.sign(*fact),
            ExecutorFact::ContractRevoked(_, fact) => self.revoke(fact.contract),
            ExecutorFact::ContractActivated(_, fact) => {
                if let Some(old) = fact.supersedes {
                    self.revoke(old);
                }
            }
            ExecutorFact::HaltOrdered(..) => self.halt(meta, true),
            ExecutorFact::HaltLifted(..) => self.halt(meta, false),
            ExecutorFact::TaskCancelled(task, _) => self.cancel(task),
            // Policy ends runs of jobs alone: a task of a person ends by the owner's word.
            ExecutorFact::TaskStopped(task, _) if task.is_of_run() => self.cancel(task),
            ExecutorFact::TaskStopped(..) => {}
            ExecutorFact::SecretSigned(_, fact) => self.secrets.sign(*fact),
            ExecutorFact::SecretRevoked(_, fact) => self.secrets.revoke(&fact),
            ExecutorFact::SecretRenewed(_, fact) => self.secrets.renew(&fact),
        }
        Folded::Gate
    }

    fn endorsed(&mut self, meta: &Meta, fact: DeviceEndorsed) -> Folded {
        self.devices.endorse(self.deployment, meta.stored, fact);
        Folded::Nothing
    }
}
