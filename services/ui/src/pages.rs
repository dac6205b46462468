//! The pages: each a pure function of the record, the fetched contents and the moment.

mod audit;
mod contract;
mod contracts;
mod devices;
mod home;
mod jobs;
mod main_part;
mod models;
mod new;
mod question;
mod secrets;
mod settings;
mod task;
mod tasks;
mod timeline;
mod tools;

use bus_schema::{Digest, PAGE_BYTES_MAX, ShowPage, ShownPage, Time};
use maud::{Markup, html};
use page::{Frame, Place};

use self::main_part::Page;
use crate::{
    contents::Contents,
    documents::Documents,
    parts::time,
    record::Record,
    route::{NoRoute, Route},
    strings,
    view::{CUTS, View},
};

/// Renders the page that was asked for.
pub(crate) fn render(
    record: &Record,
    contents: &Contents,
    documents: &Documents,
    now: Time,
    asked: &ShowPage,
) -> ShownPage {
    let mut view = View {
        record,
        contents,
        documents,
        now,
        signer: asked.signer.as_deref(),
        cut: 0,
    };
    let mut status = 200;
    let mut body = String::new();
    for cut in CUTS {
        view.cut = cut;
        let found = Route::of(asked).and_then(|route| page(&view, &route).ok_or(NoRoute::NotFound));
        let page = found.unwrap_or_else(|error| {
            status = match error {
                NoRoute::NotFound => 404,
                NoRoute::Malformed => 400,
            };
            missing(error)
        });
        body = framed(&view, page);
        if body.len() <= PAGE_BYTES_MAX {
            break;
        }
    }
    if body.len() > PAGE_BYTES_MAX {
        body = framed(&view, too_long());
    }
    let validator = Digest::of(&[body.as_bytes()]).to_string();
    if status == 200 && asked.known.as_deref() == Some(validator.as_str()) {
        return ShownPage {
            status: 304,
            validator,
            body: Vec::new(),
        };
    }
    ShownPage {
        status,
        validator,
        body: body.into_bytes(),
    }
}

/// The page of a route; none if there is no such thing on the record.
fn page(view: &View<'_>, route: &Route) -> Option<Page> {
    Some(match route {
        Route::Home => home::page(view),
        Route::Tasks { page } => tasks::page(view, *page),
        Route::Task { task, page } => return task::page(view, *task, *page),
        Route::Contracts => contracts::page(view),
        Route::Contract { name, version } => return contract::page(view, name, *version),
        Route::Jobs => jobs::page(view),
        Route::Secrets => secrets::page(view),
        Route::Tools => tools::page(view),
        Route::Models => models::page(view),
        Route::Devices => devices::page(view),
        Route::New => new::page(view),
        Route::Audit(filter) => audit::page(view, filter),
        Route::Settings => settings::page(view),
    })
}

fn framed(view: &View<'_>, page: Page) -> String {
    let waiting = view.record.waiting(view.now).len();
    let count = match waiting {
        0 => String::new(),
        _ => format!("({waiting}) "),
    };
    let frame = Frame {
        title: format!("{count}{}", page.title),
        place: Some(page.place),
        waiting,
        seq: view.record.seq,
        main: page.main,
        footer: footer(view),
    };
    frame.render()
}

/// The line at the end of each page: how new it is, and whether everything is halted.
fn footer(view: &View<'_>) -> Markup {
    let record = view.record;
    html! {
        p {
            (strings::AS_OF) " " (record.seq) ", " (time(record.now)) "."
            @if record.halt.is_some() { " " strong.no { (strings::HALTED_SHORT) } }
        }
    }
}

fn missing(error: NoRoute) -> Page {
    let (title, text) = match error {
        NoRoute::NotFound => (strings::NOT_FOUND, strings::NOT_FOUND_TEXT),
        NoRoute::Malformed => (strings::MALFORMED, strings::MALFORMED_TEXT),
    };
    let main = html! { section.card.notice id="missing" { h1 { (title) } p { (text) } p { a href="/" { (strings::TO_HOME) } } } };
    Page {
        title: title.to_owned(),
        ..Page::new(Place::Home, main)
    }
}

fn too_long() -> Page {
    let main = html! { section.card.notice id="missing" { h1 { (strings::TOO_LONG) } p { (strings::TOO_LONG_TEXT) } } };
    Page::new(Place::Home, main)
}
