//! Parts of both demos: the choices of a deployment on this machine, and the words of a proof.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
};

use deployment::{Deployment, fleet::Fleet, init::Choices, provision};

use crate::{
    Error, Output,
    command::{
        audit::verify::Verified,
        contract::{document::Summary, sign},
    },
    example,
};

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

/// Starts the processes of a deployment, and provisions it.
pub(super) async fn started(deployment: &Deployment, fleet: &mut Fleet) -> Result<(), Error> {
    fleet.start_nats().await?;
    provision::provision(deployment).await?;
    fleet.start_actors().await?;
    Ok(())
}

/// Signs the deployment's contract, which is this text if there is none.
pub(super) async fn signed(
    deployment: &Deployment,
    text: &str,
    out: &Output,
) -> Result<Summary, Error> {
    let contract = deployment.dir.path().join("contract.toml");
    if !contract.exists() {
        actor::files::write_new(&contract, text.as_bytes())?;
    }
    let signed = sign::sign(deployment, &contract).await?;
    out.line_for_people(&format!(
        "contract {} {}\n         signed with the owner's key, expires {}\n",
        signed.name, signed.contract, signed.expires
    ));
    Ok(signed)
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
