//! `audit show`: prints the record as the owner may read it.

use actor::{Clock, Operator, Reading, signing_key};
use bus_schema::{AuditFact, TaskId};
use serde_json::{Value, json};

use crate::{Dir, Error, decode::decode, init::Facts, output::Output};

/// Prints messages of the stream, each verified in its place.
///
/// # Errors
/// What the bus refused.
pub async fn show(
    dir: &Dir,
    from: u64,
    limit: u64,
    task: Option<TaskId>,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let facts = Facts::read(dir)?;
    let owner = bus_schema::public_key(&signing_key::load(&dir.owner_key())?);
    let bus = Operator::connect(&dir.access("owner", &facts.url()), clock.clone()).await?;
    let mut reading = Reading::new(owner);
    let (mut shown, mut failed) = (0, None);
    // From the start: whether a message is genuine depends on all before it.
    bus.scan(">", 1, |stored| {
        let verdict = match reading.read::<AuditFact>(&stored) {
            Ok(verdict) => verdict,
            Err(error) => {
                failed = Some(error);
                return false;
            }
        };
        let wanted = stored.seq >= from
            && task.is_none_or(|task| verdict.as_ref().is_ok_and(|(meta, _)| meta.task == Some(task)));
        if wanted {
            shown += 1;
            let body = decode(&stored.body);
            let junk = verdict.as_ref().err().map(|junk| junk.to_string());
            if out.json() {
                let line = json!({"seq": stored.seq, "stored": stored.stored, "subject": stored.subject,
                    "junk": junk, "body": body});
                out.line(&line.to_string());
            } else {
                let fact = body.get("fact").unwrap_or(&Value::Null);
                let flag = junk.map_or_else(String::new, |junk| format!("JUNK ({junk}) "));
                out.line(&format!("{:>8}  {}  {}  {flag}{fact}", stored.seq, stored.stored, stored.subject));
            }
        }
        shown < limit
    })
    .await?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}
