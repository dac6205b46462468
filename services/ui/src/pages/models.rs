//! The models of the newest catalogue: each is a tool whose calls a model answers.

use contract::Tool;
use maud::{Markup, html};
use page::{Place, Text};
use serde_json::Value;

use super::main_part::Page;
use crate::{
    parts::{empty, time},
    strings,
    view::View,
};

pub(super) fn page(view: &View<'_>) -> Page {
    let catalogue = view.catalogue();
    let tools = catalogue.iter().flat_map(|tools| tools.tools());
    let models: Vec<Markup> = tools.filter_map(card).collect();
    let main = html! {
        section id="models" {
            h1 { (strings::MODELS) }
            p.lead { (strings::MODELS_TEXT) }
            @match &view.record.catalogue {
                Some(_) if catalogue.is_none() => p { (strings::CATALOGUE_UNREAD) },
                Some(signed) if !models.is_empty() => {
                    p.meta { span { (strings::VERSION) " " (signed.version) } span { (strings::SIGNED) " " (time(signed.at)) } }
                    @for model in &models { (model) }
                },
                Some(_) | None => (empty("no-models", strings::NO_MODELS, strings::NO_MODELS_TEXT, strings::ADD_MODEL)),
            }
        }
    };
    Page::new(Place::Models, main)
}

/// The card of a tool; none if no model answers its calls.
fn card(tool: &Tool) -> Option<Markup> {
    let http = tool.http()?;
    let wire = http.wire()?;
    let property = |pointer: &str| tool.input_schema().pointer(pointer);
    let id = property("/properties/model/enum/0").and_then(Value::as_str);
    let tokens = property("/properties/max_tokens/maximum").and_then(Value::as_u64);
    Some(html! {
        article.card id=(format!("m-{}", tool.name())) {
            div.head {
                h2 { code { (tool.name()) } }
                span.push { span.chip { (Text::Line(wire)) } }
            }
            @if !tool.description().trim().is_empty() { p { (Text::Line(tool.description().trim())) } }
            dl.args {
                @if let Some(id) = id { dt { (strings::MODEL_ID) } dd { code { (Text::Line(id)) } } }
                dt { (strings::HOSTS) } dd { code { (Text::Line(&http.endpoint().to_string())) } }
                @if let Some(tokens) = tokens { dt { (strings::ANSWER_AT_MOST) } dd { (tokens) " " (strings::TOKENS) } }
                dt { (strings::SECRET_OF_MODEL) } dd {
                    @match http.secret() {
                        Some(secret) => a href="/secrets" { (secret) },
                        None => span.mute { (strings::NO_SECRET_OF_MODEL) },
                    }
                }
            }
        }
    })
}
