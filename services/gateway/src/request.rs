//! Helpers for requests about a task.

use axum::extract::{Path, rejection::PathRejection};
use bus_schema::TaskId;

use crate::problem::{Kind, Problem};
use crate::record::Known;

/// Parses a task's id from a path.
pub(crate) fn task_id(path: Result<Path<String>, PathRejection>) -> Result<TaskId, Problem> {
    let id = path.ok().and_then(|Path(text)| text.parse().ok());
    id.ok_or_else(|| {
        Problem::new(
            Kind::Malformed,
            "a task's id is a lower-case hyphenated UUID; send one",
        )
    })
}

/// Returns the data of a kept task; refuses the request if the task is not kept.
pub(crate) fn known<T>(known: Known<T>) -> Result<T, Problem> {
    match known {
        Known::Kept(kept) => Ok(kept),
        Known::Dropped => Err(Problem::new(
            Kind::NotKept,
            "only the newest tasks are kept here; see this one with `contractual audit show`",
        )),
        Known::Never => Err(Problem::new(
            Kind::NotFound,
            "no task with this id is kept here; see every submitted task with `contractual audit show`",
        )),
    }
}
