//! The document around every page: head, navigation, main part and footer, and its HTTP headers.

use maud::{DOCTYPE, Markup, html};

use crate::{asset::Asset, text::plain};

/// The headers of a page. Its forms name their origin, which the gateway demands; other sites learn nothing. Scripts, styles and requests are those of the gateway alone; no text becomes script.
pub const HEADERS: [(&str, &str); 8] = [
    ("content-type", "text/html; charset=utf-8"),
    ("cache-control", "no-store"),
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    (
        "permissions-policy",
        "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    ),
];

/// The path of the form that ends the session of a browser.
pub const SIGN_OUT: &str = "/v1/session/end";

/// A place of the navigation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The work that waits, runs and was refused.
    Home,
    /// The ways to start a task.
    New,
    /// All tasks.
    Tasks,
    /// The contracts.
    Contracts,
    /// The jobs.
    Jobs,
    /// The secrets.
    Secrets,
    /// The tools.
    Tools,
    /// The models.
    Models,
    /// The devices.
    Devices,
    /// The record.
    Audit,
    /// The state of the deployment.
    Settings,
}

impl Place {
    /// All of them, in the order of the navigation.
    pub const ALL: [Self; 11] = [
        Self::Home,
        Self::New,
        Self::Tasks,
        Self::Contracts,
        Self::Jobs,
        Self::Secrets,
        Self::Tools,
        Self::Models,
        Self::Devices,
        Self::Audit,
        Self::Settings,
    ];

    /// The name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Home => "Home",
            Self::New => "New task",
            Self::Tasks => "Tasks",
            Self::Contracts => "Contracts",
            Self::Jobs => "Jobs",
            Self::Secrets => "Secrets",
            Self::Tools => "Tools",
            Self::Models => "Models",
            Self::Devices => "Devices",
            Self::Audit => "Audit",
            Self::Settings => "Settings",
        }
    }

    /// The path.
    #[must_use]
    pub const fn path(self) -> &'static str {
        match self {
            Self::Home => "/",
            Self::New => "/new",
            Self::Tasks => "/tasks",
            Self::Contracts => "/contracts",
            Self::Jobs => "/jobs",
            Self::Secrets => "/secrets",
            Self::Tools => "/tools",
            Self::Models => "/models",
            Self::Devices => "/devices",
            Self::Audit => "/audit",
            Self::Settings => "/settings",
        }
    }
}

/// The document around a page.
#[derive(Debug)]
pub struct Frame {
    /// The title of the window; the name of the program follows.
    pub title: String,
    /// The place that is open; none for a page without navigation.
    pub place: Option<Place>,
    /// The number of questions that wait, shown beside `Home`.
    pub waiting: usize,
    /// The place of the record in the stream that it shows; 0 for a page that shows none.
    pub seq: u64,
    /// The main part.
    pub main: Markup,
    /// The line at the end.
    pub footer: Markup,
}

impl Frame {
    /// Renders the document.
    #[must_use]
    pub fn render(&self) -> String {
        let Self {
            title,
            place,
            waiting,
            seq,
            main,
            footer,
        } = self;
        let document = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { (plain(title)) " · Contractual" }
                    link rel="icon" href="data:,";
                    link rel="stylesheet" href=(Asset::style().path);
                    script src=(Asset::script().path) defer {}
                }
                body {
                    a.skip href="#main" { "Skip to content" }
                    header.top {
                        a.brand href="/" { "Contractual" }
                        @if let Some(here) = place {
                            nav aria-label="Pages" {
                                @for each in Place::ALL {
                                    (link(each, *here, *waiting))
                                }
                            }
                            form.out method="post" action=(SIGN_OUT) { button { "Sign out" } }
                        }
                    }
                    main id="main" tabindex="-1" data-seq=(seq) { (main) }
                    footer id="foot" { (footer) }
                    p.unseen id="said" role="status" {}
                }
            }
        };
        document.into_string()
    }
}

/// A link of the navigation.
fn link(to: Place, here: Place, waiting: usize) -> Markup {
    let current = (to == here).then_some("page");
    html! {
        a href=(to.path()) aria-current=[current] {
            (to.name())
            @if to == Place::Home && waiting > 0 {
                " " span.count { (waiting) span.unseen { " waiting" } }
            }
        }
    }
}
