//! The effects that the core requests, and their results.

use std::sync::Arc;

use actor::Claim;
use bus_schema::{ActionId, AuthorId, Content, Time};

use crate::installed::Installed;

/// An effect that the core requests.
#[derive(Debug)]
pub enum Effect<A> {
    /// Test what every call depends on.
    Probe,
    /// Fetch the catalogue that the owner signed, and check its tools.
    Install {
        /// Its document.
        catalogue: Content,
    },
    /// Fetch arguments.
    Fetch {
        /// The action.
        action: ActionId,
        /// The author that put them there.
        by: AuthorId,
        /// Their name.
        args: Content,
    },
    /// Execute a claimed action.
    Run(Box<Claim<A>>),
}

/// The result of an effect, or an order.
#[derive(Debug)]
pub enum Input<T> {
    /// The result of the test; the error is the missing part.
    Probed(Result<(), &'static str>),
    /// The tools of a signed catalogue, which is at this content.
    Installed(Content, Arc<Installed<T>>),
    /// Check the tools again.
    Reinstall,
    /// The arguments of an action; none if they differ from the grant's.
    Args(ActionId, Option<Vec<u8>>),
    /// The bus did not answer; retry.
    Unanswered,
    /// The action has ended.
    Ran(ActionId),
    /// The owner ordered a halt beside the stream.
    Halt(Time),
    /// The problem of what the tools act on, with what to do; none if there is none any more.
    Trouble(Option<String>),
}
