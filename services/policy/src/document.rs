//! Holds the documents of contracts and jobs as policy read them.

use bus_schema::Envelope;
use contract::Contract;
use job::Job;

/// The document that was read from the owner's content.
#[derive(Debug)]
pub(crate) enum Document {
    /// A contract with the requested digest, and its envelope.
    Contract(Box<Contract>, Envelope),
    /// No usable contract, with the reason.
    Unusable(String),
}

impl Document {
    /// Returns the contract, if it can be read.
    pub(crate) fn contract(&self) -> Option<&Contract> {
        match self {
            Self::Contract(contract, _) => Some(contract),
            Self::Unusable(_) => None,
        }
    }

    /// Returns the contract's envelope, or the reason that it cannot be read.
    pub(crate) fn envelope(&self) -> Result<&Envelope, &str> {
        match self {
            Self::Contract(_, envelope) => Ok(envelope),
            Self::Unusable(why) => Err(why),
        }
    }
}

/// Reads the document of a job. None if it was erased, or is no job.
pub(crate) fn read_job(bytes: Option<Vec<u8>>) -> Option<Job> {
    let text = String::from_utf8(bytes?).ok()?;
    Job::parse("job.toml", &text).ok()
}
