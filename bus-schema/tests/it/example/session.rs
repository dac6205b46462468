//! The calls of a session, and its end.

use bus_schema::{CallStatement, EndStatement, SessionCalled, SessionEnded, Statement};

use super::{Example, content, event, signed};
use crate::fixture::{deployment, name, task};

pub(super) fn call() -> Statement {
    Statement::Call(CallStatement {
        deployment: deployment(),
        task: task(),
        number: 2,
        tool: name("file.read"),
        args: content(7),
    })
}

pub(super) fn end() -> Statement {
    Statement::End(EndStatement {
        deployment: deployment(),
        task: task(),
    })
}

pub(super) fn events() -> [Example; 2] {
    let called = SessionCalled {
        statement: signed(call()),
        args: content(7),
    };
    let ended = SessionEnded {
        statement: signed(end()),
    };
    [event(task(), called), event(task(), ended)]
}
