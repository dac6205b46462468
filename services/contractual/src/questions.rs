//! The open questions of a followed task: which of them are shown together, and when.

use std::{collections::VecDeque, future::pending, time::Duration};

use bus_schema::{ActionId, PLAN_CALLS_MAX};
use futures::future::BoxFuture;
use tokio::time::Instant;

use crate::{question::Question, timeline::Timeline};

/// The time without an event after which the questions of one step are shown: more of them usually come at once.
const QUIET: Duration = Duration::from_millis(250);
/// The time after which they are shown although events still come.
const SHOWN_WITHIN: Duration = Duration::from_secs(2);

/// The open questions of a followed task.
#[derive(Default)]
pub(crate) struct Questions {
    open: VecDeque<Question>,
    /// The time by which the next ones are shown.
    show_by: Option<Instant>,
    /// The actions of the questions that a person is asked.
    shown: Vec<ActionId>,
    /// The person's answer to them.
    answer: Option<BoxFuture<'static, Option<bool>>>,
}

/// The next thing to do with questions.
pub(crate) enum Turn {
    /// Show these, and have them answered together.
    Show(Vec<Question>),
    /// Sign this answer to these; none is EOF.
    Answered(Option<bool>, Vec<Question>),
}

impl Questions {
    /// Adds a question.
    pub(crate) fn open(&mut self, question: Question) {
        self.open.push_back(question);
    }

    /// Returns true while a person is asked.
    pub(crate) fn is_asking(&self) -> bool {
        self.answer.is_some()
    }

    /// Asks a person about these open questions.
    pub(crate) fn ask(&mut self, plan: &[Question], answer: BoxFuture<'static, Option<bool>>) {
        self.shown = plan.iter().map(|one| one.draft.action).collect();
        self.answer = Some(answer);
    }

    /// Waits for what is to be done next; for ever without a question.
    pub(crate) async fn turn(&mut self, timeline: &Timeline) -> Turn {
        if let Some(answer) = &mut self.answer {
            let answer = answer.await;
            self.answer = None;
            let shown = std::mem::take(&mut self.shown);
            return Turn::Answered(answer, self.take(&shown));
        }
        let Some(first) = self.open.front() else {
            return pending().await;
        };
        let now = Instant::now();
        let show_by = *self.show_by.get_or_insert(now + SHOWN_WITHIN);
        let is_alone = timeline.repeated(first.draft.action).is_none();
        if !is_alone && self.together(timeline).len() < PLAN_CALLS_MAX {
            tokio::time::sleep_until(show_by.min(now + QUIET)).await;
        }
        self.show_by = None;
        Turn::Show(self.together(timeline))
    }

    /// Removes the questions of these actions and returns them.
    pub(crate) fn take(&mut self, actions: &[ActionId]) -> Vec<Question> {
        let is_one = |question: &Question| actions.contains(&question.draft.action);
        let taken = self
            .open
            .iter()
            .filter(|one| is_one(one))
            .cloned()
            .collect();
        self.open.retain(|one| !is_one(one));
        taken
    }

    /// Ends the question of an action. Returns true if a person was asked about it: nothing that was shown with it is
    /// signed then.
    pub(crate) fn end(&mut self, action: ActionId) -> bool {
        self.take(&[action]);
        let was_shown = self.shown.contains(&action);
        if was_shown {
            self.answer = None;
            self.shown.clear();
        }
        was_shown
    }

    /// The first question, and the other open ones of calls of the same step under the same contract.
    fn together(&self, timeline: &Timeline) -> Vec<Question> {
        let Some(first) = self.open.front() else {
            return Vec::new();
        };
        let step = timeline.repeated(first.draft.action);
        let belongs = |one: &&Question| {
            step.is_some()
                && timeline.repeated(one.draft.action) == step
                && one.draft.contract == first.draft.contract
                && one.attended() == first.attended()
        };
        let others = self.open.iter().skip(1).filter(belongs);
        let all = std::iter::once(first).chain(others);
        all.take(PLAN_CALLS_MAX).cloned().collect()
    }
}
