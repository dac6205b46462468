//! The states of tasks, actions, contracts and jobs, each as a word with an icon and a class.

use bus_schema::{ActionOutcome, TaskOutcome, Time};

use crate::{
    parts::Badge,
    record::{ActionRecord, ActionState, ContractRecord, ContractStage, TaskRecord, TaskStage},
};

const WAITS: Badge = Badge::new("off", "○", "waits for policy");
const ASKS: Badge = Badge::new("ask", "?", "asks you");
const RUNNING: Badge = Badge::new("run", "▸", "running");
const DONE: Badge = Badge::new("ok", "✓", "done");
const FAILED: Badge = Badge::new("no", "✗", "failed");

/// The state of a task.
pub(crate) fn task(task: &TaskRecord, now: Time) -> Badge {
    match &task.stage {
        TaskStage::Submitted => WAITS,
        TaskStage::Open if task.cancelled.is_some() => Badge::new("off", "■", "being cancelled"),
        TaskStage::Open if task.questions(now).next().is_some() => ASKS,
        TaskStage::Open => RUNNING,
        TaskStage::Rejected { .. } => Badge::new("no", "✗", "rejected"),
        TaskStage::Ended { outcome, .. } => match outcome {
            TaskOutcome::Succeeded => DONE,
            TaskOutcome::Failed => FAILED,
            TaskOutcome::Cancelled => Badge::new("off", "■", "cancelled"),
        },
    }
}

/// The state of an action of a task that is open or has ended.
pub(crate) fn action(action: &ActionRecord, is_open: bool, now: Time) -> Badge {
    match action.state(now) {
        ActionState::Proposed | ActionState::Asks(_) if !is_open => {
            Badge::new("off", "○", "the task ended first")
        }
        ActionState::Proposed => WAITS,
        ActionState::Asks(question) if question.until < now => {
            Badge::new("off", "○", "not answered in time")
        }
        ActionState::Asks(_) => ASKS,
        ActionState::Granted => Badge::new("run", "→", "granted"),
        ActionState::Running => RUNNING,
        ActionState::Refused(_) => Badge::new("no", "✗", "refused"),
        ActionState::Declined(_) => Badge::new("no", "✗", "declined"),
        ActionState::NotClaimed => Badge::new("off", "○", "not claimed in time"),
        ActionState::Unknown => Badge::new("ask", "?", "outcome unknown"),
        ActionState::Ended(ending) => match ending.outcome {
            ActionOutcome::Succeeded => DONE,
            ActionOutcome::Failed => FAILED,
            ActionOutcome::TimedOut => Badge::new("no", "✗", "timed out"),
            ActionOutcome::Killed => Badge::new("no", "■", "killed"),
        },
    }
}

/// The state of a contract.
pub(crate) fn contract(contract: &ContractRecord, now: Time) -> Badge {
    if contract.is_expired(now) {
        return Badge::new("off", "○", "expired");
    }
    match contract.stage {
        ContractStage::Offered => WAITS,
        ContractStage::Active => Badge::new("ok", "✓", "in force"),
        ContractStage::Suspended(_) => Badge::new("ask", "!", "suspended"),
        ContractStage::Replaced => Badge::new("off", "○", "replaced"),
        ContractStage::Revoked => Badge::new("no", "■", "revoked"),
        ContractStage::Rejected(..) => Badge::new("no", "✗", "rejected"),
    }
}
