//! The way from this machine to what runs in containers: loopback listeners, joined inside by `docker exec`.

use std::{
    net::{Ipv4Addr, SocketAddr},
    process::Stdio,
    sync::atomic::{AtomicBool, Ordering},
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    process::Command,
    task::JoinSet,
};

use crate::{Containers, DeploymentFile, Error, Route};

/// The program in both images that joins standard input and output with a connection.
const TAP: &str = "/app/tap";
/// What is kept of a complaint.
const COMPLAINT_BYTES_MAX: u64 = 1 << 10;

/// One listener, and the program that joins each of its connections.
#[derive(Debug)]
struct Line {
    listener: TcpListener,
    arguments: Vec<String>,
}

/// The lines to server and gateway.
#[derive(Debug)]
pub struct Relay {
    bus: Line,
    gateway: Line,
    complained: AtomicBool,
}

impl Relay {
    /// Listens on the loopback, on `ports` for bus and gateway; 0 is any that is free. Nothing is started before
    /// somebody connects.
    ///
    /// # Errors
    /// If it cannot listen there.
    pub async fn open(
        containers: &Containers,
        facts: &DeploymentFile,
        ports: (u16, u16),
    ) -> Result<Self, Error> {
        let inside = SocketAddr::from((Ipv4Addr::LOCALHOST, facts.bus.port()));
        Ok(Self {
            bus: line(ports.0, containers, "nats", inside).await?,
            gateway: line(ports.1, containers, "gateway", facts.gateway).await?,
            complained: AtomicBool::new(false),
        })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// If the system does not tell.
    pub fn route(&self) -> Result<Route, Error> {
        let of = |line: &Line| {
            line.listener
                .local_addr()
                .map_err(Error::io("listen on", "127.0.0.1"))
        };
        Ok(Route {
            bus: of(&self.bus)?,
            gateway: of(&self.gateway)?,
        })
    }

    /// Joins connections, for as long as it is polled; those that it joined end with it.
    pub async fn run(&self) {
        let mut joined = JoinSet::new();
        loop {
            let (accepted, line) = tokio::select! {
                accepted = self.bus.listener.accept() => (accepted, &self.bus),
                accepted = self.gateway.listener.accept() => (accepted, &self.gateway),
                Some(ended) = joined.join_next(), if !joined.is_empty() => {
                    self.complain(ended.ok().flatten());
                    continue;
                }
            };
            if let Ok((stream, _)) = accepted {
                joined.spawn(join(stream, line.arguments.clone()));
            }
        }
    }

    /// Says why once: whoever connected tries again.
    fn complain(&self, complaint: Option<String>) {
        let Some(complaint) = complaint else { return };
        if !self.complained.swap(true, Ordering::Relaxed) {
            tracing::error!("the containers cannot be reached: {complaint}");
        }
    }
}

async fn line(
    port: u16,
    containers: &Containers,
    service: &str,
    inside: SocketAddr,
) -> Result<Line, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .await
        .map_err(Error::io("listen on", address.to_string()))?;
    let container = containers.container(service);
    let inside = inside.to_string();
    let arguments = ["exec", "--interactive", &container, TAP, &inside];
    Ok(Line {
        listener,
        arguments: arguments.map(str::to_owned).to_vec(),
    })
}

/// Joins one connection until either side ends; returns what the engine complained of, if it did.
async fn join(mut stream: TcpStream, arguments: Vec<String>) -> Option<String> {
    let spawned = Command::new("docker")
        .args(&arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Some(format!("docker: {error}; install it, or set PATH")),
    };
    let (mut input, mut output) = (child.stdin.take()?, child.stdout.take()?);
    // Data waits for nobody: the other side answers before it is asked for more.
    stream.set_nodelay(true).ok();
    let (mut reading, mut writing) = stream.split();
    let outwards = async {
        // Either side may go away at any moment: that ends the connection.
        tokio::io::copy(&mut output, &mut writing).await.ok();
        writing.shutdown().await.ok();
    };
    let inwards = async {
        tokio::io::copy(&mut reading, &mut input).await.ok();
        drop(input);
        std::future::pending::<()>().await;
    };
    tokio::select! { () = outwards => {} () = inwards => {} }
    let mut complaint = String::new();
    if let Some(stderr) = child.stderr.take() {
        let mut stderr = stderr.take(COMPLAINT_BYTES_MAX);
        stderr.read_to_string(&mut complaint).await.ok();
    }
    let status = child.wait().await.ok()?;
    (!status.success()).then(|| format!("{} ({status})", complaint.trim()))
}
