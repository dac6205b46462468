//! A question to a person: the call with all its arguments, until when it can be answered, and how.

use maud::{Markup, html};
use page::Text;

use crate::{
    parts::{arguments, command, time},
    record::{ActionRecord, AskedQuestion, TaskRecord},
    strings,
    view::View,
};

/// Most bytes of an argument: as many as arguments can have, so none is cut.
const WHOLE: usize = 64 << 10;

/// The card of a question.
pub(super) fn card(
    view: &View<'_>,
    task: &TaskRecord,
    action: &ActionRecord,
    question: &AskedQuestion,
) -> Markup {
    let reason = question.reason;
    let reason = reason.and_then(|reason| view.contents.text(bus_schema::AuthorId::Policy, reason));
    let most = if view.is_first() { WHOLE } else { view.cut };
    html! {
        article.card.asks id=(format!("q-{}", action.id)) {
            h3 { (strings::MAY_IT) " " code { (action.tool) } "?" }
            p.meta {
                span { (strings::TASK) " " a href=(format!("/tasks/{}", task.id)) { (name(view, task)) } }
                span { (strings::STEP) " " (action.step) }
                @if let Some(permission) = &action.permission { span { (strings::RULE) " " code { (permission.rule) } } }
            }
            @if let Some(reason) = reason { p { (Text::Line(reason)) } }
            (arguments(view, action.by, action.args, most))
            p { strong { (strings::ANSWER_BY) " " (time(question.until)) } ". " (strings::quorum(question.quorum)) }
            @if question.attended { p.mute { (strings::ATTENDED) } }
            @if question.verified { p.mute { (strings::VERIFIED) } }
            @if let Some(signer) = view.signer.filter(|_| !question.attended) {
                p.go { a href=(format!("{signer}/#t={}&a={}", task.id, action.id)) { (strings::REVIEW) } }
            }
            p.mute { (strings::HOW_TO_ANSWER) }
            (command(&format!("contractual deny {} {}", task.id, action.id)))
            (command(&format!("contractual approve {} {}", task.id, action.id)))
        }
    }
}

/// The name of a task: its purpose, or else its id.
pub(super) fn name(view: &View<'_>, task: &TaskRecord) -> Markup {
    match view.title(task) {
        Some(title) => html! { (Text::Line(&title)) },
        None => html! { code { (task.id) } },
    }
}
