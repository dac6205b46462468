//! The state of the deployment: the halt, what halting does, and its services.

use bus_schema::ACTORS;
use maud::{Markup, html};
use page::Place;

use super::main_part::Page;
use crate::{
    parts::{Badge, command, time},
    strings,
    view::View,
};

pub(super) fn page(view: &View<'_>) -> Page {
    let main = html! {
        section id="halt" {
            h1 { (strings::SETTINGS) }
            (halt(view))
        }
        section id="services" {
            h2 { (strings::SERVICES) }
            p.lead { (strings::SERVICES_TEXT) }
            (services(view))
            (command("contractual doctor"))
        }
    };
    Page::new(Place::Settings, main)
}

fn halt(view: &View<'_>) -> Markup {
    let (class, badge) = match view.record.halt {
        Some(_) => ("card bad", Badge::new("no", "■", "halted")),
        None => ("card", Badge::new("ok", "✓", "not halted")),
    };
    html! {
        div class=(class) {
            div.head { h2 { (strings::HALT) } span.push { (badge) } }
            @if let Some(since) = view.record.halt {
                p { (strings::HALTED) " " (time(since)) ". " (strings::HALTED_TEXT) }
                p { (strings::RESUME_TEXT) }
                (command("contractual resume"))
            } @else {
                p { (strings::HALT_TEXT) }
                ul { @for each in strings::HALT_DOES { li { (each) } } }
                (command("contractual halt"))
            }
        }
    }
}

fn services(view: &View<'_>) -> Markup {
    html! {
        ul.list.rows {
            @for author in ACTORS {
                li id=(format!("w-{author}")) {
                    div.head {
                        h3 { (author) }
                        span.push {
                            @match view.record.started.get(author) {
                                Some((at, version)) => { (strings::STARTED) " " (time(*at)) ", " (strings::VERSION) " " (version) },
                                None => span.no { (strings::NEVER) },
                            }
                        }
                    }
                    p.mute { (strings::service(*author)) }
                }
            }
        }
    }
}
