//! A real deployment in a temporary folder, with the shipped configuration and every actor as a process.

use std::{
    path::PathBuf,
    sync::atomic::AtomicBool,
    time::{Duration, SystemTime},
};

use actor::Clock;
use bus_schema::{AuthorId, Digest};
use contractual::{command::contract::sign, example};
use deployment::{
    DeploymentFile, Dir,
    fleet::Fleet,
    init::{self, Choices},
    nats_server::{self, Places},
    provision,
};
use tempfile::TempDir;

use crate::{
    accounts::{self, Accounts},
    port::free_port,
    runtime::Error,
};

/// A contract that allows the cheapest real tool without a question.
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

/// The timeout for readers to be ready.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// The variant of a deployment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape<'a> {
    /// The sync setting of the server: `always`, or an interval.
    pub(crate) sync: &'a str,
    /// True if the server keeps a copy of the record for the `nats` command line.
    pub(crate) copy: bool,
    /// The accounts of the identities.
    pub(crate) accounts: Accounts,
    /// The number of extra gateways, which read everything.
    pub(crate) readers: usize,
}

impl<'a> Shape<'a> {
    /// The shipped variant.
    pub(crate) const fn shipped(sync: &'a str) -> Self {
        Self {
            sync,
            copy: true,
            accounts: Accounts::Own,
            readers: 0,
        }
    }
}

/// A deployment; its folder is deleted when it is dropped.
pub(crate) struct Deployment {
    pub(crate) dir: Dir,
    pub(crate) file: DeploymentFile,
    pub(crate) clock: Clock,
    readers: Vec<&'static str>,
    server: PathBuf,
    _scratch: TempDir,
}

impl Deployment {
    /// Makes identities and configuration as shipped, with the sync setting `sync`: `always`, or an interval.
    pub(crate) fn create(sync: &str) -> Result<Self, Error> {
        Self::shaped(&Shape::shipped(sync))
    }

    /// Makes identities and configuration.
    pub(crate) fn shaped(shape: &Shape<'_>) -> Result<Self, Error> {
        let scratch = TempDir::with_prefix("contractual-bench-")?;
        let clock = Clock::system();
        let dir = Dir::new(scratch.path().join("state"));
        let choices = Choices {
            copy: shape.copy,
            bus: free_port()?,
            gateway: free_port()?,
            signer: None,
            workspace: scratch.path().join("workspace"),
            catalogue: example::pinned(example::TOOLS)?,
            sync: shape.sync.to_owned(),
            containers: None,
        };
        init::init(&dir, &choices, &clock, now())?;
        let readers = accounts::readers(shape.readers)?.to_vec();
        accounts::write(&dir, shape.accounts, &readers)?;
        let server =
            nats_server::find(&Places::from_env(), &AtomicBool::new(false), &mut |_| {})?.path;
        Ok(Self {
            file: DeploymentFile::read(&dir)?,
            dir,
            clock,
            readers,
            server,
            _scratch: scratch,
        })
    }

    /// Opens it as the command line does.
    pub(crate) fn opened(&self) -> Result<deployment::Deployment, Error> {
        Ok(deployment::Deployment::open(&self.dir, &self.clock)?)
    }

    /// Returns a fleet without a process.
    pub(crate) fn fleet(&self) -> Fleet {
        Fleet::new(self.dir.clone(), self.server.clone(), None)
    }

    /// Starts only the server, with its streams and consumers.
    pub(crate) async fn start_nats(&self) -> Result<Fleet, Error> {
        let mut fleet = self.fleet();
        fleet.start_nats().await?;
        let url = self.file.url();
        provision::provision(&self.opened()?).await?;
        accounts::provision(&self.dir, &url, &self.clock, &self.readers).await?;
        Ok(fleet)
    }

    /// Starts every actor and every other reader, and waits until each is ready.
    pub(crate) async fn start_actors(&self, fleet: &mut Fleet) -> Result<(), Error> {
        fleet.start_actors().await?;
        for name in &self.readers {
            let config = accounts::config(&self.dir, name);
            fleet.start_as(name, AuthorId::Gateway, config)?;
        }
        Ok(fleet.wait_ready(&self.readers, READY_WITHIN).await?)
    }

    /// Signs the benchmark's contract and returns its digest.
    pub(crate) async fn sign_contract(&self) -> Result<Digest, Error> {
        let path = self.dir.path().join("contract.toml");
        std::fs::write(&path, CONTRACT)?;
        Ok(sign::sign(&self.opened()?, &path).await?.contract)
    }

    /// Signs the same contract for jobs.
    pub(crate) async fn sign_contract_of_jobs(&self) -> Result<(), Error> {
        let path = self.dir.path().join("contract.toml");
        let text = CONTRACT.replace("[limits]", "principal = \"job\"\n\n[limits]");
        std::fs::write(&path, text)?;
        sign::sign(&self.opened()?, &path).await?;
        Ok(())
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

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
