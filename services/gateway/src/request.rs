//! What requests about a task have in common.

use axum::extract::{Path, rejection::PathRejection};
use bus_schema::TaskId;

use crate::problem::{Kind, Problem};
use crate::record::Known;

/// A task's id out of a path.
pub(crate) fn task_id(path: Result<Path<String>, PathRejection>) -> Result<TaskId, Problem> {
    let id = path.ok().and_then(|Path(text)| text.parse().ok());
    id.ok_or_else(|| {
        Problem::new(
            Kind::Malformed,
            "a task's id is a lower-case hyphenated UUID; send one",
        )
    })
}

/// What is known of a task, if it is kept.
pub(crate) fn known<T>(known: Known<T>) -> Result<T, Problem> {
    match known {
        Known::TaskEntry(kept) => Ok(kept),
        Known::Dropped => Err(Problem::new(
            Kind::NotKept,
            "only the newest tasks are kept here; `contractual audit show` still has this one",
        )),
        Known::Never => Err(Problem::new(
            Kind::NotFound,
            "no task of that id is kept here; `contractual audit show` has those that were ever submitted",
        )),
    }
}
