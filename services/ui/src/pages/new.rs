//! The ways to start a task. A page has no effect, and no device signs tasks, so each way is a command.

use maud::{Markup, html};
use page::Place;

use super::main_part::Page;
use crate::{
    parts::{command, empty},
    strings,
    view::View,
};

pub(super) fn page(view: &View<'_>) -> Page {
    let contracts = view.record.contracts.newest().into_iter();
    let active = contracts.filter(|one| one.is_in_force() && !one.is_expired(view.now));
    let mut active: Vec<&str> = active.map(|one| one.name.as_str()).collect();
    active.sort_unstable();
    let main = html! {
        section id="new" {
            h1 { (strings::NEW_TASK) }
            p.lead { (strings::NEW_TASK_TEXT) }
            (step(1, strings::ASK_MODEL, strings::ASK_MODEL_TEXT, &["contractual run 'Sort my inbox'"]))
            (step(2, strings::START, strings::START_TEXT, &[strings::NEW_CONTRACT, "contractual contract sign contract.toml", strings::RUN_COMMAND]))
            (step(3, strings::OWN_AGENT, strings::OWN_AGENT_TEXT, &["contractual attach claude --contract contract.toml"]))
        }
        section id="in-force" {
            h2 { (strings::IN_FORCE) }
            @if active.is_empty() { (empty("no-active", strings::NO_ACTIVE, strings::NO_ACTIVE_TEXT, "")) }
            @else {
                ul.list.rows { @for name in &active { li { a href=(format!("/contracts/{name}")) { (name) } } } }
            }
        }
    };
    Page::new(Place::New, main)
}

fn step(number: u8, title: &str, text: &str, commands: &[&str]) -> Markup {
    html! {
        article.card {
            div.head { h2 { (number) ". " (title) } }
            p { (text) }
            @for one in commands { (command(one)) }
        }
    }
}
