//! A gateway on the loopback, whose channel to the bus the test controls.

use std::{
    collections::BTreeSet,
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actor::{Clock, Context, Core as _, NoAnswer, Outbox};
use bus_schema::{
    AccessStatement, ActionId, ApprovalStatement, Author, AuthorId, ChainScope, Content, Counts,
    Deployment, DeploymentId, Digest, Draft, DraftGrant, GatewayFact, Meta, Owner, Read, Sealed,
    ShowPage, ShownPage, Signed, Statement, TaskId, TaskStatement, Time, Verifier, public_key,
    testing::TestLog, wire,
};
use data_encoding::BASE64;
use gateway::{
    AppState, BusRequest, Entrance, HandedIn, Limits, SharedRecord, api,
    client::Client,
    config::{Hosts, Origins},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinSet,
};
use uuid::Uuid;

pub(crate) use bus_schema::testing::{key, owner};

pub(crate) const NAME: &str = "gateway.example.ts.net";

/// The origin of the signer on the loopback.
pub(crate) const SIGNER: &str = "http://127.0.0.1:8081";
/// The origin of the signer behind the sidecar.
pub(crate) const SIGNER_BEHIND: &str = "https://gateway.example.ts.net:8443";

/// The stream as the gateway's own loop reads it: the same verifier, the same core.
pub(crate) struct Stream {
    pub(crate) core: gateway::core::Core,
    pub(crate) log: TestLog,
    pub(crate) silent: bool,
    /// The answer of ui; none if it is down.
    pub(crate) page: Option<ShownPage>,
    /// The requests for pages.
    pub(crate) asked: Vec<ShowPage>,
    /// The messages of webhooks.
    pub(crate) handed_in: Vec<HandedIn>,
    verifier: Verifier,
    clock: Clock,
}

impl Stream {
    pub(crate) fn new(shared_record: Arc<SharedRecord>, clock: Clock) -> Self {
        let mut stream = Self {
            core: gateway::core::Core::new(shared_record),
            log: TestLog::new(clock.wall()),
            silent: false,
            page: None,
            asked: Vec::new(),
            handed_in: Vec::new(),
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Gateway)),
            clock,
        };
        let roster = stream.log.roster(deployment());
        stream.append(Draft::<Owner>::of(Deployment, roster));
        stream
    }

    /// Stores a draft as the bus would, one millisecond after the one before.
    pub(crate) fn append<A: Author>(&mut self, draft: Draft<A>) -> Meta {
        self.clock.advance(Duration::from_millis(1));
        self.log.now = self.clock.wall();
        let raw = self.log.append(&draft).raw();
        let Read::Fact(seen) = self.verifier.read::<GatewayFact>(&raw).unwrap() else {
            panic!("{} is not read as a fact", raw.subject);
        };
        let meta = *seen.meta();
        self.core.observe(&raw, Ok(&meta));
        self.core.fold(seen);
        meta
    }

    /// Tells the core that the stream was read to its end, as the loop does.
    pub(crate) fn catch_up(&self) {
        let (busy, running) = (BTreeSet::new(), BTreeSet::new());
        let mut out = Outbox::new(self.clock.wall(), None, &busy, &running, &self.clock);
        self.core.next(&mut out);
    }

    fn answer(&mut self, ask: BusRequest) {
        match ask {
            BusRequest::Append(draft, reply) => drop(reply.send(self.append(draft))),
            BusRequest::Fetch(author, content, reply) => {
                let stored = self.log.contents.get(&(author, *content.digest()));
                let sealed = stored.and_then(|stored| Sealed::from_stored(stored.clone()).ok());
                drop(reply.send(Ok(sealed)));
            }
            BusRequest::HandIn(message, reply) => {
                self.handed_in.push(message);
                drop(reply.send(Ok(self.handed_in.len() as u64)));
            }
            BusRequest::Show(asked, reply) => {
                let page = self.page.clone().ok_or(NoAnswer::Nobody(AuthorId::Ui));
                self.asked.push(asked);
                drop(reply.send(page));
            }
        }
    }
}

/// A running gateway.
pub(crate) struct World {
    pub(crate) address: SocketAddr,
    pub(crate) clock: Clock,
    pub(crate) stop: watch::Sender<bool>,
    pub(crate) state: PathBuf,
    pub(crate) tasks: JoinSet<()>,
    stream: Arc<Mutex<Stream>>,
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(Limits::SERVICE).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        let world = Self::starting(limits).await;
        world.stream().catch_up();
        world
    }

    /// A gateway with the edge listener, for `sidecar`.
    pub(crate) async fn edge(sidecar: IpAddr) -> Self {
        let entrance = |address| Entrance::edge(address, sidecar);
        let world = Self::behind(entrance, Limits::SERVICE).await;
        world.stream().catch_up();
        world
    }

    /// A gateway that has not read the stream to its end.
    pub(crate) async fn starting(limits: Limits) -> Self {
        Self::behind(Entrance::loopback, limits).await
    }

    async fn behind(entrance: impl FnOnce(SocketAddr) -> Entrance, limits: Limits) -> Self {
        static STARTED: AtomicU32 = AtomicU32::new(0);
        let started = STARTED.fetch_add(1, Ordering::Relaxed);
        let state = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("gateway-{started}"));
        drop(std::fs::remove_dir_all(&state));
        std::fs::create_dir_all(&state).unwrap();
        let clock = Clock::fake("2026-01-02T03:04:05Z".parse().unwrap());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let entrance = entrance(address);
        let hosts = Hosts::try_from(vec![NAME.to_owned()]).unwrap();
        let signers = [SIGNER, SIGNER_BEHIND].map(str::to_owned).to_vec();
        let hosts = hosts.with_signers(Origins::try_from(signers).unwrap());
        let (stop, stopping) = watch::channel(false);
        let context = Context {
            owner: owner(),
            key: public_key(&key(AuthorId::Gateway)),
            state: state.clone(),
            folder: state.clone(),
            clock: clock.clone(),
            stop: stopping,
        };
        let shared_record = SharedRecord::new();
        let stream = Arc::new(Mutex::new(Stream::new(
            Arc::clone(&shared_record),
            clock.clone(),
        )));
        let (bus_requests, mut asks) = mpsc::channel(8);
        let edge = AppState::new(&context, shared_record, bus_requests, hosts, limits);
        let mut tasks = JoinSet::new();
        let bus = Arc::clone(&stream);
        tasks.spawn(async move { gateway::serve(listener, entrance, edge).await.unwrap() });
        tasks.spawn(async move {
            // Unanswered requests stay open, as with an unreachable bus.
            let mut kept = Vec::new();
            while let Some(ask) = asks.recv().await {
                let mut bus = bus.lock().unwrap();
                if bus.silent {
                    kept.push(ask)
                } else {
                    bus.answer(ask)
                }
            }
        });
        Self {
            address,
            clock,
            stop,
            state,
            tasks,
            stream,
        }
    }

    pub(crate) fn stream(&self) -> MutexGuard<'_, Stream> {
        self.stream.lock().unwrap()
    }

    pub(crate) fn append<A: Author>(&self, draft: Draft<A>) -> Meta {
        self.stream().append(draft)
    }

    pub(crate) fn client(&self) -> Client {
        let url = format!("http://{}", self.address);
        Client::new(&url, key(AuthorId::Owner), deployment(), self.clock.clone()).unwrap()
    }

    /// Sends bytes and reads until the gateway closes.
    pub(crate) async fn raw(&self, request: &[u8]) -> Answer {
        let mut socket = TcpStream::connect(self.address).await.unwrap();
        // A refusal can arrive and the connection close before all was sent.
        drop(socket.write_all(request).await);
        let mut bytes = Vec::new();
        let read = tokio::time::timeout(Duration::from_secs(10), socket.read_to_end(&mut bytes));
        drop(read.await.expect("the gateway closes the connection"));
        Answer::parse(&bytes)
    }

    /// Sends a request on its own connection, with these header lines, and `Host` unless they contain one.
    pub(crate) async fn ask(&self, line: &str, headers: &[&str], body: &str) -> Answer {
        let mut text = format!("{line} HTTP/1.1\r\nConnection: close\r\n");
        if !headers
            .iter()
            .any(|header| header.to_lowercase().starts_with("host:"))
        {
            text.push_str(&format!("Host: {}\r\n", self.address));
        }
        for header in headers
            .iter()
            .filter(|header| !header.eq_ignore_ascii_case("host:"))
        {
            text.push_str(&format!("{header}\r\n"));
        }
        if !body.is_empty() {
            text.push_str(&format!("Content-Length: {}\r\n", body.len()));
        }
        self.raw(format!("{text}\r\n{body}").as_bytes()).await
    }

    /// A read by the owner.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        let access = self.access();
        self.ask(&format!("GET {path}"), &[&access], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &str) -> Answer {
        self.ask(
            &format!("POST {path}"),
            &["Content-Type: application/json"],
            body,
        )
        .await
    }

    pub(crate) fn access(&self) -> String {
        let until = self.clock.wall().plus_ms(60_000);
        authorization(&access(deployment(), until))
    }

    /// A task that is on the bus.
    pub(crate) fn submitted(&self) -> TaskId {
        let signed = self.task();
        let playbook = signed.playbook.content();
        let fact = bus_schema::TaskSubmitted {
            statement: signed.signed,
            playbook,
            slots: None,
            dialogue: None,
        };
        self.append(Draft::<bus_schema::Gateway>::of(signed.task, fact).with(signed.playbook))
            .task
            .unwrap()
    }

    /// A task that is ready to be submitted.
    pub(crate) fn task(&self) -> Ready {
        let task = TaskId::new(self.clock.uuid());
        let playbook = Sealed::new(self.clock.salt(), b"[[step]]\n").unwrap();
        Ready {
            task,
            signed: signed_task(task, &playbook),
            playbook,
        }
    }

    pub(crate) fn draft(&self, task: TaskId) -> DraftGrant {
        DraftGrant {
            deployment: deployment(),
            task,
            action: ActionId::new(self.clock.uuid()),
            contract: Digest::of(&[b"contract"]),
            rule: "allow.0".parse().unwrap(),
            tool: "file.read".parse().unwrap(),
            tool_digest: Digest::of(&[b"tool"]),
            args: content(b"{}"),
            args_by: AuthorId::Worker,
            audience: AuthorId::Runner,
            ttl_ms: 30_000,
            wall_ms: 1_000,
            output_bytes_max: 1_000,
            secrets: Vec::new(),
            counts: Counts::default(),
            determined: false,
            asked: None,
        }
    }
}

/// A signed task with its playbook.
pub(crate) struct Ready {
    pub(crate) task: TaskId,
    pub(crate) signed: Signed,
    pub(crate) playbook: Sealed,
}

impl Ready {
    pub(crate) fn json(&self) -> String {
        let signed = self.signed.clone();
        serde_json::to_string(&api::SubmitTask {
            signed,
            playbook: self.playbook.clone(),
            slots: None,
            dialogue: None,
        })
        .unwrap()
    }
}

/// A parsed response.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    fn parse(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes);
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        let status = head
            .split(' ')
            .nth(1)
            .and_then(|status| status.parse().ok())
            .unwrap_or(0);
        Self {
            status,
            head: head.to_lowercase(),
            body: body.to_owned(),
        }
    }

    /// The last part of a problem's type; also checks that the problem is complete.
    pub(crate) fn problem(&self) -> String {
        assert!(
            self.head.contains("content-type: application/problem+json"),
            "{self:?}"
        );
        let problem: api::ProblemBody = serde_json::from_str(&self.body).unwrap();
        assert_eq!(problem.status, self.status);
        assert!(
            !problem.title.is_empty() && !problem.detail.is_empty(),
            "{problem:?}"
        );
        problem
            .kind
            .strip_prefix("urn:contractual:problem:")
            .unwrap()
            .to_owned()
    }
}

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::new(Uuid::from_u128(7))
}

pub(crate) fn content(bytes: &[u8]) -> Content {
    Sealed::new(bus_schema::Salt::new([9; 32]), bytes)
        .unwrap()
        .content()
}

pub(crate) fn access(deployment: DeploymentId, until: Time) -> Signed {
    sign(&Statement::Access(AccessStatement { deployment, until }))
}

pub(crate) fn sign(statement: &Statement) -> Signed {
    Signed::new(statement, &key(AuthorId::Owner))
}

pub(crate) fn base64(signed: &Signed) -> String {
    BASE64.encode(&wire::encode(signed))
}

pub(crate) fn authorization(signed: &Signed) -> String {
    format!("Authorization: Contractual {}", base64(signed))
}

pub(crate) fn signed_task(task: TaskId, playbook: &Sealed) -> Signed {
    sign(&task_statement(deployment(), task, playbook))
}

pub(crate) fn task_statement(
    deployment: DeploymentId,
    task: TaskId,
    playbook: &Sealed,
) -> Statement {
    Statement::Task(TaskStatement {
        session: None,
        dialogue: None,
        deployment,
        task,
        contract: Digest::of(&[b"contract"]),
        playbook: playbook.content(),
        slots: None,
        at: Time::from_ns(1),
    })
}

pub(crate) fn approval(draft: &DraftGrant) -> Signed {
    sign(&Statement::Approval(ApprovalStatement {
        deployment: draft.deployment,
        task: draft.task,
        action: draft.action,
        contract: draft.contract,
        draft: draft.digest(),
        approve: true,
        at: Time::from_ns(1),
    }))
}
