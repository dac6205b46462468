//! The running sidecar: its location, its status, and the known faults in its log.

use std::{
    io::{Read as _, Seek as _, SeekFrom},
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::process::Command;

use super::Invalid;

/// The sidecar's socket in its container.
const SOCKET: &str = "/tmp/tailscaled.sock";
/// The timeout of a command.
const ANSWER: Duration = Duration::from_secs(10);
/// The part of its log that is read, from the end.
const LOG_BYTES_MAX: u64 = 64 << 10;
const LOG_LINES: &str = "400";

/// `sidecar.toml` in the state directory: the sidecar's location on this machine. Paths are relative to that directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "SidecarFile")]
pub struct Sidecar {
    /// The folder with `serve.json` and `policy.hujson`.
    pub folder: PathBuf,
    /// The sidecar's location.
    #[serde(flatten)]
    pub at: At,
}

/// The file's content before validation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SidecarFile {
    folder: PathBuf,
    container: Option<String>,
    tailscale: Option<PathBuf>,
    socket: Option<PathBuf>,
    log: Option<PathBuf>,
}

impl TryFrom<SidecarFile> for Sidecar {
    type Error = Invalid;
    fn try_from(file: SidecarFile) -> Result<Self, Invalid> {
        let at = match (file.container, file.tailscale, file.socket, file.log) {
            (Some(container), None, None, None) => At::Container { container },
            (None, Some(tailscale), Some(socket), Some(log)) => At::Machine {
                tailscale,
                socket,
                log,
            },
            _ => {
                let what =
                    "name the sidecar's `container`, or else `tailscale`, `socket` and `log`";
                return Err(Invalid(what.to_owned()));
            }
        };
        let folder = file.folder;
        Ok(Self { folder, at })
    }
}

/// The sidecar's location.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum At {
    /// A Docker container.
    Container {
        /// The container's name.
        container: String,
    },
    /// This machine.
    Machine {
        /// The program `tailscale`.
        tailscale: PathBuf,
        /// The socket of `tailscaled`.
        socket: PathBuf,
        /// The log of `containerboot`.
        log: PathBuf,
    },
}

/// The sidecar's status.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Status {
    /// `Running`, `NeedsLogin`, `NeedsMachineAuth`, `Starting`, `Stopped`, `NoState`.
    pub backend_state: String,
    /// The names that it can get certificates for; none if HTTPS is off in the tailnet.
    pub cert_domains: Option<Vec<String>>,
    /// The node.
    #[serde(rename = "Self")]
    pub node: Option<Node>,
}

/// The sidecar's node.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Node {
    /// The name in the tailnet, with a dot at the end.
    #[serde(rename = "DNSName")]
    pub dns_name: String,
    /// The addresses in the tailnet.
    #[serde(rename = "TailscaleIPs")]
    pub addresses: Option<Vec<String>>,
    /// The tags.
    pub tags: Option<Vec<String>>,
    /// The expiry of its key, if it expires.
    pub key_expiry: Option<String>,
    /// True if its key has expired.
    #[serde(default)]
    pub expired: bool,
}

impl Sidecar {
    /// Reads `sidecar.toml` in the state directory `dir`; none if there is no sidecar.
    ///
    /// # Errors
    /// [`Invalid`] if it cannot be read.
    pub fn read(dir: &Path) -> Result<Option<Self>, Invalid> {
        let path = dir.join("sidecar.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Invalid(format!("{}: {error}", path.display()))),
        };
        let read: Self = toml::from_str(&text)
            .map_err(|error| Invalid(format!("{}: {error}", path.display())))?;
        Ok(Some(Self {
            folder: dir.join(read.folder),
            at: read.at.beneath(dir),
        }))
    }

    /// Asks the sidecar for its status.
    ///
    /// # Errors
    /// [`Invalid`] with the reason for a missing answer.
    pub async fn status(&self) -> Result<Status, Invalid> {
        self.ask(&["status", "--json", "--peers=false"]).await
    }

    /// Asks the sidecar for its serve configuration.
    ///
    /// # Errors
    /// [`Invalid`] with the reason for a missing answer.
    pub async fn served(&self) -> Result<Value, Invalid> {
        self.ask(&["serve", "status", "--json"]).await
    }

    async fn ask<T: DeserializeOwned>(&self, question: &[&str]) -> Result<T, Invalid> {
        let mut command = match &self.at {
            At::Container { container } => {
                let mut command = Command::new("docker");
                command.args(["exec", container, "tailscale"]);
                command.arg(format!("--socket={SOCKET}"));
                command
            }
            At::Machine {
                tailscale, socket, ..
            } => {
                let mut command = Command::new(tailscale);
                command.arg(format!("--socket={}", socket.display()));
                command
            }
        };
        command.args(question);
        let (done, said, complaint) = run(command).await?;
        if !done {
            let last = complaint.trim().lines().next_back().unwrap_or("no answer");
            return Err(Invalid(last.to_owned()));
        }
        serde_json::from_str(&said).map_err(|error| Invalid(format!("invalid answer: {error}")))
    }

    /// The end of its log, from its last start on.
    pub async fn log(&self) -> String {
        let text = match &self.at {
            At::Container { container } => {
                let mut command = Command::new("docker");
                command.args(["logs", "--tail", LOG_LINES, container]);
                let ran = run(command).await;
                ran.map_or_else(|error| error.0, |(_, said, more)| said + &more)
            }
            At::Machine { log, .. } => end(log).unwrap_or_else(|error| error.to_string()),
        };
        let started = text.rfind("Starting tailscaled").unwrap_or(0);
        text.get(started..).unwrap_or_default().to_owned()
    }
}

impl At {
    fn beneath(self, dir: &Path) -> Self {
        match self {
            Self::Container { .. } => self,
            Self::Machine {
                tailscale,
                socket,
                log,
            } => Self::Machine {
                tailscale,
                socket: dir.join(socket),
                log: dir.join(log),
            },
        }
    }
}

/// Runs a command; returns true if it succeeded, its standard output and its standard error.
async fn run(mut command: Command) -> Result<(bool, String, String), Invalid> {
    command.stdin(Stdio::null()).kill_on_drop(true);
    let program = command
        .as_std()
        .get_program()
        .to_string_lossy()
        .into_owned();
    let ran = tokio::time::timeout(ANSWER, command.output()).await;
    let ran = ran.map_err(|_| Invalid(format!("{program} does not answer in time")))?;
    let output = ran.map_err(|error| Invalid(format!("cannot run {program}: {error}")))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok((
        output.status.success(),
        text(&output.stdout),
        text(&output.stderr),
    ))
}

fn end(log: &Path) -> std::io::Result<String> {
    let mut file = std::fs::File::open(log)?;
    let len = file.metadata()?.len();
    file.seek(SeekFrom::Start(len.saturating_sub(LOG_BYTES_MAX)))?;
    let mut bytes = Vec::new();
    file.take(LOG_BYTES_MAX).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A known fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The problem.
    pub seen: &'static str,
    /// The repair.
    pub fix: &'static str,
}

/// The known faults: words that occur in one line of the log, and the fault that they show.
const FAULTS: &[(&[&str], Known)] = &[
    (&["invalid authkey"], AUTH_KEY),
    (&["backend error", "invalid key"], AUTH_KEY),
    (&["backend error", "API key"], AUTH_KEY),
    (&["state store is unhealthy"], STATE),
    (&["store.New failed"], STATE),
    (
        &["authkey", "no such file or directory"],
        Known {
            seen: "the file with the auth key is missing",
            fix: "create one in the console, see tailscale/README.md",
        },
    ),
    (
        &["authkey", "permission denied"],
        Known {
            seen: "the file with the auth key is not readable for its user",
            fix: "make it 10010:10010, mode 0400",
        },
    ),
    (
        &["tailscaled.sock", "bind:"],
        Known {
            seen: "it cannot create its socket",
            fix: "mount a tmpfs on /tmp that belongs to 10010:10010",
        },
    ),
    (
        &["unable to create tuntap"],
        Known {
            seen: "it tries to create a network device",
            fix: "set TS_USERSPACE=true",
        },
    ),
    (
        &["failed to read serve config"],
        Known {
            seen: "it cannot read serve.json",
            fix: "use the shipped file",
        },
    ),
    (
        &["failed to add fsnotify watch"],
        Known {
            seen: "the folder of serve.json is not mounted",
            fix: "mount the folder tailscale/ on /config",
        },
    ),
    (
        &["no serve config at"],
        Known {
            seen: "serve.json is missing in the mounted folder",
            fix: "mount the folder tailscale/ on /config",
        },
    ),
];
const STATE: Known = Known {
    seen: "its state folder is not writable for its user",
    fix: "give the volume on /var/lib/tailscale to 10010:10010, mode 0700",
};
const AUTH_KEY: Known = Known {
    seen: "Tailscale refuses the auth key: it was used before, has expired or was revoked",
    fix: "create a new one in the console, replace the file and restart the sidecar",
};

/// The known fault in a log that is the newest.
#[must_use]
pub fn fault(log: &str) -> Option<Known> {
    let of = |line: &str| {
        let is = |words: &&(&[&str], Known)| words.0.iter().all(|word| line.contains(word));
        FAULTS.iter().find(is).map(|(_, known)| *known)
    };
    log.lines().rev().find_map(of)
}
