//! The pages that the gateway shows by itself: the way to sign in, and that the pages are not there.

use maud::{Markup, html};

use crate::{frame::Frame, text::Text};

/// The page for a browser that has not proven who reads; `signer` is the origin on which paired browsers sign in.
#[must_use]
pub fn sign_in(signer: Option<&str>) -> String {
    notice(
        "Sign in",
        html! {
            p { "This page shows what your agents do, so it opens only for a browser that you have paired." }
            @if let Some(signer) = signer {
                p.go { a href=(format!("{signer}/")) { "Sign in with this browser" } }
            }
            p { "To pair it, type on the machine that runs Contractual:" }
            pre.command { code { "contractual pair --role approver --name Laptop" } }
            p { "It prints an address for this browser, and asks for the code that the browser shows then." }
        },
    )
}

/// The page for a browser that the gateway did not let in, with the reason and the next step.
#[must_use]
pub fn not_signed_in(reason: &str, signer: Option<&str>) -> String {
    notice(
        "Not signed in",
        html! {
            p { (Text::Line(reason)) "." }
            @if let Some(signer) = signer {
                p.go { a href=(format!("{signer}/")) { "Sign in again" } }
            }
            p { "The devices that may sign in, on the machine that runs Contractual:" }
            pre.command { code { "contractual device list" } }
        },
    )
}

/// The page after the end of a session.
#[must_use]
pub fn signed_out(signer: Option<&str>) -> String {
    notice(
        "Signed out",
        html! {
            p { "This browser reads nothing any more. It stays paired, and can sign in again." }
            @if let Some(signer) = signer {
                p.go { a href=(format!("{signer}/")) { "Sign in again" } }
            }
        },
    )
}

/// The page for the time in which ui does not answer.
#[must_use]
pub fn unavailable() -> String {
    notice(
        "The pages are not available",
        html! {
            p { "The service " code { "ui" } ", which makes these pages, does not answer. Tasks go on without it, and nothing is lost." }
            p { "It is usually back within seconds: load this page again. If it stays away, look at it on the machine that runs Contractual:" }
            pre.command { code { "contractual health ui" } }
            p { "The command line works meanwhile:" }
            pre.command { code { "contractual task list" } }
            pre.command { code { "contractual approvals list" } }
        },
    )
}

fn notice(title: &str, body: Markup) -> String {
    let main = html! {
        section.card.notice { h1 { (title) } (body) }
    };
    let frame = Frame {
        title: title.to_owned(),
        place: None,
        waiting: 0,
        seq: 0,
        main,
        footer: html! {},
    };
    frame.render()
}
