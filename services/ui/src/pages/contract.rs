//! One contract: its sentences beside its text, its state, and its other versions.

use bus_schema::{AuthorId, ContractName};
use contract::{Section, Sentence};
use maud::{Markup, html};
use page::{Place, Text};

use super::main_part::Page;
use crate::{
    contents::Found,
    parts::{command, content, prose, time},
    record::{ContractRecord, ContractStage},
    states, strings,
    view::View,
};

/// Most bytes of the text of a contract: none is longer.
const TEXT_BYTES_MAX: usize = 128 << 10;

/// The page of a contract; without a version, the one that counts. None if there is no such one.
pub(super) fn page(view: &View<'_>, name: &ContractName, version: Option<u32>) -> Option<Page> {
    let versions = view.record.contracts.named(name.as_str());
    let mut found = versions.iter();
    let one = found.find(|one| version.is_none_or(|version| version == one.version))?;
    let main = html! {
        section id="head" {
            h1 { (one.name) }
            p.meta {
                (states::contract(one, view.now))
                span { (strings::VERSION) " " (one.version) }
                span { (strings::SIGNED) " " (time(one.signed)) }
                span { (strings::HOLDS_UNTIL) " " (time(one.expires)) }
            }
            (stage(view, one))
        }
        div.split id="both" {
            section id="sentences" { h2 { (strings::SENTENCES) } (sentences(view, one)) }
            section id="text" { h2 { (strings::TEXT) } (text(view, one)) }
        }
        @if versions.len() > 1 {
            section id="versions" {
                h2 { (strings::VERSIONS) }
                ul.list.rows {
                    @for other in &versions {
                        li id=(format!("v-{}", other.digest)) {
                            div.head {
                                a href=(format!("/contracts/{}?version={}", other.name, other.version)) { (strings::VERSION) " " (other.version) }
                                span.push { (states::contract(other, view.now)) }
                            }
                            p.meta { span { (strings::SIGNED) " " (time(other.signed)) } }
                        }
                    }
                }
            }
        }
    };
    Some(Page {
        title: name.to_string(),
        ..Page::new(Place::Contracts, main)
    })
}

/// The meaning of its state, and the next step.
fn stage(view: &View<'_>, one: &ContractRecord) -> Markup {
    let why = |why: &Option<bus_schema::Content>| {
        let text = why.and_then(|why| view.contents.text(AuthorId::Policy, why));
        html! { @if let Some(text) = text { pre { (Text::Block(text)) } } }
    };
    match &one.stage {
        _ if one.is_expired(view.now) => html! { p { (strings::EXPIRED_TEXT) } },
        ContractStage::Offered => html! { p { (strings::OFFERED_TEXT) } },
        ContractStage::Active => html! {
            details id="revoke" {
                summary { (strings::REVOKE) }
                p { (strings::REVOKE_TEXT) }
                (command(&format!("contractual contract revoke {}", one.name)))
            }
        },
        ContractStage::Suspended(found) => html! {
            div.banner { p { (strings::SUSPENDED_TEXT) } (why(found)) (command("contractual contract list")) }
        },
        ContractStage::Replaced => html! { p { (strings::REPLACED_TEXT) } },
        ContractStage::Revoked => html! { p { (strings::REVOKED_TEXT) " " (time(one.since)) "." } },
        ContractStage::Rejected(code, found) => html! {
            div.banner { p { (strings::CONTRACT_REJECTED) " " (code) "." } (why(found)) }
        },
    }
}

fn text(view: &View<'_>, one: &ContractRecord) -> Markup {
    content(
        view,
        AuthorId::Owner,
        one.document,
        if view.cut == 0 { 0 } else { TEXT_BYTES_MAX },
    )
}

fn sentences(view: &View<'_>, one: &ContractRecord) -> Markup {
    let Found::Bytes(bytes) = view.contents.get(AuthorId::Owner, one.document) else {
        return html! { p.mute { (strings::NO_SENTENCES) } };
    };
    let (Ok(text), Some(catalogue)) = (std::str::from_utf8(bytes), view.catalogue()) else {
        return html! { p.mute { (strings::NO_SENTENCES) } };
    };
    let digest = catalogue.digest();
    let read = (view.documents).sentences((&one.digest, text), (&digest, &catalogue));
    match read.as_ref() {
        Ok(shown) => html! { @for each in &shown.sections { (section(each)) } },
        Err(problems) => html! {
            p { (strings::UNREADABLE) }
            pre { (Text::Block(problems)) }
        },
    }
}

fn section(Section { title, sentences }: &Section) -> Markup {
    html! {
        h3 { (title) }
        ul.sentences { @for each in sentences { (sentence(each)) } }
    }
}

fn sentence(
    Sentence {
        rule,
        text,
        conditions,
        more,
    }: &Sentence,
) -> Markup {
    html! {
        li {
            @if let Some(rule) = rule { code.rule { (Text::Line(rule)) } " " }
            (prose(text))
            @if !conditions.is_empty() { ul { @for each in conditions { li { (prose(each)) } } } }
            @for each in more { " " (prose(each)) }
        }
    }
}
