//! The parts of which pages are made: times, states, commands, arguments, contents, links between pages.

use bus_schema::{AuthorId, Content, Time};
use maud::{Markup, html};
use page::{Text, cut};
use serde_json::Value;

use crate::{contents::Found, strings, view::View};

/// Most characters of a value on one line.
const LINE_CHARS_MAX: usize = 120;

/// The look of a state: a class, an icon and a word, so that no state is told by colour alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Badge {
    pub(crate) class: &'static str,
    pub(crate) icon: &'static str,
    pub(crate) word: &'static str,
}

impl Badge {
    pub(crate) const fn new(class: &'static str, icon: &'static str, word: &'static str) -> Self {
        Self { class, icon, word }
    }
}

impl maud::Render for Badge {
    fn render(&self) -> Markup {
        html! {
            span.state.(self.class) { i aria-hidden="true" { (self.icon) } (self.word) }
        }
    }
}

/// A moment, absolute and in UTC, to the second.
pub(crate) fn time(at: Time) -> Markup {
    let exact = at.to_string();
    let shown = exact.replacen('T', " ", 1);
    let seconds = shown.split('.').next().unwrap_or(&shown);
    html! { time datetime=(exact) { (seconds) " UTC" } }
}

/// The time of the day of a moment, to the millisecond.
pub(crate) fn clock(at: Time) -> Markup {
    let exact = at.to_string();
    let of_day = exact.split('T').nth(1).unwrap_or(&exact);
    html! { time datetime=(exact) title=(exact) { (of_day.trim_end_matches('Z')) } }
}

/// A command that a person copies.
pub(crate) fn command(text: &str) -> Markup {
    html! { pre.command { code { (Text::Line(text)) } } }
}

/// A sentence of this program, in which names stand between backticks.
pub(crate) fn prose(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return html! { (Text::Line(text)) };
    }
    html! {
        @for (n, part) in parts.iter().enumerate() {
            @if n.is_multiple_of(2) { (Text::Line(part)) } @else { code { (Text::Line(part)) } }
        }
    }
}

/// A list without anything: what it is for, and the way to fill it.
pub(crate) fn empty(id: &str, title: &str, what: &str, way: &str) -> Markup {
    html! {
        div.empty id=(id) { strong { (title) } p { (what) } @if !way.is_empty() { (command(way)) } }
    }
}

/// The arguments of a call, each whole up to `most` bytes.
pub(crate) fn arguments(view: &View<'_>, by: AuthorId, args: Content, most: usize) -> Markup {
    let Some(arguments) = view.arguments(by, args) else {
        return content(view, by, args, most);
    };
    html! {
        @if arguments.is_empty() { p.mute { (strings::NO_ARGUMENTS) } }
        @else {
            dl.args {
                @for (name, value) in &arguments {
                    dt { (Text::Line(name)) }
                    dd { (argument(value, most)) }
                }
            }
        }
    }
}

/// A value: a short one on its line, a long one in a block.
fn argument(value: &Value, most: usize) -> Markup {
    let text = match value {
        Value::String(text) => text.clone(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            serde_json::to_string_pretty(value).unwrap_or_default()
        }
    };
    let (shown, is_cut) = cut(&text, most);
    html! {
        @if text.len() <= LINE_CHARS_MAX && !text.contains('\n') { code { (Text::Line(&text)) } }
        @else { pre { (Text::Block(shown)) } }
        @if is_cut { p.mute { (strings::cut(text.len() as u64)) } }
    }
}

/// The arguments of a call on one line.
pub(crate) fn arguments_line(view: &View<'_>, by: AuthorId, args: Content) -> Markup {
    let Some(arguments) = view.arguments(by, args) else {
        return html! {};
    };
    let each = arguments.iter().map(|(name, value)| match value {
        Value::String(text) => format!("{name} {}", text.lines().collect::<Vec<_>>().join(" ")),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            format!("{name} {value}")
        }
    });
    let line = each.collect::<Vec<_>>().join(", ");
    let short: String = line.chars().take(LINE_CHARS_MAX).collect();
    html! { code { (Text::Line(&short)) @if short.len() < line.len() { "…" } } }
}

/// A content as text, up to `most` bytes.
pub(crate) fn content(view: &View<'_>, by: AuthorId, content: Content, most: usize) -> Markup {
    match view.contents.get(by, content) {
        Found::Bytes([]) => html! { p.mute { (strings::EMPTY_CONTENT) } },
        Found::Bytes(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => {
                let (shown, is_cut) = cut(text, most);
                html! {
                    pre tabindex="0" { (Text::Block(shown)) }
                    @if is_cut { p.mute { (strings::cut(bytes.len() as u64)) } }
                }
            }
            Err(_) => html! { p.mute { (strings::not_text(bytes.len() as u64)) } },
        },
        Found::Erased => html! { p.mute { (strings::ERASED) } },
        Found::Awaited => html! { p.mute { (strings::NOT_FETCHED) } },
    }
}

/// Links to the pages of a list; nothing for a single page.
pub(crate) fn pager(path: &str, page: usize, pages: usize) -> Markup {
    let link = |to: usize, word: &str| html! { a href=(format!("{path}?page={to}")) { (word) } };
    html! {
        @if pages > 1 {
            div.pages id="pages" role="navigation" aria-label=(strings::PAGES) {
                @if page > 1 { (link(1, strings::FIRST)) (link(page - 1, strings::PREVIOUS)) }
                @if page < pages { (link(page + 1, strings::NEXT)) (link(pages, strings::LAST_PAGE)) }
                p.mute { (strings::page_of(page, pages)) }
            }
        }
    }
}

/// The page that was asked for, within the pages that there are, and their number.
pub(crate) fn page_of(asked: usize, items: usize, each: usize) -> (usize, usize) {
    let pages = items.div_ceil(each).max(1);
    (asked.clamp(1, pages), pages)
}
