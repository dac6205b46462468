//! The refusals of requests: each with its HTTP status and what to do next.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::api;

/// The maximum length of a reason that quotes input.
const QUOTED_CHARS_MAX: usize = 200;

/// The kind of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    PlaybookDiffers,
    SlotsDiffer,
    NoAccess,
    NotSigned,
    ForeignOrigin,
    Public,
    Unidentified,
    NotFound,
    NotKept,
    WrongMethod,
    TooSlow,
    Used,
    NotSession,
    NoPairing,
    Erased,
    TooLarge,
    NotJson,
    Misdirected,
    TooMany,
    Busy,
    NotReady,
    NoAnswer,
}

impl Kind {
    const fn status(self) -> StatusCode {
        match self {
            Self::Malformed | Self::PlaybookDiffers | Self::SlotsDiffer => StatusCode::BAD_REQUEST,
            Self::NoAccess => StatusCode::UNAUTHORIZED,
            Self::NotSigned | Self::ForeignOrigin | Self::Public | Self::Unidentified => {
                StatusCode::FORBIDDEN
            }
            Self::NotFound | Self::NotKept => StatusCode::NOT_FOUND,
            Self::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Used | Self::NotSession => StatusCode::CONFLICT,
            Self::Erased | Self::NoPairing => StatusCode::GONE,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Self::Busy | Self::NotReady => StatusCode::SERVICE_UNAVAILABLE,
            Self::NoAnswer => StatusCode::GATEWAY_TIMEOUT,
        }
    }

    /// The last part of the type URN, and the title.
    const fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("malformed", "The request is malformed"),
            Self::PlaybookDiffers => ("playbook-differs", "The playbook is not the signed one"),
            Self::SlotsDiffer => ("slots-differ", "The slots are not the signed ones"),
            Self::NoAccess => ("no-access", "Access is not proven"),
            Self::NotSigned => ("not-signed", "The statement is not the owner's"),
            Self::ForeignOrigin => ("foreign-origin", "Another site's page sent this"),
            Self::Public => ("public", "The request came from the public internet"),
            Self::Unidentified => ("unidentified", "The sender is not identified"),
            Self::NotFound => ("not-found", "This does not exist here"),
            Self::NotKept => ("not-kept", "The task is no longer kept here"),
            Self::WrongMethod => ("wrong-method", "This path has no such method"),
            Self::TooSlow => ("too-slow", "The request timed out"),
            Self::Used => ("used", "It was submitted before"),
            Self::NotSession => ("not-session", "The task is no open session"),
            Self::NoPairing => ("no-pairing", "No such pairing is open"),
            Self::Erased => ("erased", "The content was erased"),
            Self::TooLarge => ("too-large", "The request is too large"),
            Self::NotJson => ("not-json", "The request is not JSON"),
            Self::Misdirected => ("misdirected", "This gateway is not that host"),
            Self::TooMany => ("too-many", "Too many streams are open with this access"),
            Self::Busy => ("busy", "Too many requests are open"),
            Self::NotReady => ("not-ready", "The gateway is not ready"),
            Self::NoAnswer => ("no-answer", "The bus does not answer"),
        }
    }
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    kind: Kind,
    detail: String,
}

impl Problem {
    pub(crate) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
        }
    }

    /// The HTTP status.
    pub(crate) const fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// The reason and the next step.
    pub(crate) fn detail(&self) -> &str {
        &self.detail
    }

    /// A refusal that quotes a reason about the input, up to a maximum length.
    pub(crate) fn quoting(kind: Kind, reason: &dyn std::fmt::Display, next: &str) -> Self {
        let reason: String = reason.to_string().chars().take(QUOTED_CHARS_MAX).collect();
        Self {
            kind,
            detail: format!("{reason}; {next}"),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.kind.status();
        let (slug, title) = self.kind.names();
        let problem = api::ProblemBody {
            kind: format!("urn:contractual:problem:{slug}"),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
        };
        let mut response = (status, axum::Json(problem)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(
                header::WWW_AUTHENTICATE,
                HeaderValue::from_static(api::SCHEME),
            );
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}
