//! Reads policy's facts: as words, or those of one kind.

use bus_schema::{ActionGranted, ActionId, ActionRefused, DraftGrant, PolicyFact};

/// Returns the verdicts as words: `granted`, `asked`, or the code of a refusal.
pub(crate) fn words(facts: &[PolicyFact]) -> Vec<String> {
    facts.iter().map(word).collect()
}

fn word(fact: &PolicyFact) -> String {
    match fact {
        PolicyFact::ActionGranted(..) => "granted".to_owned(),
        PolicyFact::ApprovalRequested(..) => "asked".to_owned(),
        PolicyFact::ActionRefused(_, fact) => format!("{:?}", fact.code),
        PolicyFact::ApprovalRefused(_, fact) => format!("not taken: {:?}", fact.code),
        PolicyFact::ContractActivated(..) => "activated".to_owned(),
        PolicyFact::ContractSuspended(..) => "suspended".to_owned(),
        PolicyFact::ContractRejected(_, fact) => format!("rejected: {:?}", fact.code),
        PolicyFact::TaskAdmitted(..) => "admitted".to_owned(),
        PolicyFact::TaskStopped(_, fact) => format!("stopped: {:?}", fact.why),
        PolicyFact::TaskRejected(_, fact) => format!("not admitted: {:?}", fact.code),
        PolicyFact::ServiceStarted(..)
        | PolicyFact::RosterChanged(..)
        | PolicyFact::DeviceEndorsed(..)
        | PolicyFact::DeviceRevoked(..)
        | PolicyFact::JobSigned(..)
        | PolicyFact::JobRevoked(..)
        | PolicyFact::JobPaused(..)
        | PolicyFact::JobResumed(..)
        | PolicyFact::RunOrdered(..)
        | PolicyFact::RunDue(..)
        | PolicyFact::CatalogueSigned(..)
        | PolicyFact::ContractSigned(..)
        | PolicyFact::ContractRevoked(..)
        | PolicyFact::HaltOrdered(..)
        | PolicyFact::HaltLifted(..)
        | PolicyFact::TaskSubmitted(..)
        | PolicyFact::TaskCancelled(..)
        | PolicyFact::TaskSaid(..)
        | PolicyFact::ContractAnswered(..)
        | PolicyFact::TaskFinished(..)
        | PolicyFact::ActionProposed(..)
        | PolicyFact::ApprovalCarried(..)
        | PolicyFact::ActionStarted(..)
        | PolicyFact::ActionFinished(..)
        | PolicyFact::ActionDeclined(..)
        | PolicyFact::ActionExpired(..) => panic!("policy does not say {fact:?}"),
    }
}

/// Returns the action of each verdict on a proposal.
pub(crate) fn judged(facts: &[PolicyFact]) -> Vec<ActionId> {
    let granted = granted(facts)
        .into_iter()
        .map(|fact| fact.grant.draft.action);
    let refused = refused(facts).into_iter().map(|fact| fact.action);
    granted.chain(refused).collect()
}

pub(crate) fn granted(facts: &[PolicyFact]) -> Vec<&ActionGranted> {
    let mut found = Vec::new();
    for fact in facts {
        if let PolicyFact::ActionGranted(_, fact) = fact {
            found.push(&**fact);
        }
    }
    found
}

pub(crate) fn refused(facts: &[PolicyFact]) -> Vec<&ActionRefused> {
    let mut found = Vec::new();
    for fact in facts {
        if let PolicyFact::ActionRefused(_, fact) = fact {
            found.push(&**fact);
        }
    }
    found
}

/// Returns the draft of the only question among the verdicts.
pub(crate) fn asked(facts: &[PolicyFact]) -> DraftGrant {
    let mut found = Vec::new();
    for fact in facts {
        if let PolicyFact::ApprovalRequested(_, fact) = fact {
            found.push(fact.draft.clone());
        }
    }
    let [draft] = &found[..] else {
        panic!("{facts:?}");
    };
    draft.clone()
}
