//! Access control: the checks that a request passes before anything is read or appended.

mod cookie;

use axum::http::{HeaderMap, Method, Request, header};
use bus_schema::{DeploymentId, PublicKey, Signed, Statement};

use crate::{
    api::{self, ACCESS_MS_MAX, SCHEME},
    app_state::AppState,
    entrance::Entrance,
    problem::{Kind, Problem},
    reader::ReadBy,
};

pub(crate) use crate::{headers::only, reader::Reader};
pub(crate) use cookie::{ended_cookie, new_cookie};

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
        // A browser names its page on each such request; without it, a cookie could act for any page.
        Ok(None) if is_read(request.method()) || !headers.contains_key(header::COOKIE) => {}
        Ok(Some(origin)) if entrance.is_own(origin, &app.hosts) => {}
        Ok(Some(origin)) if entrance.is_signer(origin, &app.hosts) => {}
        Ok(None | Some(_)) | Err(()) => {
            let next = "use the command line, or a page of this gateway itself";
            return Err(Problem::new(Kind::ForeignOrigin, next));
        }
    }
    Ok(())
}

/// Returns true for a method that changes nothing.
fn is_read(method: &Method) -> bool {
    [Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Verifies the access of a read: the header `Authorization`, or without it the cookie of a session. Refuses a request
/// with neither.
pub(crate) fn reader(app: &AppState, headers: &HeaderMap) -> Result<Reader, Problem> {
    let deployment = app.deployment()?;
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(reader) = cookie::session(app, headers)?
    {
        return Ok(reader);
    }
    let refused = |why: &str| {
        let next = format!("{why}; send `Authorization: {SCHEME}` and a fresh signed access");
        Problem::new(Kind::NoAccess, next)
    };
    let sent = only(headers, &header::AUTHORIZATION).ok().flatten();
    let sent = sent.and_then(|sent| sent.strip_prefix(SCHEME)?.strip_prefix(' '));
    let sent = sent.ok_or_else(|| refused("the header is missing"))?;
    let signed = api::decode_signed(sent).map_err(refused)?;
    let by = read_by(app, &signed.by())?;
    let trusted = if matches!(by, ReadBy::Owner) {
        app.owner
    } else {
        signed.by()
    };
    let said = signed
        .open(&trusted)
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
    let until = access.until;
    Ok(Reader { until, by })
}

/// Returns the device of a key; the owner for every other key, which then fails to verify.
fn read_by(app: &AppState, key: &PublicKey) -> Result<ReadBy, Problem> {
    let device = {
        let record = app.shared_record.read();
        let known = record.devices().by_key(key);
        known.map(|known| known.endorsed.device)
    };
    match device.filter(|_| *key != app.owner) {
        Some(device) => app.device(&device).map(|_| ReadBy::Device(device)),
        None => Ok(ReadBy::Owner),
    }
}

/// Verifies and opens a statement of the owner.
pub(crate) fn statement(app: &AppState, signed: &Signed) -> Result<Statement, Problem> {
    let opened = signed.open(&app.owner);
    opened
        .map_err(|error| Problem::quoting(Kind::NotSigned, &error, "sign it with the owner's key"))
}

/// Verifies and opens a statement of the owner, of a device that may approve, or of an approver of the task.
pub(crate) fn answer(app: &AppState, signed: &Signed) -> Result<Statement, Problem> {
    let by = signed.by();
    if by == app.owner {
        return statement(app, signed);
    }
    let next = "sign it with the owner's key, or with the key of an approver of this request";
    let person = {
        let record = app.shared_record.read();
        record.signers(app.owner).answers_for(&by, record.now())
    };
    let person = person.map_err(|error| Problem::quoting(Kind::NotSigned, &error, next))?;
    let was_asked = |task| person == app.owner || app.shared_record.read().was_asked(task, &by);
    let said = signed.open(&by);
    let said = said.map_err(|error| Problem::quoting(Kind::NotSigned, &error, next))?;
    match &said {
        Statement::Approval(of) if was_asked(of.task) => Ok(said),
        Statement::Plan(of) if was_asked(of.task) => Ok(said),
        Statement::Approval(_)
        | Statement::Plan(_)
        | Statement::Task(_)
        | Statement::Access(_)
        | Statement::Call(_)
        | Statement::End(_)
        | Statement::SignIn(_)
        | Statement::Pairing(_)
        | Statement::Said(_)
        | Statement::Amend(_) => Err(Problem::new(Kind::NotSigned, next)),
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
