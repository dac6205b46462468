//! Ids of tasks and actions as people type them: whole, or the first characters of one.

use std::{fmt::Display, str::FromStr};

use bus_schema::{ActionId, TaskId};
use deployment::Deployment;
use gateway::client::Client;

use crate::Error;

/// Fewest characters of an id.
const CHARS_MIN: usize = 4;
/// Characters of a whole id.
const CHARS: usize = 36;
/// Most ids that an error lists.
const LISTED_MAX: usize = 5;

/// An id, or its first characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IdPrefix(String);

impl FromStr for IdPrefix {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.to_ascii_lowercase();
        let fits = |c: char| c.is_ascii_hexdigit() || c == '-';
        if text.chars().all(fits) && (CHARS_MIN..=CHARS).contains(&text.len()) {
            Ok(Self(text))
        } else {
            Err(format!(
                "not an id: type at least its first {CHARS_MIN} characters, such as 01997c2e"
            ))
        }
    }
}

impl IdPrefix {
    /// Returns the id of a task: a whole id as it is, otherwise the only one of the newest tasks that begins so.
    ///
    /// # Errors
    /// [`Error::Refused`] if no task or several tasks begin so, or the gateway's error.
    pub(crate) async fn task(&self, client: &Client) -> Result<TaskId, Error> {
        if let Some(whole) = self.whole() {
            return Ok(whole);
        }
        let tasks = client.tasks().await?.tasks;
        self.task_among(tasks.iter().map(|task| task.task))
    }

    /// Same as [`IdPrefix::task`]; a whole id needs no gateway.
    ///
    /// # Errors
    /// As [`IdPrefix::task`].
    pub(crate) async fn task_of(&self, deployment: &Deployment) -> Result<TaskId, Error> {
        match self.whole() {
            Some(whole) => Ok(whole),
            None => self.task(&crate::client(deployment)?).await,
        }
    }

    /// Same as [`IdPrefix::task_of`], if an id was typed.
    ///
    /// # Errors
    /// As [`IdPrefix::task`].
    pub(crate) async fn optional(
        typed: Option<&Self>,
        deployment: &Deployment,
    ) -> Result<Option<TaskId>, Error> {
        match typed {
            Some(typed) => typed.task_of(deployment).await.map(Some),
            None => Ok(None),
        }
    }

    /// Returns true if the id is this one, or begins so.
    pub(crate) fn begins(&self, id: impl Display) -> bool {
        id.to_string().starts_with(&self.0)
    }

    /// Returns the only task of `tasks` that begins so.
    ///
    /// # Errors
    /// [`Error::Refused`] if no task or several tasks begin so.
    pub(crate) fn task_among(
        &self,
        tasks: impl IntoIterator<Item = TaskId>,
    ) -> Result<TaskId, Error> {
        self.only(tasks, "task", "contractual task list")
    }

    fn whole(&self) -> Option<TaskId> {
        self.0.parse().ok().filter(|_| self.0.len() == CHARS)
    }

    /// Returns the only action of `actions` that begins so.
    ///
    /// # Errors
    /// [`Error::Refused`] if no action or several actions begin so.
    pub(crate) fn action(
        &self,
        actions: impl IntoIterator<Item = ActionId>,
        task: TaskId,
    ) -> Result<ActionId, Error> {
        self.only(actions, "action", &format!("contractual task show {task}"))
    }

    fn only<T: Display>(
        &self,
        known: impl IntoIterator<Item = T>,
        name: &str,
        see: &str,
    ) -> Result<T, Error> {
        let Self(typed) = self;
        let known = known.into_iter();
        let mut found: Vec<T> = known.filter(|id| self.begins(id)).collect();
        match (found.pop(), found.len()) {
            (None, _) => Err(Error::Refused(format!("no {name} {typed}: see `{see}`"))),
            (Some(only), 0) => Ok(only),
            (Some(last), more) => {
                found.push(last);
                let listed = found.iter().take(LISTED_MAX).map(T::to_string);
                Err(Error::Refused(format!(
                    "{} {name}s begin with {typed}: {}; type more characters",
                    more + 1,
                    listed.collect::<Vec<_>>().join(", ")
                )))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(text: &str) -> TaskId {
        text.parse().unwrap()
    }

    #[test]
    fn only_a_unique_beginning_names_an_id() {
        let known = [
            id("01997c2e-1111-7000-8000-000000000001"),
            id("01997c2e-1111-7000-8000-000000000002"),
            id("01997c2f-1111-7000-8000-000000000003"),
        ];
        let find = |typed: &str| {
            let prefix: IdPrefix = typed.parse().unwrap();
            prefix.only(known, "task", "contractual task list")
        };
        assert_eq!(find("01997C2F").unwrap(), known[2]);
        assert_eq!(find(&known[0].to_string()).unwrap(), known[0]);
        let several = find("01997c2e").unwrap_err().to_string();
        assert!(
            several.starts_with("2 tasks begin with 01997c2e: "),
            "{several}"
        );
        let none = find("0200").unwrap_err().to_string();
        assert_eq!(none, "no task 0200: see `contractual task list`");
        for typed in ["", "019", "0199g", "task", &"0".repeat(37)] {
            assert!(typed.parse::<IdPrefix>().is_err(), "{typed}");
        }
    }
}
