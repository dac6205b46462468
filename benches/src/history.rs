//! A long history with real signatures: finished tasks, in stream order.

use std::collections::{BTreeMap, VecDeque};

use actor::{BusClient, Clock, Stored, signing_key};
use async_nats::HeaderMap;
use bus_schema::{
    ActionFinished, ActionGranted, ActionId, ActionOutcome, ActionProposed, ActionStarted, Author,
    AuthorId, Chain, ContractActivated, Counts, Deployment as Whole, Digest, Draft, DraftGrant,
    EventId, Gateway, Grant, Link, Policy, Runner, Sealed, Signed, Statement, TaskAdmitted,
    TaskFinished, TaskId, TaskOutcome, TaskStatement, TaskSubmitted, Time, Usage, Worker,
};
use ed25519_dalek::SigningKey;

use crate::{
    deployment::{self, Deployment},
    raw::Wire,
    runtime::Error,
};

/// Tasks that are open at the same time.
const OPEN: usize = 500;
/// Events of a task of so many actions: submitted, admitted, four of each action, finished.
pub(crate) const fn of_task(actions: u16) -> usize {
    3 + 4 * actions as usize
}
/// The time between two events, in bus time.
const STEP_NS: i64 = 250_000;
/// Events that are in flight to the server at a time.
const WINDOW: usize = 500;

/// The stream, as each reader receives it.
pub(crate) struct History {
    pub(crate) stream: Vec<Stored>,
    keys: BTreeMap<AuthorId, SigningKey>,
    tips: BTreeMap<(AuthorId, Option<TaskId>), (u64, Digest)>,
    clock: Clock,
    now_ns: i64,
}

struct Task {
    id: TaskId,
    playbook: bus_schema::Content,
    args: bus_schema::Content,
    actions: Vec<ActionId>,
}

impl History {
    /// Continues the record of `of`, with its roster and contract, by so many tasks of so many actions.
    pub(crate) async fn write(
        of: &Deployment,
        contract: Digest,
        tasks: usize,
        actions: u16,
    ) -> Result<Self, Error> {
        let access = of.dir.access("owner", &of.file.url());
        let bus = BusClient::connect(&access, of.clock.clone()).await?;
        let mut stream = Vec::with_capacity((tasks + 1) * of_task(actions));
        bus.scan("event.>", 1, |stored| {
            stream.push(stored);
            true
        })
        .await?;
        let mut keys = BTreeMap::from([(AuthorId::Owner, signing_key::load(&of.dir.owner_key())?)]);
        for author in bus_schema::ACTORS {
            let path = of.dir.of(author.name()).join("signing.pem");
            keys.insert(*author, signing_key::load(&path)?);
        }
        let now_ns = stream.last().map_or(0, |last| last.stored.ns());
        let mut history = Self {
            stream,
            keys,
            tips: BTreeMap::new(),
            clock: of.clock.clone(),
            now_ns,
        };
        let name = "bench".parse().map_err(|_| "a name that is none")?;
        history.say(&Draft::<Policy>::of(
            Whole,
            ContractActivated {
                contract,
                name,
                supersedes: None,
            },
        ))?;
        let mut left = tasks;
        while left > 0 {
            let open = left.min(OPEN);
            history.tasks(of, contract, open, actions)?;
            left -= open;
        }
        Ok(history)
    }

    /// Adds concurrent tasks; each author appends for all of them in turn.
    fn tasks(
        &mut self,
        of: &Deployment,
        contract: Digest,
        open: usize,
        actions: u16,
    ) -> Result<(), Error> {
        let mut tasks = Vec::new();
        for _ in 0..open {
            let seal = |bytes| Sealed::new(self.clock.salt(), bytes).map(|sealed| sealed.content());
            tasks.push(Task {
                id: TaskId::new(self.clock.uuid()),
                playbook: seal(deployment::playbook(1).as_bytes())?,
                args: seal(br#"{"path":"."}"#)?,
                actions: (0..actions)
                    .map(|_| ActionId::new(self.clock.uuid()))
                    .collect(),
            });
        }
        let owner = self.key(AuthorId::Owner)?.clone();
        for task in &tasks {
            let said = Statement::Task(TaskStatement {
                session: None,
                dialogue: None,
                deployment: of.file.deployment,
                task: task.id,
                contract,
                playbook: task.playbook,
                slots: None,
                at: self.clock.wall(),
            });
            let (statement, playbook) = (Signed::new(&said, &owner), task.playbook);
            let fact = TaskSubmitted {
                statement,
                playbook,
                slots: None,
                dialogue: None,
            };
            self.say(&Draft::<Gateway>::of(task.id, fact))?;
        }
        for task in &tasks {
            let (playbook, slots) = (task.playbook, None);
            let fact = TaskAdmitted {
                job: None,
                session: None,
                dialogue: None,
                contract,
                playbook,
                slots,
                of_message: false,
            };
            self.say(&Draft::<Policy>::of(task.id, fact))?;
        }
        for index in 0..actions {
            self.actions(of, contract, &tasks, index)?;
        }
        for task in &tasks {
            let (outcome, detail) = (TaskOutcome::Succeeded, None);
            let fact = TaskFinished { outcome, detail };
            self.say(&Draft::<Worker>::of(task.id, fact))?;
        }
        Ok(())
    }

    fn actions(
        &mut self,
        of: &Deployment,
        contract: Digest,
        tasks: &[Task],
        index: u16,
    ) -> Result<(), Error> {
        let invalid = |_| "a name that is none";
        let action = |task: &Task| {
            let action = task.actions.get(usize::from(index)).copied();
            action.ok_or("an action that is not there")
        };
        for task in tasks {
            let fact = ActionProposed {
                action: action(task)?,
                step: format!("s{index}").parse().map_err(invalid)?,
                index,
                item: 0,
                items: 1,
                attempt: 1,
                tool: "file.list".parse().map_err(invalid)?,
                args: task.args,
            };
            self.say(&Draft::<Worker>::of(task.id, fact))?;
        }
        for task in tasks {
            let draft = DraftGrant {
                deployment: of.file.deployment,
                task: task.id,
                action: action(task)?,
                contract,
                rule: "allow.list".parse().map_err(invalid)?,
                tool: "file.list".parse().map_err(invalid)?,
                tool_digest: contract,
                args: task.args,
                args_by: AuthorId::Worker,
                audience: AuthorId::Runner,
                ttl_ms: 10_000,
                wall_ms: 60_000,
                output_bytes_max: 1 << 20,
                secrets: Vec::new(),
                counts: Counts::default(),
                determined: false,
                asked: None,
            };
            let approvals = Vec::new();
            let grant = Grant { draft, approvals };
            self.say(&Draft::<Policy>::of(task.id, ActionGranted { grant }))?;
        }
        for task in tasks {
            let action = action(task)?;
            self.say(&Draft::<Runner>::of(task.id, ActionStarted { action }))?;
        }
        for task in tasks {
            let fact = ActionFinished {
                action: action(task)?,
                outcome: ActionOutcome::Succeeded,
                usage: Usage::default(),
                output: task.args,
                sent: None,
            };
            self.say(&Draft::<Runner>::of(task.id, fact))?;
        }
        Ok(())
    }

    fn key(&self, author: AuthorId) -> Result<&SigningKey, Error> {
        Ok(self.keys.get(&author).ok_or("an author without a key")?)
    }

    fn say<A: Author>(&mut self, draft: &Draft<A>) -> Result<(), Error> {
        let chain = draft.task().filter(|_| A::ID.chain() == Chain::PerTask);
        let (seq, prev) = self
            .tips
            .get(&(A::ID, chain))
            .copied()
            .unwrap_or((0, Digest::ZERO));
        let link = Link {
            seq: seq + 1,
            prev,
            id: EventId::new(self.clock.uuid()),
            at: self.clock.wall(),
        };
        let event = draft.sign(link, self.key(A::ID)?);
        let tip = (link.seq, Digest::of(&[&event.body]));
        self.tips.insert((A::ID, chain), tip);
        self.now_ns += STEP_NS;
        let last = self.stream.last().map_or(0, |last| last.seq);
        self.stream.push(Stored {
            seq: last + 1,
            subject: event.subject,
            signature: Some(event.signature.to_string()),
            schema: Some(event.schema),
            body: event.body,
            stored: Time::from_ns(self.now_ns),
        });
        Ok(())
    }

    /// Appends the missing messages to the stream of `of`, in exactly this order.
    pub(crate) async fn publish(&self, of: &Deployment) -> Result<(), Error> {
        let mut wires = BTreeMap::new();
        for author in bus_schema::ACTORS {
            wires.insert(author.name(), Wire::connect(of, *author).await?);
        }
        let (mut flying, mut before) = (VecDeque::new(), "");
        let there = self.stream.iter().filter(|one| is_written_here(one));
        for stored in there {
            let author = stored.subject.split('.').nth(1).unwrap_or_default();
            // The order between two connections is kept by waiting for the first.
            while flying.len() >= WINDOW || (author != before && !flying.is_empty()) {
                arrived(&mut flying).await?;
            }
            before = author;
            let wire = wires.get(author).ok_or("an author without a connection")?;
            let mut headers = HeaderMap::new();
            let texts = [
                (bus_schema::HEADER_SIGNATURE, &stored.signature),
                (bus_schema::HEADER_SCHEMA, &stored.schema),
            ];
            for (name, text) in texts {
                headers.insert(name, text.as_deref().unwrap_or_default());
            }
            let ack = wire
                .begin(stored.subject.clone(), headers, stored.body.clone())
                .await?;
            flying.push_back((ack, stored.seq));
        }
        while !flying.is_empty() {
            arrived(&mut flying).await?;
        }
        Ok(())
    }
}

fn is_written_here(stored: &Stored) -> bool {
    !stored.subject.starts_with("event.owner.")
}

async fn arrived(
    flying: &mut VecDeque<(async_nats::jetstream::context::PublishAckFuture, u64)>,
) -> Result<(), Error> {
    let Some((ack, seq)) = flying.pop_front() else {
        return Ok(());
    };
    let at = ack.await?.sequence;
    if at == seq {
        Ok(())
    } else {
        Err(format!("message {seq} was stored as {at}").into())
    }
}
