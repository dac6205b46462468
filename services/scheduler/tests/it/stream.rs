//! Simulates a stream of really signed events, the documents beside it, the server's timers, and a scheduler.

use std::collections::{BTreeMap, BTreeSet};

use actor::{Clock, Core as _, Outbox};
use bus_schema::testing::{TestLog, body, owner};
use bus_schema::{
    Author, AuthorId, CanPublish, ChainScope, Deployment, DeploymentId, Digest, Draft, Event,
    JobName, JobSigned, Owner, Policy, Read, RunCause, RunDue, Scheduler, SchedulerFact,
    TaskAdmitted, TaskFinished, TaskId, TaskOutcome, Time, TriggerRefused, Verifier, Worker, wire,
};
use scheduler::{Effect, Input, SchedulerCore};

/// The time at which every stream here begins: 2027-01-15T08:00:00Z.
pub(crate) const T0: Time = Time::from_ns(1_800_000_000_000_000_000);

pub(crate) fn deployment() -> DeploymentId {
    let id = "00000000-0000-7000-8000-000000000001";
    id.parse().expect("an id")
}

pub(crate) fn name(text: &str) -> JobName {
    text.parse().expect("a name")
}

/// The moment some seconds after the start.
pub(crate) fn at(second: u64) -> Time {
    T0.plus_ms(second * 1_000)
}

/// The stream, and a scheduler that has read all of it.
pub(crate) struct Scene {
    pub(crate) log: TestLog,
    pub(crate) core: SchedulerCore,
    verifier: Verifier,
    read: usize,
    /// The timers that the server holds.
    pub(crate) timers: BTreeMap<JobName, Time>,
    /// The messages from outside that were acknowledged.
    pub(crate) took: Vec<u64>,
    /// The messages from outside that were said to start no run.
    pub(crate) refused: Vec<TriggerRefused>,
    /// True if the server fires them.
    pub(crate) fires: bool,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let log = TestLog::new(T0);
        let roster = log.roster(deployment());
        let mut scene = Self {
            log,
            core: SchedulerCore::default(),
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Scheduler)),
            read: 0,
            timers: BTreeMap::new(),
            took: Vec::new(),
            refused: Vec::new(),
            fires: true,
        };
        scene.say::<Owner, _>(Deployment, roster);
        scene
    }

    /// A scene with the job `j`, of these lines before its `[when]`, and of this `[when]`.
    pub(crate) fn with(head: &str, when: &str) -> Self {
        let mut scene = Self::new();
        scene.sign(1, head, when);
        scene
    }

    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.log.append(&Draft::<A>::of(scope, fact));
        self.fold();
    }

    pub(crate) fn sign(&mut self, version: u32, head: &str, when: &str) {
        self.sign_as("j", version, head, when);
    }

    /// Signs a version of a job of any name.
    pub(crate) fn sign_as(&mut self, job: &str, version: u32, head: &str, when: &str) {
        let text = format!(
            "job = \"{job}\"\npurpose = \"x\"\ncontract = \"c\"\nplaybook = \"p\"\n{head}\n[when]\n{when}\n"
        );
        let document = self.log.put(Owner::ID, text.as_bytes());
        let playbook = self.log.put(Owner::ID, b"playbook");
        let fact = JobSigned {
            job: name(job),
            version,
            contract: Digest::ZERO,
            document,
            playbook,
            slots: None,
        };
        self.say::<Owner, _>(Deployment, fact);
    }

    pub(crate) fn fold(&mut self) {
        for message in self.log.messages.iter().skip(self.read) {
            match self.verifier.read::<SchedulerFact>(&message.raw()) {
                Ok(Read::Fact(seen)) => self.core.fold(seen),
                Ok(Read::Other(_)) => {}
                other => panic!("{other:?}"),
            }
        }
        self.read = self.log.messages.len();
    }

    /// The runs that the scheduler says now, after its effects were done.
    pub(crate) fn next(&mut self) -> Vec<RunDue> {
        loop {
            let (busy, running) = (BTreeSet::new(), BTreeSet::new());
            let clock = Clock::fake(T0);
            let mut out = Outbox::new(self.log.now, None, &busy, &running, &clock);
            self.core.next(&mut out);
            let all = out.drafts();
            let drafts: Vec<_> = all.iter().filter_map(|draft| said(draft)).collect();
            let refused = |draft: &&Draft<Scheduler>| body::<_, TriggerRefused>(draft);
            let refused: Vec<_> = all.iter().filter_map(refused).collect();
            let mut effects = out.into_effects();
            effects.retain(|effect| !matches!(effect, Effect::Listen | Effect::ListenOutside));
            for said in refused {
                self.refused.push(said.fact.clone());
                self.say::<Scheduler, _>(Deployment, said.fact);
            }
            if effects.is_empty() || !drafts.is_empty() {
                return drafts;
            }
            for effect in effects {
                self.perform(effect);
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        let input = match effect {
            Effect::Fetch(content) => Input::Fetched(content, self.log.get(Owner::ID, content)),
            Effect::SetTimer(job, at) => {
                self.timers.insert(job.clone(), at);
                Input::Set(job, at)
            }
            Effect::Took(seq) => {
                self.took.push(seq);
                Input::Taken(seq)
            }
            Effect::Listen | Effect::ListenOutside => Input::Listening,
        };
        self.core.input(input);
    }

    /// Appends what the scheduler says until it says nothing, and returns the causes.
    pub(crate) fn run(&mut self) -> Vec<RunCause> {
        let mut all = Vec::new();
        loop {
            let drafts = self.next();
            if drafts.is_empty() {
                return all;
            }
            for draft in &drafts {
                all.push(draft.cause);
            }
            self.append(drafts);
        }
    }

    /// Appends what the scheduler said.
    pub(crate) fn append(&mut self, said: Vec<RunDue>) {
        for fact in said {
            self.say::<Scheduler, _>(Deployment, fact);
        }
    }

    /// Lets the time pass to a second, with each timer firing in time, and returns the slots that were said.
    pub(crate) fn until(&mut self, second: u64) -> Vec<u64> {
        slots(&self.pass_to(second))
    }

    /// Lets the time pass as [`Self::until`] does, and returns the causes that were said.
    pub(crate) fn pass_to(&mut self, second: u64) -> Vec<RunCause> {
        let mut all = self.run();
        while let Some((job, due)) = self.first_timer().filter(|(_, due)| *due <= at(second)) {
            self.timers.remove(&job);
            self.log.now = self.log.now.max(due);
            self.core.input(Input::Fired(job, due));
            all.extend(self.run());
        }
        self.log.now = self.log.now.max(at(second));
        all
    }

    fn first_timer(&self) -> Option<(JobName, Time)> {
        let timers = self.timers.iter().filter(|_| self.fires);
        let first = timers.min_by_key(|(_, due)| **due);
        first.map(|(job, due)| (job.clone(), *due))
    }

    /// Starts the scheduler again from its snapshot, at a second; the server's timers stay.
    pub(crate) fn restart(&mut self, second: u64) {
        let kept = wire::encode(&self.core.state());
        let state = rmp_serde::from_slice(&kept).expect("a snapshot");
        self.core = SchedulerCore::default();
        self.core.restore(state);
        self.log.now = at(second);
    }

    pub(crate) fn admit(&mut self, task: TaskId) {
        let playbook = self.log.put(Owner::ID, b"playbook");
        let fact = TaskAdmitted {
            contract: Digest::ZERO,
            playbook,
            slots: None,
            session: None,
            dialogue: None,
            job: Some(name("j")),
            of_message: false,
        };
        self.say::<Policy, _>(task, fact);
    }

    pub(crate) fn finish(&mut self, task: TaskId) {
        self.end(task, TaskOutcome::Succeeded);
    }

    /// Ends a run with an outcome.
    pub(crate) fn end(&mut self, task: TaskId, outcome: TaskOutcome) {
        let fact = TaskFinished {
            outcome,
            detail: None,
        };
        self.say::<Worker, _>(task, fact);
    }
}

/// The task of a run of the job.
pub(crate) fn run(version: u32, cause: RunCause) -> TaskId {
    TaskId::of_run(deployment(), &name("j"), version, cause)
}

/// The task of the run of version 1 at a second.
pub(crate) fn task(second: u64) -> TaskId {
    run(1, RunCause::Slot(at(second)))
}

fn said(draft: &Draft<Scheduler>) -> Option<RunDue> {
    Some(body::<_, RunDue>(draft)?.fact)
}

/// The slots, in seconds after the start.
pub(crate) fn slots(causes: &[RunCause]) -> Vec<u64> {
    let slot = |cause: &RunCause| match cause {
        RunCause::Slot(slot) => Some(slot.ms_since(T0) / 1_000),
        RunCause::Ordered(_)
        | RunCause::Triggered { .. }
        | RunCause::Retried(_)
        | RunCause::After(_)
        | RunCause::Started(_) => None,
    };
    causes.iter().filter_map(slot).collect()
}
