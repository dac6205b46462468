//! `service`: runs one service in the foreground.

use std::{path::PathBuf, process::ExitCode, str::FromStr};

use bus_schema::AuthorId;
use clap::Args;
use deployment::{Dir, fleet::SIGNER};

use super::context::NO_FOLDER;
use crate::Output;

/// `service …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual service policy --config /etc/contractual/policy.toml")]
pub(crate) struct Arguments {
    /// The service, such as policy.
    name: ServiceName,
    /// The configuration file, such as policy.toml; by default the one in the deployment's folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration and exit.
    #[arg(long)]
    check: bool,
}

/// A service: an actor, or the signer, which is not on the bus.
#[derive(Debug, Clone, Copy)]
pub(super) enum ServiceName {
    Actor(AuthorId),
    Signer,
}

impl FromStr for ServiceName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if text == SIGNER {
            return Ok(Self::Signer);
        }
        let author: Result<AuthorId, _> = text.parse();
        author.map(Self::Actor).map_err(|error| error.to_string())
    }
}

impl Arguments {
    pub(super) fn run(self, dir: Option<&Dir>, out: &Output) -> ExitCode {
        let Self {
            name,
            config,
            check,
        } = self;
        let config = config.or_else(|| {
            dir.map(|dir| match name {
                ServiceName::Actor(author) => dir.config(author),
                ServiceName::Signer => dir.signer_config(),
            })
        });
        let Some(config) = config else {
            out.error(NO_FOLDER);
            return ExitCode::from(64);
        };
        macro_rules! run {
            ($S:ty) => {
                if check {
                    actor::check_config::<$S>(&config)
                } else {
                    actor::run::<$S>(&config)
                }
            };
        }
        let author = match name {
            ServiceName::Actor(author) => author,
            ServiceName::Signer if check => return signer::check_config(&config),
            ServiceName::Signer => return signer::run(&config),
        };
        match author {
            AuthorId::Gateway => run!(gateway::Gateway),
            AuthorId::Worker => run!(worker::Worker),
            AuthorId::Engine => run!(engine::Engine),
            AuthorId::Scheduler => run!(scheduler::Scheduler),
            AuthorId::Policy => run!(policy::Policy),
            AuthorId::Runner => run!(runner::RunnerService),
            AuthorId::Broker => run!(broker::BrokerService),
            AuthorId::Egress => run!(egress::EgressService),
            AuthorId::Audit => run!(audit::Audit),
            AuthorId::Ui => run!(ui::Ui),
            AuthorId::Owner => {
                out.error("the owner is a person, not a service: name a service such as policy");
                ExitCode::from(64)
            }
        }
    }
}
