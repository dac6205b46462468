//! `certs`: lists and renews certificates.

use clap::{Args, Subcommand};
use deployment::{Dir, certs};

use super::context::today;
use crate::{Error, Output};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Make new keys and certificates; running services load them on their own.
    Renew(Renew),
    /// List certificates, their expiry dates and states.
    #[command(after_help = "Example: contractual certs show --json")]
    Show,
    /// Make a new certificate authority; the old one stays trusted until it is retired.
    #[command(visible_alias = "rotate-ca")]
    Authority(Authority),
}

/// `certs renew …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual certs renew --service policy")]
pub(super) struct Renew {
    /// A service such as policy, `nats`, or another user of the bus; by default all of them.
    #[arg(long, value_name = "NAME")]
    service: Option<String>,
    /// The number of days that they are valid.
    #[arg(long, default_value_t = certs::LEAF_DAYS)]
    days: u32,
}

/// `certs authority …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual certs authority, then: contractual certs renew")]
pub(super) struct Authority {
    /// Trust only the newest authority; renew every certificate first.
    #[arg(long)]
    retire: bool,
}

impl Command {
    pub(super) fn run(self, dir: &Dir, out: &Output) -> Result<(), Error> {
        match self {
            Self::Renew(Renew { service, days }) => {
                let renewed = certs::renew(dir, service.as_deref(), days, today())?;
                out.print(&renewed, || renewed.text(dir));
            }
            Self::Show => {
                let all = certs::show(dir, today())?;
                out.print(&all, || certs::table(&all));
            }
            Self::Authority(Authority { retire }) => {
                let done = if retire {
                    certs::retire_authority(dir, today())?
                } else {
                    certs::new_authority(dir, today())?
                };
                out.print(&done, || done.text(dir));
            }
        }
        Ok(())
    }
}
