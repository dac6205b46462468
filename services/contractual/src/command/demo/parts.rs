//! Parts of both demos: the choices of a deployment on this machine, and the words of a proof.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use deployment::init::Choices;

use crate::{Error, command::audit::verify::Verified, example};

/// The choices for a deployment with this workspace, and a catalogue of these tools.
pub(super) fn choices(workspace: PathBuf, tools: &str) -> Result<Choices, Error> {
    Ok(Choices {
        bus: free_port()?,
        gateway: free_port()?,
        signer: None,
        workspace,
        catalogue: example::pinned(tools)?,
        sync: "always".to_owned(),
        copy: true,
        containers: None,
    })
}

/// A free loopback address.
fn free_port() -> Result<SocketAddr, Error> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(Error::io("listen on", "127.0.0.1"))?;
    listener
        .local_addr()
        .map_err(Error::io("listen on", "127.0.0.1"))
}

/// Says what was proven.
pub(super) fn proof(verified: &Verified) -> String {
    let mut text = String::from("\nproof    every signature and every chain verifies: ");
    let authors: Vec<_> = verified
        .events
        .iter()
        .map(|(author, count)| format!("{author} {count}"))
        .collect();
    text.push_str(&authors.join(", "));
    text.push_str(&format!(
        "\n         {} of {} messages proven to be in the log, one by one; {} junk\n         \
         checkpoint {} leaves, root {}",
        verified.included, verified.messages, verified.junk, verified.size, verified.root
    ));
    text
}
