//! A real deployment in a temporary folder, with the shipped configuration and every actor as a process.

use std::{
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::atomic::AtomicBool,
    time::SystemTime,
};

use actor::Clock;
use bus_schema::Digest;
use contractual::{
    Dir, contract,
    fleet::Fleet,
    init::{self, Choices, Facts},
    nats_server::{self, Places},
    provision,
};
use tempfile::TempDir;

use crate::Error;

/// Allows the cheapest real tool without a person.
const CONTRACT: &str = r#"contract = "bench"
version  = 1
purpose  = "Lists an empty folder again and again"
owner    = "The benchmark"
expires  = 2036-12-31

[limits]
calls        = 100000
wall_time    = "10h"
output_bytes = 67108864

[[allow]]
name = "list"
tool = "file.list"
where.path = "."
"#;

/// One deployment; its folder goes when it is dropped.
pub(crate) struct Deployment {
    pub(crate) dir: Dir,
    pub(crate) facts: Facts,
    pub(crate) clock: Clock,
    server: PathBuf,
    _scratch: TempDir,
}

impl Deployment {
    /// Makes identities and configuration. `sync` is when the server syncs: `always`, or an interval.
    pub(crate) fn create(sync: &str) -> Result<Self, Error> {
        let scratch = TempDir::with_prefix("contractual-bench-")?;
        let clock = Clock::system();
        let dir = Dir::new(scratch.path().join("state"));
        let choices = Choices {
            copy: true,
            bus: free_port()?,
            gateway: free_port()?,
            workspace: scratch.path().join("workspace"),
            catalogue: contract::example::TOOLS.to_owned(),
            sync: sync.to_owned(),
            containers: None,
        };
        init::init(&dir, &choices, &clock, now())?;
        let server =
            nats_server::find(&Places::from_env(), &AtomicBool::new(false), &mut |_| {})?.path;
        Ok(Self {
            facts: Facts::read(&dir)?,
            dir,
            clock,
            server,
            _scratch: scratch,
        })
    }

    /// No process yet.
    pub(crate) fn fleet(&self) -> Fleet {
        Fleet::new(self.dir.clone(), self.server.clone(), None)
    }

    /// The server alone, with its streams and consumers.
    pub(crate) async fn start_nats(&self) -> Result<Fleet, Error> {
        let mut fleet = self.fleet();
        fleet.start_nats().await?;
        provision::provision(&self.dir, &self.facts.url(), &self.clock).await?;
        Ok(fleet)
    }

    /// Signs the benchmark's contract and returns its digest.
    pub(crate) async fn sign_contract(&self) -> Result<Digest, Error> {
        let path = self.dir.path().join("contract.toml");
        std::fs::write(&path, CONTRACT)?;
        Ok(contract::sign(&self.dir, &path, &self.clock)
            .await?
            .contract)
    }
}

/// A playbook that proposes the same listing `steps` times, one after the other.
pub(crate) fn playbook(steps: usize) -> String {
    let mut text = String::from("playbook = \"bench\"\npurpose = \"Lists the folder.\"\n");
    for step in 0..steps {
        text.push_str(&format!(
            "\n[[step]]\nid = \"s{step}\"\ntool = \"file.list\"\nargs = {{ path = \".\" }}\n"
        ));
    }
    text
}

/// An address on loopback that nobody listens on at this moment.
fn free_port() -> Result<SocketAddr, Error> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
