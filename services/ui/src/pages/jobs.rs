//! The jobs: when each runs next, and how its last runs ended.

use bus_schema::{AuthorId, JobOnRecord, RunCause, Time};
use job::{Job, When};
use maud::{Markup, html};
use page::{Place, Text};

use super::main_part::Page;
use crate::{
    parts::{Badge, command, empty, time},
    record::RunRecord,
    states, strings,
    view::View,
};

/// Next slots that are shown.
const NEXT_MAX: usize = 3;
/// Last runs that are shown.
const RUNS_MAX: usize = 5;

pub(super) fn page(view: &View<'_>) -> Page {
    let mut jobs: Vec<_> = view.record.jobs.jobs.iter().collect();
    jobs.sort_by_key(|job| job.is_revoked);
    let main = html! {
        section id="jobs" {
            h1 { (strings::JOBS) }
            p.lead { (strings::JOBS_TEXT) }
            @if jobs.is_empty() { (empty("no-jobs", strings::NO_JOBS, strings::NO_JOBS_TEXT, strings::ADD_JOB)) }
            @for job in jobs { (card(view, job)) }
        }
    };
    Page::new(Place::Jobs, main)
}

fn card(view: &View<'_>, record: &JobOnRecord) -> Markup {
    let signed = &record.signed;
    let text = view.contents.text(AuthorId::Owner, signed.document);
    let job = text.and_then(|text| Job::parse("job.toml", text).ok());
    let badge = match (record.is_revoked, record.is_paused) {
        (true, _) => Badge::new("no", "■", "removed"),
        (false, true) => Badge::new("off", "‖", "paused"),
        (false, false) => Badge::new("ok", "✓", "in force"),
    };
    html! {
        article.card id=(format!("j-{}", signed.job)) {
            div.head {
                h2 { (signed.job) }
                span.mute { (strings::VERSION) " " (signed.version) }
                span.push { (badge) }
            }
            @if let Some(job) = &job {
                p { (Text::Line(&job.purpose)) }
                p.meta {
                    span { (Text::Line(&job.when.to_string())) }
                    span { (strings::CONTRACT) " " a href=(format!("/contracts/{}", job.contract)) { (job.contract) } }
                }
                @if record.runs(signed.version) { (next(view, record, &job.when)) }
            } @else { p.mute { (strings::NO_DOCUMENT) } }
            (runs(view, record))
            @if !record.is_revoked {
                details id=(format!("do-{}", signed.job)) {
                    summary { (strings::CHANGE) }
                    (command(&format!("contractual job run {}", signed.job)))
                    @if record.is_paused { (command(&format!("contractual job resume {}", signed.job))) }
                    @else { (command(&format!("contractual job pause {}", signed.job))) }
                    (command(&format!("contractual job remove {}", signed.job)))
                }
            }
        }
    }
}

/// The next slots.
fn next(view: &View<'_>, record: &JobOnRecord, when: &When) -> Markup {
    let mut slots: Vec<Time> = Vec::new();
    let mut after = view.now;
    while slots.len() < NEXT_MAX
        && let Some(slot) = when.next(after, record.at)
    {
        slots.push(slot);
        after = slot;
    }
    html! {
        @if when.trigger().is_some() { p { (strings::ON_MESSAGES) } }
        @else if when.has_no_slots() {}
        @else if slots.is_empty() { p { (strings::NO_MORE_SLOTS) } }
        @else {
            p { (strings::NEXT_RUNS) }
            ul { @for slot in slots { li { time datetime=(slot) { (Text::Line(&when.shown(slot))) } } } }
        }
    }
}

fn runs(view: &View<'_>, record: &JobOnRecord) -> Markup {
    let runs: Vec<_> = view
        .record
        .jobs
        .of(&record.signed.job)
        .take(RUNS_MAX)
        .collect();
    html! {
        @if runs.is_empty() { p.mute { (strings::NO_RUN) } }
        @else {
            p { (strings::LAST_RUNS) }
            ul.list { @for one in runs { (run(view, one)) } }
        }
    }
}

fn run(view: &View<'_>, run: &RunRecord) -> Markup {
    let task = view.record.tasks.get(run.task);
    html! {
        li {
            div.head {
                @match task {
                    Some(_) => a href=(format!("/tasks/{}", run.task)) { (cause(run)) },
                    None => (cause(run)),
                }
                span.push {
                    @match task {
                        Some(task) => (states::task(task, view.now)),
                        None => span.mute { (strings::NOT_ADMITTED) },
                    }
                }
            }
        }
    }
}

fn cause(run: &RunRecord) -> Markup {
    match run.cause {
        RunCause::Slot(slot) => html! { (time(slot)) },
        RunCause::Ordered(_) => html! { (strings::ORDERED) " " (time(run.due)) },
        RunCause::After(_) => html! { (strings::FOLLOWED) " " (time(run.due)) },
        RunCause::Started(_) => html! { (strings::STARTED_WITH) " " (time(run.due)) },
        RunCause::Retried(_) => html! { (strings::RETRIED) " " (time(run.due)) },
        RunCause::Triggered { .. } => html! { (strings::TRIGGERED) " " (time(run.due)) },
    }
}
