//! The calls of sessions, and their ends: signed with the key that the owner named in the session's statement. The words of the
//! owner to dialogues, and the answers to requests for another contract: signed by the owner.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Request, State},
    http::StatusCode,
};
use bus_schema::{
    ContractAnswered, Draft, SAID_BYTES_MAX, SAID_MAX, SessionCalled, SessionEnded, Signed,
    Statement, TaskId, TaskSaid,
};

use crate::{
    access,
    api::{
        ARGS_BYTES_MAX, Amended, Called, CarryAmendment, CarryCall, CarryEnd, CarryWords, Ended,
        SaidWords,
    },
    app_state::AppState,
    problem::{Kind, Problem},
    record::Record,
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

/// Forwards further words of the owner to a dialogue.
pub(crate) async fn say(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<SaidWords>), Problem> {
    let asked: CarryWords = read(&app, request).await?;
    let Statement::Said(said) = access::statement(&app, &asked.signed)? else {
        let next = "the statement has no words; sign words";
        return Err(Problem::new(Kind::Malformed, next));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let words = asked.words.content();
    if words.len() as usize > SAID_BYTES_MAX {
        let next = "further words have at most 8 KiB; say less at once";
        return Err(Problem::new(Kind::TooLarge, next));
    }
    if words != said.words {
        let next = "the statement names other words; send the signed salt and bytes";
        return Err(Problem::new(Kind::Malformed, next));
    }
    let task = said.task;
    let used = |count: u16| {
        let next = if count >= SAID_MAX {
            format!("a dialogue takes at most {SAID_MAX} further words; start another one")
        } else {
            format!("the next words of the dialogue have the number {count}; sign them with it")
        };
        Problem::new(Kind::Used, next)
    };
    let key = call_key(task, &asked.signed);
    let reserved = app.shared_record.reserve(key);
    let reserved = reserved.ok_or_else(|| used(said.number.saturating_add(1)))?;
    let count = open_task(&app, task, |record| {
        record.is_dialogue(task).then(|| record.said(task))
    })?;
    if said.number != count || count >= SAID_MAX {
        return Err(used(count));
    }
    let fact = TaskSaid {
        statement: asked.signed,
        words,
    };
    let meta = app
        .append(Draft::of(task, fact).with(asked.words), reserved)
        .await?;
    let (number, seq) = (said.number, meta.seq);
    Ok((StatusCode::ACCEPTED, Json(SaidWords { task, number, seq })))
}

/// Forwards the owner's answer to a request for another contract.
pub(crate) async fn amend(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<Amended>), Problem> {
    let asked: CarryAmendment = read(&app, request).await?;
    let Statement::Amend(said) = access::statement(&app, &asked.signed)? else {
        let next = "the statement is no answer to a request for another contract; sign one";
        return Err(Problem::new(Kind::Malformed, next));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let (task, request) = (said.task, said.request);
    let used = || {
        let next = format!("this answer was sent before; see GET /v1/tasks/{task}");
        Problem::new(Kind::Used, next)
    };
    let key = call_key(task, &asked.signed);
    let reserved = app.shared_record.reserve(key).ok_or_else(used)?;
    open_task(&app, task, |_| Some(()))?;
    let fact = ContractAnswered {
        statement: asked.signed,
    };
    let meta = app.append(Draft::of(task, fact), reserved).await?;
    let seq = meta.seq;
    Ok((StatusCode::ACCEPTED, Json(Amended { task, request, seq })))
}

/// Reads from the record of a task that has not ended; none if the task is not such a one.
fn open_task<T>(
    app: &AppState,
    task: TaskId,
    get: impl Fn(&Record) -> Option<T>,
) -> Result<T, Problem> {
    let record = app.shared_record.read();
    let (summary, _) = known(record.task(task))?;
    if summary.ended.is_some() {
        let next = "the task has ended; start another one";
        return Err(Problem::new(Kind::NotSession, next));
    }
    get(&record).ok_or_else(|| {
        let next =
            "the task is no dialogue, or policy has not admitted it yet; see GET /v1/tasks/{id}";
        Problem::new(Kind::NotSession, next)
    })
}

/// Verifies and opens a statement of a session that has not ended.
fn open(app: &AppState, task: TaskId, signed: &Signed) -> Result<Statement, Problem> {
    let record = app.shared_record.read();
    let (summary, _) = known(record.task(task))?;
    // The owner alone speaks in a dialogue.
    let owner = record.is_dialogue(task).then_some(app.owner);
    let Some(key) = record.session(task).or(owner) else {
        let next = "the task is no session and no dialogue, or policy has not admitted it yet; see GET /v1/tasks/{id}";
        return Err(Problem::new(Kind::NotSession, next));
    };
    if summary.ended.is_some() {
        let next = "the session has ended; start another one";
        return Err(Problem::new(Kind::NotSession, next));
    }
    let next = "sign it with the key of the session; with the owner's for a dialogue";
    signed
        .open(&key)
        .map_err(|error| Problem::quoting(Kind::NotSigned, &error, next))
}
