//! The questions of a task, open and ended.

use std::collections::BTreeMap;

use bus_schema::{ActionId, TaskId};
use gateway::client::Client;

use crate::{Error, ids::IdPrefix, question::Question, timeline::Timeline};

/// The actions of a task and their questions.
#[derive(Debug)]
pub(crate) struct Asked {
    task: TaskId,
    /// The task's events so far.
    pub(crate) timeline: Timeline,
    actions: BTreeMap<ActionId, Action>,
}

/// An action, its question, and the event that decided it.
#[derive(Debug, Default)]
struct Action {
    question: Option<Question>,
    decided: Option<String>,
}

impl Action {
    fn open(&self) -> Option<&Question> {
        self.question.as_ref().filter(|_| self.decided.is_none())
    }
}

impl Asked {
    /// Reads the questions of a task.
    ///
    /// # Errors
    /// Returns the gateway's error.
    pub(crate) async fn read(client: &Client, task: TaskId) -> Result<Self, Error> {
        let mut asked = Self {
            task,
            timeline: Timeline::new(),
            actions: BTreeMap::new(),
        };
        for event in &client.task(task).await?.events {
            let shown = asked.timeline.show(event, client).await;
            let Some(id) = shown.action else { continue };
            let action = asked.actions.entry(id).or_default();
            action.question = action.question.take().or(shown.ask);
            if shown.decided.is_some() {
                let verb = event.kind.rsplit('.').next().unwrap_or_default();
                action.decided.get_or_insert(verb.to_owned());
            }
            if event.ends_task() {
                let open = asked.actions.values_mut();
                open.for_each(|action| {
                    action.decided.get_or_insert("ended".to_owned());
                });
            }
        }
        Ok(asked)
    }

    /// The open questions, in the order of their actions.
    pub(crate) fn open(&self) -> impl Iterator<Item = &Question> {
        self.actions.values().filter_map(Action::open)
    }

    /// Returns the open questions of these actions, each once, or the only open one if none is given.
    ///
    /// # Errors
    /// [`Error::Refused`] states why there is none.
    pub(crate) fn questions(&self, typed: &[IdPrefix]) -> Result<Vec<Question>, Error> {
        if typed.is_empty() {
            return self.only().map(|only| vec![only.clone()]);
        }
        let mut questions: Vec<Question> = Vec::new();
        for typed in typed {
            let question = self.question(typed)?;
            let action = question.draft.action;
            if !questions.iter().any(|one| one.draft.action == action) {
                questions.push(question.clone());
            }
        }
        Ok(questions)
    }

    /// Returns all open questions.
    ///
    /// # Errors
    /// [`Error::Refused`] if there is none.
    pub(crate) fn all(&self) -> Result<Vec<Question>, Error> {
        let open: Vec<Question> = self.open().cloned().collect();
        if open.is_empty() {
            return Err(self.none());
        }
        Ok(open)
    }

    fn question(&self, typed: &IdPrefix) -> Result<&Question, Error> {
        let task = self.task;
        let id = typed.action(self.actions.keys().copied(), task)?;
        let action = self.actions.get(&id);
        if let Some(question) = action.and_then(Action::open) {
            return Ok(question);
        }
        let see = format!("see `contractual task show {task}`");
        let ended =
            action.and_then(|action| Some((action.question.as_ref()?, action.decided.as_ref()?)));
        Err(Error::Refused(match ended {
            Some((_, decided)) => {
                format!("the question of action {id} has ended: the action was {decided}; {see}")
            }
            None => format!("action {id} has no pending question: {see}"),
        }))
    }

    fn none(&self) -> Error {
        let task = self.task;
        Error::Refused(format!(
            "task {task} has no pending question: see `contractual task show {task}`"
        ))
    }

    fn only(&self) -> Result<&Question, Error> {
        let task = self.task;
        let mut open = self.open();
        match (open.next(), open.count()) {
            (None, _) => Err(self.none()),
            (Some(only), 0) => Ok(only),
            (Some(_), more) => {
                let actions = self
                    .open()
                    .map(|question| question.draft.action.to_string());
                Err(Error::Refused(format!(
                    "task {task} has {} pending questions; name the actions, or pass --all: {}",
                    more + 1,
                    actions.collect::<Vec<_>>().join(", ")
                )))
            }
        }
    }
}
