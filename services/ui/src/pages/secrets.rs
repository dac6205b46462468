//! The secrets: where each may be sent, and when it was last released. No page has a value.

use bus_schema::{AuthorId, SecretOnRecord};
use maud::{Markup, html};
use page::{Place, Text};
use secret::{SecretTerms, SignedSeal};

use super::main_part::Page;
use crate::{
    contents::Found,
    parts::{Badge, command, empty, time},
    strings,
    view::View,
};

pub(super) fn page(view: &View<'_>) -> Page {
    let mut secrets: Vec<_> = view.record.secrets.iter().collect();
    secrets.sort_by_key(|secret| secret.is_revoked);
    let main = html! {
        section id="secrets" {
            h1 { (strings::SECRETS) }
            p.lead { (strings::SECRETS_LEAD) }
            @if secrets.is_empty() { (empty("no-secrets", strings::NO_SECRETS, strings::NO_SECRETS_TEXT, strings::SET_SECRET)) }
            @for secret in secrets { (card(view, secret)) }
        }
    };
    Page::new(Place::Secrets, main)
}

fn card(view: &View<'_>, secret: &SecretOnRecord) -> Markup {
    let signed = &secret.signed;
    let terms = terms(view, secret);
    let released = view.record.releases.get(&signed.name);
    let badge = match secret.is_revoked {
        true => Badge::new("no", "■", "revoked"),
        false => Badge::new("ok", "✓", "in force"),
    };
    html! {
        article.card id=(format!("s-{}", signed.name)) {
            div.head {
                h2 { (signed.name) }
                span.mute { (strings::VERSION) " " (signed.version) }
                span.push { (badge) }
            }
            @match &terms {
                Some(terms) => {
                    dl.args {
                        dt { (strings::HOSTS) } dd { (Text::Line(&joined(terms.hosts()))) }
                        dt { (strings::METHODS) } dd { (Text::Line(&joined(terms.methods()))) }
                        dt { (strings::INJECTED) } dd { (Text::Line(&terms.inject().to_string())) }
                        @if let Some(source) = terms.token() {
                            dt { (strings::TOKEN_FROM) } dd { (Text::Line(source.url())) }
                        }
                        @if let Some(source) = terms.vault() {
                            dt { (strings::VALUE_FROM) } dd { (Text::Line(source.url())) }
                        }
                    }
                },
                None => p.mute { (strings::NO_TERMS) },
            }
            p.meta {
                @if let Some(at) = view.record.secret_times.get(&signed.name) { span { (strings::SIGNED) " " (time(*at)) } }
                @match released {
                    Some((at, task)) => span { (strings::RELEASED) " " (time(*at)) ", " a href=(format!("/tasks/{task}")) { (strings::FOR_TASK) } },
                    None => span { (strings::NEVER_RELEASED) },
                }
            }
            @if !secret.is_revoked {
                details id=(format!("do-{}", signed.name)) {
                    summary { (strings::CHANGE) }
                    (command(&format!("contractual secret rotate {}", signed.name)))
                    (command(&format!("contractual secret revoke {}", signed.name)))
                }
            }
        }
    }
}

/// The terms of a secret, which stand in the open before the sealed value; none if they are not those that were signed.
fn terms(view: &View<'_>, secret: &SecretOnRecord) -> Option<SecretTerms> {
    let Found::Bytes(bytes) = view.contents.get(AuthorId::Owner, secret.signed.sealed) else {
        return None;
    };
    let terms = SignedSeal::read(bytes).ok()?.terms().ok()?;
    (terms.digest() == secret.signed.terms).then_some(terms)
}

fn joined<T: ToString>(each: &[T]) -> String {
    let each: Vec<String> = each.iter().map(ToString::to_string).collect();
    each.join(", ")
}
