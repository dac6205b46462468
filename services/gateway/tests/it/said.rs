//! The events of a task's life, for the tests.

use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, ActionStarted, Author,
    CanPublish, Digest, Draft, DraftGrant, Grant, Policy, Runner, TaskAdmitted, TaskFinished,
    TaskId, TaskOutcome, Usage, Worker,
};

use crate::world::content;

pub(crate) fn admitted(task: TaskId) -> Draft<Policy> {
    let contract = Digest::of(&[b"contract"]);
    Draft::of(
        task,
        TaskAdmitted {
            job: None,
            session: None,
            dialogue: None,
            contract,
            playbook: content(b"playbook"),
            slots: None,
            of_message: false,
        },
    )
}

pub(crate) fn proposed(draft: &DraftGrant) -> Draft<Worker> {
    Draft::of(
        draft.task,
        ActionProposed {
            action: draft.action,
            step: "read".parse().unwrap(),
            index: 0,
            item: 0,
            items: 1,
            attempt: 1,
            tool: draft.tool.clone(),
            args: draft.args,
        },
    )
}

pub(crate) fn granted(draft: &DraftGrant) -> Draft<Policy> {
    let grant = Grant {
        draft: draft.clone(),
        approvals: Vec::new(),
    };
    Draft::of(draft.task, ActionGranted { grant })
}

pub(crate) fn started(task: TaskId, action: ActionId) -> Draft<Runner> {
    Draft::of(task, ActionStarted { action })
}

pub(crate) fn finished(task: TaskId, action: ActionId) -> Draft<Runner> {
    finished_by(task, action)
}

pub(crate) fn finished_by<A>(task: TaskId, action: ActionId) -> Draft<A>
where
    A: Author + CanPublish<ActionFinished>,
{
    let (outcome, usage) = (ActionOutcome::Succeeded, Usage::default());
    Draft::of(
        task,
        ActionFinished {
            action,
            outcome,
            usage,
            output: content(b"out"),
            sent: None,
        },
    )
}

pub(crate) fn over(task: TaskId) -> Draft<Worker> {
    Draft::of(
        task,
        TaskFinished {
            outcome: TaskOutcome::Succeeded,
            detail: None,
        },
    )
}
