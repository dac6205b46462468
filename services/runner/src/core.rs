//! Decides which grants are claimed, which are declined, and which wait.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actor::{Claim, Core, Key, LogHead, NoPermit, Outbox, Permit};
use bus_schema::{
    ActionDeclined, ActionId, AuthorId, CONTENT_BYTES_MAX, Content, Deployment, Draft, DraftGrant,
    OutsideEnvelope, PublicKey, RefusalCode, Runner as Me, RunnerFact, Seen, Time,
};
use tokio::sync::watch;

use crate::installed::{Installed, Tool};
use crate::state::{Gate, Granted, State};

/// What the core wants done.
#[derive(Debug)]
pub enum Effect {
    /// Test the cage.
    Probe,
    /// Fetch arguments.
    Fetch {
        /// Of this action.
        action: ActionId,
        /// Who put them there.
        by: AuthorId,
        /// Their name.
        args: Content,
    },
    /// Do what is claimed.
    Run(Box<Claim<Me>>),
}

/// What comes back.
#[derive(Debug)]
pub enum Input {
    /// Whether the cage holds; what is missing otherwise.
    Probed(Result<(), &'static str>),
    /// The arguments of an action; none if they are not what the grant names.
    Args(ActionId, Option<Vec<u8>>),
    /// The bus did not answer; ask again.
    Unanswered,
    /// The action is over.
    Ran(ActionId),
    /// The owner ordered a halt beside the stream.
    Halt(Time),
}

/// Arguments that were asked for.
#[derive(Debug)]
enum Args {
    Here(Arc<[u8]>),
    /// Erased, forged, or not the one text of JSON that everybody reads the same way.
    Unusable,
}

/// An action that was claimed and is not over.
#[derive(Debug)]
struct Running {
    /// From then on its outcome is unknown anyhow.
    until: Time,
    program: bool,
}

/// How many more may be claimed.
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

/// Most actions at once.
pub(crate) const ACTIONS_MAX: usize = 64;

/// The runner without its input and output.
#[derive(Debug)]
pub struct RunnerCore {
    owner: PublicKey,
    installed: Arc<Installed>,
    programs: usize,
    state: State,
    /// Told while folding, so that nothing starts that comes after a halt in the stream.
    gate: watch::Sender<Gate>,
    /// When the owner last ordered a halt beside the stream.
    ordered: Time,
    cage: Option<Result<(), &'static str>>,
    args: BTreeMap<ActionId, Args>,
    /// Claimed in this life.
    running: BTreeMap<ActionId, Running>,
    live: bool,
    /// Whether audit's log is too old, or too far behind, to claim anything.
    no_claims: AtomicBool,
}

impl RunnerCore {
    /// A core at the start of the stream, and the gate that it holds. At most `programs` programs run at once, and
    /// 64 actions.
    #[must_use]
    pub fn new(
        owner: PublicKey,
        installed: Arc<Installed>,
        programs: usize,
    ) -> (Self, watch::Receiver<Gate>) {
        let (gate, held) = watch::channel(Gate::default());
        let core = Self {
            owner,
            installed,
            programs,
            state: State::default(),
            gate,
            ordered: Time::default(),
            cage: None,
            args: BTreeMap::new(),
            running: BTreeMap::new(),
            live: false,
            no_claims: AtomicBool::new(true),
        };
        (core, held)
    }

    /// Whether the owner wants nothing to run.
    fn is_halted(&self) -> bool {
        self.state.halted || self.ordered > self.state.decided
    }

    fn tell(&self) {
        let gate = Gate {
            halted: self.is_halted(),
            revoked: self.state.revoked.clone(),
        };
        self.gate.send_if_modified(|told| {
            let changed = *told != gate;
            *told = gate;
            changed
        });
    }

    /// What is allowed of a grant now; the code to decline it with; or nothing, if it came too late.
    fn judge(&self, granted: &Granted, now: Time) -> Result<Permit<Me>, Option<RefusalCode>> {
        let draft = granted.draft();
        if now > granted.lapses() {
            return Err(None);
        }
        let envelope = self.state.envelopes.get(&draft.contract);
        let envelope = envelope
            .filter(|_| !granted.is_revoked() && !self.state.revoked.contains(&draft.contract))
            .ok_or(Some(RefusalCode::NoContract))?;
        if self.state.deployment != Some(draft.deployment) {
            return Err(Some(RefusalCode::OutsideEnvelope));
        }
        let used = self.state.used(draft);
        let permit = Permit::check(
            &granted.meta(),
            granted.granted(),
            envelope,
            &self.owner,
            used,
            now,
        )
        .map_err(code)?;
        if !self.state.is_signed(draft) {
            return Err(Some(RefusalCode::BadStatement));
        }
        let tool = self.installed.get(&draft.tool, &draft.tool_digest);
        let tool = tool.ok_or(Some(RefusalCode::Tool))?;
        match (tool, &self.cage) {
            (Tool::Exec(_) | Tool::File(_), Some(Ok(()))) => Ok(permit),
            // Where the kernel confines no program, nothing of what the cage rests on is to be trusted.
            (Tool::Exec(_) | Tool::File(_), Some(Err(_)) | None) => Err(Some(RefusalCode::NoCage)),
        }
    }

    /// How many more may be claimed.
    fn free(&self, out: &mut Outbox<'_, Self>) -> Free {
        let now = out.now();
        let running = self.running.values().filter(|one| now <= one.until);
        // A chain that is busy may be busy with a claim, of whichever of its task's grants.
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

    fn is_program(&self, draft: &DraftGrant) -> bool {
        let tool = self.installed.get(&draft.tool, &draft.tool_digest);
        matches!(tool, Some(Tool::Exec(_)))
    }

    fn forget_args(&mut self) {
        let state = &self.state;
        self.args.retain(|action, _| state.is_open(*action));
    }
}

impl Core for RunnerCore {
    type Me = Me;
    type Fact = RunnerFact;
    type State = State;
    type Effect = Effect;
    type Input = Input;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, state: State) {
        self.state = state;
        self.forget_args();
        self.tell();
    }

    fn fold(&mut self, fact: Seen<RunnerFact>) {
        let (meta, fact) = fact.into_parts();
        let state = &mut self.state;
        match fact {
            RunnerFact::RosterChanged(_, fact) => state.deployment = Some(fact.deployment),
            RunnerFact::ContractSigned(_, fact) => {
                state.sign(*fact);
                self.tell();
            }
            RunnerFact::ContractRevoked(_, fact) => {
                state.revoke(fact.contract);
                self.tell();
            }
            RunnerFact::ContractActivated(_, fact) => {
                if let Some(old) = fact.supersedes {
                    state.revoke(old);
                    self.tell();
                }
            }
            RunnerFact::HaltOrdered(..) => {
                state.halted = true;
                state.decided = state.decided.max(meta.at);
                self.tell();
            }
            RunnerFact::HaltLifted(..) => {
                state.halted = false;
                state.decided = state.decided.max(meta.at);
                self.tell();
            }
            // The loop holds claims back by these.
            RunnerFact::StreamDoubted(..) | RunnerFact::StreamAdopted(..) => {}
            RunnerFact::TaskSubmitted(task, fact) => {
                state.submit(task, &fact.statement, &self.owner);
            }
            RunnerFact::ActionGranted(_, fact) => {
                state.grant(&meta, *fact);
                self.forget_args();
            }
            RunnerFact::ActionStarted(_, fact) => {
                if let Some(started) = state.start(&meta, fact.action)
                    && self.live
                {
                    let program = self.is_program(&started.draft);
                    let until = started.until;
                    self.running.insert(fact.action, Running { until, program });
                }
                self.args.remove(&fact.action);
            }
            RunnerFact::ActionFinished(_, fact) => {
                self.running.remove(&fact.action);
            }
            RunnerFact::ActionDeclined(_, fact) => {
                state.close(fact.action);
                self.args.remove(&fact.action);
            }
        }
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Probed(cage) => self.cage = Some(cage),
            Input::Args(action, bytes) => {
                if self.state.is_open(action) {
                    self.args.insert(action, usable(bytes));
                }
            }
            Input::Unanswered => {}
            Input::Halt(at) => {
                self.ordered = self.ordered.max(at);
                self.tell();
            }
            Input::Ran(action) => {
                self.running.remove(&action);
            }
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        let logged = out.heard().and_then(LogHead::logged);
        self.no_claims.store(logged.is_none(), Ordering::Relaxed);
        if self.cage.is_none() {
            out.effect(Key::Once("probe"), || Effect::Probe);
            return;
        }
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
        // Arguments are large: those of the grants that come next are enough.
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
                    // Without audit it waits, and lapses if audit does not come back in time.
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

    fn trouble(&self) -> Option<&'static str> {
        match self.cage {
            None => Some("the cage is being tested"),
            Some(Ok(())) => {
                let no_claims = self.no_claims.load(Ordering::Relaxed);
                no_claims.then_some("audit's log is not up to date: nothing is claimed")
            }
            Some(Err(missing)) => Some(missing),
        }
    }
}

fn decline(granted: &Granted, code: RefusalCode, out: &mut Outbox<'_, RunnerCore>) {
    // The chain is that of the task which the grant's own subject names.
    let Some(task) = granted.task() else {
        return;
    };
    let action = granted.draft().action;
    let draft = Draft::<Me>::of(task, ActionDeclined { action, code });
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
            | OutsideEnvelope::Approval(_) => RefusalCode::OutsideEnvelope,
        }),
    }
}

fn usable(bytes: Option<Vec<u8>>) -> Args {
    match bytes {
        Some(bytes) if contract::json::parse_canonical(&bytes, CONTENT_BYTES_MAX).is_ok() => {
            Args::Here(bytes.into())
        }
        Some(_) | None => Args::Unusable,
    }
}
