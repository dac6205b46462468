//! A contract's document as it was found.

use bus_schema::Envelope;
use contract::Contract;

/// What was found where the owner put a contract.
#[derive(Debug)]
pub(crate) enum Document {
    /// A contract of the digest that was asked for, and what it allows at most.
    Contract(Box<Contract>, Envelope),
    /// Nothing usable, and why.
    Unusable(String),
}

impl Document {
    /// What the contract allows at most, or why it cannot be read.
    pub(crate) fn envelope(&self) -> Result<&Envelope, &str> {
        match self {
            Self::Contract(_, envelope) => Ok(envelope),
            Self::Unusable(why) => Err(why),
        }
    }
}
