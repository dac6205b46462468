//! `service`: runs one service in the foreground.

use std::{path::PathBuf, process::ExitCode};

use bus_schema::AuthorId;
use clap::Args;
use deployment::Dir;

use super::context::NO_FOLDER;
use crate::Output;

/// `service …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual service policy --config /etc/contractual/policy.toml")]
pub(crate) struct Arguments {
    /// The service, such as policy.
    name: AuthorId,
    /// The configuration file, such as policy.toml; by default the one in the deployment's folder.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration and exit.
    #[arg(long)]
    check: bool,
}

impl Arguments {
    pub(super) fn run(self, dir: Option<&Dir>, out: &Output) -> ExitCode {
        let Self {
            name,
            config,
            check,
        } = self;
        let config = config.or_else(|| dir.map(|dir| dir.config(name)));
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
        match name {
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
