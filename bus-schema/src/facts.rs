//! The table of all facts: the kind, the version, the authors and the fields of each.
//!
//! To add one: add its lines to the table below, name it in the `reads!` of each reader that folds it, and run
//! `just golden`; subjects, permissions, consumers, decoder and documents follow.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    ActionId, ActionOutcome, AuthorId, AuthorKey, AuthorSealingKey, Body, CanPublish, Content,
    ContractName, Deployment, DeploymentId, DeviceId, DeviceKey, DeviceName, DeviceRole, Digest,
    DraftGrant, Envelope, Event, Grant, Hardening, JobName, Junk, MessageRefusal, Pins, PublicKey,
    RefusalCode, RuleId, RunCause, SecretName, Signed, StepName, StopReason, Subject, TaskId,
    TaskOutcome, Time, ToolName, Usage, Version, event::facts, parse_fact, wire,
};

/// The table's entry for one fact.
#[derive(Debug)]
pub struct Spec {
    /// `<noun>.<past-verb>`.
    pub kind: &'static str,
    /// The version of its shape.
    pub v: u16,
    /// The authors that may publish it.
    pub by: &'static [AuthorId],
    /// True if it is about one task.
    pub of_task: bool,
    /// Its meaning.
    pub doc: &'static str,
    /// Its fields.
    pub fields: &'static [&'static str],
    json: Reader<Value>,
    contents: Reader<Vec<Content>>,
}

/// Reads a body with its subject and schema.
type Reader<T> = fn(Subject<'_>, &str, &[u8]) -> Result<T, Junk>;

impl Spec {
    /// The spec of a kind.
    #[must_use]
    pub fn of(kind: &str) -> Option<&'static Self> {
        FACTS.iter().find(|spec| spec.kind == kind)
    }
    /// Returns a body of this kind as JSON, for people.
    ///
    /// # Errors
    /// Returns the reason if it is not such a body.
    pub fn json(&self, subject: Subject<'_>, schema: &str, body: &[u8]) -> Result<Value, Junk> {
        (self.json)(subject, schema, body)
    }
    /// Returns the contents that a body of this kind names.
    ///
    /// # Errors
    /// Returns the reason if it is not such a body.
    pub fn contents(
        &self,
        subject: Subject<'_>,
        schema: &str,
        body: &[u8],
    ) -> Result<Vec<Content>, Junk> {
        (self.contents)(subject, schema, body)
    }
}

facts! {
    /// A process of the author has started. The event has the hardening that the process measured of itself.
    "service.started" v 1 by Gateway Worker Engine Policy Runner Broker Egress Scheduler Audit Ui, of Deployment: ServiceStarted {
        /// The program's version.
        version: Version,
        /// The measured hardening.
        hardening: Hardening,
    };

    /// From here on, exactly these keys are valid for these authors; every other key is revoked.
    "roster.changed" v 1 by Owner, of Deployment: RosterChanged {
        /// The deployment that this stream belongs to; the first event of a stream is a roster.
        deployment: DeploymentId,
        /// One key for each author that may publish.
        keys: Vec<AuthorKey>,
        /// The keys that secrets are sealed to; absent without any.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        sealing: Vec<AuthorSealingKey>,
    };
    /// The owner signs a contract: its exact text by digest, the versions of its readers, and the flat envelope that
    /// executors check.
    "contract.signed" v 1 by Owner, of Deployment: ContractSigned {
        /// SHA-256 of the document.
        contract: Digest,
        /// Its name; only one contract of a name is in force.
        name: ContractName,
        /// Its version; a higher one replaces a lower one.
        version: u32,
        /// The document (TOML).
        document: Content,
        /// The language, program and catalogue that it was read with.
        pins: Pins,
        /// Its limits, over exactly these tools.
        envelope: Envelope,
    } contents |fact| vec![fact.document, fact.pins.tools];
    /// Nothing is granted or claimed under this contract any more.
    "contract.revoked" v 1 by Owner, of Deployment: ContractRevoked {
        /// SHA-256 of its document.
        contract: Digest,
    };
    /// The owner signs the tool catalogue: only its tools, as they stand in it, can be granted and executed.
    "catalogue.signed" v 1 by Owner, of Deployment: CatalogueSigned {
        /// Its version; only a higher one replaces it.
        version: u32,
        /// The catalogue: its canonical JSON.
        document: Content,
    } contents |fact| vec![fact.document];
    /// The owner signs a version of a secret, which is sealed to egress inside and to the broker outside.
    "secret.signed" v 1 by Owner, of Deployment: SecretSigned {
        /// Its name.
        name: SecretName,
        /// Its version; only a higher one replaces it.
        version: u32,
        /// SHA-256 of its terms: hosts, methods and injection.
        terms: Digest,
        /// The terms with the sealed value.
        sealed: Content,
        /// SHA-256 of the inner seal; absent in older events, whose secrets are not released.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        inner: Option<Digest>,
    } contents |fact| vec![fact.sealed];
    /// This version of a secret, and each lower one, is released no more.
    "secret.revoked" v 1 by Owner, of Deployment: SecretRevoked {
        /// Its name.
        name: SecretName,
        /// The version.
        version: u32,
    };
    /// The owner endorses a device: until its end, statements under its key count for the owner as far as its role goes.
    "device.endorsed" v 1 by Owner, of Deployment: DeviceEndorsed {
        /// The deployment in which it is valid.
        deployment: DeploymentId,
        /// The device; used once.
        device: DeviceId,
        /// Its key; used once.
        key: DeviceKey,
        /// Its rights.
        role: DeviceRole,
        /// Its name.
        name: DeviceName,
        /// The moment of bus time from which it counts no more.
        expires: Time,
    };
    /// Nothing that this device signs counts any more.
    "device.revoked" v 1 by Owner, of Deployment: DeviceRevoked {
        /// The device.
        device: DeviceId,
    };
    /// The owner signs a version of a job: its runs are tasks under this contract, with the principal `job:<name>`.
    "job.signed" v 1 by Owner, of Deployment: JobSigned {
        /// Its name.
        job: JobName,
        /// Its version; only a higher one replaces it.
        version: u32,
        /// SHA-256 of the contract that its runs are under.
        contract: Digest,
        /// The document (TOML): when it runs, and what happens to missed and overlapping runs.
        document: Content,
        /// The playbook (TOML) of its runs.
        playbook: Content,
        /// The values of the contract's slots (canonical JSON); absent without any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slots: Option<Content>,
    } contents |fact| fact.slots.into_iter().chain([fact.document, fact.playbook]).collect();
    /// No run of this version of a job, or of a lower one, is admitted any more.
    "job.revoked" v 1 by Owner, of Deployment: JobRevoked {
        /// Its name.
        job: JobName,
        /// The version.
        version: u32,
    };
    /// The job has no runs until it is resumed.
    "job.paused" v 1 by Owner, of Deployment: JobPaused {
        /// Its name.
        job: JobName,
    };
    /// The job runs again, from its next slot on.
    "job.resumed" v 1 by Owner, of Deployment: JobResumed {
        /// Its name.
        job: JobName,
    };
    /// The owner orders one run of a job now.
    "run.ordered" v 1 by Owner, of Deployment: RunOrdered {
        /// The job.
        job: JobName,
        /// Its version.
        version: u32,
        /// The run that it runs again, with the same message; absent for a run of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        again: Option<TaskId>,
    };
    /// A run of a job is due. The event is no permission: policy computes by itself whether the job has such a run.
    "run.due" v 1 by Scheduler, of Deployment: RunDue {
        /// The job.
        job: JobName,
        /// Its version.
        version: u32,
        /// The cause; with deployment, job and version it decides the run's task id.
        cause: RunCause,
        /// The keys of the messages, if the run takes several; absent otherwise.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        messages: Vec<Digest>,
    } contents |fact| fact.cause.contents();
    /// Messages from outside started no run of a job that waits for such messages. Several are said together.
    "trigger.refused" v 1 by Scheduler, of Deployment: TriggerRefused {
        /// The job.
        job: JobName,
        /// The reason.
        why: MessageRefusal,
        /// The number of messages since the last such event.
        count: u32,
        /// The time at which the last of them was stored.
        last: Time,
    };
    /// All running programs are killed, and nothing is granted, until the halt is lifted.
    "halt.ordered" v 1 by Owner, of Deployment: HaltOrdered {};
    /// The halt has ended.
    "halt.lifted" v 1 by Owner, of Deployment: HaltLifted {};
    /// The author found a different stream from the one it had read. It claims nothing until the owner adopts this one.
    "stream.doubted" v 1 by Runner Egress, of Deployment: StreamDoubted {
        /// The sequence of the last message that it had folded.
        lost_seq: u64,
        /// The digest of this message: SHA-256 of its stored time, subject and body.
        lost: Digest,
    };
    /// The executor may continue in this stream from here; earlier grants stay unclaimed.
    "stream.adopted" v 1 by Owner, of Deployment: StreamAdopted {
        /// The executor that doubted it.
        executor: AuthorId,
        /// The message that it lost, as its doubt names it; other doubts continue.
        lost: Digest,
    };

    /// The owner cancels a task: nothing more of it is granted or claimed, and its running programs are killed.
    "task.cancelled" v 1 by Owner, of TaskId: TaskCancelled {};
    /// Policy stops a run of a job, as the job says: nothing more of it is granted or claimed, and its programs are killed.
    "task.stopped" v 1 by Policy, of TaskId: TaskStopped {
        /// The reason.
        why: StopReason,
    };
    /// A signed task was submitted. The gateway guarantees nothing in it.
    "task.submitted" v 1 by Gateway, of TaskId: TaskSubmitted {
        /// A signed [`crate::TaskStatement`].
        statement: Signed,
        /// The playbook that the statement names.
        playbook: Content,
        /// The values of slots (canonical JSON) that the statement names; absent without any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slots: Option<Content>,
        /// The document of the dialogue (JSON) that the statement names; absent for any other task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dialogue: Option<Content>,
    } contents |fact| fact.slots.into_iter().chain(fact.dialogue).chain([fact.playbook]).collect();
    /// A call of a session, signed with the session's key, was submitted. The gateway guarantees nothing in it.
    "session.called" v 1 by Gateway, of TaskId: SessionCalled {
        /// A signed [`crate::CallStatement`].
        statement: Signed,
        /// The arguments (canonical JSON) that the statement names.
        args: Content,
    } contents |fact| vec![fact.args];
    /// The end of a session, signed with its key, was submitted. The gateway guarantees nothing in it.
    "session.ended" v 1 by Gateway, of TaskId: SessionEnded {
        /// A signed [`crate::EndStatement`].
        statement: Signed,
    };
    /// Further words of the owner to a dialogue were submitted. The gateway guarantees nothing in them.
    "task.said" v 1 by Gateway, of TaskId: TaskSaid {
        /// A signed [`crate::SaidStatement`].
        statement: Signed,
        /// The words (text) that the statement names.
        words: Content,
    } contents |fact| vec![fact.words];
    /// The owner's signed answer to a request for another contract was submitted. The gateway guarantees nothing in it.
    "contract.answered" v 1 by Gateway, of TaskId: ContractAnswered {
        /// A signed [`crate::AmendStatement`].
        statement: Signed,
    };
    /// A signed approval or denial was submitted. The gateway guarantees nothing in it.
    "approval.carried" v 1 by Gateway, of TaskId: ApprovalCarried {
        /// The action that it names.
        action: ActionId,
        /// A signed [`crate::ApprovalStatement`].
        statement: Signed,
    };

    /// The author proposes an action. A proposal is no permission.
    "action.proposed" v 1 by Worker Engine, of TaskId: ActionProposed {
        /// The action, used once.
        action: ActionId,
        /// The step of the playbook.
        step: StepName,
        /// The step's index in the playbook, from 0.
        index: u16,
        /// The index of the step's item, from 0.
        item: u16,
        /// The number of items of the step.
        items: u16,
        /// The number of this attempt at the item, from 1.
        attempt: u8,
        /// The tool.
        tool: ToolName,
        /// The arguments, canonical JSON.
        args: Content,
    } contents |fact| vec![fact.args];
    /// A session or a dialogue asks the owner for a version of its contract that permits a refused call. The change is the one that
    /// policy named in its refusal; the event has no value of its own, and changes nothing.
    "contract.requested" v 1 by Engine, of TaskId: ContractRequested {
        /// The number of the request in the task, from 0.
        request: u16,
        /// The index of the answer in a dialogue that asks, from 0, or the number of the session's call.
        index: u16,
        /// The index of the call in the answer, from 0.
        item: u16,
        /// The refused action.
        action: ActionId,
        /// The reason that the agent or the model gives (text).
        reason: Content,
    } contents |fact| vec![fact.reason];
    /// Bus time has passed the deadline for the claim or the outcome of this action.
    /// The event counts only if its own stored time proves that.
    "action.expired" v 1 by Worker Engine, of TaskId: ActionExpired {
        /// The action.
        action: ActionId,
    };
    /// The task has ended.
    "task.finished" v 1 by Worker Engine, of TaskId: TaskFinished {
        /// The outcome.
        outcome: TaskOutcome,
        /// The step and the reason of an early end, or the last words of a model (JSON `{step, reason}` or `{text}`).
        detail: Option<Content>,
    } contents |fact| fact.detail.into_iter().collect();

    /// The contract is in force.
    "contract.activated" v 1 by Policy, of Deployment: ContractActivated {
        /// SHA-256 of its document.
        contract: Digest,
        /// Its name.
        name: ContractName,
        /// The version that it replaces.
        supersedes: Option<Digest>,
    };
    /// Nothing is granted under the contract until the owner signs it again: its tools, or the versions of its readers,
    /// differ from the signed ones.
    "contract.suspended" v 1 by Policy, of Deployment: ContractSuspended {
        /// SHA-256 of its document.
        contract: Digest,
        /// The difference (text).
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// The contract was rejected, with the reason.
    "contract.rejected" v 1 by Policy, of Deployment: ContractRejected {
        /// SHA-256 of its document.
        contract: Digest,
        /// The reason.
        code: RefusalCode,
        /// The reason for a person (text).
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// The statement is the owner's, and the contract is in force: actions of the task may be proposed.
    "task.admitted" v 1 by Policy, of TaskId: TaskAdmitted {
        /// SHA-256 of the contract.
        contract: Digest,
        /// The playbook.
        playbook: Content,
        /// The values of its slots (canonical JSON); absent without any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        slots: Option<Content>,
        /// The key of its session; the engine proposes only what this key signs. Absent for a task with a playbook.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        session: Option<PublicKey>,
        /// The document of the dialogue (JSON), from which the engine works on it. Absent for any other task.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        dialogue: Option<Content>,
        /// The job that it is a run of: playbook and slots are contents of the owner. Absent for a submitted task, of
        /// which they are the gateway's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<JobName>,
        /// True if a message from outside filled in some of its slots. Then policy stored all of them, and they are nobody's word.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        of_message: bool,
    } contents |fact| fact.slots.into_iter().chain(fact.dialogue).chain([fact.playbook]).collect();
    /// The task was rejected, with the reason.
    "task.rejected" v 1 by Policy, of TaskId: TaskRejected {
        /// The reason.
        code: RefusalCode,
        /// The reason for a person (text), if the code alone does not say it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// Exactly this may run, once, on its audience, if it is claimed in time by bus time.
    "action.granted" v 1 by Policy, of TaskId: ActionGranted {
        /// The grant.
        grant: Grant,
    } contents |fact| vec![fact.grant.draft.args];
    /// The action was refused.
    "action.refused" v 1 by Policy, of TaskId: ActionRefused {
        /// The action.
        action: ActionId,
        /// The rule or built-in check that refused it.
        rule: RuleId,
        /// The kind of reason.
        code: RefusalCode,
        /// The reason, and the smallest change of the contract that would allow it (JSON `{why, fix}`).
        why: Option<Content>,
    } contents |fact| fact.why.into_iter().collect();
    /// This draft needs an approval.
    "approval.requested" v 1 by Policy, of TaskId: ApprovalRequested {
        /// The draft grant.
        draft: DraftGrant,
        /// The contract's reason for the request (text).
        reason: Option<Content>,
    } contents |fact| fact.reason.into_iter().chain([fact.draft.args]).collect();
    /// A forwarded statement was not accepted as an approval, with the reason; the request stays open.
    "approval.refused" v 1 by Policy, of TaskId: ApprovalRefused {
        /// The action that the statement named.
        action: ActionId,
        /// The reason.
        code: RefusalCode,
    };

    /// The grant is claimed. Only this event's author acts on it, and only after reading this event back.
    "action.started" v 1 by Runner Egress, of TaskId: ActionStarted {
        /// The action.
        action: ActionId,
    };
    /// The outcome of a claimed action.
    "action.finished" v 1 by Runner Egress, of TaskId: ActionFinished {
        /// The action.
        action: ActionId,
        /// The outcome.
        outcome: ActionOutcome,
        /// The resources that it used.
        usage: Usage,
        /// The output.
        output: Content,
        /// SHA-256 of the salt of the output and the SHA-256 of the body of the request, byte for byte as it was sent. Absent
        /// if there was none.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sent: Option<Digest>,
    } contents |fact| vec![fact.output];
    /// The executor declined a grant, with the reason.
    "action.declined" v 1 by Runner Egress, of TaskId: ActionDeclined {
        /// The action.
        action: ActionId,
        /// The reason.
        code: RefusalCode,
    };

    /// The secret is released for this claimed action, once. Only after reading this event back the broker answers.
    "secret.released" v 1 by Broker, of TaskId: SecretReleased {
        /// The action.
        action: ActionId,
        /// The secret.
        name: SecretName,
        /// Its version.
        version: u32,
    };

    /// Egress got another refresh token with a released secret, and sealed it under the same terms. It stands in the place of the
    /// value of this version. Only after this event the access token is used that came with it.
    "secret.renewed" v 1 by Broker, of TaskId: SecretRenewed {
        /// The action.
        action: ActionId,
        /// The secret.
        name: SecretName,
        /// Its version.
        version: u32,
        /// The terms with the sealed value.
        sealed: Content,
    } contents |fact| vec![fact.sealed];

    /// The log is durable up to `size`, and its signed root is `root`.
    "checkpoint.signed" v 1 by Audit, of Deployment: CheckpointSigned {
        /// The number of leaves; leaf n is the message with stream sequence n.
        size: u64,
        /// The Merkle tree's root (RFC 6962).
        root: Digest,
    };
}
