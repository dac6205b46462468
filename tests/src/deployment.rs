//! A whole deployment in a temporary folder: files, server, services, and clients.

mod contained;
mod nats;
mod one_account;

use std::{
    collections::BTreeMap,
    io::Write as _,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU16, Ordering},
    },
    time::SystemTime,
};

use actor::{BusClient, Clock, Health, signing_key};
use bus_schema::{ACTORS, AuthorId, DeploymentId, PublicKey, public_key};
use contractual::example;
use deployment::{DeploymentFile, Dir, fleet::SIGNER, init, init::Choices, provision};
use ed25519_dalek::SigningKey;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    SOON, contractual, eventually,
    process::{Process, tail},
};

pub use contained::{can_contain, profile};
pub use nats::Nats;

/// The server's name among the processes.
pub const NATS: &str = "nats";
/// Ports that the system gives to no outgoing connection.
const PORTS: std::ops::Range<u16> = 20_000..30_000;

/// A deployment with its own folder, keys, ports and processes.
#[derive(Debug)]
pub struct Deployment {
    // Dropped before the folder that they work in.
    processes: Mutex<BTreeMap<String, Process>>,
    dir: Dir,
    file: DeploymentFile,
    clock: Clock,
    scratch: TempDir,
}

impl Default for Deployment {
    fn default() -> Self {
        Self::new()
    }
}

impl Deployment {
    /// Makes only the files, as `contractual init` does, with the example's catalogue and invoices.
    ///
    /// # Panics
    /// Panics if they cannot be made.
    #[must_use]
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    /// Makes only the files, with some choices changed.
    ///
    /// # Panics
    /// Panics if they cannot be made.
    #[must_use]
    pub fn with(change: impl FnOnce(&mut Choices)) -> Self {
        let scratch = TempDir::with_prefix("contractual-test-").unwrap();
        let workspace = scratch.path().join("workspace");
        std::fs::create_dir(&workspace).unwrap();
        for (name, text) in example::INVOICES {
            std::fs::write(workspace.join(name), text).unwrap();
        }
        let mut choices = Choices {
            bus: free_port(),
            gateway: free_port(),
            signer: Some(free_port()),
            workspace,
            catalogue: example::TOOLS.to_owned(),
            sync: "always".to_owned(),
            copy: true,
            containers: None,
        };
        change(&mut choices);
        // In containers the programs are those of the runner's image: `deploy/stack` pins them.
        if choices.containers.is_none() {
            choices.catalogue = example::pinned(&choices.catalogue).unwrap();
        }
        let dir = Dir::new(scratch.path().join("state"));
        let clock = Clock::system();
        init::init(&dir, &choices, &clock, today()).unwrap_or_else(|error| panic!("{error}"));
        let file = DeploymentFile::read(&dir).unwrap();
        Self {
            processes: Mutex::default(),
            dir,
            file,
            clock,
            scratch,
        }
    }

    /// A deployment with a provisioned server that runs, and no service.
    pub async fn provisioned() -> Self {
        let deployment = Self::new();
        deployment.nats().start().await;
        deployment.provision().await;
        deployment
    }

    /// A deployment in which every process is ready.
    pub async fn running() -> Self {
        let deployment = Self::provisioned().await;
        deployment.start_all().await;
        deployment
    }

    /// Opens the deployment as the command line does.
    ///
    /// # Panics
    /// Panics if it cannot be opened.
    #[must_use]
    pub fn opened(&self) -> deployment::Deployment {
        deployment::Deployment::open(&self.dir, &self.clock).unwrap()
    }

    /// Its state directory.
    #[must_use]
    pub const fn dir(&self) -> &Dir {
        &self.dir
    }
    /// Its `deployment.toml`.
    #[must_use]
    pub const fn file(&self) -> &DeploymentFile {
        &self.file
    }
    /// Its id.
    #[must_use]
    pub const fn id(&self) -> DeploymentId {
        self.file.deployment
    }
    /// The folder that tools work in.
    #[must_use]
    pub fn workspace(&self) -> &Path {
        &self.file.workspace
    }
    /// A temporary folder for the test's own files.
    #[must_use]
    pub fn scratch(&self) -> &Path {
        self.scratch.path()
    }
    /// The system's clock.
    #[must_use]
    pub const fn clock(&self) -> &Clock {
        &self.clock
    }
    /// The server's address.
    #[must_use]
    pub fn url(&self) -> String {
        self.file.url()
    }
    /// The signing key of an author or the owner.
    ///
    /// # Panics
    /// Panics if there is none.
    #[must_use]
    pub fn signing_key(&self, author: AuthorId) -> SigningKey {
        signing_key::load(&self.dir.of(author.name()).join("signing.pem")).unwrap()
    }
    /// The owner's public key.
    #[must_use]
    pub fn owner(&self) -> PublicKey {
        public_key(&self.signing_key(AuthorId::Owner))
    }

    /// The server.
    #[must_use]
    pub const fn nats(&self) -> Nats<'_> {
        Nats(self)
    }

    /// Creates streams and consumers and stores the first roster.
    ///
    /// # Panics
    /// Panics if the server refuses.
    pub async fn provision(&self) {
        let done = provision::provision(&self.opened()).await;
        done.unwrap_or_else(|error| panic!("{}", actor::chain(&error)));
    }

    /// Starts a service and waits until it is ready.
    ///
    /// # Panics
    /// Panics with its last lines if it does not get ready.
    pub async fn start(&self, author: AuthorId) {
        self.launch(author);
        self.ready(author.name()).await;
    }

    /// Starts every service and waits until each is ready.
    ///
    /// # Panics
    /// Panics with the last lines of a service that does not get ready.
    pub async fn start_all(&self) {
        for author in ACTORS {
            self.launch(*author);
        }
        for author in ACTORS {
            self.ready(author.name()).await;
        }
    }

    /// Starts the signer and waits until it is ready.
    ///
    /// # Panics
    /// Panics with its last lines if it does not get ready.
    pub async fn start_signer(&self) {
        let config = self.dir.signer_config();
        let arguments = ["service", SIGNER, "--config", config.to_str().unwrap()];
        self.spawn(SIGNER, contractual(), &arguments, &[]);
        self.ready(SIGNER).await;
    }

    /// Starts a service; does not wait for it.
    pub fn launch(&self, author: AuthorId) {
        self.launch_in(author.name(), author, &self.dir.config(author), &[]);
    }

    /// Starts a second instance of a service, with the same keys and a state folder of its own; returns its
    /// name. Does not wait for it.
    ///
    /// # Panics
    /// Panics if its configuration cannot be made.
    pub fn launch_twin(&self, author: AuthorId) -> String {
        let name = format!("{author}-twin");
        let config = self.twin_config(author, "twin");
        self.launch_in(&name, author, &config, &[]);
        name
    }

    /// Writes a second configuration of a service, with another state folder.
    ///
    /// # Panics
    /// Panics if it cannot be written.
    #[must_use]
    pub fn twin_config(&self, author: AuthorId, tag: &str) -> PathBuf {
        let text = std::fs::read_to_string(self.dir.config(author)).unwrap();
        let twin = text.replace("state = \"state\"", &format!("state = \"state-{tag}\""));
        let path = self
            .dir
            .of(author.name())
            .join(format!("config-{tag}.toml"));
        std::fs::write(&path, twin).unwrap();
        path
    }

    /// Starts a service as `name` from the configuration at `config`, with environment variables of its own; does
    /// not wait for it.
    ///
    /// # Panics
    /// Panics if it cannot be started.
    pub fn launch_in(
        &self,
        name: &str,
        author: AuthorId,
        config: &Path,
        variables: &[(&str, &str)],
    ) {
        let config = config.to_str().unwrap();
        let arguments = ["service", author.name(), "--config", config];
        self.spawn(name, contractual(), &arguments, variables);
    }

    /// Runs the command line on this deployment until it ends.
    ///
    /// # Panics
    /// Panics if it cannot be started.
    #[must_use]
    pub fn command(&self, arguments: &[&str]) -> Output {
        Command::new(contractual())
            .args(arguments)
            .arg("--dir")
            .arg(self.dir.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Waits until a process logs that it is ready.
    ///
    /// # Panics
    /// Panics with its last lines if it ended or does not get ready.
    pub async fn ready(&self, name: &str) {
        self.logged(name, &["Server is ready", "\"message\":\"ready\""])
            .await;
    }

    /// Waits until a running process has logged one of `words`.
    ///
    /// # Panics
    /// Panics with its last lines if it ended or does not log them.
    pub async fn logged(&self, name: &str, words: &[&str]) {
        eventually(SOON, async || {
            let text = self.log(name);
            if words.iter().any(|word| text.contains(word)) {
                return Ok(());
            }
            let ended = self.processes().get_mut(name).and_then(Process::ended);
            match ended {
                Some(status) => panic!("{name} ended with {status}:\n{text}"),
                None => Err(format!("{name} has logged\n{}", tail(&self.log_path(name)))),
            }
        })
        .await;
    }

    /// The log of a process since its last start.
    #[must_use]
    pub fn log(&self, name: &str) -> String {
        std::fs::read_to_string(self.log_path(name)).unwrap_or_default()
    }

    /// The id of a running process.
    #[must_use]
    pub fn pid(&self, name: &str) -> Option<u32> {
        self.processes().get(name).map(Process::pid)
    }

    /// Kills a service without notice; `false` if it does not run.
    pub fn kill(&self, author: AuthorId) -> bool {
        self.kill_named(author.name())
    }

    /// Kills a process without notice; `false` if it does not run.
    pub fn kill_named(&self, name: &str) -> bool {
        let found = self.processes().remove(name);
        found.map(Process::kill).is_some()
    }

    /// Asks a service to stop and waits for its end.
    ///
    /// # Panics
    /// Panics if it does not run, or does not stop.
    pub async fn stop(&self, author: AuthorId) -> ExitStatus {
        self.stop_named(author.name()).await
    }

    /// Asks a process to stop and waits for its end.
    ///
    /// # Panics
    /// Panics if it does not run, or does not stop.
    pub async fn stop_named(&self, name: &str) -> ExitStatus {
        let found = self.processes().remove(name);
        found
            .unwrap_or_else(|| panic!("{name} does not run"))
            .stop()
            .await
    }

    /// Suspends a process, or resumes it.
    ///
    /// # Panics
    /// Panics if it does not run.
    pub fn freeze(&self, name: &str, frozen: bool) {
        let signal = if frozen { Signal::STOP } else { Signal::CONT };
        self.processes()[name].signal(signal);
    }

    /// Waits until a process ends on its own; returns its exit status.
    ///
    /// # Panics
    /// Panics if it does not run, or does not end.
    pub async fn ended(&self, name: &str) -> ExitStatus {
        let found = self.processes().remove(name);
        found
            .unwrap_or_else(|| panic!("{name} does not run"))
            .wait()
            .await
    }

    /// The health of a service.
    ///
    /// # Errors
    /// Returns the reason for which it is unhealthy.
    pub fn health(&self, author: AuthorId) -> Result<Health, actor::health::Unhealthy> {
        actor::health::read(&self.dir.state(author), &self.clock)
    }

    /// The command line's connection to the bus, under the identity of `user`.
    ///
    /// # Panics
    /// Panics if it cannot connect.
    pub async fn operator(&self, user: &str) -> BusClient {
        let access = self.dir.access(user, &self.url());
        let operator = BusClient::connect(&access, self.clock.clone()).await;
        operator.unwrap_or_else(|error| panic!("{user}: {}", actor::chain(&error)))
    }

    /// Starts any program as a process of this deployment, in its folder and with only these environment variables;
    /// does not wait for it.
    ///
    /// # Panics
    /// Panics if it cannot be started, or a process of that name runs already.
    pub fn spawn(
        &self,
        name: &str,
        program: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) {
        let log = self.log_path(name);
        // There is none before the first start.
        std::fs::rename(&log, log.with_extension("before")).ok();
        let process = Process::start(program, arguments, variables, self.dir.path(), log);
        let before = self.processes().insert(name.to_owned(), process);
        assert!(before.is_none(), "{name} runs already");
    }

    /// The log file of a process.
    #[must_use]
    pub fn log_path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(format!("{name}.log"))
    }

    fn processes(&self) -> MutexGuard<'_, BTreeMap<String, Process>> {
        self.processes
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        if std::thread::panicking() {
            for name in self.processes().keys() {
                let said = format!("--- {name}\n{}\n", tail(&self.log_path(name)));
                // A closed terminal cannot show it.
                std::io::stderr().write_all(said.as_bytes()).ok();
            }
        }
        // The services first: without a server they would only log errors.
        let processes = std::mem::take(&mut *self.processes());
        let (nats, services): (Vec<_>, Vec<_>) =
            processes.into_iter().partition(|(name, _)| name == NATS);
        drop(services);
        drop(nats);
    }
}

/// Returns a free address that no other test of this process gets.
#[must_use]
pub fn free_port() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let count = PORTS.end - PORTS.start;
    // Two test programs at once should not try the same ports.
    let start = u16::try_from(std::process::id() * 97 % u32::from(count)).unwrap();
    loop {
        let offset = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = PORTS.start + start.wrapping_add(offset) % count;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn today() -> SystemTime {
    SystemTime::now()
}
