//! A question as it is signed: the exact bytes of the draft, and the owner's signature of its contract.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::HeaderMap,
};
use bus_schema::{ActionId, ApprovalRequested, Body, DraftGrant, TaskId, wire};
use data_encoding::BASE64;

use crate::{
    access,
    api::{Event, OwnerWord, QuestionShown},
    app_state::AppState,
    problem::{Kind, Problem},
    record::Line,
    request::known,
};

/// Shows the newest question about an action.
pub(crate) async fn question(
    State(app): State<Arc<AppState>>,
    path: Result<Path<(String, String)>, PathRejection>,
    headers: HeaderMap,
) -> Result<Json<QuestionShown>, Problem> {
    access::reader(&app, &headers)?;
    let wrong = || {
        let next = "name task and action as the event does: /v1/tasks/<task>/questions/<action>";
        Problem::new(Kind::Malformed, next)
    };
    let Path((task, action)) = path.map_err(|_| wrong())?;
    let task: TaskId = task.parse().map_err(|_| wrong())?;
    let action: ActionId = action.parse().map_err(|_| wrong())?;
    let record = app.shared_record.read();
    let (_, lines) = known(record.task(task))?;
    let draft = lines.iter().rev().find_map(|line| asked(line, action));
    let draft = draft.ok_or_else(|| {
        let next = "nothing was asked about this action; see GET /v1/tasks/{id}";
        Problem::new(Kind::NotFound, next)
    })?;
    Ok(Json(QuestionShown {
        draft: BASE64.encode(&wire::encode(&draft)),
        contract: record.words.contract(&draft.contract).map(OwnerWord::from),
        owner: app.owner,
    }))
}

/// Returns the draft of a line that asks about an action.
fn asked(line: &Line, action: ActionId) -> Option<DraftGrant> {
    if line.kind.as_str() != "approval.requested" {
        return None;
    }
    let event: Event = serde_json::from_str(line.text.as_str()).ok()?;
    let body: Body<ApprovalRequested> = serde_json::from_value(event.body).ok()?;
    let draft = body.fact.draft;
    (draft.action == action).then_some(draft)
}
