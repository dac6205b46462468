//! Webhooks: a request that a known key signed becomes a message that jobs wait for. Its body is nobody's word.

use std::{path::PathBuf, sync::Arc};

use actor::files;
use axum::{
    Json,
    extract::{Path, Request, State, rejection::PathRejection},
    http::StatusCode,
};
use bus_schema::JobName;
use serde::de::IgnoredAny;

use crate::{
    api::HookTaken,
    app_state::AppState,
    forward::HandedIn,
    problem::{Kind, Problem},
    request::{is_json, read_bytes},
    webhook::{BODY_BYTES_MAX, InvalidWebhook, Webhooks},
};

/// The file with the webhooks, in the folder of the gateway's configuration.
pub const HOOKS_FILE: &str = "hooks.toml";

/// Hands a signed request to the stream of messages from outside.
pub(crate) async fn take(
    State(app): State<Arc<AppState>>,
    name: Result<Path<String>, PathRejection>,
    request: Request,
) -> Result<(StatusCode, Json<HookTaken>), Problem> {
    let name: Option<JobName> = name.ok().and_then(|Path(name)| name.parse().ok());
    let all = webhooks(app.folder.join(HOOKS_FILE)).await?;
    let known = name.and_then(|name| all.get(&name).cloned().map(|webhook| (name, webhook)));
    let (hook, webhook) = known.ok_or_else(not_signed)?;
    let (headers, is_json) = (request.headers().clone(), is_json(&request));
    let body = read_bytes(&app, request).await?;
    let id = webhook.verify(&headers, &body, app.clock.wall());
    let id = id.ok_or_else(not_signed)?;
    if !is_json {
        let next = "have the sender choose `application/json`";
        return Err(Problem::new(Kind::NotJson, next));
    }
    if body.len() > BODY_BYTES_MAX {
        let next = "a webhook has at most 60 KiB; have the sender leave events or fields out";
        return Err(Problem::new(Kind::TooLarge, next));
    }
    if let Err(error) = serde_json::from_slice::<IgnoredAny>(&body) {
        return Err(Problem::quoting(Kind::Malformed, &error, "send JSON"));
    }
    let body = body.to_vec();
    let message = HandedIn {
        hook: hook.clone(),
        id,
        body,
    };
    let seq = app.hand_in(message).await?;
    Ok((StatusCode::ACCEPTED, Json(HookTaken { hook, seq })))
}

/// The webhooks. The file is read for each request, so a change needs no restart.
async fn webhooks(path: PathBuf) -> Result<Webhooks, Problem> {
    let read = tokio::task::spawn_blocking(move || match files::read_secret(&path) {
        Ok(bytes) => {
            let text = std::str::from_utf8(&bytes).map_err(|_| InvalidWebhook::File.to_string())?;
            Webhooks::read(text).map_err(|error| error.to_string())
        }
        Err(files::Error::Missing { .. }) => Ok(Webhooks::default()),
        Err(error) => Err(actor::chain(&error)),
    });
    let read = read.await.unwrap_or_else(|error| Err(error.to_string()));
    read.map_err(|error| {
        tracing::error!(error, "cannot read the webhooks");
        Problem::new(
            Kind::NotReady,
            "the owner sees the reason in the gateway's log",
        )
    })
}

/// The same for a name that is unknown and for a signature that is not valid.
fn not_signed() -> Problem {
    let next = "no webhook of this name has a key that signed this, within five minutes; see `contractual hook list`, and use \
                the key of this deployment";
    Problem::new(Kind::NoAccess, next)
}
