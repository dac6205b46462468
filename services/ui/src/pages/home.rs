//! The first page: what waits for a person, what runs, what was refused today, and whether all is well.

use bus_schema::{ACTORS, AuthorId};
use maud::{Markup, html};
use page::{Place, Text};

use super::{main_part::Page, question, tasks};
use crate::{
    parts::{command, empty, prose, time},
    record::{ActionRecord, ActionState, Refusal, TaskRecord},
    strings,
    units::counted,
    view::View,
};

/// Most questions, running tasks and refusals.
const QUESTIONS_MAX: usize = 10;
const RUNNING_MAX: usize = 20;
const REFUSED_MAX: usize = 8;

pub(super) fn page(view: &View<'_>) -> Page {
    let main = html! {
        (health(view))
        (waiting(view))
        (running(view))
        (refused(view))
    };
    Page::new(Place::Home, main)
}

/// One line that says whether all is well.
fn health(view: &View<'_>) -> Markup {
    let record = view.record;
    let silent: Vec<&str> = ACTORS
        .iter()
        .filter(|author| !record.started.contains_key(author) && **author != AuthorId::Ui)
        .map(|author| author.name())
        .collect();
    html! {
        section id="health" {
            h1.unseen { (strings::HOME) }
            @if let Some(since) = record.halt {
                div.banner {
                    p { strong.no { (strings::HALTED) } " " (time(since)) ". " (strings::HALTED_TEXT) }
                    (command("contractual resume"))
                }
            } @else if !record.doubts.is_empty() {
                div.banner {
                    p {
                        strong.no { (strings::DOUBTED) } " "
                        (record.doubts.keys().map(|author| author.name()).collect::<Vec<_>>().join(", ")) ". "
                        (strings::DOUBTED_TEXT)
                    }
                    (command("contractual stream adopt"))
                }
            } @else if !silent.is_empty() {
                p.lead { (strings::NEVER_STARTED) " " (silent.join(", ")) ". " (strings::NEVER_STARTED_TEXT) }
            } @else {
                p.lead { span.ok aria-hidden="true" { "✓ " } (strings::ALL_WELL) }
            }
        }
    }
}

fn waiting(view: &View<'_>) -> Markup {
    let waiting = view.record.waiting(view.now);
    html! {
        section id="waiting" {
            h2 { (strings::WAITING) @if !waiting.is_empty() { " " span.count { (waiting.len()) } } }
            @if waiting.is_empty() { (empty("no-waiting", strings::NO_WAITING, strings::NO_WAITING_TEXT, "")) }
            @for (task, action, asked) in waiting.iter().take(QUESTIONS_MAX) {
                (question::card(view, task, action, asked))
            }
            @if waiting.len() > QUESTIONS_MAX {
                p { (strings::more_questions(waiting.len() - QUESTIONS_MAX)) }
                (command("contractual approvals list"))
            }
        }
    }
}

fn running(view: &View<'_>) -> Markup {
    let open: Vec<_> = view
        .record
        .tasks
        .newest()
        .filter(|task| task.is_open())
        .collect();
    let any = view.record.tasks.newest().next().is_some();
    html! {
        section id="running" {
            h2 { (strings::RUNNING) }
            @if open.is_empty() {
                @if any { (empty("no-running", strings::NO_RUNNING, strings::NO_RUNNING_TEXT, strings::RUN_COMMAND)) }
                @else { (empty("no-tasks", strings::NO_TASKS, strings::NO_TASKS_TEXT, strings::DEMO_COMMAND)) }
            } @else {
                ul.list.rows { @for task in open.iter().take(RUNNING_MAX) { (tasks::row(view, task)) } }
                @if open.len() > RUNNING_MAX { p { a href="/tasks" { (counted(open.len(), "open task", "open tasks")) } } }
            }
        }
    }
}

fn refused(view: &View<'_>) -> Markup {
    let mut refused: Vec<(&TaskRecord, &ActionRecord, &Refusal)> = Vec::new();
    for task in view.record.tasks.newest() {
        for action in task
            .actions
            .iter()
            .filter(|action| view.is_today(action.last.1))
        {
            if let ActionState::Refused(refusal) = action.state(view.now) {
                refused.push((task, action, refusal));
            }
        }
    }
    refused.sort_by_key(|(_, action, _)| std::cmp::Reverse(action.last.0));
    html! {
        section id="refused" {
            h2 { (strings::REFUSED_TODAY) @if refused.len() > REFUSED_MAX { " " span.mute { (refused.len()) } } }
            @if refused.is_empty() { (empty("no-refused", strings::NO_REFUSED, strings::NO_REFUSED_TEXT, "")) }
            @for (task, action, refusal) in refused.iter().take(REFUSED_MAX) {
                article.card.bad id=(format!("r-{}", action.id)) {
                    div.head {
                        h3 { code { (action.tool) } }
                        span.push { (time(action.last.1)) }
                    }
                    p.meta {
                        span { (strings::TASK) " " a href=(format!("/tasks/{}#a-{}", task.id, action.id)) { (question::name(view, task)) } }
                        span { (strings::RULE) " " code { (refusal.rule) } }
                    }
                    (reason(view, refusal))
                }
            }
        }
    }
}

/// The reason of a refusal, and the smallest change that would allow it.
pub(super) fn reason(view: &View<'_>, refusal: &Refusal) -> Markup {
    let why = view.why(refusal.why);
    html! {
        @match &why {
            Some(why) if !why.why.is_empty() => p { (prose(&why.why)) },
            Some(_) | None => p { (refusal.code) "." },
        }
        @if let Some(fix) = why.as_ref().and_then(|why| why.fix.as_deref()) {
            p.mute { (strings::FIX) }
            pre { (Text::Block(fix)) }
        }
    }
}
