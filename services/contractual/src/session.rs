//! A session: an agent's calls under a contract, signed with a key of their own, and what became of each.

mod calls;
mod offered;
mod results;
mod server;

pub(crate) use self::calls::Session;
pub(crate) use self::offered::Offered;
pub(crate) use self::server::SessionServer;
