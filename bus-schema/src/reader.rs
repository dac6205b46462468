//! The facts that each reader folds: one enum for each reader.

use crate::{
    ActionDeclined, ActionExpired, ActionFinished, ActionGranted, ActionProposed, ActionRefused,
    ActionStarted, ApprovalCarried, ApprovalRefused, ApprovalRequested, CatalogueSigned,
    CheckpointSigned, ContractActivated, ContractAnswered, ContractRejected, ContractRequested,
    ContractRevoked, ContractSigned, ContractSuspended, DeviceEndorsed, DeviceRevoked, HaltLifted,
    HaltOrdered, JobPaused, JobResumed, JobRevoked, JobSigned, RosterChanged, RunDue, RunOrdered,
    SecretReleased, SecretRenewed, SecretRevoked, SecretSigned, ServiceStarted, SessionCalled,
    SessionEnded, StreamAdopted, StreamDoubted, TaskAdmitted, TaskCancelled, TaskFinished,
    TaskRejected, TaskSaid, TaskStopped, TaskSubmitted, TriggerRefused, reads,
};

reads! {
    /// The facts that the gateway shows.
    GatewayFact = RosterChanged DeviceEndorsed DeviceRevoked ContractSigned TaskSubmitted TaskCancelled TaskAdmitted TaskRejected TaskFinished ActionProposed ActionGranted
        ActionRefused ApprovalRequested ApprovalCarried ApprovalRefused ActionStarted ActionFinished
        ActionDeclined ActionExpired HaltOrdered HaltLifted SessionCalled SessionEnded TaskSaid ContractRequested ContractAnswered
}
reads! {
    /// The facts from which the worker knows the state of each of its tasks.
    WorkerFact = TaskAdmitted TaskCancelled TaskStopped TaskFinished ActionProposed ActionGranted ActionRefused
        ApprovalRequested ActionStarted ActionFinished ActionDeclined ActionExpired
}
reads! {
    /// The facts from which the engine knows its sessions and dialogues, and their calls.
    EngineFact = RosterChanged TaskAdmitted TaskCancelled TaskFinished SessionCalled SessionEnded ActionProposed ActionGranted ActionRefused
        ActionStarted ActionFinished ActionDeclined ActionExpired TaskSaid ContractRequested ContractAnswered ContractActivated
        ContractRejected
}
reads! {
    /// The facts that policy's decisions depend on, its own decisions included.
    PolicyFact = ServiceStarted JobSigned JobRevoked JobPaused JobResumed RunOrdered RunDue RosterChanged DeviceEndorsed DeviceRevoked CatalogueSigned ContractSigned ContractRevoked ContractActivated ContractSuspended ContractRejected HaltOrdered
        HaltLifted TaskSubmitted TaskCancelled TaskStopped TaskAdmitted TaskRejected TaskFinished ActionProposed ActionGranted
        ActionRefused ApprovalRequested ApprovalCarried ApprovalRefused ActionStarted ActionFinished
        ActionDeclined ActionExpired TaskSaid ContractAnswered
}
reads! {
    /// The facts that an executor acts by: grants, signed contracts, devices, jobs and tasks, replacements of contracts, secrets, and
    /// doubts about the stream. The broker folds the same, to check what egress acts by.
    ExecutorFact = JobSigned JobRevoked RunDue RosterChanged DeviceEndorsed DeviceRevoked CatalogueSigned ContractSigned ContractRevoked ContractActivated HaltOrdered HaltLifted StreamDoubted
        StreamAdopted TaskSubmitted TaskCancelled ActionGranted ActionStarted ActionFinished ActionDeclined SecretSigned SecretRevoked SecretReleased SecretRenewed TaskStopped ContractAnswered
}
reads! {
    /// The facts that the loop around an executor folds, to know if it may act in this stream.
    DoubtFact = StreamDoubted StreamAdopted
}
reads! {
    /// The facts from which the scheduler knows the jobs and their runs.
    SchedulerFact = ServiceStarted RosterChanged JobSigned JobRevoked JobPaused JobResumed RunOrdered RunDue TriggerRefused TaskAdmitted TaskRejected
        TaskStopped TaskFinished
}
reads! {
    /// The facts that say which devices there are.
    DeviceFact = DeviceEndorsed DeviceRevoked
}
reads! {
    /// The facts that say which jobs there are.
    JobFact = JobSigned JobRevoked JobPaused JobResumed
}
reads! {
    /// The facts that pages show.
    UiFact = RosterChanged DeviceEndorsed DeviceRevoked CatalogueSigned ContractSigned ContractRevoked ContractActivated ContractSuspended ContractRejected
        JobSigned JobRevoked JobPaused JobResumed RunOrdered RunDue SecretSigned SecretRevoked SecretReleased HaltOrdered HaltLifted StreamDoubted
        StreamAdopted TaskSubmitted TaskCancelled TaskStopped TaskAdmitted TaskRejected TaskFinished ActionProposed ActionGranted
        ActionRefused ApprovalRequested ApprovalCarried ApprovalRefused ActionStarted ActionFinished
        ActionDeclined ActionExpired SessionCalled SessionEnded TaskSaid ContractRequested ContractAnswered ServiceStarted
        CheckpointSigned
}
reads! {
    /// The facts that audit folds; it observes every other message as well.
    AuditFact = CheckpointSigned
}
reads! {
    /// The facts that say which tools there are.
    CatalogueFact = CatalogueSigned
}
reads! {
    /// The facts that say which secrets there are, and which keys they are sealed to.
    SecretFact = RosterChanged SecretSigned SecretRevoked
}
reads! {
    /// The facts that give each signed contract its status.
    ContractFact = CatalogueSigned ContractSigned ContractRevoked ContractActivated ContractSuspended ContractRejected TaskAdmitted
        TaskFinished
}
reads! {
    /// The facts that tell what became of each action of a task.
    ActionFact = ActionProposed ApprovalRequested ActionGranted ActionRefused ActionStarted ActionFinished
        ActionDeclined ActionExpired
}
reads! {
    /// The facts that say which requests of a task for another contract are open.
    RequestFact = ContractRequested ContractAnswered
}
reads! {
    /// The facts that record the calls of a task: approval requests, grants and outcomes.
    CallFact = ApprovalRequested ActionGranted ActionFinished
}
