//! `init`: makes the keys and configuration files of a deployment.

use std::{net::SocketAddr, path::PathBuf, sync::atomic::AtomicBool};

use actor::Clock;
use clap::Args;
use deployment::{
    Dir, containers, init,
    nats_server::{self, Places},
    read_text,
};

use super::{context::today, contract::document::read_catalogue, tool::pinned};
use crate::{Error, Output, example};

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
    #[arg(long, default_value = "127.0.0.1:4222", value_name = "ADDRESS", value_parser = address)]
    bus: SocketAddr,
    /// The address of the gateway.
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS", value_parser = address)]
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
        let choices = self.choices()?;
        let made = init::init(dir, &choices, clock, today())?;
        if choices.containers.is_none() {
            check_server(dir)?;
        }
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
