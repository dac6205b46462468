//! `decode`: prints a message on standard input as JSON, for `nats --translate`.

use std::{io::Read as _, process::ExitCode};

use bus_schema::{EVENT_BYTES_MAX, Spec, Subject, wire};
use clap::Args;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::Output;

/// The fields of a body that are needed to decode the rest.
#[derive(Deserialize)]
struct Head {
    subject: String,
    schema: String,
}

/// Decodes a body; one that is not an event is returned as junk.
#[must_use]
pub fn decode(body: &[u8]) -> Value {
    let shown = (|| {
        let head: Head = wire::peek(body).ok()?;
        let subject = Subject::parse(&head.subject)?;
        Spec::of(subject.kind)?
            .json(subject, &head.schema, body)
            .ok()
    })();
    shown.unwrap_or_else(|| match std::str::from_utf8(body) {
        Ok(text) => json!({"junk": text.chars().take(1024).collect::<String>()}),
        Err(_) => json!({"junk": format!("{} bytes that are not an event", body.len())}),
    })
}

/// `decode`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: nats --context audit-reader stream view AUDIT --translate 'contractual decode'"
)]
pub(crate) struct Arguments {}

impl Arguments {
    /// Decodes standard input, up to the size of a message, and prints it.
    pub(super) fn run(&self, out: &Output) -> ExitCode {
        let mut body = Vec::new();
        match std::io::stdin()
            .take(EVENT_BYTES_MAX as u64 * 2)
            .read_to_end(&mut body)
        {
            Ok(_) => {
                Output::new(true).line(&decode(&body).to_string());
                ExitCode::SUCCESS
            }
            Err(error) => {
                out.error(&format!("cannot read standard input: {error}"));
                ExitCode::FAILURE
            }
        }
    }
}
