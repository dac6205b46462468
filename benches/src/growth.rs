//! `growth`: the times of an append, a verdict, a restart and a list by the number of tasks in the record.

use std::{
    collections::VecDeque,
    process::{Command, Stdio},
    time::Duration,
};

use async_nats::HeaderMap;
use bus_schema::{AuthorId, Digest, TaskId, stream};
use deployment::fleet::Fleet;

use crate::{
    accounts::Accounts,
    deployment::{Deployment, Shape, playbook},
    history::History,
    raw::{Expected, Noise, Wire},
    runtime::Error,
    system::{actions, watch},
    table::{self, Row, Times},
};

/// The first and the last number of tasks, unless an argument is given; each is ten times the one before it.
const TASKS: (usize, usize) = (1_000, 10_000);
/// Actions of each of them: two events of policy, two of the worker, two of the runner, one of the gateway.
const ACTIONS: u16 = 1;
/// The number of rounds; the sizes take turns.
const ROUNDS: usize = 3;
/// Actions with timed verdicts in a round, and the ones before them that are not timed.
const STEPS: (usize, usize) = (120, 20);
/// Appends of each kind in a round.
const APPENDS: usize = 200;
/// Bytes of an event's body.
const BYTES: usize = 600;
/// Events that are in flight at a time while a record is made.
const WINDOW: usize = 500;
/// The number of lists of tasks in a round.
const LISTS: usize = 5;
/// The timeout for an actor to read everything.
const READ_WITHIN: Duration = Duration::from_secs(900);
/// The label of the goal of 1.2.
const GOAL: &str = " (at most 1.2)";

/// A record of so many tasks, and its measurements.
struct Grown {
    tasks: usize,
    ours: Deployment,
    /// A deployment with the same number of events, in which policy's subjects name the task.
    before: Deployment,
    contract: Digest,
    taken: Taken,
}

/// Times by name, in the order of the first measurement.
#[derive(Default)]
struct Taken(Vec<(String, Times)>);

impl Taken {
    fn note(&mut self, what: &str, value: f64) {
        if let Some((_, times)) = self.0.iter_mut().find(|(known, _)| known == what) {
            times.push(value);
        } else {
            let mut times = Times::default();
            times.push(value);
            self.0.push((what.to_owned(), times));
        }
    }

    fn median(&self, what: &str) -> Option<f64> {
        let found = self.0.iter().find(|(known, _)| known == what);
        found.map(|(_, times)| times.percentile(50))
    }
}

/// Arguments: `--tasks N` for another largest record than the one of 100,000 tasks.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let most = table::option(arguments, "--tasks")?.unwrap_or(TASKS.1);
    let mut sizes: Vec<usize> = std::iter::successors(Some(TASKS.0), |tasks| tasks.checked_mul(10))
        .take_while(|tasks| *tasks < most)
        .collect();
    sizes.push(most);
    let mut all = Vec::new();
    for tasks in sizes {
        all.push(crate::runtime::block_on(Box::pin(grow(tasks)))??);
    }
    for round in 1..=ROUNDS {
        let load = table::load();
        table::line(&format!(
            "\n== round {round} of {ROUNDS}, load average {load}"
        ));
        for grown in &mut all {
            crate::runtime::block_on(Box::pin(grown.running()))??;
        }
    }
    // Last, because the events appended here are not signed.
    for _ in 0..ROUNDS {
        for grown in &mut all {
            crate::runtime::block_on(Box::pin(grown.appends()))??;
            crate::runtime::block_on(Box::pin(grown.appends_before()))??;
        }
    }
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("growth", &rows(&all));
    Ok(())
}

fn rows(all: &[Grown]) -> Vec<Row> {
    let Some((first, others)) = all.split_first() else {
        return Vec::new();
    };
    let mut rows = Vec::new();
    for (what, times) in &first.taken.0 {
        let least = times.percentile(50);
        let case = format!("{what}: {} tasks", first.tasks);
        rows.push(Row::new(case, least, None));
        for grown in others {
            let case = format!("{what}: {} tasks", grown.tasks);
            let value = grown.taken.median(what).unwrap_or(0.0);
            rows.push(Row::new(case, value, Some(least)));
        }
    }
    rows
}

/// Makes the records, and makes every actor read the real one.
async fn grow(tasks: usize) -> Result<Grown, Error> {
    let ours = Deployment::create("2m")?;
    let clock = ours.clock.clone();
    let began = clock.elapsed();
    let fleet = ours.start_nats().await?;
    let written = async {
        let contract = ours.sign_contract().await?;
        let history = History::write(&ours, contract, tasks, ACTIONS).await?;
        history.publish(&ours).await?;
        Ok::<_, Error>((contract, history.stream.len()))
    };
    let written = written.await;
    fleet.stop().await;
    let (contract, events) = written?;
    let before = Deployment::shaped(&Shape {
        accounts: Accounts::TaskInSubject,
        ..Shape::shipped("2m")
    })?;
    let fleet = before.start_nats().await?;
    let filled = fill(&before, tasks).await;
    fleet.stop().await;
    filled?;
    let made = clock.elapsed() - began;
    let mut grown = Grown {
        tasks,
        ours,
        before,
        contract,
        taken: Taken::default(),
    };
    let mut fleet = grown.ours.start_nats().await?;
    let began = clock.elapsed();
    let read = start(&mut fleet, bus_schema::ACTORS).await;
    let took = clock.elapsed() - began;
    fleet.stop().await;
    read?;
    let what = "all actors read everything for the first time: s";
    grown.taken.note(what, took.as_secs_f64());
    table::line(&format!(
        "{tasks} tasks, {events} events: made in {made:.1?}, first read by all actors in {took:.1?}"
    ));
    Ok(grown)
}

/// Starts some actors and waits until each is ready.
async fn start(fleet: &mut Fleet, authors: &[AuthorId]) -> Result<(), Error> {
    for author in authors {
        fleet.start(*author)?;
    }
    let names: Vec<_> = authors.iter().map(|author| author.name()).collect();
    Ok(fleet.wait_ready(&names, READ_WITHIN).await?)
}

/// Stores the events of `tasks` tasks, with the former subjects.
async fn fill(of: &Deployment, tasks: usize) -> Result<(), Error> {
    let says = [
        (AuthorId::Gateway, "task.submitted"),
        (AuthorId::Policy, "task.admitted"),
        (AuthorId::Worker, "action.proposed"),
        (AuthorId::Policy, "action.granted"),
        (AuthorId::Runner, "action.started"),
        (AuthorId::Runner, "action.finished"),
        (AuthorId::Worker, "task.finished"),
    ];
    let mut wires = Vec::new();
    for (author, kind) in says {
        wires.push((Wire::connect(of, author).await?, author, kind));
    }
    let mut noise = Noise::new(11);
    let mut flying = VecDeque::new();
    for _ in 0..tasks {
        let task = TaskId::new(of.clock.uuid());
        for (wire, author, kind) in &wires {
            let subject = format!("event.{author}.{task}.{kind}");
            let body = noise.bytes(BYTES);
            flying.push_back(wire.begin(subject, HeaderMap::new(), body).await?);
            if flying.len() >= WINDOW
                && let Some(first) = flying.pop_front()
            {
                first.await?;
            }
        }
    }
    for ack in flying {
        ack.await?;
    }
    Ok(())
}

impl Grown {
    /// Measures a restart, the verdicts of a task, and a list of tasks.
    async fn running(&mut self) -> Result<(), Error> {
        let mut fleet = self.ours.start_nats().await?;
        let measured = self.measure(&mut fleet).await;
        for one in fleet.processes() {
            let what = format!("memory (PSS) of {}: MB", one.name);
            self.taken.note(&what, megabytes(one.pss_bytes));
        }
        fleet.stop().await;
        measured
    }

    async fn measure(&mut self, fleet: &mut Fleet) -> Result<(), Error> {
        let clock = self.ours.clock.clone();
        for author in [AuthorId::Policy, AuthorId::Gateway] {
            let began = clock.elapsed();
            start(fleet, &[author]).await?;
            let took = (clock.elapsed() - began).as_secs_f64();
            let what = format!("restart of {author} until it is ready: ms");
            self.taken.note(&what, took * 1000.0);
        }
        let others = [AuthorId::Audit, AuthorId::Runner, AuthorId::Worker];
        start(fleet, &others).await?;
        let client = contractual::client(&self.ours.opened()?)?;
        let text = playbook(STEPS.0);
        let submitted = client.submit(self.contract, text.as_bytes()).await?;
        watch(&self.ours, &client, submitted.task, &mut Times::default()).await?;
        let measured = actions(&self.ours, submitted.seq).await?;
        let measured = measured.measured(STEPS.1);
        if measured.count != STEPS.0 - STEPS.1 {
            return Err(format!("{} actions were finished", measured.count).into());
        }
        let [verdicts, ..] = measured.hops;
        table::line(&format!(
            "{} tasks, verdict: {}",
            self.tasks,
            verdicts.text()
        ));
        let what = format!("proposal stored to grant stored: p50 ms{GOAL}");
        self.taken.note(&what, verdicts.percentile(50));
        for _ in 0..LISTS {
            let began = clock.elapsed();
            self.list()?;
            let took = (clock.elapsed() - began).as_secs_f64();
            self.taken.note("`task list`: p50 ms", took * 1000.0);
        }
        Ok(())
    }

    /// Lists the tasks as a person does.
    fn list(&self) -> Result<(), Error> {
        let listed = Command::new(std::env::current_exe()?)
            .args(["task", "list", "--dir"])
            .arg(self.ours.dir.path())
            .stdin(Stdio::null())
            .output()?;
        if listed.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&listed.stderr).into())
        }
    }

    /// Appends as policy and the worker do, to a stream without readers.
    async fn appends(&mut self) -> Result<(), Error> {
        let fleet = self.ours.start_nats().await?;
        let done = self.append().await;
        fleet.stop().await;
        done
    }

    async fn append(&mut self) -> Result<(), Error> {
        let worker = Wire::connect(&self.ours, AuthorId::Worker).await?;
        let policy = Wire::connect(&self.ours, AuthorId::Policy).await?;
        let granted = || "event.policy.action.granted".to_owned();
        let mut noise = Noise::new(13);
        let mut tip = policy.event(granted(), noise.bytes(BYTES), None).await?;
        for n in 0..=APPENDS {
            let task = TaskId::new(self.ours.clock.uuid());
            let proposed = || format!("event.worker.{task}.action.proposed");
            let of_task = |last| Expected {
                subtree: stream::subtree(AuthorId::Worker, Some(task)),
                last,
            };
            let of_policy = Expected {
                subtree: stream::subtree(AuthorId::Policy, None),
                last: tip,
            };
            let mut timed =
                async |what: &str, wire: &Wire, subject: String, expected: Option<&Expected>| {
                    let (body, began) = (noise.bytes(BYTES), self.ours.clock.elapsed());
                    let seq = wire.event(subject, body, expected).await?;
                    let took = (self.ours.clock.elapsed() - began).as_secs_f64() * 1000.0;
                    // The server has just started, and its caches are empty.
                    if n > 0 {
                        self.taken.note(what, took);
                    }
                    Ok::<_, Error>(seq)
                };
            let what = format!("policy's append: p50 ms{GOAL}");
            tip = timed(&what, &policy, granted(), Some(&of_policy)).await?;
            let what = format!("the worker's first append about a task: p50 ms{GOAL}");
            let seq = timed(&what, &worker, proposed(), Some(&of_task(0))).await?;
            let what = format!("the worker's next append about it: p50 ms{GOAL}");
            timed(&what, &worker, proposed(), Some(&of_task(seq))).await?;
            let what = "an append that expects nothing: p50 ms";
            timed(what, &worker, proposed(), None).await?;
        }
        Ok(())
    }

    /// Appends as policy did when its subjects named the task.
    async fn appends_before(&mut self) -> Result<(), Error> {
        let fleet = self.before.start_nats().await?;
        let done = self.append_before().await;
        fleet.stop().await;
        done
    }

    async fn append_before(&mut self) -> Result<(), Error> {
        let policy = Wire::connect(&self.before, AuthorId::Policy).await?;
        let mut noise = Noise::new(17);
        let mut tip = None;
        for n in 0..=APPENDS {
            let task = TaskId::new(self.before.clock.uuid());
            let subject = format!("event.policy.{task}.action.granted");
            let expected = tip.map(|last| Expected {
                subtree: "event.policy.>".to_owned(),
                last,
            });
            let (body, began) = (noise.bytes(BYTES), self.before.clock.elapsed());
            tip = Some(policy.event(subject, body, expected.as_ref()).await?);
            let took = (self.before.clock.elapsed() - began).as_secs_f64() * 1000.0;
            // The first one has no compare-and-set, and the second misses the server's cache.
            if n > 1 {
                let what = "policy's append, when its subjects named the task: p50 ms";
                self.taken.note(what, took);
            }
        }
        Ok(())
    }
}

fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0
}
