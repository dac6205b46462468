//! What is answered instead of what was asked for: every refusal, with its status and what to do next.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::api;

/// Most characters of a reason that quotes what somebody sent.
const QUOTED_CHARS_MAX: usize = 200;

/// The kind of a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Malformed,
    PlaybookDiffers,
    NoAccess,
    NotSigned,
    ForeignOrigin,
    Public,
    NotFound,
    NotKept,
    WrongMethod,
    TooSlow,
    Used,
    Erased,
    TooLarge,
    NotJson,
    Misdirected,
    Busy,
    NotReady,
    NoAnswer,
}

impl Kind {
    /// The status, the last part of the type, the title.
    const fn parts(self) -> (StatusCode, &'static str, &'static str) {
        match self {
            Self::Malformed => (
                StatusCode::BAD_REQUEST,
                "malformed",
                "The request is malformed",
            ),
            Self::PlaybookDiffers => (
                StatusCode::BAD_REQUEST,
                "playbook-differs",
                "The playbook is not the signed one",
            ),
            Self::NoAccess => (
                StatusCode::UNAUTHORIZED,
                "no-access",
                "Access is not proven",
            ),
            Self::NotSigned => (
                StatusCode::FORBIDDEN,
                "not-signed",
                "The statement is not the owner's",
            ),
            Self::ForeignOrigin => (
                StatusCode::FORBIDDEN,
                "foreign-origin",
                "Another site's page sent this",
            ),
            Self::Public => (
                StatusCode::FORBIDDEN,
                "public",
                "The request came from the public internet",
            ),
            Self::NotFound => (
                StatusCode::NOT_FOUND,
                "not-found",
                "There is no such thing here",
            ),
            Self::NotKept => (
                StatusCode::NOT_FOUND,
                "not-kept",
                "The task is no longer kept here",
            ),
            Self::WrongMethod => (
                StatusCode::METHOD_NOT_ALLOWED,
                "wrong-method",
                "This cannot be done with that method",
            ),
            Self::TooSlow => (
                StatusCode::REQUEST_TIMEOUT,
                "too-slow",
                "The request came too slowly",
            ),
            Self::Used => (StatusCode::CONFLICT, "used", "It was handed in before"),
            Self::Erased => (StatusCode::GONE, "erased", "The content was erased"),
            Self::TooLarge => (
                StatusCode::PAYLOAD_TOO_LARGE,
                "too-large",
                "The request is too large",
            ),
            Self::NotJson => (
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "not-json",
                "The request is not JSON",
            ),
            Self::Misdirected => (
                StatusCode::MISDIRECTED_REQUEST,
                "misdirected",
                "This is not that host",
            ),
            Self::Busy => (
                StatusCode::SERVICE_UNAVAILABLE,
                "busy",
                "Too much is open already",
            ),
            Self::NotReady => (
                StatusCode::SERVICE_UNAVAILABLE,
                "not-ready",
                "The gateway is not ready",
            ),
            Self::NoAnswer => (
                StatusCode::GATEWAY_TIMEOUT,
                "no-answer",
                "The bus does not answer",
            ),
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

    /// One that quotes, within bounds, what was wrong with what somebody sent.
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
        let (status, slug, title) = self.kind.parts();
        let problem = api::Problem {
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
