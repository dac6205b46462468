//! Gathers the arguments of a call whose parts stand in those of earlier calls.

use actor::{Bus, chain};
use bus_schema::{AuthorId, CONTENT_BYTES_MAX, json};
use contract::{HttpTool, PartsWalk};
use serde_json::{Map, Value};

use crate::fault::Fault;

/// Returns the whole arguments. The same author has put all parts into `BLOBS`, and policy has granted each of them in the task.
///
/// # Errors
/// [`Fault::Parts`], [`Fault::NoPart`]
pub(crate) async fn whole(
    tool: &HttpTool,
    own: Map<String, Value>,
    (bus, by): (Option<&Bus<bus_schema::Egress>>, AuthorId),
) -> Result<Map<String, Value>, Fault> {
    let no = |why: &str| Fault::NoPart(why.to_owned());
    let (mut walk, mut before) = (PartsWalk::default(), Vec::<Map<String, Value>>::new());
    while let Some(content) = walk.before(before.last().unwrap_or(&own))? {
        let bus = bus.ok_or_else(|| no("cannot be read without the bus"))?;
        let read = bus.get(by, &content).await;
        let read = read.map_err(|error| no(&format!("cannot be read: {}", chain(&error))))?;
        let bytes = read.ok_or_else(|| no("was erased"))?;
        let Ok(Value::Object(part)) = json::parse(&bytes, CONTENT_BYTES_MAX) else {
            return Err(no("is no JSON object"));
        };
        before.push(part);
    }
    if before.is_empty() {
        return Ok(own);
    }
    let before: Vec<&Map<String, Value>> = before.iter().collect();
    Ok(tool.whole(&own, &before)?)
}
