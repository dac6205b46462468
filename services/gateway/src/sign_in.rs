//! Signing in: a device answers a challenge with its key, and its browser gets the cookie of a session.

use std::sync::Arc;

use axum::{
    Extension, Json,
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use bus_schema::{Challenge, Signed, Statement};

use crate::{
    access,
    api::{self, AskChallenge, SessionChallenge, SessionShown},
    app_state::AppState,
    entrance::Entrance,
    pages::html,
    problem::{Kind, Problem},
    request::{read, read_form},
};

/// The field of the form with the signed statement, base64 without padding and with `-` and `_`.
const FIELD: &str = "signed=";

/// Gives a challenge to a device that counts.
pub(crate) async fn challenge(
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<(StatusCode, Json<SessionChallenge>), Problem> {
    let asked: AskChallenge = read(&app, request).await?;
    app.deployment()?;
    app.device(&asked.device)?;
    let challenge = Challenge::new(*app.clock.salt().as_bytes());
    let now = app.clock.wall();
    let until = app.sessions.challenge(asked.device, challenge, now);
    Ok((
        StatusCode::CREATED,
        Json(SessionChallenge { challenge, until }),
    ))
}

/// Begins a session, if the device signed its challenge for this gateway, and leads to the first page. A browser gets a
/// refusal as a page.
pub(crate) async fn sign_in(
    State(app): State<Arc<AppState>>,
    Extension(entrance): Extension<Entrance>,
    request: Request,
) -> Result<Response, Problem> {
    let headers = request.headers().clone();
    let form = read_form(&app, request).await?;
    begin(&app, entrance, &headers, &form).or_else(|problem| {
        if !takes_pages(&headers) {
            return Err(problem);
        }
        let page = page::not_signed_in(problem.detail(), entrance.signer(&app.hosts));
        Ok(html(problem.status(), page))
    })
}

/// Returns true for a request that a browser sent for a page.
fn takes_pages(headers: &HeaderMap) -> bool {
    let accepts = access::only(headers, &header::ACCEPT).ok().flatten();
    accepts.is_some_and(|kinds| kinds.contains("text/html"))
}

fn begin(
    app: &AppState,
    entrance: Entrance,
    headers: &HeaderMap,
    form: &Bytes,
) -> Result<Response, Problem> {
    let signed = signed(form)?;
    let by = signed.by();
    let refused = |why: &str| Problem::new(Kind::NoAccess, format!("{why}; sign in again"));
    let said = signed
        .open(&by)
        .map_err(|error| refused(&error.to_string()))?;
    let Statement::SignIn(said) = said else {
        return Err(refused("the statement is not a sign-in"));
    };
    access::deployment(app.deployment()?, said.deployment)?;
    let device = app.device(&said.device)?;
    if device.endorsed.key.signs() != by {
        return Err(refused("the statement is not under the key of the device"));
    }
    if !entrance.is_own(&said.origin, &app.hosts) {
        return Err(refused("the statement was signed for another gateway"));
    }
    let now = app.clock.wall();
    if !app.sessions.answered(said.device, said.challenge, now) {
        return Err(refused("the challenge is unknown, was used, or is too old"));
    }
    let (name, cookie) = access::new_cookie(entrance, headers, app.clock.salt());
    app.sessions.begin(name, said.device, now);
    let mut response = StatusCode::SEE_OTHER.into_response();
    let to = response.headers_mut();
    to.insert(header::LOCATION, HeaderValue::from_static("/"));
    to.extend(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    Ok(response)
}

/// Shows the session of a request.
pub(crate) async fn shown(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
) -> Result<Json<SessionShown>, Problem> {
    let reader = access::reader(&app, &headers)?;
    let (_, device) = reader.session().ok_or_else(no_session)?;
    let endorsed = app.device(&device)?.endorsed;
    Ok(Json(SessionShown {
        device,
        name: endorsed.name,
        role: endorsed.role,
        until: reader.until,
    }))
}

/// Ends the session of a request, with its streams.
pub(crate) async fn sign_out(
    State(app): State<Arc<AppState>>,
    Extension(entrance): Extension<Entrance>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    end(
        &app,
        entrance,
        &headers,
        StatusCode::NO_CONTENT.into_response(),
    )
}

/// As [`sign_out`], for the form of a page.
pub(crate) async fn sign_out_page(
    State(app): State<Arc<AppState>>,
    Extension(entrance): Extension<Entrance>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let page = page::signed_out(entrance.signer(&app.hosts));
    end(&app, entrance, &headers, html(StatusCode::OK, page))
}

fn end(
    app: &AppState,
    entrance: Entrance,
    headers: &HeaderMap,
    mut response: Response,
) -> Result<Response, Problem> {
    let reader = access::reader(app, headers)?;
    let (name, _) = reader.session().ok_or_else(no_session)?;
    app.sessions.end(&name);
    let cookie = access::ended_cookie(entrance, headers);
    let cookie = cookie.map(|cookie| (header::SET_COOKIE, cookie));
    response.headers_mut().extend(cookie);
    Ok(response)
}

fn no_session() -> Problem {
    let next = "the request has a signed access and no session; sign in with a browser";
    Problem::new(Kind::NotFound, next)
}

/// Reads the one field of the form.
fn signed(form: &Bytes) -> Result<Signed, Problem> {
    let wrong = |why: &str| Problem::quoting(Kind::Malformed, &why, "see GET /v1/openapi.json");
    let text = std::str::from_utf8(form).ok();
    let text = text.and_then(|text| text.strip_prefix(FIELD));
    let text = text.ok_or_else(|| wrong("the form has not the one field `signed`"))?;
    api::decode_signed_url(text).map_err(wrong)
}
