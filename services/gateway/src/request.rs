//! Reads requests: their JSON bodies, and the task that they are about.

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Path, Request, rejection::PathRejection},
    http::header,
};
use bus_schema::TaskId;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use serde::de::DeserializeOwned;

use crate::{
    access,
    api::BODY_BYTES_MAX,
    app_state::AppState,
    problem::{Kind, Problem},
    record::Known,
};

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

/// Reads a JSON body within its limits of size and time.
pub(crate) async fn read<T: DeserializeOwned>(
    app: &AppState,
    request: Request,
) -> Result<T, Problem> {
    if !is_json(&request) {
        return Err(Problem::new(
            Kind::NotJson,
            "send it as `Content-Type: application/json`",
        ));
    }
    let bytes = read_bytes(app, request).await?;
    serde_json::from_slice(&bytes)
        .map_err(|error| Problem::quoting(Kind::Malformed, &error, "see GET /v1/openapi.json"))
}

/// Reads the form of a page within its limits of size and time.
pub(crate) async fn read_form(app: &AppState, request: Request) -> Result<Bytes, Problem> {
    if !is_of_type(&request, "application/x-www-form-urlencoded") {
        return Err(Problem::new(
            Kind::NotJson,
            "send it as `Content-Type: application/x-www-form-urlencoded`",
        ));
    }
    read_bytes(app, request).await
}

/// Returns true if a request says that its body is JSON.
pub(crate) fn is_json(request: &Request) -> bool {
    is_of_type(request, "application/json")
}

fn is_of_type(request: &Request, wanted: &str) -> bool {
    let kind = access::only(request.headers(), &header::CONTENT_TYPE)
        .ok()
        .flatten();
    let kind = kind
        .and_then(|kind| kind.split(';').next())
        .unwrap_or_default()
        .trim();
    kind.eq_ignore_ascii_case(wanted)
}

/// Reads a body within its limits of size and time.
pub(crate) async fn read_bytes(app: &AppState, request: Request) -> Result<Bytes, Problem> {
    let too_large = || Problem::new(Kind::TooLarge, "a request has at most 512 KiB; send less");
    let body = request.into_body();
    if body.size_hint().lower() > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let reading = async {
        let place = app.bodies.enter().await;
        let whole = Limited::<Body>::new(body, BODY_BYTES_MAX).collect();
        tokio::select! {
            // Accepts a body that arrived with its header.
            biased;
            read = whole => Some(read),
            () = place.displaced() => None,
        }
    };
    let read = tokio::time::timeout(app.limits.body, reading).await;
    let read =
        read.map_err(|_| Problem::new(Kind::TooSlow, "send the whole body within 10 seconds"))?;
    let read = read.ok_or_else(|| {
        let next = "this request was the oldest of too many slow ones; send it again, all at once";
        Problem::new(Kind::Busy, next)
    })?;
    match read {
        Ok(read) => Ok(read.to_bytes()),
        Err(error) if error.is::<LengthLimitError>() => Err(too_large()),
        Err(_) => Err(Problem::new(
            Kind::Malformed,
            "the body ended early; send it again",
        )),
    }
}
