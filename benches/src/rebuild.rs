//! `rebuild`: folds a million events into each projection, and restarts from a snapshot.

use std::{num::NonZeroU16, sync::Arc, time::Duration};

use actor::{Clock, Core};
use audit::{AuditCore, Effect, Input, Log, Origin, Places};
use bus_schema::{AuthorId, ChainScope, Digest, PublicKey, Read, Time, Verifier, wire};
use futures::StreamExt as _;
use gateway::SharedRecord;
use policy::PolicyCore;
use runner::RunnerCore;
use worker::{HELD_BYTES_MAX, WorkerCore};

use crate::{
    deployment::Deployment,
    history::{History, of_task},
    memory::{megabytes, memory},
    raw::Wire,
    runtime::Error,
    table::{self, Row},
};

/// Messages of the stream, unless the first argument is another number.
const EVENTS: usize = 1_000_000;
/// Actions of one task.
const ACTIONS: u16 = 12;
/// Longest that a restart from a snapshot may take.
const RESTART_GOAL_S: f64 = 1.0;
/// Messages that are pulled from each consumer.
const DELIVERIES: u32 = 10_000;
/// Longest that the rebuild of one process may take.
const REBUILD_MAX: Duration = Duration::from_secs(1_200);
/// Longest wait for one process.
const SILENCE: Duration = Duration::from_secs(5);
/// Signature checks that are timed alone.
const SIGNATURES: usize = 20_000;

/// Arguments: the number of events; `--processes` also rebuilds and restarts each actor as a process.
pub(crate) fn run(arguments: &[String]) -> Result<(), Error> {
    let mut numbers = arguments.iter().filter_map(|text| text.parse().ok());
    let events = numbers.next().unwrap_or(EVENTS);
    let with_processes = arguments.iter().any(|text| text == "--processes");
    let rows = crate::runtime::block_on(Box::pin(measure(events, with_processes)))??;
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("rebuild", &rows);
    Ok(())
}

async fn measure(events: usize, with_processes: bool) -> Result<Vec<Row>, Error> {
    let deployment = Deployment::create("2m")?;
    let clock = deployment.clock.clone();
    let fleet = deployment.start_nats().await?;
    let written = async {
        let contract = deployment.sign_contract().await?;
        let began = clock.elapsed();
        let tasks = events.div_ceil(of_task(ACTIONS));
        let history = History::write(&deployment, contract, tasks, ACTIONS).await?;
        let signed = clock.elapsed();
        history.publish(&deployment).await?;
        table::line(&format!(
            "{} events signed in {:.1?}, stored in {:.1?}, load average {}",
            history.stream.len(),
            signed - began,
            clock.elapsed() - signed,
            table::load()
        ));
        Ok::<_, Error>(history)
    };
    let written = written.await;
    fleet.stop().await;
    let history = written?;
    let mut rows = in_memory(&deployment, &history)?;
    let last = history.stream.last().map_or(0, |last| last.seq);
    drop(history);
    rows.extend(deliveries(&deployment, last).await?);
    if with_processes {
        rows.extend(processes(&deployment).await?);
    }
    Ok(rows)
}

fn in_memory(deployment: &Deployment, history: &History) -> Result<Vec<Row>, Error> {
    let key = actor::signing_key::load(&deployment.dir.owner_key())?;
    let owner = bus_schema::public_key(&key);
    let clock = &deployment.clock;
    let reader = |me| Reader {
        history,
        clock,
        owner,
        me,
    };
    let signatures = signatures(deployment, history)?;
    table::line(&format!("Ed25519 alone: {signatures:.1} µs for each event"));
    let mut rows = vec![Row::new("signature check alone: µs", signatures, None)];
    let mut workers = || Ok(WorkerCore::new(NonZeroU16::MAX, HELD_BYTES_MAX));
    rows.extend(reader(AuthorId::Worker).fold(&mut workers, &mut |_| Ok(()))?);
    let mut policies = || Ok(PolicyCore::new(owner));
    rows.extend(reader(AuthorId::Policy).fold(&mut policies, &mut |_| Ok(()))?);
    let mut runners = || Ok(RunnerCore::new(owner, 8).0);
    rows.extend(reader(AuthorId::Runner).fold(&mut runners, &mut |_| Ok(()))?);
    let mut gateways = || Ok(gateway::core::Core::new(SharedRecord::new()));
    rows.extend(reader(AuthorId::Gateway).fold(&mut gateways, &mut |_| Ok(()))?);
    rows.extend(audits(deployment, &reader(AuthorId::Audit))?);
    Ok(rows)
}

/// Audit stores as it folds, as its service does.
fn audits(deployment: &Deployment, reader: &Reader<'_>) -> Result<Vec<Row>, Error> {
    let folder = tempfile::TempDir::with_prefix("contractual-bench-")?;
    let places = Places {
        log: folder.path().join("log"),
        anchor: folder.path().join("anchor"),
    };
    std::fs::create_dir(&places.log)?;
    std::fs::create_dir(&places.anchor)?;
    let path = deployment.dir.of("audit").join("signing.pem");
    let key = actor::signing_key::load(&path)?;
    let id = deployment.file.deployment;
    let mut log = Log::create(&places, &Origin::of(id), key, 1)?;
    let view = Arc::new(log.view().ok_or("a log that cannot be read")?);
    let mut cores = || Ok(AuditCore::new(id, Arc::clone(&view), Time::default()));
    let mut store = |core: &mut AuditCore| {
        let Some(Effect::Store {
            entries, reading, ..
        }) = core.to_store()
        else {
            return Ok(());
        };
        let last = entries.last().map_or(0, |entry| entry.stored_ns);
        log.append(&entries)?;
        log.checkpoint(last)?;
        let view = Arc::new(log.view().ok_or("a log that cannot be read")?);
        let stored = Time::from_ns(last);
        core.input(Input::Stored {
            view,
            stored,
            reading,
        });
        Ok(())
    };
    reader.fold(&mut cores, &mut store)
}

/// The time of one signature check, in microseconds.
fn signatures(deployment: &Deployment, history: &History) -> Result<f64, Error> {
    let path = deployment.dir.of("policy").join("signing.pem");
    let key = bus_schema::public_key(&actor::signing_key::load(&path)?);
    let of_policy = |subject: &str| subject.starts_with("event.policy.");
    let events = history.stream.iter().filter(|one| of_policy(&one.subject));
    let began = deployment.clock.elapsed();
    let mut count = 0;
    for one in events.take(SIGNATURES) {
        let signature = one.signature.as_deref().unwrap_or_default().parse();
        let signature = signature.map_err(|_| "a signature that is none")?;
        if !bus_schema::verify(&key, &one.body, &signature) {
            return Err("a signature that does not verify".into());
        }
        count += 1;
    }
    let took = deployment.clock.elapsed() - began;
    Ok(took.as_secs_f64() * 1e6 / f64::from(count.max(1)))
}

struct Reader<'a> {
    history: &'a History,
    clock: &'a Clock,
    owner: PublicKey,
    me: AuthorId,
}

impl Reader<'_> {
    /// Folds all messages of the consumer of `me`, as the loop does; then makes a snapshot and restarts from it.
    fn fold<C: Core>(
        &self,
        make: &mut dyn FnMut() -> Result<C, Error>,
        after: &mut dyn FnMut(&mut C) -> Result<(), Error>,
    ) -> Result<Vec<Row>, Error> {
        let me = self.me;
        let sees = if me == AuthorId::Audit {
            ChainScope::Everything
        } else {
            ChainScope::Own(me)
        };
        let before = memory("VmRSS:")?;
        let (mut core, mut verifier) = (make()?, Verifier::new(self.owner, sees));
        let mut last = (0_u64, Digest::ZERO);
        let mut count: u32 = 0;
        let began = self.clock.elapsed();
        for stored in &self.history.stream {
            count += 1;
            let raw = stored.raw();
            last = (raw.seq, Digest::of(&[raw.body]));
            match verifier.read::<C::Fact>(&raw)? {
                Read::Fact(seen) => {
                    let meta = *seen.meta();
                    core.observe(&raw, Ok(&meta));
                    core.fold(seen);
                }
                Read::Other(meta) => core.observe(&raw, Ok(&meta)),
                Read::Junk(junk) => return Err(format!("{me}: {junk} at {}", raw.seq).into()),
            }
            after(&mut core)?;
        }
        let took = (self.clock.elapsed() - began).as_secs_f64();
        let each_us = took * 1e6 / f64::from(count.max(1));
        table::line(&format!(
            "{me}: {count} of {} delivered, {each_us:.1} µs each, {took:.1} s; {:.1} MB grown",
            self.history.stream.len(),
            megabytes(memory("VmRSS:")?.saturating_sub(before)),
        ));
        let mut rows = vec![
            Row::new(format!("{me}: events/s"), f64::from(count) / took, None),
            Row::new(format!("{me}: rebuild s"), took, None),
        ];
        rows.extend(self.keep(make, (last, verifier, core))?);
        Ok(rows)
    }

    /// Encodes the snapshot of the projection, and restores it in another core.
    fn keep<C: Core>(
        &self,
        make: &mut dyn FnMut() -> Result<C, Error>,
        (last, verifier, core): ((u64, Digest), Verifier, C),
    ) -> Result<Vec<Row>, Error> {
        let me = self.me;
        let began = self.clock.elapsed();
        let kept = wire::encode(&(last, &verifier, core.state()));
        let encoded = (self.clock.elapsed() - began).as_secs_f64();
        drop((core, verifier));
        let mut again = make()?;
        let began = self.clock.elapsed();
        let ((seq, _), _verifier, state): ((u64, Digest), Verifier, C::State) =
            rmp_serde::from_slice(&kept)?;
        again.restore(state);
        let restored = (self.clock.elapsed() - began).as_secs_f64();
        let size = megabytes(u64::try_from(kept.len())?);
        table::line(&format!(
            "    snapshot at {seq} of {size:.1} MB, encoded in {encoded:.3} s, decoded and restored in {restored:.3} s"
        ));
        let restore = format!("{me}: restore in memory s");
        Ok(vec![
            Row::new(format!("{me}: snapshot MB"), size, None),
            Row::new(restore, restored, Some(RESTART_GOAL_S)),
        ])
    }
}

/// Measures the server alone: delivery to each actor's consumer from the start of the stream, and near its end.
async fn deliveries(deployment: &Deployment, events: u64) -> Result<Vec<Row>, Error> {
    let fleet = deployment.start_nats().await?;
    let rows = async {
        let mut rows = Vec::new();
        for author in bus_schema::ACTORS {
            let wire = Wire::connect(deployment, *author).await?;
            let last = events.saturating_sub(u64::from(DELIVERIES) * 2).max(1);
            for (place, from) in [("the start", 1), ("near the end", last)] {
                let mut messages = wire.pull(*author, from).await?;
                let began = deployment.clock.elapsed();
                let mut came = 0;
                while came < DELIVERIES
                    && let Ok(Some(message)) = tokio::time::timeout(SILENCE, messages.next()).await
                {
                    message?;
                    came += 1;
                }
                let took = (deployment.clock.elapsed() - began).as_secs_f64();
                let case = format!("{author}: delivered from {place}: events/s");
                rows.push(Row::new(case, f64::from(came) / took, None));
            }
        }
        Ok(rows)
    };
    let rows = rows.await;
    fleet.stop().await;
    rows
}

/// Measures each actor as a process with a real server: a rebuild, a stop with a snapshot, a restart.
async fn processes(deployment: &Deployment) -> Result<Vec<Row>, Error> {
    let mut rows = Vec::new();
    for author in bus_schema::ACTORS {
        let mut took = Vec::new();
        for _ in 0..2 {
            let mut fleet = deployment.start_nats().await?;
            let began = deployment.clock.elapsed();
            let ready = match fleet.start(*author) {
                Ok(()) => fleet.wait_ready(&[author.name()], REBUILD_MAX).await,
                Err(error) => Err(error),
            };
            let seconds = (deployment.clock.elapsed() - began).as_secs_f64();
            let processes = fleet.processes();
            let found = processes.iter().find(|one| one.name == author.name());
            took.push((seconds, found.map_or(0, |one| one.rss_bytes)));
            fleet.stop().await;
            ready?;
        }
        let [(rebuilt, rss), (restarted, rss_again)] = took[..] else {
            continue;
        };
        table::line(&format!(
            "{author} as a process: ready after {rebuilt:.2} s ({:.1} MB), restarted in {restarted:.3} s ({:.1} MB)",
            megabytes(rss),
            megabytes(rss_again)
        ));
        rows.push(Row::new(
            format!("{author} process: rebuild s"),
            rebuilt,
            None,
        ));
        rows.push(Row::new(
            format!("{author} process: restart from its snapshot s"),
            restarted,
            Some(RESTART_GOAL_S),
        ));
    }
    Ok(rows)
}
