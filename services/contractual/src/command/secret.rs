//! `secret`: the secrets that the owner gives to calls of tools. No command shows a value.

mod forget;
mod list;
mod login;
mod newest;
mod place;
mod revoke;
mod rotate;
mod set;
mod show;
mod test;
mod value;
mod vault;

use clap::Subcommand;
use deployment::Deployment;

use crate::{Error, Output};

/// `secret …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Seal a value from standard input, and sign it with the hosts that it is for.
    Set(Box<set::Arguments>),
    /// Log in by a browser (OAuth 2 device flow), and seal the refresh token.
    Login(Box<login::Arguments>),
    /// List the secrets, without their values.
    #[command(after_help = list::HELP)]
    List,
    /// Show the terms of a secret: hosts, methods and place in the request.
    Show(show::Arguments),
    /// Seal another value from standard input under the terms of before.
    Rotate(rotate::Arguments),
    /// Call a tool once to see if its host takes the secret.
    Test(test::Arguments),
    /// Release a secret no more.
    Revoke(revoke::Arguments),
    /// Release a secret no more, and erase its value.
    Forget(forget::Arguments),
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::Set(arguments) => Box::pin(arguments.run(deployment, out)).await,
            Self::Login(arguments) => Box::pin(arguments.run(deployment, out)).await,
            Self::List => list::run(deployment, out).await,
            Self::Show(arguments) => arguments.run(deployment, out).await,
            Self::Rotate(arguments) => arguments.run(deployment, out).await,
            Self::Test(arguments) => Box::pin(arguments.run(deployment, out)).await,
            Self::Revoke(arguments) => arguments.run(deployment, out).await,
            Self::Forget(arguments) => arguments.run(deployment, out).await,
        }
    }
}
