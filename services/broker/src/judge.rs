//! Decides if a secret may be released for a claimed action; everything that is checked was signed by the owner, or is
//! egress's own claim.

use bus_schema::{NotReleased, OutsideEnvelope, PublicKey, Release, SecretOnRecord, Time};
use contract::{HttpTool, Reach};
use executor::Installed;
use secret::{SecretTerms, TokenGrant, TokenSource};

use crate::state::{ClaimOnRecord, ReleaseOnRecord, State};

/// A secret that may be released, if the terms of the sealed one fit.
#[derive(Debug)]
pub(crate) struct Releasable<'s> {
    pub(crate) claim: &'s ClaimOnRecord,
    pub(crate) newest: &'s SecretOnRecord,
    tool: &'s HttpTool,
}

/// Checks a request against the record at `now`, in bus time.
///
/// # Errors
/// Returns the first reason against it.
pub(crate) fn judge<'s>(
    state: &'s State,
    asked: &Release,
    tools: &'s Installed<HttpTool>,
    owner: &PublicKey,
    now: Time,
) -> Result<Releasable<'s>, NotReleased> {
    let acts = &state.acts;
    let claim = state.claim(asked.action).ok_or(NotReleased::NotClaimed)?;
    let started = &claim.started;
    let (granted, draft) = (started.granted.granted(), started.draft());
    if now > started.until {
        return Err(NotReleased::Ended);
    }
    if acts.is_halted() {
        return Err(NotReleased::Halted);
    }
    if acts.is_cancelled(draft.task) {
        return Err(NotReleased::Cancelled);
    }
    let envelope = acts.envelope(&draft.contract);
    let envelope = envelope
        .filter(|_| !started.granted.is_revoked())
        .ok_or(NotReleased::NoContract)?;
    // The claim's own time: an executor checked the grant at most that late.
    let is_in_time = started.stored < envelope.expires;
    let meta = started.granted.meta();
    if acts.deployment() != Some(draft.deployment) || meta.task != Some(draft.task) || !is_in_time {
        return Err(NotReleased::OutsideEnvelope);
    }
    let inside =
        granted
            .grant
            .check_envelope(envelope, &acts.signers(*owner), started.used, meta.stored);
    inside.map_err(|outside| match outside {
        OutsideEnvelope::Secret => NotReleased::NotNamed,
        OutsideEnvelope::Tool
        | OutsideEnvelope::ToolChanged
        | OutsideEnvelope::Expired
        | OutsideEnvelope::Limits
        | OutsideEnvelope::Calls
        | OutsideEnvelope::ApprovalMissing
        | OutsideEnvelope::ApprovalDiffers
        | OutsideEnvelope::ApprovalContract
        | OutsideEnvelope::ApprovalExpired
        | OutsideEnvelope::Approver
        | OutsideEnvelope::Approval(_)
        | OutsideEnvelope::Device(_) => NotReleased::OutsideEnvelope,
    })?;
    if !acts.is_signed(draft) {
        return Err(NotReleased::Task);
    }
    if !draft.secrets.contains(&asked.secret) || !envelope.secrets.contains(&asked.secret) {
        return Err(NotReleased::NotNamed);
    }
    let tool = tools.get(&draft.tool, &draft.tool_digest);
    let tool = tool.filter(|tool| tool.secret() == Some(&asked.secret));
    let tool = tool.ok_or(NotReleased::Tool)?;
    if !Reach::of(envelope).hosts.contains(tool.endpoint()) {
        return Err(NotReleased::Host);
    }
    let signed = acts.secrets().usable(&asked.secret)?;
    let newest = acts.secrets().get(&asked.secret);
    let newest = newest.ok_or(NotReleased::Unknown)?;
    match &claim.released {
        Some((name, _)) if *name != asked.secret => Err(NotReleased::Another),
        Some((_, version)) if *version != signed.version => Err(NotReleased::Replaced),
        Some(_) | None => Ok(Releasable {
            claim,
            newest,
            tool,
        }),
    }
}

impl Releasable<'_> {
    /// Checks the terms that stand in the sealed bytes: they are those that the owner signed, and permit the request of
    /// the tool.
    ///
    /// # Errors
    /// [`NotReleased::Seal`] or [`NotReleased::Terms`].
    pub(crate) fn fits(&self, terms: &SecretTerms) -> Result<(), NotReleased> {
        if !terms.are_of(&self.newest.signed) {
            return Err(NotReleased::Seal);
        }
        if terms.permit(self.tool.endpoint(), self.tool.method()) {
            Ok(())
        } else {
            Err(NotReleased::Terms)
        }
    }
}

/// Checks a renewal: it has the terms that the owner signed last, which name a source of tokens, and this version was released
/// for the claim. The endpoint has taken the value before by then, so nothing else, such as a halt or the end of the call, refuses the next one.
///
/// # Errors
/// Returns the first reason against it.
pub(crate) fn renewable<'s>(
    state: &'s State,
    asked: &Release,
    version: u32,
    terms: &SecretTerms,
) -> Result<(ReleaseOnRecord, &'s SecretOnRecord), NotReleased> {
    let release = state.release(asked.action).ok_or(NotReleased::NotClaimed)?;
    let secrets = state.acts.secrets();
    secrets.usable(&asked.secret)?;
    let newest = secrets.get(&asked.secret).ok_or(NotReleased::Unknown)?;
    if !terms.are_of(&newest.signed) {
        return Err(NotReleased::Seal);
    }
    match &release.released {
        None => return Err(NotReleased::NotClaimed),
        Some((name, _)) if *name != asked.secret => return Err(NotReleased::Another),
        Some((_, released)) if *released != version => return Err(NotReleased::Replaced),
        Some(_) => {}
    }
    if version != newest.signed.version {
        return Err(NotReleased::Replaced);
    }
    match terms.token().map(TokenSource::grant) {
        Some(TokenGrant::RefreshToken) => Ok((release, newest)),
        Some(TokenGrant::ClientCredentials) | None => Err(NotReleased::Terms),
    }
}
