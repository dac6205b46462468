//! Access control: the checks that a request passes before anything is read or appended.

use axum::http::{HeaderMap, HeaderName, Request, header};
use bus_schema::{AccessStatement, DeploymentId, Signed, Statement, Time};

use crate::{
    api::{self, ACCESS_MS_MAX, SCHEME},
    app_state::AppState,
    entrance::Entrance,
    problem::{Kind, Problem},
};

/// Refuses requests for other hosts and from pages of other sites.
pub(crate) fn origin<B>(
    app: &AppState,
    entrance: Entrance,
    request: &Request<B>,
) -> Result<(), Problem> {
    let headers = request.headers();
    let authority = request
        .uri()
        .authority()
        .map(axum::http::uri::Authority::as_str);
    let host = only(headers, &header::HOST).ok().flatten();
    let is_named = |host: &str| entrance.is_named(host, &app.hosts);
    let known = host.is_some_and(is_named) && authority.is_none_or(is_named);
    if !known {
        let next = "name a host of this gateway, or add the name to `hosts` in its configuration";
        return Err(Problem::new(Kind::Misdirected, next));
    }
    match only(headers, &header::ORIGIN) {
        Ok(None) => {}
        Ok(Some(origin)) if entrance.is_own(origin, &app.hosts) => {}
        Ok(Some(_)) | Err(()) => {
            let next = "use the command line, or a page of this gateway itself";
            return Err(Problem::new(Kind::ForeignOrigin, next));
        }
    }
    Ok(())
}

/// Verifies the owner's signed, short-lived access to this deployment; refuses a request without one.
pub(crate) fn reader(app: &AppState, headers: &HeaderMap) -> Result<AccessStatement, Problem> {
    let refused = |why: &str| {
        let next = format!("{why}; send `Authorization: {SCHEME}` and a fresh signed access");
        Problem::new(Kind::NoAccess, next)
    };
    let deployment = app.deployment()?;
    let sent = only(headers, &header::AUTHORIZATION).ok().flatten();
    let sent = sent.and_then(|sent| sent.strip_prefix(SCHEME)?.strip_prefix(' '));
    let sent = sent.ok_or_else(|| refused("the header is missing"))?;
    let signed = api::decode_signed(sent).map_err(refused)?;
    let said = signed
        .open(&app.owner)
        .map_err(|error| refused(&error.to_string()))?;
    let Statement::Access(access) = said else {
        return Err(refused("the statement is not an access"));
    };
    if access.deployment != deployment {
        return Err(refused("the access is for another deployment"));
    }
    let now = app.clock.wall();
    if access.until < now {
        return Err(refused("the access has expired, by the gateway's clock"));
    }
    if access.until > now.plus_ms(ACCESS_MS_MAX) {
        return Err(refused(
            "the access lasts longer than 120 seconds, by the gateway's clock",
        ));
    }
    Ok(access)
}

/// The proof of who reads pages.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Visitor {
    /// The end of the access.
    pub(crate) until: Time,
}

/// Verifies who reads pages; every page and the stream of changes ask here.
pub(crate) fn visitor(app: &AppState, headers: &HeaderMap) -> Result<Visitor, Problem> {
    let until = reader(app, headers)?.until;
    Ok(Visitor { until })
}

/// Verifies and opens a statement of the owner.
pub(crate) fn statement(app: &AppState, signed: &Signed) -> Result<Statement, Problem> {
    let opened = signed.open(&app.owner);
    opened
        .map_err(|error| Problem::quoting(Kind::NotSigned, &error, "sign it with the owner's key"))
}

/// Verifies and opens a statement of the owner or of an approver of the task.
pub(crate) fn answer(app: &AppState, signed: &Signed) -> Result<Statement, Problem> {
    let by = signed.by();
    if by == app.owner {
        return statement(app, signed);
    }
    let next = "sign it with the owner's key, or with the key of an approver of this request";
    let said = signed.open(&by);
    let said = said.map_err(|error| Problem::quoting(Kind::NotSigned, &error, next))?;
    match &said {
        Statement::Approval(of) if app.shared_record.read().was_asked(of.task, &by) => Ok(said),
        Statement::Plan(of) if app.shared_record.read().was_asked(of.task, &by) => Ok(said),
        Statement::Approval(_)
        | Statement::Plan(_)
        | Statement::Task(_)
        | Statement::Access(_)
        | Statement::Call(_)
        | Statement::End(_) => Err(Problem::new(Kind::NotSigned, next)),
    }
}

/// Refuses a statement for another deployment.
pub(crate) fn deployment(here: DeploymentId, said: DeploymentId) -> Result<(), Problem> {
    if here == said {
        return Ok(());
    }
    let next = "the statement is for another deployment; sign it for this one";
    Err(Problem::new(Kind::NotSigned, next))
}

/// The text of a header; an error if it occurs twice or is not text.
pub(crate) fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, ()> {
    let mut values = headers.get_all(name).iter();
    let Some(first) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(());
    }
    first.to_str().map(Some).map_err(|_| ())
}
