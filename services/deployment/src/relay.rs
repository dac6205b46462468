//! The relay from this machine into containers: loopback listeners, connected through `docker exec`.

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

/// The program in both images that connects standard input and output with a TCP connection.
const TAP: &str = "/app/tap";
/// The maximum size of an error message from docker.
const COMPLAINT_BYTES_MAX: u64 = 1 << 10;

/// A listener, and the arguments of docker for each of its connections.
#[derive(Debug)]
struct Forward {
    listener: TcpListener,
    arguments: Vec<String>,
}

/// The lines to server and gateway.
#[derive(Debug)]
pub struct Relay {
    bus: Forward,
    gateway: Forward,
    complained: AtomicBool,
}

impl Relay {
    /// Listens on the loopback, on `ports` for bus and gateway; 0 means any free port. Starts a program only when
    /// a client connects.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot listen there.
    pub async fn open(
        containers: &Containers,
        file: &DeploymentFile,
        ports: (u16, u16),
    ) -> Result<Self, Error> {
        let inside = SocketAddr::from((Ipv4Addr::LOCALHOST, file.bus.port()));
        Ok(Self {
            bus: line(ports.0, containers, "nats", inside).await?,
            gateway: line(ports.1, containers, "gateway", file.gateway).await?,
            complained: AtomicBool::new(false),
        })
    }

    /// The addresses that it listens on.
    ///
    /// # Errors
    /// [`Error::Io`] if the system does not return them.
    pub fn route(&self) -> Result<Route, Error> {
        let of = |line: &Forward| {
            line.listener
                .local_addr()
                .map_err(Error::io("listen on", "127.0.0.1"))
        };
        Ok(Route {
            bus: of(&self.bus)?,
            gateway: of(&self.gateway)?,
        })
    }

    /// Relays connections while it is polled; dropping it closes them.
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

    /// Logs the first error only, because clients retry.
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
) -> Result<Forward, Error> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let listener = TcpListener::bind(address)
        .await
        .map_err(Error::io("listen on", address.to_string()))?;
    let container = containers.container(service);
    let inside = inside.to_string();
    let arguments = ["exec", "--interactive", &container, TAP, &inside];
    Ok(Forward {
        listener,
        arguments: arguments.map(str::to_owned).to_vec(),
    })
}

/// Relays one connection until either side ends; returns the error message of docker, if there is one.
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
    // No delay: small messages must not wait for more data.
    stream.set_nodelay(true).ok();
    let (mut reading, mut writing) = stream.split();
    let outwards = async {
        // An error means that a side has closed, which ends the connection.
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
