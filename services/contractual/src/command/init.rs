//! `init`: makes the keys and configuration files of a deployment.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
    sync::atomic::AtomicBool,
};

use actor::Clock;
use clap::Args;
use deployment::{
    DeploymentFile, Dir, Sync, containers,
    init::{self, wanted_sync},
    nats_server::{self, Places},
    read_text,
};

use super::{context::today, contract::document::read_catalogue, tool::pinned};
use crate::{Error, Output, example};

/// The default addresses.
const BUS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 4222);
const GATEWAY: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8480);
const SIGNER: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8481);

/// `init …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual init --dir ~/contractual --workspace ~/work")]
pub(crate) struct Arguments {
    /// The folder that tools work in, such as ~/work; by default ./workspace.
    #[arg(long)]
    workspace: Option<PathBuf>,
    /// The tool catalogue, such as tools.json; by default the example's. Programs without digests get them, as by
    /// `contractual tool pin`.
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// The address of nats-server; by default 127.0.0.1:4222.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    bus: Option<SocketAddr>,
    /// The address of the gateway; by default 127.0.0.1:8480.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    gateway: Option<SocketAddr>,
    /// The address of the signer, whose page pairs devices and signs with them; by default 127.0.0.1:8481.
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    signer: Option<SocketAddr>,
    /// The time at which nats-server syncs to disk: always, or an interval such as 2m; by default always.
    #[arg(long)]
    sync: Option<String>,
    /// Keep no copy of the record for the `nats` command line; saves disk space.
    #[arg(long)]
    no_copy: bool,
    /// Make it for the containers of `deploy/docker-compose.yml`; needs root, to set the owners of files.
    #[arg(long, conflicts_with_all = ["bus", "gateway", "signer"])]
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
        self.fits(dir)?;
        let choices = self.choices()?;
        let made = init::init(dir, &choices, clock, today())?;
        if choices.containers.is_none() {
            check_server(dir)?;
        }
        out.print(&made, || made.text(dir));
        Ok(())
    }

    /// Refuses a value that differs from that of the deployment: nothing would change.
    fn fits(&self, dir: &Dir) -> Result<(), Error> {
        if !dir.deployment().exists() {
            return Ok(());
        }
        let file = DeploymentFile::read(dir)?;
        let differs = |flag, given: String, kept: String, at: PathBuf| {
            Err(Error::Document(format!(
                "the deployment in {} has {kept}, and `init` keeps it: leave {flag} {given} out, or change it in {}",
                dir.path().display(),
                at.display()
            )))
        };
        for (flag, given, kept) in [
            ("--bus", self.bus, file.bus),
            ("--gateway", self.gateway, file.gateway),
            ("--signer", self.signer, file.signer.unwrap_or(SIGNER)),
        ] {
            if let Some(given) = given.filter(|given| *given != kept) {
                return differs(flag, given.to_string(), kept.to_string(), dir.deployment());
            }
        }
        let real = |path: &Path| {
            std::path::absolute(path)
                .and_then(|path| path.canonicalize())
                .ok()
        };
        if let Some(given) = &self.workspace
            && real(given) != real(&file.workspace)
        {
            let (given, kept) = (
                given.display().to_string(),
                file.workspace.display().to_string(),
            );
            return differs("--workspace", given, kept, dir.deployment());
        }
        if let Some(given) = &self.sync {
            let (wanted, kept) = (given.parse::<Sync>()?, wanted_sync(dir)?);
            if wanted != kept {
                return differs(
                    "--sync",
                    given.clone(),
                    kept.to_string(),
                    dir.nats().join("local.conf"),
                );
            }
        }
        if self.no_copy && file.copy {
            let kept = "a copy of the record".to_owned();
            return differs("--no-copy", String::new(), kept, dir.deployment());
        }
        if let Some(path) = &self.catalogue {
            let given = read_text(path)?;
            let kept = read_text(&dir.catalogue())?;
            if given != kept && pinned(path, &given, false)?.text != kept {
                let given = path.display().to_string();
                let kept = "another tool catalogue".to_owned();
                return differs("--catalogue", given, kept, dir.catalogue());
            }
        }
        Ok(())
    }

    fn choices(self) -> Result<init::Choices, Error> {
        let Self {
            workspace,
            catalogue,
            bus,
            gateway,
            signer,
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
        Ok(init::Choices {
            bus: bus.unwrap_or(BUS),
            gateway: gateway.unwrap_or(GATEWAY),
            signer: Some(signer.unwrap_or(SIGNER)),
            workspace: workspace.unwrap_or_else(|| PathBuf::from("workspace")),
            catalogue,
            sync: sync.unwrap_or_else(|| "always".to_owned()),
            copy: !no_copy,
            containers: containers.then(|| containers::ContainerChoices {
                person: person(),
                authkey,
                name: tailnet_name,
            }),
        })
    }
}

/// Has nats-server check its files, if there is one on this machine.
fn check_server(dir: &Dir) -> Result<(), Error> {
    let running = AtomicBool::new(false);
    let Some(server) = nats_server::find_local(&Places::from_env(), &running) else {
        return Ok(());
    };
    let config = dir.nats().join("nats.conf");
    server.check(&config, &running).map_err(|reason| {
        Error::Document(format!(
            "{} refuses {}: {reason}; repair that file, or name another folder with --dir",
            server.path.display(),
            config.display()
        ))
    })
}

/// An IP address and a port.
fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse()
        .map_err(|_| "name an IP address and a port, such as 127.0.0.1:4222".to_owned())
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
