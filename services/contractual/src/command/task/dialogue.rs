//! A task of a person's words: what is signed, so that a model works on them.

use bus_schema::Digest;
use deployment::Deployment;
use gateway::{api::Submitted, client::Client};

use crate::{
    Error,
    command::{
        contract::{self, document},
        tool,
    },
    filled::filled_in,
    model,
};

/// Signs a dialogue under a contract, a file or one in force, and submits it.
///
/// # Errors
/// [`Error::Refused`] if no model can be asked, [`Error::Document`] for an invalid contract, and the gateway's error.
pub(super) async fn open(
    deployment: &Deployment,
    client: &Client,
    (words, contract, model): (&str, &str, Option<&str>),
    set: &[String],
) -> Result<Submitted, Error> {
    let bus = deployment.bus().await?;
    let signed = tool::signed(deployment, &bus).await?;
    drop(bus);
    let text = contract::text(deployment, contract).await?;
    let parsed = document::parse(contract, &text, &signed.catalogue)?;
    let document = model::document(&parsed, &signed.catalogue, model)?;
    let bytes = document.bytes();
    if bytes.len() > engine::DOCUMENT_BYTES_MAX {
        return Err(Error::Refused(format!(
            "the tools of the contract take {} bytes, more than the {} that a model can be offered; sign a contract with fewer tools",
            bytes.len(),
            engine::DOCUMENT_BYTES_MAX
        )));
    }
    let slots = filled_in(deployment, &parsed, set).await?;
    let digest = Digest::of(&[text.as_bytes()]);
    let said = (words, bytes.as_slice());
    Ok(client.open_dialogue(digest, said, slots.as_deref()).await?)
}
