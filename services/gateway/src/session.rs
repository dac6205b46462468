//! The calls of sessions, and their ends: signed with the key that the owner named in the session's statement.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bus_schema::{Draft, SessionCalled, SessionEnded, Signed, Statement, TaskId};

use crate::{
    access,
    api::{ARGS_BYTES_MAX, Called, CarryCall, CarryEnd, Ended},
    app_state::AppState,
    problem::{Kind, Problem},
    request::{known, read},
    shared_record::call_key,
};

/// Forwards a call of a session, once.
pub(crate) async fn call(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<Called>), Problem> {
    let asked: CarryCall = read(&app, request).await?;
    let Statement::Call(said) = open(&app, asked.task, &asked.signed)? else {
        return Err(Problem::new(
            Kind::Malformed,
            "the statement is not a call; sign a call",
        ));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let args = asked.args.content();
    if args.len() as usize > ARGS_BYTES_MAX {
        let next = "the arguments of a call have at most 64 KiB; send less";
        return Err(Problem::new(Kind::TooLarge, next));
    }
    if args != said.args || said.task != asked.task {
        let next = "the statement names another session or other arguments; send the signed ones";
        return Err(Problem::new(Kind::Malformed, next));
    }
    let used = || {
        let next = format!(
            "the session made call {} before; see GET /v1/tasks/{}",
            said.number, said.task
        );
        Problem::new(Kind::Used, next)
    };
    let key = call_key(said.task, &asked.signed);
    let reserved = app.shared_record.reserve(key).ok_or_else(used)?;
    if app.shared_record.read().was_called(said.task, said.number) {
        return Err(used());
    }
    let fact = SessionCalled {
        statement: asked.signed,
        args,
    };
    let draft = Draft::of(said.task, fact).with(asked.args);
    let meta = app.append(draft, reserved).await?;
    let called = Called {
        task: said.task,
        number: said.number,
        seq: meta.seq,
    };
    Ok((StatusCode::ACCEPTED, Json(called)))
}

/// Forwards the end of a session.
pub(crate) async fn end(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<Ended>), Problem> {
    let asked: CarryEnd = read(&app, request).await?;
    let Statement::End(said) = open(&app, asked.task, &asked.signed)? else {
        return Err(Problem::new(
            Kind::Malformed,
            "the statement is not an end; sign an end",
        ));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    if said.task != asked.task {
        let next = "the statement names another session; send the signed one";
        return Err(Problem::new(Kind::Malformed, next));
    }
    let task = said.task;
    let used = || {
        let next = format!("the end of the session was sent before; see GET /v1/tasks/{task}");
        Problem::new(Kind::Used, next)
    };
    let key = call_key(task, &asked.signed);
    let reserved = app.shared_record.reserve(key).ok_or_else(used)?;
    let fact = SessionEnded {
        statement: asked.signed,
    };
    let meta = app.append(Draft::of(task, fact), reserved).await?;
    let seq = meta.seq;
    Ok((StatusCode::ACCEPTED, Json(Ended { task, seq })))
}

/// Verifies and opens a statement of a session that has not ended.
fn open(app: &AppState, task: TaskId, signed: &Signed) -> Result<Statement, Problem> {
    let record = app.shared_record.read();
    let (summary, _) = known(record.task(task))?;
    let Some(key) = record.session(task) else {
        let next =
            "the task is no session, or policy has not admitted it yet; see GET /v1/tasks/{id}";
        return Err(Problem::new(Kind::NotSession, next));
    };
    if summary.ended.is_some() {
        let next = "the session has ended; start another one";
        return Err(Problem::new(Kind::NotSession, next));
    }
    let next = "sign it with the key of the session";
    signed
        .open(&key)
        .map_err(|error| Problem::quoting(Kind::NotSigned, &error, next))
}
