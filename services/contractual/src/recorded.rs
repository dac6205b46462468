//! The actions of a task as the verified record has them: the call, and what became of it.

use std::collections::BTreeMap;

use actor::{BusClient, StreamReader};
use bus_schema::{
    ActionFact, ActionId, ActionOutcome, ActionProposed, AuthorId, Content, Digest, DraftGrant,
    RefusalCode, StepName, TaskId, ToolName,
};
use deployment::{Deployment, owner};

use crate::{Error, ids::IdPrefix, reason};

/// A proposed action.
#[derive(Debug, Clone)]
pub(crate) struct RecordedAction {
    pub(crate) action: ActionId,
    name: StepName,
    /// Its step, and its item if the step has several, such as `write 2/3`.
    pub(crate) step: String,
    pub(crate) tool: ToolName,
    /// The executor that may claim it, and stores its output.
    pub(crate) executor: AuthorId,
    pub(crate) state: ActionState,
    /// The draft of its grant, if it was granted.
    pub(crate) granted: Option<DraftGrant>,
    /// The proof of the body of its request, if one was sent.
    pub(crate) sent: Option<Digest>,
}

/// Stage or outcome of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionState {
    /// Policy has not answered yet.
    Proposed,
    /// A person is asked.
    Asked,
    /// It may be claimed.
    Granted,
    /// It is claimed, and its outcome is not on record.
    Running,
    /// Policy refused it.
    Refused(RefusalCode),
    /// The runner declined its grant.
    Declined(RefusalCode),
    /// Its grant was not claimed in time.
    Lapsed,
    /// It was claimed, and reported no outcome in time.
    Unknown,
    /// Its outcome and output.
    Ended(ActionOutcome, Content),
}

/// The recorded actions of one task, in the order of their proposals.
#[derive(Debug)]
pub(crate) struct RecordedTask {
    pub(crate) task: TaskId,
    pub(crate) actions: Vec<RecordedAction>,
}

impl RecordedTask {
    /// Reads and verifies the record, and keeps the actions of the task that `typed` names.
    ///
    /// # Errors
    /// [`Error::Refused`] if no task or several tasks begin so; otherwise the bus's error.
    pub(crate) async fn read(
        deployment: &Deployment,
        bus: &BusClient,
        typed: &IdPrefix,
    ) -> Result<Self, Error> {
        let mut reading = StreamReader::new(owner::owner(&deployment.dir)?);
        let (mut tasks, mut failed) = (BTreeMap::<TaskId, Vec<RecordedAction>>::new(), None);
        // From the start: a message is verified against all messages before it.
        bus.scan(">", 1, |stored| {
            match reading.read::<ActionFact>(&stored) {
                Ok(Ok((meta, fact))) => {
                    if let Some(task) = meta.task.filter(|task| typed.begins(task)) {
                        let actions = tasks.entry(task).or_default();
                        fact.into_iter()
                            .for_each(|fact| fold(actions, meta.by, &fact));
                    }
                }
                Ok(Err(_)) => {}
                Err(error) => failed = Some(error),
            }
            failed.is_none()
        })
        .await?;
        if let Some(error) = failed {
            return Err(error.into());
        }
        let task = typed.task_among(tasks.keys().copied())?;
        let actions = tasks.remove(&task).unwrap_or_default();
        Ok(Self { task, actions })
    }

    /// Returns the action that a person names by its number, by the first characters of its id, or by the name of its
    /// step or tool, and its number.
    ///
    /// # Errors
    /// [`Error::Refused`] if none or several have that name, [`Error::Document`] if it is no name of an action.
    pub(crate) fn select(&self, typed: &str) -> Result<(usize, &RecordedAction), Error> {
        let see = format!("see `contractual output {}`", self.task);
        let numbered = || (1..).zip(&self.actions);
        // An id begins with 0 until the year 2527.
        if !typed.starts_with('0')
            && let Ok(number) = typed.parse::<usize>()
        {
            let found = numbered().find(|(at, _)| *at == number);
            let most = self.actions.len();
            return found.ok_or_else(|| {
                Error::Refused(format!("the task has {most} actions, no {number}: {see}"))
            });
        }
        let named: Vec<_> = numbered()
            .filter(|(_, action)| action.name.as_str() == typed || action.tool.as_str() == typed)
            .collect();
        match named.as_slice() {
            [] => {}
            [only] => return Ok(*only),
            several => {
                let numbers = several.iter().map(|(at, _)| at.to_string());
                let numbers = numbers.collect::<Vec<_>>().join(", ");
                return Err(Error::Refused(format!(
                    "several actions are named {typed}: {numbers}; type one of these numbers"
                )));
            }
        }
        let prefix: IdPrefix = typed.parse().map_err(|_| {
            Error::Document(format!(
                "no step and no tool of the task is named {typed}, and it is no number and no id: {see}"
            ))
        })?;
        let ids = self.actions.iter().map(|action| action.action);
        let id = prefix.action(ids, self.task)?;
        let found = numbered().find(|(_, action)| action.action == id);
        found.ok_or_else(|| Error::Refused(format!("no action {id}: {see}")))
    }
}

impl ActionState {
    /// The state as a word.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Proposed => "proposed",
            Self::Asked => "asked",
            Self::Granted => "granted",
            Self::Running => "running",
            Self::Refused(_) => "refused",
            Self::Declined(_) => "declined",
            Self::Lapsed => "lapsed",
            Self::Unknown => "unknown",
            Self::Ended(ActionOutcome::Succeeded, _) => "succeeded",
            Self::Ended(ActionOutcome::Failed, _) => "failed",
            Self::Ended(ActionOutcome::TimedOut, _) => "timed out",
            Self::Ended(ActionOutcome::Killed, _) => "killed",
        }
    }

    /// Returns the outcome and the output, or the reason why there is none and the next step.
    pub(crate) fn ended(self) -> Result<(ActionOutcome, Content), String> {
        Err(match self {
            Self::Ended(outcome, output) => return Ok((outcome, output)),
            Self::Proposed => "policy has not decided yet: wait, and run the command again".to_owned(),
            Self::Asked => "it waits for an approval: see `contractual approvals list`".to_owned(),
            Self::Granted => "the runner has not claimed it yet: wait, and run the command again".to_owned(),
            Self::Running => "it is running: wait for its end, and run the command again".to_owned(),
            Self::Refused(code) => format!("it was refused, so it never ran: {}", reason::in_words(code)),
            Self::Declined(code) => {
                format!("the runner declined it, so it never ran: {}", reason::in_words(code))
            }
            Self::Lapsed => "its grant was not claimed in time, so it never ran: see `contractual doctor`".to_owned(),
            Self::Unknown => "its outcome is unknown, because the runner reported none in time: check what it changed \
                              before you run it again"
                .to_owned(),
        })
    }
}

fn proposed(fact: &ActionProposed) -> RecordedAction {
    let step = if fact.items > 1 {
        format!("{} {}/{}", fact.step, u32::from(fact.item) + 1, fact.items)
    } else {
        fact.step.to_string()
    };
    RecordedAction {
        action: fact.action,
        name: fact.step.clone(),
        step,
        tool: fact.tool.clone(),
        executor: AuthorId::Runner,
        state: ActionState::Proposed,
        granted: None,
        sent: None,
    }
}

/// Adds a fact of a task, which `by` published. An outcome is final, also one that came late; what another executor says
/// than the one of the grant counts for nothing.
fn fold(actions: &mut Vec<RecordedAction>, by: AuthorId, fact: &ActionFact) {
    let (mut granted, mut proof) = (None, None);
    let is_of_executor = matches!(
        fact,
        ActionFact::ActionStarted(..)
            | ActionFact::ActionDeclined(..)
            | ActionFact::ActionFinished(..)
    );
    let (action, state) = match fact {
        ActionFact::ActionProposed(_, fact) => {
            if actions.iter().all(|known| known.action != fact.action) {
                actions.push(proposed(fact));
            }
            return;
        }
        ActionFact::ApprovalRequested(_, fact) => (fact.draft.action, ActionState::Asked),
        ActionFact::ActionGranted(_, fact) => {
            granted = Some(fact.grant.draft.clone());
            (fact.grant.draft.action, ActionState::Granted)
        }
        ActionFact::ActionRefused(_, fact) => (fact.action, ActionState::Refused(fact.code)),
        ActionFact::ActionStarted(_, fact) => (fact.action, ActionState::Running),
        ActionFact::ActionDeclined(_, fact) => (fact.action, ActionState::Declined(fact.code)),
        ActionFact::ActionExpired(_, fact) => (fact.action, ActionState::Lapsed),
        ActionFact::ActionFinished(_, fact) => {
            proof = fact.sent;
            (fact.action, ActionState::Ended(fact.outcome, fact.output))
        }
    };
    let Some(known) = actions.iter_mut().find(|known| known.action == action) else {
        return;
    };
    if is_of_executor && by != known.executor {
        return;
    }
    if let Some(draft) = granted {
        known.executor = draft.audience;
        known.granted = Some(draft);
    }
    if !matches!(known.state, ActionState::Ended(..)) {
        known.sent = proof;
    }
    known.state = match (known.state, state) {
        (ended @ ActionState::Ended(..), _) => ended,
        (ActionState::Running | ActionState::Unknown, ActionState::Lapsed) => ActionState::Unknown,
        (_, state) => state,
    };
}

#[cfg(test)]
mod tests {
    use bus_schema::{
        ActionDeclined, ActionExpired, ActionFinished, ActionRefused, ActionStarted, Salt, Sealed,
        Usage,
    };

    use super::*;

    fn id(number: usize) -> ActionId {
        let text = format!("01997c2e-1111-7000-8000-{number:012}");
        text.parse().unwrap()
    }

    fn task() -> TaskId {
        "01997c2e-0000-7000-8000-000000000001".parse().unwrap()
    }

    fn content() -> Content {
        Sealed::new(Salt::new([0; 32]), b"{}").unwrap().content()
    }

    fn propose(actions: &mut Vec<RecordedAction>, number: usize, step: &str, tool: &str) {
        let fact = ActionProposed {
            action: id(number),
            step: step.parse().unwrap(),
            index: 0,
            item: 1,
            items: 3,
            attempt: 1,
            tool: tool.parse().unwrap(),
            args: content(),
        };
        fold(
            actions,
            AuthorId::Worker,
            &ActionFact::ActionProposed(task(), Box::new(fact)),
        );
    }

    fn found() -> RecordedTask {
        let mut actions = Vec::new();
        for (number, (step, tool)) in [
            ("list", "file.list"),
            ("read", "file.read"),
            ("read", "file.read"),
            ("report", "file.write"),
        ]
        .into_iter()
        .enumerate()
        {
            propose(&mut actions, number + 1, step, tool);
        }
        RecordedTask {
            task: task(),
            actions,
        }
    }

    #[test]
    fn an_action_is_named_by_its_number_its_id_its_step_or_its_tool() {
        let found = found();
        let whole = id(4).to_string();
        for (typed, number) in [
            ("1", 1),
            ("3", 3),
            ("list", 1),
            ("file.write", 4),
            ("report", 4),
            (&whole, 4),
        ] {
            let (at, action) = found.select(typed).unwrap();
            assert_eq!((at, action.action), (number, id(number)), "{typed}");
        }
        assert_eq!(found.select("2").unwrap().1.step, "read 2/3");
        for (typed, code, words) in [
            ("5", 1, "has 4 actions, no 5"),
            ("0", 64, "no number and no id"),
            ("read", 1, "named read: 2, 3"),
            ("file.read", 1, "named file.read: 2, 3"),
            ("01997c2e", 1, "4 actions begin with"),
            ("ffffffff", 1, "no action ffffffff"),
            ("rea", 64, "no step and no tool of the task is named rea"),
        ] {
            let error = found.select(typed).unwrap_err();
            assert_eq!(error.exit_code(), code, "{typed}: {error}");
            assert!(error.to_string().contains(words), "{typed}: {error}");
        }
    }

    #[test]
    fn only_an_action_that_ended_has_an_output() {
        let RecordedTask { mut actions, .. } = found();
        let action = id(1);
        let state = |actions: &[RecordedAction]| actions[0].state;
        let started = ActionFact::ActionStarted(task(), Box::new(ActionStarted { action }));
        let expired = ActionFact::ActionExpired(task(), Box::new(ActionExpired { action }));
        let code = RefusalCode::NotAllowed;
        let refused = ActionRefused {
            action,
            rule: "default".parse().unwrap(),
            code,
            why: None,
        };
        let finished = ActionFinished {
            action,
            outcome: ActionOutcome::Failed,
            usage: Usage::default(),
            output: content(),
            sent: None,
        };
        let refused = ActionFact::ActionRefused(task(), Box::new(refused));
        let declined = ActionDeclined { action, code };
        let declined = ActionFact::ActionDeclined(task(), Box::new(declined));
        let finished = ActionFact::ActionFinished(task(), Box::new(finished));
        for (fact, then) in [
            (&refused, ActionState::Refused(code)),
            (&declined, ActionState::Declined(code)),
            (&expired, ActionState::Lapsed),
            (&started, ActionState::Running),
            (&expired, ActionState::Unknown),
        ] {
            fold(&mut actions, AuthorId::Runner, fact);
            assert_eq!(state(&actions), then);
            assert!(then.ended().is_err(), "{then:?}");
        }
        // An executor that the action was not granted to says nothing about it.
        fold(&mut actions, AuthorId::Egress, &finished);
        assert_eq!(state(&actions), ActionState::Unknown);
        // Neither repeats nor later facts change an outcome.
        for fact in [&finished, &expired, &started] {
            fold(&mut actions, AuthorId::Runner, fact);
            let ended = Ok((ActionOutcome::Failed, content()));
            assert_eq!(state(&actions).ended(), ended);
        }
        assert_eq!(state(&actions[1..]), ActionState::Proposed);
        propose(&mut actions, 1, "other", "file.delete");
        assert_eq!(actions.len(), 4);
    }
}
