//! `init`: makes the keys and configuration files of a deployment.

use std::{net::SocketAddr, path::PathBuf};

use actor::Clock;
use clap::Args;
use deployment::{Dir, containers, init, read_text};

use super::{context::today, contract::document::read_catalogue, tool::pinned};
use crate::{Error, Output, example};

/// The longest interval between two syncs.
const SYNC_MS_MAX: u64 = 24 * 3_600_000;

/// `init …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual init --dir ~/contractual --workspace ~/work")]
pub(crate) struct Arguments {
    /// The folder that tools work in, such as ~/work.
    #[arg(long, default_value = "workspace")]
    workspace: PathBuf,
    /// The tool catalogue, such as tools.json; by default the example's. Programs without digests get them, as by
    /// `contractual tool pin`.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// The address of nats-server.
    #[arg(long, default_value = "127.0.0.1:4222", value_name = "ADDRESS")]
    bus: SocketAddr,
    /// The address of the gateway.
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS")]
    gateway: SocketAddr,
    /// The time at which nats-server syncs to disk: always, or an interval such as 2m.
    #[arg(long, default_value = "always")]
    sync: String,
    /// Keep no copy of the record for the `nats` command line; saves disk space.
    #[arg(long)]
    no_copy: bool,
    /// Make it for the containers of `deploy/docker-compose.yml`; needs root, to set the owners of files.
    #[arg(long, conflicts_with_all = ["bus", "gateway"])]
    containers: bool,
    /// With --containers: a file with the tailnet's auth key, such as authkey.txt; copied for the sidecar.
    #[arg(long, requires = "containers", value_name = "FILE")]
    authkey: Option<PathBuf>,
    /// With --containers: the gateway's name in the tailnet, such as contractual.tail1234.ts.net.
    #[arg(long, requires = "containers", value_name = "NAME")]
    tailnet_name: Option<String>,
}

impl Arguments {
    pub(super) fn run(self, dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
        let made = init::init(dir, &self.choices()?, clock, today())?;
        out.print(&made, || made.text(dir));
        Ok(())
    }

    fn choices(self) -> Result<init::Choices, Error> {
        let Self {
            workspace,
            catalogue,
            bus,
            gateway,
            sync,
            no_copy,
            containers,
            authkey,
            tailnet_name,
        } = self;
        let (path, catalogue) = match catalogue {
            Some(path) => {
                read_catalogue(&path)?;
                let text = read_text(&path)?;
                (path, text)
            }
            None => (PathBuf::from("tools.json"), example::TOOLS.to_owned()),
        };
        // In containers the programs are those of the runner's image, which `deploy/stack` pins.
        let catalogue = if containers {
            catalogue
        } else {
            pinned(&path, &catalogue, false)?.text
        };
        if sync != "always" && !is_interval(&sync) {
            let wrong = format!(
                "--sync {sync:?} is invalid: pass always, or an interval up to 24h such as 500ms, 30s, 2m or 1h30m"
            );
            return Err(Error::Document(wrong));
        }
        Ok(init::Choices {
            bus,
            gateway,
            workspace,
            catalogue,
            sync,
            copy: !no_copy,
            containers: containers.then(|| containers::ContainerChoices {
                person: person(),
                authkey,
                name: tailnet_name,
            }),
        })
    }
}

/// The owner of the files that belong to no container: the caller of sudo, or of the command.
#[expect(
    clippy::disallowed_methods,
    reason = "the command line alone reads the environment"
)]
fn person() -> containers::Person {
    let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
    let set = |name: &str| std::env::var(name).ok()?.parse().ok();
    match (set("SUDO_UID"), set("SUDO_GID")) {
        (Some(uid), Some(gid)) => containers::Person { uid, gid },
        _ => containers::Person {
            uid: uid.as_raw(),
            gid: gid.as_raw(),
        },
    }
}

/// Returns true for a time that nats-server reads as it is meant: whole numbers with units, such as `1h30m`.
fn is_interval(text: &str) -> bool {
    let mut rest = text;
    let mut ms = 0_u64;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(rest.len());
        let (number, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_lowercase())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let unit_ms = match unit {
            "ms" => 1,
            "s" => 1_000,
            "m" => 60_000,
            "h" => SYNC_MS_MAX / 24,
            _ => return false,
        };
        let Ok(number) = number.parse::<u32>() else {
            return false;
        };
        ms = ms.saturating_add(u64::from(number).saturating_mul(unit_ms));
        rest = tail;
    }
    (1..=SYNC_MS_MAX).contains(&ms)
}

#[cfg(test)]
mod tests {
    use super::is_interval;

    #[test]
    fn intervals_have_units_and_a_bound() {
        for interval in ["1ms", "500ms", "30s", "2m", "90m", "1h30m", "24h", "1m0s"] {
            assert!(is_interval(interval), "{interval}");
        }
        for wrong in [
            "",
            "0",
            "7",
            "0s",
            "1k",
            "2g",
            "2M",
            "s",
            "-1s",
            "+1s",
            "1.5h",
            "1 h",
            "25h",
            "24h1ms",
            "4294967296s",
            "1h30",
            "1\u{b5}s",
            "\"2m\"",
            "2m }",
        ] {
            assert!(!is_interval(wrong), "{wrong}");
        }
    }
}
