//! `provision`: creates streams and consumers, and appends the first roster, under an identity that nobody else has.

use actor::{Clock, Operator, signing_key};
use bus_schema::{ACTORS, AUDIT, AuthorKey, Deployment, Draft, STREAMS, consumer};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Dir, Error, init};

/// What was created, and what was there.
#[derive(Debug, Default, Serialize)]
pub struct Provisioned {
    /// Streams and consumers that were created.
    pub created: Vec<String>,
    /// Streams and consumers that were there, as they should be.
    pub kept: Vec<String>,
}

impl Provisioned {
    /// For people.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "created: {}\nkept: {}",
            self.created.join(", "),
            self.kept.join(", ")
        )
    }
}

/// Creates what is missing. Never changes a stream that exists.
///
/// # Errors
/// What the server refused, or the first difference of a stream that exists.
pub async fn provision(dir: &Dir, url: &str, clock: &Clock) -> Result<Provisioned, Error> {
    let bus = Operator::connect(&dir.access("provision", url), clock.clone()).await?;
    let mut done = Provisioned::default();
    for stream in STREAMS {
        let wanted = stream.config();
        match bus
            .api(&format!("STREAM.INFO.{}", stream.name), &json!({}))
            .await
        {
            Ok(info) => {
                differs(
                    stream.name,
                    &wanted,
                    info.get("config").unwrap_or(&Value::Null),
                )?;
                done.kept.push(stream.name.to_owned());
            }
            Err(actor::Error::Bus { reason, .. }) if reason.contains("not found") => {
                bus.api(&format!("STREAM.CREATE.{}", stream.name), &wanted)
                    .await?;
                done.created.push(stream.name.to_owned());
            }
            Err(error) => return Err(error.into()),
        }
    }
    for of in ACTORS {
        let name = of.name();
        let there = bus
            .api(&format!("CONSUMER.INFO.{AUDIT}.{name}"), &json!({}))
            .await
            .is_ok();
        let question = json!({"stream_name": AUDIT, "config": consumer(*of)});
        // What another version has made otherwise is changed by creating it again.
        bus.api(&format!("CONSUMER.CREATE.{AUDIT}.{name}"), &question)
            .await?;
        let list = if there {
            &mut done.kept
        } else {
            &mut done.created
        };
        list.push(format!("{AUDIT}/{name}"));
    }
    let roster = init::first_roster(dir)?;
    let list = if bus.publish_first(&roster).await? {
        &mut done.created
    } else {
        &mut done.kept
    };
    list.push("the first roster".to_owned());
    bus.flush().await;
    if say_roster(dir, url, clock).await? {
        done.created.push("a new roster".to_owned());
    }
    Ok(done)
}

/// Has the owner say whose keys count now, if the stream has it otherwise; without the owner's key nothing new was
/// signed either.
async fn say_roster(dir: &Dir, url: &str, clock: &Clock) -> Result<bool, Error> {
    if !dir.owner_key().exists() {
        return Ok(false);
    }
    let wanted = init::wanted_roster(dir)?;
    let bus = Operator::connect(&dir.access("owner", url), clock.clone()).await?;
    let mut pen = bus.owner(signing_key::load(&dir.owner_key())?).await?;
    let holds = |entry: &AuthorKey| pen.key(entry.author) == Some(entry.key);
    if wanted.keys.iter().all(holds) {
        return Ok(false);
    }
    pen.say(&bus, Draft::of(Deployment, wanted)).await?;
    bus.flush().await;
    Ok(true)
}

fn differs(name: &str, wanted: &Value, found: &Value) -> Result<(), Error> {
    let fields = wanted.as_object().into_iter().flatten();
    for (field, value) in fields {
        let there = found.get(field).cloned().unwrap_or(Value::Null);
        // The server leaves out what is false, zero or empty.
        let nothing = matches!(value, Value::Bool(false)) || value == &json!(0);
        if there != *value && !(nothing && there.is_null()) {
            return Err(Error::Refused(format!(
                "the stream {name} exists with {field} = {there} instead of {value}; it is not changed: \
                 compare with nats/streams.json"
            )));
        }
    }
    Ok(())
}
