//! Decides for each grant to claim it, to decline it, or to wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actor::{Core, Key, LogHead, NoPermit, Outbox, Permit};
use bus_schema::{
    ActionDeclined, ActionId, Author as _, CONTENT_BYTES_MAX, Content, Deployment, Draft,
    DraftGrant, ExecutorFact, OutsideEnvelope, PublicKey, RefusalCode, Seen, Time,
};
use contract::{UNREAD, UNSIGNED};
use tokio::sync::watch;

use crate::effect::{Effect, Input};
use crate::execute::Execute;
use crate::folded::Folded;
use crate::installed::Installed;
use crate::state::{Gate, Granted, State};

/// Requested arguments.
#[derive(Debug)]
enum Args {
    Here(Arc<[u8]>),
    /// Erased, forged, or not canonical JSON.
    Unusable,
}

/// A claimed action that has not ended.
#[derive(Debug)]
struct RunningAction {
    /// The time from which its outcome is unknown.
    until: Time,
    program: bool,
}

/// The remaining capacity for claims.
#[derive(Debug)]
struct Free {
    actions: usize,
    programs: usize,
}

impl Free {
    fn take(&mut self, program: bool) -> bool {
        let free = self.actions > 0 && (!program || self.programs > 0);
        if free {
            self.actions -= 1;
            self.programs -= usize::from(program);
        }
        free
    }
}

/// Largest number of actions at once.
pub(crate) const ACTIONS_MAX: usize = 64;

/// An executor without its I/O.
#[derive(Debug)]
pub struct ExecutorCore<E: Execute> {
    owner: PublicKey,
    /// The tools of a signed catalogue, which is at this content.
    installed: Option<(Content, Arc<Installed<E::Tool>>)>,
    /// True if they have to be checked again.
    reinstall: bool,
    programs: usize,
    state: State,
    /// Updated while folding, so that no action starts after a halt in the stream.
    gate: watch::Sender<Gate>,
    /// The time of the owner's last halt order beside the stream.
    ordered: Time,
    /// The result of the test of what every call depends on; none while it runs.
    probed: Option<Result<(), &'static str>>,
    /// The problem of what the tools act on; each action checks by itself.
    trouble: Option<String>,
    args: BTreeMap<ActionId, Args>,
    /// Actions claimed by this process.
    running: BTreeMap<ActionId, RunningAction>,
    live: bool,
    /// True if audit's log is too old, or too far behind, for claims.
    no_claims: AtomicBool,
}

impl<E: Execute> ExecutorCore<E> {
    /// Creates a core at the start of the stream, and its gate. At most `programs` programs, and 64 actions, run at
    /// once.
    #[must_use]
    pub fn new(owner: PublicKey, programs: usize) -> (Self, watch::Receiver<Gate>) {
        let (gate, held) = watch::channel(Gate::default());
        let core = Self {
            owner,
            installed: None,
            reinstall: false,
            programs,
            state: State::default(),
            gate,
            ordered: Time::default(),
            probed: None,
            trouble: None,
            args: BTreeMap::new(),
            running: BTreeMap::new(),
            live: false,
            no_claims: AtomicBool::new(true),
        };
        (core, held)
    }

    /// Returns true if the owner halted everything.
    fn is_halted(&self) -> bool {
        self.state.halted || self.ordered > self.state.decided
    }

    fn tell(&self) {
        let gate = Gate {
            halted: self.is_halted(),
            revoked: self.state.revoked.clone(),
            cancelled: self.state.cancelled.clone(),
            secrets: self.state.secrets.clone(),
        };
        self.gate.send_if_modified(|told| {
            let changed = *told != gate;
            *told = gate;
            changed
        });
    }

    /// Returns the permit for a grant now, or the code to decline it with, or no code if the grant has lapsed.
    fn judge(&self, granted: &Granted, now: Time) -> Result<Permit<E::Me>, Option<RefusalCode>> {
        let draft = granted.draft();
        if now > granted.lapses() {
            return Err(None);
        }
        let envelope = self.state.envelope(&draft.contract);
        let envelope = envelope
            .filter(|_| !granted.is_revoked())
            .ok_or(Some(RefusalCode::NoContract))?;
        if self.state.cancelled.contains(&draft.task) {
            return Err(Some(RefusalCode::Cancelled));
        }
        if self.state.deployment != Some(draft.deployment) {
            return Err(Some(RefusalCode::OutsideEnvelope));
        }
        let used = self.state.used(draft);
        let permit = Permit::check(
            &granted.meta(),
            granted.granted(),
            envelope,
            &self.state.signers(self.owner),
            used,
            now,
        )
        .map_err(code)?;
        if !self.state.is_signed(draft) {
            return Err(Some(RefusalCode::BadStatement));
        }
        if self.state.catalogue.is_none() {
            return Err(Some(RefusalCode::NoCatalogue));
        }
        // Until the newest catalogue was read, the grant waits, and may lapse.
        let tools = self.tools().ok_or(None)?;
        let tool = tools.get(&draft.tool, &draft.tool_digest);
        let tool = tool.ok_or(Some(RefusalCode::Tool))?;
        if !E::is_within(tool, envelope) {
            return Err(Some(RefusalCode::OutsideEnvelope));
        }
        match self.probed {
            Some(Ok(())) => Ok(permit),
            Some(Err(_)) | None => Err(Some(RefusalCode::NoCage)),
        }
    }

    /// Returns the remaining capacity for claims.
    fn free(&self, out: &mut Outbox<'_, Self>) -> Free {
        let now = out.now();
        let running = self.running.values().filter(|one| now <= one.until);
        // A busy chain may be storing a claim of any grant of its task.
        let mut claiming = BTreeMap::new();
        for granted in self.state.open.values() {
            if !out.idle(granted.task()) {
                *claiming.entry(granted.task()).or_default() |= self.is_program(granted.draft());
            }
        }
        let kinds = || running.clone().map(|one| one.program);
        let taken = kinds().chain(claiming.into_values());
        let (actions, programs) = taken.fold((0, 0), |(actions, programs), program| {
            (actions + 1, programs + usize::from(program))
        });
        let free = Free {
            actions: ACTIONS_MAX.saturating_sub(actions),
            programs: self.programs.saturating_sub(programs),
        };
        if (free.actions == 0 || free.programs == 0)
            && let Some(until) = running.map(|one| one.until).min()
        {
            out.wake(until.plus_ms(1));
        }
        free
    }

    /// Returns true if the tool is a program, or if nobody can tell yet.
    fn is_program(&self, draft: &DraftGrant) -> bool {
        self.tools().is_none_or(|tools| {
            let tool = tools.get(&draft.tool, &draft.tool_digest);
            tool.is_some_and(E::is_program)
        })
    }

    /// Returns the tools of the newest catalogue that the owner signed, once they were checked.
    fn tools(&self) -> Option<&Installed<E::Tool>> {
        let (content, installed) = self.installed.as_ref()?;
        let newest = self.state.catalogue.as_ref()?.document == *content;
        newest.then_some(&**installed)
    }

    /// Requests the tools of the newest catalogue.
    fn install(&self, out: &mut Outbox<'_, Self>) {
        let newest = self.state.catalogue.as_ref();
        let missing = self.reinstall || self.tools().is_none();
        if let Some(catalogue) = newest.filter(|_| missing).map(|signed| signed.document) {
            let key = Key::Digest("catalogue", *catalogue.digest());
            out.effect(key, || Effect::Install { catalogue });
        }
    }

    fn forget_args(&mut self) {
        let state = &self.state;
        self.args.retain(|action, _| state.is_open(*action));
    }
}

impl<E: Execute> Core for ExecutorCore<E> {
    type Me = E::Me;
    type Fact = ExecutorFact;
    type State = State;
    type Effect = Effect<E::Me>;
    type Input = Input<E::Tool>;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, state: State) {
        self.state = state;
        self.forget_args();
        self.tell();
    }

    fn fold(&mut self, fact: Seen<ExecutorFact>) {
        let (meta, fact) = fact.into_parts();
        match self.state.fold(&meta, fact, &self.owner, E::Me::ID) {
            Folded::Nothing | Folded::Released(..) => {}
            Folded::Gate => self.tell(),
            Folded::Granted => self.forget_args(),
            Folded::Started(action, started) => {
                if let Some(started) = started.filter(|_| self.live) {
                    let program = self.is_program(started.draft());
                    let until = started.until;
                    self.running
                        .insert(action, RunningAction { until, program });
                }
                self.args.remove(&action);
            }
            Folded::Finished(action) => {
                self.running.remove(&action);
            }
            Folded::Declined(action) => {
                self.args.remove(&action);
            }
        }
    }

    fn input(&mut self, input: Input<E::Tool>) {
        match input {
            Input::Probed(probed) => self.probed = Some(probed),
            Input::Args(action, bytes) => {
                if self.state.is_open(action) {
                    self.args.insert(action, usable(bytes));
                }
            }
            Input::Unanswered => {}
            Input::Installed(content, installed) => {
                self.installed = Some((content, installed));
                self.reinstall = false;
            }
            Input::Reinstall => self.reinstall = true,
            Input::Halt(at) => {
                self.ordered = self.ordered.max(at);
                self.tell();
            }
            Input::Trouble(trouble) => self.trouble = trouble,
            Input::Ran(action) => {
                self.running.remove(&action);
            }
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        let logged = out.heard().and_then(LogHead::logged);
        self.no_claims.store(logged.is_none(), Ordering::Relaxed);
        if self.probed.is_none() {
            out.effect(Key::Once("probe"), || Effect::Probe);
            return;
        }
        self.install(out);
        if let Some(doubt) = out.doubt() {
            if !doubt.is_said() {
                out.append(Draft::of(Deployment, doubt.fact()));
            }
            return;
        }
        if self.is_halted() {
            return;
        }
        let mut free = self.free(out);
        // Arguments are large, so only those of the next grants are fetched.
        let mut ahead = ACTIONS_MAX;
        for granted in self.state.open.values() {
            let draft = granted.draft();
            if !out.may_claim(granted.id(), granted.seq()) {
                continue;
            }
            let permit = match self.judge(granted, out.now()) {
                Ok(permit) => permit,
                Err(None) => continue,
                Err(Some(code)) => {
                    decline(granted, code, out);
                    continue;
                }
            };
            match self.args.get(&draft.action) {
                Some(Args::Unusable) => decline(granted, RefusalCode::Arguments, out),
                Some(Args::Here(args)) => {
                    ahead = ahead.saturating_sub(1);
                    // Without audit a grant waits, and lapses if audit does not return in time.
                    if !logged.is_some_and(|logged| logged.covers(granted.seq())) {
                        self.no_claims.store(true, Ordering::Relaxed);
                    } else if out.idle(granted.task()) && free.take(self.is_program(draft)) {
                        let permit = permit.with_args(Arc::clone(args));
                        out.claim(permit, |claim| Effect::Run(Box::new(claim)));
                    }
                }
                None if ahead > 0 => {
                    ahead -= 1;
                    out.effect(Key::Action("args", draft.action), || Effect::Fetch {
                        action: draft.action,
                        by: draft.args_by,
                        args: draft.args,
                    });
                }
                None => {}
            }
        }
    }

    fn caught_up(&mut self) {
        self.live = true;
    }

    fn trouble(&self) -> Option<&str> {
        match self.probed {
            None => Some("the self-test is running"),
            Some(Ok(())) if self.trouble.is_some() => self.trouble.as_deref(),
            Some(Ok(())) if self.state.catalogue.is_none() => Some(UNSIGNED),
            Some(Ok(())) => {
                let trouble = self.tools().map_or(Some(UNREAD), Installed::trouble);
                if trouble.is_some() {
                    return trouble;
                }
                let no_claims = self.no_claims.load(Ordering::Relaxed);
                no_claims.then_some("audit's log is not up to date: nothing is claimed")
            }
            Some(Err(missing)) => Some(missing),
        }
    }
}

fn decline<E: Execute>(
    granted: &Granted,
    code: RefusalCode,
    out: &mut Outbox<'_, ExecutorCore<E>>,
) {
    // The grant's subject names the task whose chain is used.
    let Some(task) = granted.task() else {
        return;
    };
    let action = granted.draft().action;
    let draft = Draft::<E::Me>::of(task, ActionDeclined { action, code });
    out.append(draft.because(granted.id()));
}

const fn code(no: NoPermit) -> Option<RefusalCode> {
    match no {
        NoPermit::TooLate => None,
        NoPermit::Audience => Some(RefusalCode::OutsideEnvelope),
        NoPermit::Outside(outside) => Some(match outside {
            OutsideEnvelope::Tool | OutsideEnvelope::ToolChanged => RefusalCode::Tool,
            OutsideEnvelope::Expired => RefusalCode::Expired,
            OutsideEnvelope::ApprovalExpired => RefusalCode::ApprovalExpired,
            OutsideEnvelope::Limits
            | OutsideEnvelope::Calls
            | OutsideEnvelope::Secret
            | OutsideEnvelope::ApprovalMissing
            | OutsideEnvelope::ApprovalDiffers
            | OutsideEnvelope::ApprovalContract
            | OutsideEnvelope::Approver
            | OutsideEnvelope::Approval(_)
            | OutsideEnvelope::Device(_) => RefusalCode::OutsideEnvelope,
        }),
    }
}

fn usable(bytes: Option<Vec<u8>>) -> Args {
    match bytes {
        Some(bytes) if bus_schema::json::parse_canonical(&bytes, CONTENT_BYTES_MAX).is_ok() => {
            Args::Here(bytes.into())
        }
        Some(_) | None => Args::Unusable,
    }
}
