//! The routes and their handlers.

use std::sync::Arc;

use axum::{
    Json, Router,
    extract::{Path, Request, State, rejection::PathRejection},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header},
    middleware::{self, Next},
    response::{IntoResponse as _, Response},
    routing::{MethodRouter, delete, get, post},
};
use bus_schema::{
    ApprovalCarried, AuthorId, CONTENT_BYTES_MAX, Content, Draft, PLAN_CALLS_MAX, SLOTS_BYTES_MAX,
    Sealed, Statement, TaskId, TaskSubmitted,
};
use serde_json::json;

use crate::{
    access,
    api::{
        Carried, CarryApproval, CarryPlan, DIALOGUE_BYTES_MAX, Healthy, PLAYBOOK_BYTES_MAX,
        SALT_HEADER, SubmitTask, Submitted, Tasks,
    },
    app_state::AppState,
    cors,
    entrance::Entrance,
    follow, hooks, identity,
    pages::{self, OwnHeaders},
    pairing,
    problem::{Kind, Problem},
    question,
    record::{Known, answer_key},
    request::{known, read, task_id},
    session,
    shared_record::task_key,
    sign_in,
};

const OPENAPI: &str = include_str!("../openapi.json");

/// The headers of every response.
const SECURITY: [(HeaderName, &str); 5] = [
    (header::CACHE_CONTROL, "no-store"),
    (
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; sandbox",
    ),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// A route, as the OpenAPI document names it.
#[derive(Debug, Clone, Copy)]
pub struct Route {
    /// The method, in capitals.
    pub method: &'static str,
    /// The path.
    pub path: &'static str,
    /// The handler.
    handler: fn() -> MethodRouter<Arc<AppState>>,
}

/// The table of all routes.
pub const ROUTES: &[Route] = &[
    Route {
        method: "GET",
        path: "/v1/health",
        handler: || get(health),
    },
    Route {
        method: "GET",
        path: "/v1/openapi.json",
        handler: || get(openapi),
    },
    Route {
        method: "GET",
        path: "/v1/tasks",
        handler: || get(tasks),
    },
    Route {
        method: "POST",
        path: "/v1/tasks",
        handler: || post(submit),
    },
    Route {
        method: "GET",
        path: "/v1/tasks/{id}",
        handler: || get(task),
    },
    Route {
        method: "GET",
        path: "/v1/tasks/{id}/events",
        handler: || get(follow::events),
    },
    Route {
        method: "POST",
        path: "/v1/approvals",
        handler: || post(approve),
    },
    Route {
        method: "POST",
        path: "/v1/plans",
        handler: || post(approve_plan),
    },
    Route {
        method: "POST",
        path: "/v1/calls",
        handler: || post(session::call),
    },
    Route {
        method: "POST",
        path: "/v1/ends",
        handler: || post(session::end),
    },
    Route {
        method: "POST",
        path: "/v1/words",
        handler: || post(session::say),
    },
    Route {
        method: "POST",
        path: "/v1/amendments",
        handler: || post(session::amend),
    },
    Route {
        method: "GET",
        path: "/v1/tasks/{id}/questions/{action}",
        handler: || get(question::question),
    },
    Route {
        method: "POST",
        path: "/v1/pairings",
        handler: || post(pairing::announce),
    },
    Route {
        method: "GET",
        path: "/v1/pairings/{pairing}",
        handler: || get(pairing::shown),
    },
    Route {
        method: "POST",
        path: "/v1/pairings/{pairing}/device",
        handler: || post(pairing::offer),
    },
    Route {
        method: "POST",
        path: "/v1/session/challenge",
        handler: || post(sign_in::challenge),
    },
    Route {
        method: "GET",
        path: "/v1/session",
        handler: || get(sign_in::shown),
    },
    Route {
        method: "POST",
        path: "/v1/session",
        handler: || post(sign_in::sign_in),
    },
    Route {
        method: "DELETE",
        path: "/v1/session",
        handler: || delete(sign_in::sign_out),
    },
    Route {
        method: "POST",
        path: "/v1/session/end",
        handler: || post(sign_in::sign_out_page),
    },
    Route {
        method: "GET",
        path: "/v1/contents/{author}/{digest}/{len}",
        handler: || get(content),
    },
    Route {
        method: "POST",
        path: "/hooks/{name}",
        handler: || post(hooks::take),
    },
];

/// The router with all routes and checks, for one listener.
pub fn router(app: Arc<AppState>, entrance: Entrance) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, route| {
        router.route(route.path, (route.handler)())
    });
    pages::add(routes)
        .fallback(async || {
            Problem::new(Kind::NotFound, "see GET /v1/openapi.json for valid routes")
        })
        .method_not_allowed_fallback(async || {
            Problem::new(
                Kind::WrongMethod,
                "see GET /v1/openapi.json for the methods of this path",
            )
        })
        .layer(middleware::from_fn_with_state(
            (Arc::clone(&app), entrance),
            guard,
        ))
        .with_state(app)
}

async fn guard(
    State((app, entrance)): State<(Arc<AppState>, Entrance)>,
    mut request: Request,
    next: Next,
) -> Response {
    let signer = cors::signer(&app, entrance, request.headers());
    let admitted = access::origin(&app, entrance, &request)
        .and_then(|()| identity::identity(entrance, request.headers()));
    let mut response = match admitted {
        Ok(identity) => {
            if let Some(identity) = &identity {
                identity.log(&request);
            }
            request.extensions_mut().insert(entrance);
            match cors::preflight(request.method(), signer.as_ref()) {
                Some(response) => response,
                None => next.run(request).await,
            }
        }
        Err(problem) => problem.into_response(),
    };
    if let Some(OwnHeaders(own)) = response.extensions_mut().remove() {
        for (name, value) in own {
            let (name, value) = (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
            response.headers_mut().insert(name, value);
        }
        return response;
    }
    for (name, value) in SECURITY {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    if let Some(signer) = signer {
        cors::permit(signer, &mut response);
    }
    response
}

async fn health(State(app): State<Arc<AppState>>) -> Result<Json<Healthy>, Problem> {
    match actor::health::read(&app.state, &app.clock) {
        Ok(_) => Ok(Json(Healthy { ok: true })),
        Err(_) => Err(Problem::new(
            Kind::NotReady,
            "run `contractual health` to see the problem",
        )),
    }
}

async fn openapi() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

async fn tasks(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
) -> Result<Json<Tasks>, Problem> {
    access::reader(&app, &headers)?;
    let record = app.shared_record.read();
    Ok(Json(Tasks {
        halted: record.halted(),
        tasks: record.summaries(),
    }))
}

async fn task(
    State(app): State<Arc<AppState>>,
    id: Result<Path<String>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reader(&app, &headers)?;
    let id = task_id(id)?;
    let record = app.shared_record.read();
    let (summary, lines) = known(record.task(id))?;
    let events: Vec<_> = lines.iter().map(|line| line.text.as_str()).collect();
    let text = format!(
        r#"{{"summary":{},"events":[{}]}}"#,
        json!(summary),
        events.join(",")
    );
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}

async fn content(
    State(app): State<Arc<AppState>>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    access::reader(&app, &headers)?;
    let wrong = || {
        let next = "name it as an event does: /v1/contents/<author>/<digest>/<length>";
        Problem::new(Kind::Malformed, next)
    };
    let Path((author, digest, len)) = path.map_err(|_| wrong())?;
    let author: AuthorId = author.parse().map_err(|_| wrong())?;
    let len: u32 = len.parse().map_err(|_| wrong())?;
    // Outside sealing, only decoding makes a `Content`.
    let content = serde_json::from_value(json!({ "digest": digest, "len": len }));
    let content: Content = content.map_err(|_| wrong())?;
    if content.len() as usize > CONTENT_BYTES_MAX {
        return Err(wrong());
    }
    if author == AuthorId::Audit {
        return Err(Problem::new(
            Kind::NotFound,
            "audit stores no contents; name their author",
        ));
    }
    let sealed = app.fetch(author, content).await?;
    let sealed = sealed.ok_or_else(|| {
        let detail =
            "these bytes were erased, or never existed; the event that names them stays valid";
        Problem::new(Kind::Erased, detail)
    })?;
    let headers = [
        (header::CONTENT_TYPE, "application/octet-stream".to_owned()),
        (
            HeaderName::from_static(SALT_HEADER),
            sealed.salt().to_string(),
        ),
    ];
    Ok((headers, sealed.bytes().to_vec()).into_response())
}

async fn submit(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<Submitted>), Problem> {
    let asked: SubmitTask = read(&app, request).await?;
    let Statement::Task(said) = access::statement(&app, &asked.signed)? else {
        return Err(Problem::new(
            Kind::Malformed,
            "the statement is not a task; sign a task",
        ));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let playbook = asked.playbook.content();
    if playbook.len() as usize > PLAYBOOK_BYTES_MAX {
        return Err(Problem::new(
            Kind::TooLarge,
            "a playbook has at most 256 KiB; split it",
        ));
    }
    if playbook != said.playbook {
        let next = "the statement names another playbook; send the signed salt and bytes";
        return Err(Problem::new(Kind::PlaybookDiffers, next));
    }
    let slots = signed_slots(&asked, said.slots)?;
    let dialogue = signed_dialogue(&asked, said.dialogue)?;
    let used = || {
        let next = format!(
            "the task id was used before; see GET /v1/tasks/{}",
            said.task
        );
        Problem::new(Kind::Used, next)
    };
    // Reserve first, so that the record already shows a task that arrives in between.
    let reserved = app
        .shared_record
        .reserve(task_key(said.task))
        .ok_or_else(used)?;
    if !matches!(app.shared_record.read().task(said.task), Known::Never) {
        return Err(used());
    }
    let fact = TaskSubmitted {
        statement: asked.signed,
        playbook,
        slots,
        dialogue,
    };
    let mut draft = Draft::of(said.task, fact).with(asked.playbook);
    for further in asked.slots.into_iter().chain(asked.dialogue) {
        draft = draft.with(further);
    }
    let meta = app.append(draft, reserved).await?;
    Ok((
        StatusCode::ACCEPTED,
        Json(Submitted {
            task: said.task,
            seq: meta.seq,
        }),
    ))
}

/// Returns the name of the sent values of slots, if it is the signed one.
fn signed_slots(asked: &SubmitTask, said: Option<Content>) -> Result<Option<Content>, Problem> {
    let slots = asked.slots.as_ref().map(Sealed::content);
    if slots.is_some_and(|slots| slots.len() as usize > SLOTS_BYTES_MAX) {
        let next = "the values of the slots have at most 64 KiB; shorten them";
        return Err(Problem::new(Kind::TooLarge, next));
    }
    if slots != said {
        let next = "the statement names other values of the slots; send the signed salt and bytes";
        return Err(Problem::new(Kind::SlotsDiffer, next));
    }
    Ok(slots)
}

/// Returns the name of the sent document of a dialogue, if it is the signed one.
fn signed_dialogue(asked: &SubmitTask, said: Option<Content>) -> Result<Option<Content>, Problem> {
    let dialogue = asked.dialogue.as_ref().map(Sealed::content);
    if dialogue.is_some_and(|document| document.len() as usize > DIALOGUE_BYTES_MAX) {
        let next = "the document of a dialogue has at most 64 KiB; offer the model fewer tools";
        return Err(Problem::new(Kind::TooLarge, next));
    }
    if dialogue != said {
        let next = "the statement names another dialogue; send the signed salt and bytes";
        return Err(Problem::new(Kind::PlaybookDiffers, next));
    }
    Ok(dialogue)
}

async fn approve(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<Carried>), Problem> {
    let asked: CarryApproval = read(&app, request).await?;
    let Statement::Approval(said) = access::answer(&app, &asked.signed)? else {
        return Err(Problem::new(
            Kind::Malformed,
            "the statement is not an approval; sign one",
        ));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let fact = ApprovalCarried {
        action: said.action,
        statement: asked.signed,
    };
    carry(&app, said.task, fact).await
}

async fn approve_plan(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<Carried>), Problem> {
    let asked: CarryPlan = read(&app, request).await?;
    let Statement::Plan(said) = access::answer(&app, &asked.signed)? else {
        return Err(Problem::new(
            Kind::Malformed,
            "the statement is not a plan; sign one",
        ));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    if said.drafts.is_empty() || said.drafts.len() > PLAN_CALLS_MAX {
        let next = "a plan names 1 to 10 calls; sign several plans";
        return Err(Problem::new(Kind::Malformed, next));
    }
    let fact = ApprovalCarried {
        action: asked.action,
        statement: asked.signed,
    };
    carry(&app, said.task, fact).await
}

/// Forwards the answer to the question of one action, once.
async fn carry(
    app: &AppState,
    task: TaskId,
    fact: ApprovalCarried,
) -> Result<(StatusCode, Json<Carried>), Problem> {
    let used = || {
        let next = format!("exactly this statement was submitted before; see GET /v1/tasks/{task}");
        Problem::new(Kind::Used, next)
    };
    let key = answer_key(&fact);
    let reserved = app.shared_record.reserve(key).ok_or_else(used)?;
    let carried = {
        let record = app.shared_record.read();
        known(record.task(task))?;
        record.was_carried(task, &key)
    };
    if carried {
        return Err(used());
    }
    let action = fact.action;
    let meta = app.append(Draft::of(task, fact), reserved).await?;
    let carried = Carried {
        task,
        action,
        seq: meta.seq,
    };
    Ok((StatusCode::ACCEPTED, Json(carried)))
}
