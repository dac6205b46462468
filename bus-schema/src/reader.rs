//! Who folds what: one enum a reader, from which its consumer and its permissions follow.

use crate::{
    ActionDeclined, ActionExpired, ActionFinished, ActionGranted, ActionProposed, ActionRefused,
    ActionStarted, ApprovalCarried, ApprovalRefused, ApprovalRequested, CheckpointSigned,
    ContractActivated, ContractRejected, ContractRevoked, ContractSigned, ContractSuspended,
    HaltLifted, HaltOrdered, RosterChanged, StreamAdopted, StreamDoubted, TaskAdmitted,
    TaskFinished, TaskRejected, TaskSubmitted, reads,
};

reads! {
    /// What the gateway shows.
    GatewayFact = RosterChanged TaskSubmitted TaskAdmitted TaskRejected TaskFinished ActionProposed ActionGranted
        ActionRefused ApprovalRequested ApprovalCarried ApprovalRefused ActionStarted ActionFinished
        ActionDeclined ActionExpired HaltOrdered HaltLifted
}
reads! {
    /// What the worker needs to know where each of its tasks stands.
    WorkerFact = TaskAdmitted TaskFinished ActionProposed ActionGranted ActionRefused
        ApprovalRequested ActionStarted ActionFinished ActionDeclined ActionExpired
}
reads! {
    /// What policy decides by, its own decisions included.
    PolicyFact = RosterChanged ContractSigned ContractRevoked ContractActivated ContractSuspended ContractRejected HaltOrdered
        HaltLifted TaskSubmitted TaskAdmitted TaskRejected TaskFinished ActionProposed ActionGranted
        ActionRefused ApprovalRequested ApprovalCarried ApprovalRefused ActionStarted ActionFinished
        ActionDeclined ActionExpired
}
reads! {
    /// What the runner acts by: grants, what the owner signed of contracts and tasks, which contract took the place of
    /// which, and whether the stream is the one it was.
    RunnerFact = RosterChanged ContractSigned ContractRevoked ContractActivated HaltOrdered HaltLifted StreamDoubted
        StreamAdopted TaskSubmitted ActionGranted ActionStarted ActionFinished ActionDeclined
}
reads! {
    /// What the loop around an executor folds for it: whether it may act in this stream.
    DoubtFact = StreamDoubted StreamAdopted
}
reads! {
    /// What audit folds; it observes every other message as well.
    AuditFact = CheckpointSigned
}
