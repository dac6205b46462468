//! A task of a person's words: what is signed, so that a model works on them.

use bus_schema::Digest;
use deployment::Deployment;
use gateway::{api::Submitted, client::Client};

use crate::{
    Error,
    command::{contract::document, tool},
    filled::filled_in,
    model,
};

/// A dialogue that is to be opened.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NewDialogue<'a> {
    pub(crate) words: &'a str,
    /// The name or the file of the contract, and its text.
    pub(crate) contract: (&'a str, &'a str),
    /// The name of the model; none for the only one.
    pub(crate) model: Option<&'a str>,
    /// True if it waits for further words.
    pub(crate) chat: bool,
    /// True if the tools of the contract are offered.
    pub(crate) tools: bool,
    /// The values of slots, each `<slot>=<value>`.
    pub(crate) set: &'a [String],
}

/// Signs a dialogue under a contract, and submits it.
///
/// # Errors
/// [`Error::Refused`] if no model can be asked, [`Error::Document`] for an invalid contract, and the gateway's error.
pub(crate) async fn open(
    deployment: &Deployment,
    client: &Client,
    asked: &NewDialogue<'_>,
) -> Result<Submitted, Error> {
    let NewDialogue {
        words,
        contract: (contract, text),
        model,
        chat,
        tools,
        set,
    } = *asked;
    let bus = deployment.bus().await?;
    let signed = tool::signed(deployment, &bus).await?;
    drop(bus);
    let parsed = document::parse(contract, text, &signed.catalogue)?;
    let mut document = model::document(&parsed, &signed.catalogue, (model, chat))?;
    if !tools {
        document.tools.clear();
    }
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
