//! The record: its newest facts, by task, kind and author.

use bus_schema::{ACTORS, AuthorId, FACTS, TaskId};
use maud::{Markup, html};
use page::{Place, Text};
use url::form_urlencoded::Serializer;

use super::main_part::Page;
use crate::{
    parts::{command, empty, time},
    record::{FactLine, RECENT_MAX},
    route::Filter,
    strings,
    view::View,
};

/// Facts on one page.
const EACH: usize = 50;

pub(super) fn page(view: &View<'_>, filter: &Filter) -> Page {
    let kept = view.record.recent.iter();
    let mut found: Vec<&FactLine> = kept
        .filter(|line| passes(filter, line))
        .take(EACH + 1)
        .collect();
    let has_more = found.len() > EACH;
    found.truncate(EACH);
    let before = found.last().filter(|_| has_more).map(|line| line.seq);
    let main = html! {
        section id="record" {
            h1 { (strings::AUDIT) }
            p.lead { (strings::AUDIT_TEXT) }
            (checkpoint(view))
            (form(filter))
            @if found.is_empty() { (empty("no-facts", strings::NO_FACTS, strings::NO_FACTS_TEXT, "")) }
            @else { ol.list.rows.dense { @for line in &found { (row(line)) } } }
        }
        div.pages id="pages" role="navigation" aria-label=(strings::PAGES) {
            @if filter.before.is_some() { a href=(address(filter, None)) { (strings::NEWEST) } }
            @if let Some(before) = before { a href=(address(filter, Some(before))) { (strings::OLDER) } }
        }
        @if !has_more { p.mute id="older" { (strings::older_facts(RECENT_MAX)) } (command("contractual audit show")) }
    };
    Page::new(Place::Audit, main)
}

fn passes(filter: &Filter, line: &FactLine) -> bool {
    let kind = filter.kind.as_deref();
    filter.task.is_none_or(|task| line.task == Some(task))
        && kind.is_none_or(|kind| line.kind.starts_with(kind))
        && filter.by.is_none_or(|by| line.by == by)
        && filter.before.is_none_or(|before| line.seq < before)
}

/// The part of the record that audit's log covers.
fn checkpoint(view: &View<'_>) -> Markup {
    html! {
        @match view.record.checkpoint {
            Some((size, at)) => p { (strings::LOGGED) " " (size) ", " (time(at)) ". " (strings::VERIFY) },
            None => p { (strings::NOT_LOGGED) },
        }
        (command("contractual audit verify"))
    }
}

fn form(filter: &Filter) -> Markup {
    let task = filter.task.map(|task| task.to_string());
    let authors = std::iter::once(&AuthorId::Owner).chain(ACTORS);
    html! {
        form.filter id="filter" method="get" action="/audit" {
            label { (strings::TASK_ID) input name="task" value=[task] autocomplete="off" spellcheck="false"; }
            label {
                (strings::KIND)
                select name="kind" {
                    option value="" { (strings::ALL_KINDS) }
                    @for spec in FACTS {
                        option value=(spec.kind) selected[filter.kind.as_deref() == Some(spec.kind)] { (spec.kind) }
                    }
                }
            }
            label {
                (strings::AUTHOR)
                select name="by" {
                    option value="" { (strings::ALL_AUTHORS) }
                    @for author in authors { option value=(author) selected[filter.by == Some(*author)] { (author) } }
                }
            }
            button type="submit" { (strings::SHOW) }
        }
    }
}

fn row(line: &FactLine) -> Markup {
    html! {
        li id=(format!("f-{}", line.seq)) {
            div.head {
                span.mute.mono { (line.seq) }
                strong { (Text::Line(&line.kind)) }
                span.mute { (strings::BY) " " (line.by) }
                @if let Some(task) = line.task { (task_link(task)) }
                span.push { (time(line.stored)) }
            }
        }
    }
}

/// A link to a task, by the end of its id: tasks of one moment differ only there.
fn task_link(task: TaskId) -> Markup {
    let id = task.to_string();
    let end = id.rsplit('-').next().unwrap_or(&id);
    html! { a.mono href=(format!("/tasks/{id}")) { span.unseen { (strings::TASK) " " } "…" (end) } }
}

/// The address of this page with another end.
fn address(filter: &Filter, before: Option<u64>) -> String {
    let mut query = Serializer::new(String::new());
    if let Some(task) = filter.task {
        query.append_pair("task", &task.to_string());
    }
    if let Some(kind) = &filter.kind {
        query.append_pair("kind", kind);
    }
    if let Some(by) = filter.by {
        query.append_pair("by", by.name());
    }
    if let Some(before) = before {
        query.append_pair("before", &before.to_string());
    }
    format!("/audit?{}", query.finish())
}
