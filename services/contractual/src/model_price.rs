//! The prices of a model, and the places where its answers say what was used.

use std::str::FromStr;

use bus_schema::{Currency, Money};
use contract::{Price, Prices, Rate};
use engine::wire::Wire;
use serde_json::{Value, json};

/// The prices of a million tokens, as `--price` has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ModelPrices {
    currency: Currency,
    input: String,
    output: String,
    /// The price of input that the provider had kept.
    cached: Option<String>,
}

/// The places where an answer says what was used, by JSON Pointer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    /// The counts whose sum is the tokens.
    pub(crate) tokens: &'static [&'static str],
    input: &'static str,
    output: &'static str,
    cached: &'static str,
    /// True if the input counts what was kept, too.
    has_cached: bool,
}

impl Usage {
    /// The places in a plain answer.
    pub(crate) const fn of(wire: Wire) -> Self {
        match wire {
            Wire::Anthropic => Self {
                tokens: &["/usage/input_tokens", "/usage/output_tokens"],
                input: "/usage/input_tokens",
                output: "/usage/output_tokens",
                cached: "/usage/cache_read_input_tokens",
                has_cached: false,
            },
            Wire::OpenaiChat => Self {
                tokens: &["/usage/total_tokens"],
                input: "/usage/prompt_tokens",
                output: "/usage/completion_tokens",
                cached: "/usage/prompt_tokens_details/cached_tokens",
                has_cached: true,
            },
            Wire::OpenaiResponses => Self {
                tokens: &["/usage/total_tokens"],
                input: "/usage/input_tokens",
                output: "/usage/output_tokens",
                cached: "/usage/input_tokens_details/cached_tokens",
                has_cached: true,
            },
        }
    }

    /// The places in the events of a stream.
    pub(crate) const fn of_stream(wire: Wire) -> Self {
        match wire {
            Wire::Anthropic => Self {
                tokens: &["/message/usage/input_tokens", "/usage/output_tokens"],
                input: "/message/usage/input_tokens",
                output: "/usage/output_tokens",
                cached: "/message/usage/cache_read_input_tokens",
                has_cached: false,
            },
            Wire::OpenaiChat => Self::of(wire),
            Wire::OpenaiResponses => Self {
                tokens: &["/response/usage/total_tokens"],
                input: "/response/usage/input_tokens",
                output: "/response/usage/output_tokens",
                cached: "/response/usage/input_tokens_details/cached_tokens",
                has_cached: true,
            },
        }
    }
}

impl ModelPrices {
    /// The entry of the catalogue.
    pub(crate) fn entry(&self, usage: &Usage) -> Value {
        let mut all = vec![
            json!({"at": usage.input, "price": self.input}),
            json!({"at": usage.output, "price": self.output}),
        ];
        if let Some(cached) = &self.cached {
            let (at, within) = (usage.cached, usage.input);
            all.push(if usage.has_cached {
                json!({"at": at, "price": cached, "within": within, "optional": true})
            } else {
                json!({"at": at, "price": cached, "optional": true})
            });
        }
        json!({"currency": self.currency, "per_million": all})
    }

    /// The most that a call can cost: a token has at least one byte.
    pub(crate) fn at_most(&self, input_max: u64, output_max: u64) -> Money {
        let price = |at: &str, price: &str| {
            let price = Rate::try_from(price.to_owned()).ok()?;
            let (at, within) = (at.to_owned(), None);
            Some(Price {
                at,
                price,
                within,
                optional: false,
            })
        };
        let input = price("input", &self.input);
        let output = price("output", &self.output);
        let prices = Prices {
            currency: self.currency,
            per_million: input.into_iter().chain(output).collect(),
        };
        let most = |at: &str| Some(if at == "input" { input_max } else { output_max });
        prices.of(&most).unwrap_or(Money {
            currency: self.currency,
            minor: u64::MAX,
        })
    }
}

impl FromStr for ModelPrices {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "{text:?} is no price; write such as \"USD input=3.00 output=15.00 cached=0.30\", for a million tokens"
            )
        };
        let mut words = text.split_whitespace();
        let currency = words.next().and_then(|word| word.parse().ok());
        let currency = currency.ok_or_else(wrong)?;
        let (mut input, mut output, mut cached) = (None, None, None);
        for word in words {
            let (name, price) = word.split_once('=').ok_or_else(wrong)?;
            Rate::try_from(price.to_owned())?;
            let place = match name {
                "input" => &mut input,
                "output" => &mut output,
                "cached" => &mut cached,
                _ => return Err(wrong()),
            };
            if place.replace(price.to_owned()).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self {
            currency,
            input: input.ok_or_else(wrong)?,
            output: output.ok_or_else(wrong)?,
            cached,
        })
    }
}
