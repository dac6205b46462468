//! `mcp`: serves the tools of a contract to an agent, by MCP on standard input and output.

use std::sync::Arc;

use bus_schema::Digest;
use clap::Args;
use deployment::Deployment;
use rmcp::transport::{async_rw::AsyncRwTransport, io::stdio};

use crate::{
    Error,
    command::{
        contract::{self, document},
        up::Interrupt,
    },
    session::{Offered, Session, SessionServer},
};

/// Longest line of an agent, in bytes.
const LINE_BYTES_MAX: usize = 1024 * 1024;

/// `mcp …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual mcp --contract contract.toml --task \"Add up the invoices\"\n\n\
    For the configuration of an agent that speaks MCP. It signs a session with the owner's key; a fresh key signs each call. \
    The agent sees the tools of the contract alone, and each of its calls is granted, refused or pending approval. It ends \
    with its input.\n\n\
    Exit codes: 0 the agent has ended · 1 the contract is not in force, or the gateway does not answer · 64 the contract is not valid"
)]
pub(super) struct Arguments {
    /// The contract: a file such as contract.toml, signed before with `contract sign`, or the name of a contract in force.
    #[arg(long, value_name = "CONTRACT")]
    contract: String,
    /// Your words for the agent: the task; bounds with `from = "task"` read it.
    #[arg(long, value_name = "TEXT", default_value = "")]
    task: String,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment) -> Result<(), Error> {
        let client = crate::client(deployment)?;
        let bus = deployment.bus().await?;
        let signed = super::tool::signed(deployment, &bus).await?;
        drop(bus);
        let text = contract::text(deployment, &self.contract).await?;
        let digest = Digest::of(&[text.as_bytes()]);
        let contract = document::parse(&self.contract, &text, &signed.catalogue)?;
        let key = actor::signing_key::fresh()?;
        let session = Session::open(client, digest, (&self.task, key)).await?;
        let session = Arc::new(session);
        let server = SessionServer {
            session: Arc::clone(&session),
            offered: Arc::new(Offered::of(&contract, &signed.catalogue)),
            contract: ::contract::show(&contract, &signed.catalogue).text().into(),
        };
        let (from, to) = stdio();
        let transport = AsyncRwTransport::new(from, to).with_max_line_length(LINE_BYTES_MAX);
        let served = async {
            let running = rmcp::serve_server(server, transport).await;
            let running = running.map_err(|error| Error::Refused(error.to_string()))?;
            let ended = running.waiting().await;
            ended
                .map(drop)
                .map_err(|error| Error::Refused(error.to_string()))
        };
        let mut interrupt = Interrupt::listen()?;
        let ended = tokio::select! {
            served = served => served,
            followed = session.follow() => followed,
            () = interrupt.came() => Err(Error::Interrupted),
        };
        let closed = session.end().await;
        tracing::info!(task.id = %session.task(), "the session has ended");
        ended.and(closed)
    }
}
