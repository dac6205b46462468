//! `provision`: creates streams and consumers, and publishes the first roster.

use clap::Args;
use deployment::{Deployment, provision, watch};

use crate::{Error, Output};

/// `provision`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual provision --dir ~/contractual")]
pub(crate) struct Arguments {}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let done = provision::provision(deployment).await?;
        watch::same_sync(deployment).await?;
        out.print(&done, || done.text());
        Ok(())
    }
}
