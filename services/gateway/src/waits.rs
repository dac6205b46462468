//! The facts after which an agent waits for the next event of its session.

use bus_schema::GatewayFact;

/// Returns true if an agent waits for services after this fact, false if it has its answer or a person must act; none if the fact
/// changes neither.
pub(crate) fn after(fact: &GatewayFact) -> Option<bool> {
    match fact {
        GatewayFact::SessionCalled(..)
        | GatewayFact::ApprovalCarried(..)
        | GatewayFact::ContractAnswered(..)
        | GatewayFact::ActionGranted(..) => Some(true),
        GatewayFact::ApprovalRequested(..)
        | GatewayFact::ApprovalRefused(..)
        | GatewayFact::ActionRefused(..)
        | GatewayFact::ActionFinished(..)
        | GatewayFact::ActionDeclined(..)
        | GatewayFact::ActionExpired(..)
        | GatewayFact::SessionEnded(..)
        | GatewayFact::ContractRequested(..)
        | GatewayFact::TaskFinished(..) => Some(false),
        GatewayFact::RosterChanged(..)
        | GatewayFact::TaskSaid(..)
        | GatewayFact::HaltOrdered(..)
        | GatewayFact::HaltLifted(..)
        | GatewayFact::ContractSigned(..)
        | GatewayFact::TaskSubmitted(..)
        | GatewayFact::TaskCancelled(..)
        | GatewayFact::TaskAdmitted(..)
        | GatewayFact::TaskRejected(..)
        | GatewayFact::DeviceEndorsed(..)
        | GatewayFact::DeviceRevoked(..)
        | GatewayFact::ActionProposed(..)
        | GatewayFact::ActionStarted(..) => None,
    }
}
