//! Gathers the arguments of a call whose parts stand in those of earlier calls.

use actor::{Bus, chain};
use bus_schema::AuthorId;
use contract::{HttpTool, NoWhole};
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
    let joined = tool.joined(own, |content| async move {
        let bus = bus.ok_or_else(|| "cannot be read without the bus".to_owned())?;
        let read = bus.get(by, &content).await;
        read.map_err(|error| format!("cannot be read: {}", chain(&error)))
    });
    joined.await.map_err(|no| match no {
        NoWhole::Parts(why) => Fault::Parts(why),
        NoWhole::Part(why) => Fault::NoPart(why),
    })
}
