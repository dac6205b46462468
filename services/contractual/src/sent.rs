//! The body of a request as a host got it: built again from the record, and proven by the outcome.

use actor::BusClient;
use bus_schema::{CONTENT_BYTES_MAX, Content, Digest, json};
use deployment::{Deployment, catalogue, owner};
use serde_json::{Map, Value};

use crate::{Error, recorded::RecordedAction};

/// Returns the bytes of the body, which have the digest in the outcome of the action.
///
/// # Errors
/// [`Error::Refused`] if no body was sent, if the record has erased what it is made of, or if the executor proved another body;
/// otherwise the bus's error.
pub(crate) async fn body(
    deployment: &Deployment,
    bus: &BusClient,
    action: &RecordedAction,
    output: &Content,
) -> Result<Vec<u8>, Error> {
    let refused =
        |why: &str| Error::Refused(format!("the body of the request is not shown: {why}"));
    let (Some(grant), Some(proof)) = (&action.granted, action.sent) else {
        return Err(refused(
            "no request with a body was sent for the action, so there is none; leave out `--sent` to see the answer",
        ));
    };
    let wanted = (&grant.tool, grant.tool_digest);
    let tool = catalogue::recorded_tool(bus, owner::owner(&deployment.dir)?, wanted).await?;
    let tool = tool.ok_or_else(|| refused("the catalogue that had its tool was erased"))?;
    let http = tool
        .http()
        .ok_or_else(|| refused("its tool sends no request"))?;
    let args = bus.get(grant.args_by, &grant.args).await?;
    let args = args.ok_or_else(|| {
        refused("its arguments were erased; the record still proves their digest")
    })?;
    let whole = http.joined(
        object(&args).ok_or_else(|| refused("its arguments are no JSON object"))?,
        |content| async move {
            let read = bus.get(grant.args_by, &content).await;
            read.map_err(|error| format!("cannot be read: {error}"))
        },
    );
    let whole = whole.await.map_err(|why| refused(&why.to_string()))?;
    let request = http
        .request(&whole)
        .map_err(|why| refused(&why.to_string()))?;
    let output = bus.get_sealed(action.executor, output).await?;
    let output = output
        .ok_or_else(|| refused("its output was erased, and with it the salt of the proof"))?;
    let body = request.body.unwrap_or_default();
    if output.proof_of(&Digest::of(&[&body])) != proof {
        return Err(refused(
            "the outcome proves another body than the one of the granted arguments. Do not trust the executor: run \
             `contractual halt`, and compare the host's own log",
        ));
    }
    Ok(body)
}

fn object(bytes: &[u8]) -> Option<Map<String, Value>> {
    match json::parse(bytes, CONTENT_BYTES_MAX) {
        Ok(Value::Object(object)) => Some(object),
        Ok(_) | Err(_) => None,
    }
}
