//! One action of a timeline: its state, what it is, why it was allowed or not, what it used, and what came out.

use contract::Labels;
use maud::{Markup, html};
use page::Text;

use super::home::reason;
use crate::{
    parts::{arguments, arguments_line, clock, content, time},
    record::{ActionRecord, ActionState, Ending, Permission, TaskRecord},
    states, strings,
    units::{duration, size},
    view::View,
};

/// The row of an action.
pub(super) fn row(view: &View<'_>, task: &TaskRecord, action: &ActionRecord) -> Markup {
    let badge = states::action(action, task.is_open(), view.now);
    let is_refused = matches!(action.state(view.now), ActionState::Refused(_));
    html! {
        li.(badge.class) id=(format!("a-{}", action.id)) {
            div.head {
                (badge)
                h3 { code { (action.tool) } }
                span.push { (clock(action.proposed)) }
            }
            p { (arguments_line(view, action.by, action.args)) }
            p.meta {
                span {
                    (strings::STEP) " " (action.step)
                    @if action.items > 1 { " " (u32::from(action.item) + 1) "/" (action.items) }
                    @if action.attempt > 1 { ", " (strings::ATTEMPT) " " (action.attempt) }
                }
                @if let Some(permission) = action.permission.as_ref().filter(|_| !is_refused) { (by_rule(permission)) }
                @if let Some(ending) = action.ending() { (used(view, action, ending)) }
            }
            @if let ActionState::Refused(refusal) = action.state(view.now) {
                p.meta { span { (strings::BY_RULE) " " code { (refusal.rule) } } }
                (reason(view, refusal))
            }
            @if let ActionState::Declined(code) = action.state(view.now) { p { (code) "." } }
            @if action.state(view.now) == ActionState::Unknown { p { (strings::UNKNOWN_TEXT) } }
            (everything(view, action))
        }
    }
}

/// The rule that permits it, and who said yes.
fn by_rule(permission: &Permission) -> Markup {
    html! {
        span { (strings::BY_RULE) " " code { (permission.rule) } }
        @if permission.approvals > 0 { span { (strings::approvals(permission.approvals)) } }
    }
}

/// The resources that it used, and the labels of its result.
fn used(view: &View<'_>, action: &ActionRecord, ending: &Ending) -> Markup {
    let catalogue = view.catalogue();
    let tool = catalogue
        .as_ref()
        .and_then(|tools| tools.get(action.tool.as_str()));
    let labels = tool.map_or(Labels::START, contract::Tool::output);
    let usage = ending.usage;
    html! {
        span { (duration(u64::from(usage.wall_ms))) }
        @if usage.output_bytes > 0 { span { (size(u64::from(usage.output_bytes))) } }
        @if let Some(tokens) = usage.tokens { span { (tokens) " " (strings::TOKENS) } }
        @if let Some(spend) = usage.spend { span { (spend) } }
        @if labels.is_untrusted() { span.chip.taint title=(strings::UNTRUSTED_TEXT) { (strings::UNTRUSTED) } }
        @if labels.is_secret() { span.chip.taint title=(strings::SECRET_TEXT) { (strings::SECRET) } }
    }
}

/// All arguments, the limits, the times and the output.
fn everything(view: &View<'_>, action: &ActionRecord) -> Markup {
    html! {
        div.more {
        details id=(format!("d-{}", action.id)) {
            summary { (strings::DETAILS) }
            (arguments(view, action.by, action.args, view.cut))
            dl.args {
                dt { (strings::ACTION) } dd { code { (action.id) } }
                dt { (strings::PROPOSED) } dd { (time(action.proposed)) ", " (strings::BY) " " (action.by) ", " (strings::MESSAGE) " " (action.seq) }
                @if let Some(question) = &action.question {
                    dt { (strings::ASKED) } dd { (time(question.asked)) ", " (strings::UNTIL) " " (time(question.until)) }
                }
                @if let Some(permission) = &action.permission { (limits(permission)) }
                @if let Some(started) = action.started { dt { (strings::CLAIMED) } dd { (time(started)) } }
                dt { (strings::LAST) } dd { (time(action.last.1)) ", " (strings::MESSAGE) " " (action.last.0) }
            }
        }
        @if let Some(ending) = action.ending() {
            details id=(format!("o-{}", action.id)) {
                summary { (strings::OUTPUT) }
                (content(view, ending.by, ending.output, view.cut))
            }
        }
        }
    }
}

fn limits(permission: &Permission) -> Markup {
    let secrets: Vec<&str> = permission
        .secrets
        .iter()
        .map(|name| name.as_str())
        .collect();
    html! {
        dt { (strings::LIMITS) }
        dd {
            (duration(u64::from(permission.wall_ms))) ", "
            (size(u64::from(permission.output_bytes_max))) " " (strings::OF_OUTPUT)
            @if permission.tokens > 0 { ", " (permission.tokens) " " (strings::TOKENS) }
            @if let Some(spend) = permission.spend { ", " (spend) }
        }
        dt { (strings::EXECUTOR) } dd { (permission.audience) @if permission.outward { ", " (strings::OUTWARD) } }
        @if !secrets.is_empty() { dt { (strings::SECRETS) } dd { (Text::Line(&secrets.join(", "))) } }
        @if permission.determined { dt { (strings::VALUES) } dd { (strings::DETERMINED) } }
    }
}
