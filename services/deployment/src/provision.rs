//! `provision`: creates streams and consumers with an identity of its own, and appends the first roster and the first
//! catalogue of tools.

use bus_schema::{
    ACTORS, AUDIT, AuthorId, AuthorKey, Deployment, Draft, EVENT_BYTES_MAX, STREAMS, TIMERS,
    TRIGGERS, consumer,
    stream::{self, COPIER},
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{Deployment as Opened, Error, catalogue, init, owner::owner, secrets};

/// The user that creates streams and consumers.
const PROVISION: &str = "provision";

/// The created and kept streams and consumers.
#[derive(Debug, Default, Serialize)]
pub struct Provisioned {
    /// The created streams and consumers.
    pub created: Vec<String>,
    /// The existing streams and consumers with the right configuration.
    pub kept: Vec<String>,
}

impl Provisioned {
    fn note(&mut self, what: String, is_new: bool) {
        let list = if is_new {
            &mut self.created
        } else {
            &mut self.kept
        };
        list.push(what);
    }

    /// The result as text.
    #[must_use]
    pub fn text(&self) -> String {
        format!(
            "created: {}\nkept: {}",
            self.created.join(", "),
            self.kept.join(", ")
        )
    }
}

/// Creates the copy of `AUDIT` for the `nats` command line, unless the deployment has none or the copier's identity
/// is offline.
async fn copy(of: &Opened, done: &mut Provisioned) -> Result<(), Error> {
    if !of.file.copy || !of.dir.of(COPIER).exists() {
        return Ok(());
    }
    let reader = of.bus_as(COPIER).await?;
    let there = reader
        .api(&format!("STREAM.INFO.{AUDIT}"), &json!({}))
        .await
        .is_ok();
    if !there {
        reader
            .api(&format!("STREAM.CREATE.{AUDIT}"), &stream::copy())
            .await?;
    }
    reader.flush().await;
    done.note(format!("the copy of {AUDIT}"), !there);
    Ok(())
}

/// Creates missing streams and consumers. Changes an existing stream only to allow batches.
///
/// # Errors
/// The server's refusal, or the first difference of an existing stream.
pub async fn provision(of: &Opened) -> Result<Provisioned, Error> {
    let bus = of.bus_as(PROVISION).await?;
    let mut done = Provisioned::default();
    for stream in STREAMS {
        let wanted = stream.config();
        match bus
            .api(&format!("STREAM.INFO.{}", stream.name), &json!({}))
            .await
        {
            Ok(mut info) => {
                let found = info.get_mut("config").map(Value::take);
                let mut found = found.unwrap_or_default();
                let changed = allow_batches(&wanted, &mut found);
                differs(stream.name, &wanted, &found)?;
                if changed {
                    bus.api(&format!("STREAM.UPDATE.{}", stream.name), &found)
                        .await?;
                }
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
    let consumers = ACTORS.iter().map(|of| (of.name(), consumer(*of)));
    for (name, config) in consumers.chain([(COPIER, stream::copy_consumer())]) {
        let there = bus
            .api(&format!("CONSUMER.INFO.{AUDIT}.{name}"), &json!({}))
            .await
            .is_ok();
        let question = json!({"stream_name": AUDIT, "config": config});
        // Creating it again updates a consumer of another version.
        bus.api(&format!("CONSUMER.CREATE.{AUDIT}.{name}"), &question)
            .await?;
        done.note(format!("{AUDIT}/{name}"), !there);
    }
    let name = AuthorId::Scheduler.name();
    for (stream, config) in [
        (TIMERS, stream::timers_consumer()),
        (TRIGGERS, stream::triggers_consumer()),
    ] {
        let there = bus
            .api(&format!("CONSUMER.INFO.{stream}.{name}"), &json!({}))
            .await
            .is_ok();
        let question = json!({"stream_name": stream, "config": config});
        bus.api(&format!("CONSUMER.CREATE.{stream}.{name}"), &question)
            .await?;
        done.note(format!("{stream}/{name}"), !there);
    }
    copy(of, &mut done).await?;
    let roster = init::first_roster(&of.dir)?;
    let is_first = bus.publish_first(&roster).await?;
    done.note("the first roster".to_owned(), is_first);
    bus.flush().await;
    if say_roster(of).await? {
        done.created.push("a new roster".to_owned());
    }
    if catalogue::sign_first(of).await? {
        done.created.push("the first catalogue".to_owned());
    }
    Ok(done)
}

/// The space that is added to a full stream for the owner's events.
const OWNERS_ROOM: u64 = 1 << 20;

/// Adds space to a full `AUDIT` for the owner's events, unless the provisioner's identity is offline. If the stream
/// fills up again, the next attempt adds more.
pub async fn make_room(of: &Opened) -> Result<(), Error> {
    if !of.dir.of(PROVISION).exists() {
        return Ok(());
    }
    let bus = of.bus_once(PROVISION).await?;
    let info = bus.api(&format!("STREAM.INFO.{AUDIT}"), &json!({})).await?;
    let of = |place: &str| info.pointer(place).and_then(Value::as_u64).unwrap_or(0);
    let (used, most) = (of("/state/bytes"), of("/config/max_bytes"));
    let Some(mut config) = info.get("config").cloned() else {
        return Ok(());
    };
    if most.saturating_sub(used) >= EVENT_BYTES_MAX as u64 * 2 {
        return Ok(());
    }
    if let Some(room) = config.get_mut("max_bytes") {
        *room = json!(most.max(used) + OWNERS_ROOM);
    }
    bus.api(&format!("STREAM.UPDATE.{AUDIT}"), &config).await?;
    bus.flush().await;
    Ok(())
}

/// Publishes the wanted roster as the owner if the stream has another one. Does nothing without the owner's key,
/// because then no new roster was signed.
async fn say_roster(of: &Opened) -> Result<bool, Error> {
    if !of.dir.owner_key().exists() {
        return Ok(false);
    }
    let wanted = init::wanted_roster(&of.dir)?;
    let bus = of.bus().await?;
    let mut pen = bus.owner(of.owner_key()?).await?;
    let holds = |entry: &AuthorKey| pen.key(entry.author) == Some(entry.key);
    let sealing = secrets::read(&bus, owner(&of.dir)?).await?.sealing;
    if wanted.keys.iter().all(holds) && sealing == wanted.sealing {
        return Ok(false);
    }
    pen.say(&bus, Draft::of(Deployment, wanted)).await?;
    bus.flush().await;
    Ok(true)
}

/// Allows batches in `found` if `wanted` allows them; returns true if that changed `found`.
fn allow_batches(wanted: &Value, found: &mut Value) -> bool {
    const FIELD: &str = "allow_atomic";
    let allowed = |config: &Value| config.get(FIELD) == Some(&json!(true));
    let changed = allowed(wanted) && !allowed(found);
    if changed && let Some(found) = found.as_object_mut() {
        found.insert(FIELD.to_owned(), json!(true));
    }
    changed
}

fn differs(name: &str, wanted: &Value, found: &Value) -> Result<(), Error> {
    let fields = wanted.as_object().into_iter().flatten();
    for (field, value) in fields {
        let there = found.get(field).cloned().unwrap_or(Value::Null);
        // The server omits false, zero and empty values.
        let nothing = matches!(value, Value::Bool(false)) || value == &json!(0);
        // Space that was added later stays.
        let wider = field == "max_bytes" && there.as_u64() > value.as_u64();
        if there != *value && !(nothing && there.is_null()) && !wider {
            return Err(Error::Refused(format!(
                "the stream {name} exists with {field} = {there} instead of {value} and is not changed: \
                 compare with nats/streams.json"
            )));
        }
    }
    Ok(())
}
