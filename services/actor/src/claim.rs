//! The states of a grant at its executor: permit, claim, settled; each is made only from the one before.

use std::{fmt, sync::Arc};

use bus_schema::{
    ActionDeclined, ActionFinished, ActionGranted, ActionOutcome, ActionStarted, Author, AuthorId,
    CanPublish, ContractFolders, Digest, Draft, DraftGrant, Envelope, EventId, Meta,
    OutsideEnvelope, Sealed, ServiceStarted, Signers, StreamDoubted, Time, Usage,
};

/// An author that acts on grants.
pub trait Executor:
    Author
    + CanPublish<ActionStarted>
    + CanPublish<ActionFinished>
    + CanPublish<ActionDeclined>
    + CanPublish<StreamDoubted>
    + CanPublish<ServiceStarted>
{
}

impl Executor for bus_schema::Runner {}
impl Executor for bus_schema::Egress {}

/// The places in which the calls of a contract act, from the envelope that the owner signed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    /// Folders of the runner.
    pub folders: ContractFolders,
    /// Hosts that may be sent to.
    pub hosts: Vec<String>,
    /// Networks in which these may be besides the Internet.
    pub networks: Vec<String>,
}

impl Places {
    fn of(envelope: &Envelope) -> Self {
        Self {
            folders: envelope.folders.clone(),
            hosts: envelope.hosts.clone(),
            networks: envelope.networks.clone(),
        }
    }
}

/// The bytes of arguments.
#[derive(Clone, Default)]
struct Args(Arc<[u8]>);

impl fmt::Debug for Args {
    /// Shows the number of bytes, never the bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} bytes", self.0.len())
    }
}

/// A grant that its executor has checked.
#[derive(Debug, Clone)]
pub struct Permit<A> {
    grant: DraftGrant,
    places: Places,
    granted: EventId,
    seq: u64,
    stored: Time,
    args: Args,
    /// Set where the compiler knows that `A` may publish it.
    started: fn(&DraftGrant) -> Draft<A>,
}

/// The reason why there is no permit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoPermit {
    /// The grant is for another executor.
    #[error("the grant is for another executor")]
    Audience,
    /// The grant has expired by bus time.
    #[error("the grant came too late")]
    TooLate,
    /// The grant is outside the envelope that the owner signed.
    #[error(transparent)]
    Outside(#[from] OutsideEnvelope),
}

impl<A: Executor> Permit<A> {
    /// Makes a permit, the only way: checks audience, bus time, the envelope that the owner signed, and the approvals.
    ///
    /// `used` is the number of claims of the tool in the task, `now` is bus time.
    ///
    /// # Errors
    /// [`NoPermit`] names the first check that failed.
    pub fn check(
        meta: &Meta,
        granted: &ActionGranted,
        envelope: &Envelope,
        signers: &Signers<'_>,
        used: u32,
        now: Time,
    ) -> Result<Self, NoPermit> {
        let draft = &granted.grant.draft;
        if draft.audience != A::ID || Some(draft.task) != meta.task {
            return Err(NoPermit::Audience);
        }
        if now > draft.claim_by(meta.stored) {
            return Err(NoPermit::TooLate);
        }
        // Nothing is claimed once the contract has expired, even if the grant was in time.
        let moment = now.max(meta.stored);
        granted
            .grant
            .check_envelope(envelope, signers, used, moment)?;
        Ok(Self {
            grant: draft.clone(),
            places: Places::of(envelope),
            granted: meta.id,
            seq: meta.seq,
            stored: meta.stored,
            args: Args::default(),
            started: Self::starts,
        })
    }

    fn starts(grant: &DraftGrant) -> Draft<A> {
        let action = grant.action;
        Draft::of(grant.task, ActionStarted { action })
    }
}

#[cfg(test)]
impl<A: Executor> Permit<A> {
    /// Makes a permit without a check.
    pub(crate) fn unchecked(grant: DraftGrant, granted: EventId, seq: u64, stored: Time) -> Self {
        Self {
            grant,
            places: Places::default(),
            granted,
            seq,
            stored,
            args: Args::default(),
            started: Self::starts,
        }
    }
}

impl<A: Author> Permit<A> {
    /// The granted draft.
    #[must_use]
    pub const fn draft(&self) -> &DraftGrant {
        &self.grant
    }

    /// The places of the contract in which the action acts.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.places
    }

    /// Adds the arguments that were fetched under the draft's name for them.
    #[must_use]
    pub fn with_args(mut self, args: Arc<[u8]>) -> Self {
        self.args = Args(args);
        self
    }

    /// The grant's event.
    pub(crate) const fn granted(&self) -> EventId {
        self.granted
    }

    /// The place of the grant in the stream.
    pub(crate) const fn seq(&self) -> u64 {
        self.seq
    }

    /// The claim, as an event.
    pub(crate) fn started(&self) -> Draft<A> {
        (self.started)(&self.grant).because(self.granted)
    }

    /// Returns true if a claim stored at `started` came in time; all readers of the stream agree on it.
    pub(crate) fn in_time(&self, started: Time) -> bool {
        started <= self.grant.claim_by(self.stored)
    }
}

/// A claimed grant: the server stored `action.started`, and this process read it back. Not `Clone`.
#[derive(Debug)]
pub struct Claim<A> {
    permit: Permit<A>,
    started: EventId,
}

/// The outcome of a claim: made only from a claim, and only once.
#[derive(Debug)]
pub struct Settled<A> {
    claim: Claim<A>,
    outcome: ActionOutcome,
    usage: Usage,
    output: Sealed,
    sent: Option<Digest>,
}

impl<A> Claim<A> {
    pub(crate) const fn new(permit: Permit<A>, started: EventId) -> Self {
        Self { permit, started }
    }

    /// The draft that may be executed, once.
    #[must_use]
    pub const fn draft(&self) -> &DraftGrant {
        &self.permit.grant
    }

    /// The places in which the owner's contract lets it act.
    #[must_use]
    pub const fn places(&self) -> &Places {
        &self.permit.places
    }

    /// The author that put the arguments into `BLOBS`.
    #[must_use]
    pub const fn args_by(&self) -> AuthorId {
        self.permit.grant.args_by
    }

    /// The arguments that were added to the permit; empty if none were.
    #[must_use]
    pub fn args(&self) -> &[u8] {
        &self.permit.args.0
    }

    /// Makes the outcome. `sent` is the SHA-256 of the body of the request that was sent, if there was one.
    #[must_use]
    pub fn settle(
        self,
        outcome: ActionOutcome,
        usage: Usage,
        (output, sent): (Sealed, Option<Digest>),
    ) -> Settled<A> {
        Settled {
            claim: self,
            outcome,
            usage,
            output,
            sent,
        }
    }
}

impl<A: Executor> Settled<A> {
    /// The event that records the outcome.
    pub(crate) fn finished(self) -> Draft<A> {
        let Self {
            claim,
            outcome,
            usage,
            output,
            sent,
        } = self;
        let DraftGrant { task, action, .. } = claim.permit.grant;
        let fact = ActionFinished {
            action,
            outcome,
            usage,
            output: output.content(),
            sent: sent.map(|body| output.proof_of(&body)),
        };
        Draft::of(task, fact).because(claim.started).with(output)
    }
}
