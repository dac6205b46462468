//! One task: its state, its questions, and a page of its actions.

use bus_schema::TaskId;
use maud::{Markup, html};
use page::{Place, Text};

use super::{main_part::Page, question, timeline};
use crate::{
    parts::{command, content, empty, page_of, pager, time},
    record::{TaskRecord, TaskStage},
    states, strings,
    units::{counted, duration},
    view::View,
};

/// Actions on one page.
const EACH: usize = 25;

/// The page of a task; without a page, that of its newest actions. None if it is not kept.
pub(super) fn page(view: &View<'_>, id: TaskId, asked: Option<usize>) -> Option<Page> {
    let task = view.record.tasks.get(id)?;
    let (page, pages) = page_of(asked.unwrap_or(usize::MAX), task.actions.len(), EACH);
    let actions = task.actions.iter().skip((page - 1) * EACH).take(EACH);
    let main = html! {
        (head(view, task))
        @if task.questions(view.now).next().is_some() {
            section id="waiting" {
                h2 { (strings::WAITING) }
                @for (action, asked) in task.questions(view.now) { (question::card(view, task, action, asked)) }
            }
        }
        section id="steps" {
            h2 { (strings::TIMELINE) }
            @if task.actions.is_empty() { (empty("no-actions", strings::NO_ACTIONS, strings::NO_ACTIONS_TEXT, "")) }
            @else { ol.steps start=((page - 1) * EACH + 1) { @for action in actions { (timeline::row(view, task, action)) } } }
            @if task.more > 0 { p.mute { (strings::more_actions(task.more)) } }
        }
        (pager(&format!("/tasks/{id}"), page, pages))
        (end(view, task))
        (proof(view, task))
    };
    let title = view.title(task).unwrap_or_else(|| id.to_string());
    Some(Page {
        title,
        ..Page::new(Place::Tasks, main)
    })
}

fn head(view: &View<'_>, task: &TaskRecord) -> Markup {
    let contract = task
        .contract
        .and_then(|digest| view.record.contracts.get(&digest));
    let slots = task.slots;
    let slots = slots.map(|(by, slots)| content(view, by, slots, view.cut));
    html! {
        section id="head" {
            h1 { (question::name(view, task)) }
            p.meta {
                (states::task(task, view.now))
                span { (strings::SUBMITTED) " " (time(task.submitted)) }
                @if let Some(contract) = contract {
                    span {
                        (strings::CONTRACT) " "
                        a href=(format!("/contracts/{}?version={}", contract.name, contract.version)) { (contract.name) }
                        ", " (strings::VERSION) " " (contract.version)
                    }
                }
                @if let Some(job) = &task.job { span { (strings::JOB) " " a href="/jobs" { (job) } } }
                @if let Some(kind) = strings::kind(task.kind) { span { (kind) } }
            }
            @if let Some((by, text)) = task.text {
                details id="text" {
                    summary { (strings::text_of(task.kind)) }
                    (content(view, by, text, view.cut))
                }
            }
            @if let Some(slots) = slots { details id="slots" { summary { (strings::SLOTS) } (slots) } }
            @if task.is_open() && task.cancelled.is_none() {
                details id="stop" {
                    summary { (strings::STOP) }
                    p { (strings::STOP_TEXT) }
                    (command(&format!("contractual task cancel {}", task.id)))
                }
            }
        }
    }
}

/// The end of a task, with its reason.
fn end(view: &View<'_>, task: &TaskRecord) -> Markup {
    let took = duration(task.last.1.ms_since(task.submitted));
    match &task.stage {
        TaskStage::Submitted | TaskStage::Open => html! {
            @if let Some(at) = task.cancelled { section.card id="end" { p { (strings::CANCELLED) " " (time(at)) "." } } }
        },
        TaskStage::Rejected { code, why } => html! {
            section.card.bad id="end" {
                p { strong { (strings::REJECTED) } " " (code) "." }
                @if let Some(why) = view.why(*why) { p { (Text::Line(&why.why)) } }
            }
        },
        TaskStage::Ended { by, detail, .. } => html! {
            section.card id="end" {
                p { (states::task(task, view.now)) " " (strings::AFTER) " " (took) ", " (counted(task.actions.len(), "action", "actions")) "." }
                @if let Some(reason) = reason(view, *by, *detail) { p { (Text::Line(&reason)) } }
                @if let Some(words) = last_words(view, *by, *detail) {
                    h2 { (strings::LAST_WORDS) }
                    pre { (Text::Block(&words)) }
                }
            }
        },
    }
}

/// The last words of a model.
fn last_words(
    view: &View<'_>,
    by: bus_schema::AuthorId,
    detail: Option<bus_schema::Content>,
) -> Option<String> {
    let text = view.contents.text(by, detail?)?;
    let detail: serde_json::Value = serde_json::from_str(text).ok()?;
    Some(detail.get("text")?.as_str()?.to_owned())
}

/// The step and the reason of an early end.
fn reason(
    view: &View<'_>,
    by: bus_schema::AuthorId,
    detail: Option<bus_schema::Content>,
) -> Option<String> {
    let text = view.contents.text(by, detail?)?;
    let detail: serde_json::Value = serde_json::from_str(text).ok()?;
    let reason = detail.get("reason")?.as_str()?;
    Some(
        match detail.get("step").and_then(serde_json::Value::as_str) {
            Some(step) => format!("{step}: {reason}"),
            None => reason.to_owned(),
        },
    )
}

/// The place of the task in the record, and the way to check it.
fn proof(view: &View<'_>, task: &TaskRecord) -> Markup {
    let covered = view
        .record
        .checkpoint
        .filter(|(size, _)| *size >= task.last.0);
    html! {
        section id="proof" {
            h2 { (strings::PROOF) }
            p {
                (strings::messages(task.seq, task.last.0)) " "
                @match covered {
                    Some((size, at)) => { (strings::COVERED) " " (size) ", " (time(at)) "." },
                    None => (strings::NOT_COVERED),
                }
                " " a href=(format!("/audit?task={}", task.id)) { (strings::ALL_FACTS) } "."
            }
            p.mute { (strings::PROOF_TEXT) }
            (command("contractual audit verify"))
        }
    }
}
