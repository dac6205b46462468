//! The list of contracts: the version of each name that counts.

use maud::{Markup, html};
use page::Place;

use super::main_part::Page;
use crate::{
    parts::{command, empty, time},
    record::ContractRecord,
    states, strings,
    units::counted,
    view::View,
};

/// Most contracts on the page.
const SHOWN_MAX: usize = 500;

pub(super) fn page(view: &View<'_>) -> Page {
    let newest = view.record.contracts.newest();
    let main = html! {
        section id="contracts" {
            h1 { (strings::CONTRACTS) }
            p.lead { (strings::CONTRACTS_TEXT) }
            @if newest.is_empty() { (empty("no-contracts", strings::NO_CONTRACTS, strings::NO_CONTRACTS_TEXT, strings::NEW_CONTRACT)) }
            @else {
                ul.list.rows { @for one in newest.iter().take(SHOWN_MAX) { (row(view, one)) } }
                @if newest.len() > SHOWN_MAX { p { (strings::MORE_IN_COMMAND) } (command("contractual contract list")) }
            }
        }
    };
    Page::new(Place::Contracts, main)
}

fn row(view: &View<'_>, one: &ContractRecord) -> Markup {
    html! {
        li id=(format!("c-{}", one.name)) {
            div.head {
                a href=(format!("/contracts/{}", one.name)) { (one.name) }
                span.mute { (strings::VERSION) " " (one.version) }
                span.push { (states::contract(one, view.now)) }
            }
            p.meta {
                span { (strings::HOLDS_UNTIL) " " (time(one.expires)) }
                span { (counted(one.tasks as usize, "task", "tasks")) }
            }
        }
    }
}
