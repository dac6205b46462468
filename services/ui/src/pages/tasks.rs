//! The list of tasks, newest first.

use maud::{Markup, html};
use page::Place;

use super::{main_part::Page, question};
use crate::{
    parts::{empty, page_of, pager, time},
    record::{TASKS_MAX, TaskRecord},
    states, strings,
    units::counted,
    view::View,
};

/// Tasks on one page.
const EACH: usize = 25;

pub(super) fn page(view: &View<'_>, asked: usize) -> Page {
    let all: Vec<_> = view.record.tasks.newest().collect();
    let (page, pages) = page_of(asked, all.len(), EACH);
    let main = html! {
        section id="tasks" {
            h1 { (strings::TASKS) }
            p.lead { (strings::TASKS_TEXT) }
            @if all.is_empty() { (empty("no-tasks", strings::NO_TASKS, strings::NO_TASKS_TEXT, strings::DEMO_COMMAND)) }
            @else {
                ul.list.rows { @for task in all.iter().skip((page - 1) * EACH).take(EACH) { (row(view, task)) } }
            }
            @if all.len() >= TASKS_MAX { p.mute { (strings::OLDER_TASKS) } }
        }
        (pager("/tasks", page, pages))
    };
    Page::new(Place::Tasks, main)
}

/// A task in two lines.
pub(super) fn row(view: &View<'_>, task: &TaskRecord) -> Markup {
    let contract = task
        .contract
        .and_then(|digest| view.record.contracts.get(&digest));
    let actions = task.actions.len() + task.more as usize;
    html! {
        li id=(format!("t-{}", task.id)) {
            div.head {
                a href=(format!("/tasks/{}", task.id)) { (question::name(view, task)) }
                span.push { (states::task(task, view.now)) }
            }
            p.meta {
                (time(task.submitted))
                @if let Some(job) = &task.job { span { (strings::JOB) " " (job) } }
                @if let Some(kind) = strings::kind(task.kind) { span { (kind) } }
                @if let Some(contract) = contract { span { (strings::CONTRACT) " " (contract.name) } }
                @if actions > 0 { span { (counted(actions, "action", "actions")) } }
            }
        }
    }
}
