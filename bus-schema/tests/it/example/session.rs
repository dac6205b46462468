//! The calls of a session, and its end.

use bus_schema::{
    AmendStatement, CallStatement, ContractAnswered, ContractRequested, EndStatement,
    SaidStatement, SessionCalled, SessionEnded, Statement, TaskSaid,
};

use super::{Example, content, digest, event, signed};
use crate::fixture::{T0, deployment, id, name, task};

fn call() -> Statement {
    Statement::Call(CallStatement {
        deployment: deployment(),
        task: task(),
        number: 2,
        tool: name("file.read"),
        args: content(7),
    })
}

fn end() -> Statement {
    Statement::End(EndStatement {
        deployment: deployment(),
        task: task(),
    })
}

fn said() -> Statement {
    Statement::Said(SaidStatement {
        deployment: deployment(),
        task: task(),
        number: 1,
        words: content(3),
        at: T0,
    })
}

fn amend() -> Statement {
    Statement::Amend(AmendStatement {
        deployment: deployment(),
        task: task(),
        request: 0,
        from: digest(5),
        to: Some(digest(6)),
        at: T0,
    })
}

pub(super) fn statements() -> [Statement; 4] {
    [call(), end(), said(), amend()]
}

pub(super) fn events() -> [Example; 5] {
    let called = SessionCalled {
        statement: signed(call()),
        args: content(7),
    };
    let ended = SessionEnded {
        statement: signed(end()),
    };
    let further = TaskSaid {
        statement: signed(said()),
        words: content(3),
    };
    let requested = ContractRequested {
        request: 0,
        index: 2,
        item: 1,
        action: id(4),
        reason: content(2),
    };
    let answered = ContractAnswered {
        statement: signed(amend()),
    };
    [
        event(task(), called),
        event(task(), ended),
        event(task(), further),
        event(task(), requested),
        event(task(), answered),
    ]
}
