//! The tools of the newest catalogue that the owner signed.

use contract::{Effect, Tool};
use maud::{Markup, html};
use page::{Place, Text};

use super::main_part::Page;
use crate::{
    parts::{command, empty, time},
    strings,
    units::counted,
    view::View,
};

/// Most tools on the page.
const SHOWN_MAX: usize = 300;

pub(super) fn page(view: &View<'_>) -> Page {
    let catalogue = view.catalogue();
    let tools: Vec<&Tool> = catalogue.iter().flat_map(|tools| tools.tools()).collect();
    let main = html! {
        section id="tools" {
            h1 { (strings::TOOLS) }
            p.lead { (strings::TOOLS_TEXT) }
            @match &view.record.catalogue {
                None => (empty("no-tools", strings::NO_TOOLS, strings::NO_TOOLS_TEXT, strings::ADD_TOOL)),
                Some(signed) => {
                    p.meta {
                        span { (strings::VERSION) " " (signed.version) }
                        span { (strings::SIGNED) " " (time(signed.at)) }
                        span { (counted(tools.len(), "tool", "tools")) }
                    }
                    @if catalogue.is_none() { p { (strings::CATALOGUE_UNREAD) } }
                    @else if tools.is_empty() { (empty("no-tools", strings::NO_TOOLS, strings::NO_TOOLS_TEXT, strings::ADD_TOOL)) }
                    ul.list.rows { @for tool in tools.iter().take(SHOWN_MAX) { (row(view, tool)) } }
                    @if tools.len() > SHOWN_MAX { p { (strings::MORE_IN_COMMAND) } (command("contractual tool list")) }
                },
            }
        }
    };
    Page::new(Place::Tools, main)
}

fn row(view: &View<'_>, tool: &Tool) -> Markup {
    let effect = match tool.effects().most() {
        Effect::Read => strings::READS,
        Effect::Write => strings::WRITES,
        Effect::Tell => strings::TELLS,
        Effect::Outward => strings::SENDS,
    };
    let output = tool.output();
    let entry = serde_json::to_string_pretty(tool.entry()).unwrap_or_default();
    let (entry, is_cut) = page::cut(&entry, view.cut);
    html! {
        li id=(format!("u-{}", tool.name())) {
            div.head {
                h2 { code { (tool.name()) } }
                span.push {
                    span.chip { (effect) } " "
                    @if let Some(risk) = tool.risk() { span.chip { (strings::RISK) " " (risk.word()) } " " }
                    @if output.is_untrusted() { span.chip.taint title=(strings::UNTRUSTED_TEXT) { (strings::UNTRUSTED) } " " }
                    @if output.is_secret() { span.chip.taint title=(strings::SECRET_TEXT) { (strings::SECRET) } }
                }
            }
            p { (Text::Line(tool.description().trim())) }
            @if view.cut > 0 {
                details id=(format!("e-{}", tool.name())) {
                    summary { (strings::ENTRY) }
                    pre tabindex="0" { (Text::Block(entry)) }
                    @if is_cut { p.mute { (strings::CUT_ENTRY) } }
                }
            }
        }
    }
}
