//! What `doctor` looks at about the tailnet: the two files, the sidecar, and that gateway and sidecar fit together.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bus_schema::AuthorId;

use super::{Findings, containers::mounted};
use crate::{
    Dir,
    init::Facts,
    tailnet::{
        TAG,
        policy::{Policy, Source},
        serve,
        sidecar::{At, Sidecar, Status, fault},
    },
};

/// Where the policy's people do not live.
const PLACEHOLDER: &str = "@example.com";

/// Looks at the files in `folder`, or in the one of the sidecar, and at the sidecar, if there is one.
pub(super) async fn tailnet(findings: &mut Findings, dir: &Dir, folder: Option<&Path>) {
    let sidecar = match Sidecar::read(dir.path()) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            findings.note("sidecar.toml", Err(error.to_string()));
            return;
        }
    };
    let is_asked = folder.is_some() || sidecar.is_some();
    let sidecar = sidecar.or_else(|| in_container(dir, folder));
    let own = sidecar.as_ref().map(|sidecar| sidecar.folder.clone());
    let Some(folder) = folder.map(PathBuf::from).or(own) else {
        return;
    };
    let target = files(findings, &folder, is_asked);
    let Some(sidecar) = sidecar else { return };
    let status = running(findings, &sidecar).await;
    let domain = status.as_ref().and_then(|status| domain(findings, status));
    if let Some(domain) = &domain {
        served(findings, &sidecar, domain).await;
    }
    let hidden = std::fs::File::open(dir.config(AuthorId::Gateway));
    let edge = match hidden {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(
            "not looked at: its configuration belongs to the container; run it with sudo"
                .to_owned(),
        ),
        Ok(_) | Err(_) => edge(dir, target, domain.as_deref()),
    };
    findings.note("gateway's edge", edge);
}

/// The sidecar of a deployment in containers, with the folder that is mounted there unless another is named; none
/// where the container is missing, which is a finding of its own.
fn in_container(dir: &Dir, folder: Option<&Path>) -> Option<Sidecar> {
    let of = Facts::read(dir).ok()?.containers?;
    let container = of.container("tailscale");
    let folder = folder
        .map(PathBuf::from)
        .or_else(|| mounted(&container, "/config"))?;
    Some(Sidecar {
        folder,
        at: At::Container { container },
    })
}

/// The address that `serve.json` names. What the policy has to say counts in the console: that the file beside still
/// names nobody is a fault only where somebody asks about it.
fn files(findings: &mut Findings, folder: &Path, is_asked: bool) -> Option<SocketAddr> {
    let read = |name: &str| {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path);
        text.map_err(|error| format!("{}: {error}", path.display()))
    };
    let target =
        read("serve.json").and_then(|text| serve::target(&text).map_err(|error| error.to_string()));
    findings.note(
        "serve.json",
        target
            .as_ref()
            .map(|target| format!("HTTPS to {target}, nothing else"))
            .map_err(Clone::clone),
    );
    let policy = read("policy.hujson")
        .and_then(|text| Policy::parse(&text).map_err(|error| error.to_string()));
    let people = policy.and_then(|policy| match people(&policy) {
        Err(said) if !is_asked => Ok(format!("{said}, unless it is there already")),
        said => said,
    });
    findings.note("policy.hujson", people);
    target.ok()
}

fn people(policy: &Policy) -> Result<String, String> {
    let is_placeholder =
        |source: &Source| matches!(source, Source::Login(login) if login.ends_with(PLACEHOLDER));
    match policy
        .sources()
        .iter()
        .find(|source| is_placeholder(source))
    {
        Some(Source::Login(login)) => Err(format!(
            "{login} is nobody: name your people, also in the tests, and put it into the console"
        )),
        Some(Source::Device(_)) | None => Ok(format!(
            "{} people and devices, {} tests hold",
            policy.sources().len(),
            policy.tests()
        )),
    }
}

/// What the sidecar says, once it is in the tailnet.
async fn running(findings: &mut Findings, sidecar: &Sidecar) -> Option<Status> {
    let status = match sidecar.status().await {
        Ok(status) => status,
        Err(error) => {
            let log = sidecar.log().await;
            let why = fault(&log).map_or_else(
                || format!("{error}; start it, and look at its log"),
                str::to_owned,
            );
            findings.note("sidecar", Err(why));
            return None;
        }
    };
    let node = status.node.as_ref();
    let is_over = node.is_some_and(|node| node.expired);
    let seen = match status.backend_state.as_str() {
        _ if is_over => Err(
            "its node key is over: give it a new auth key, then turn key expiry off for it in the console"
                .to_owned(),
        ),
        "Running" => {
            let addresses = node.and_then(|node| node.addresses.clone()).unwrap_or_default();
            Ok(format!("in the tailnet as {}", addresses.join(", ")))
        }
        "NeedsMachineAuth" => Err(
            "an admin has to approve it: console, Machines, or make the auth key pre-approved".to_owned(),
        ),
        state => {
            let log = sidecar.log().await;
            let fix = fault(&log).unwrap_or("give it a new auth key, and look at its log");
            Err(format!("{state}: {fix}"))
        }
    };
    findings.note("sidecar", seen).then_some(status)
}

/// The name that it has certificates for.
fn domain(findings: &mut Findings, status: &Status) -> Option<String> {
    let node = status.node.as_ref();
    let tags = node.and_then(|node| node.tags.clone()).unwrap_or_default();
    let tag = match node.and_then(|node| node.key_expiry.as_deref()) {
        _ if tags != [TAG] => Err(format!(
            "its tags are [{}], not [{TAG}]: make an auth key with that tag, or the policy lets nobody in",
            tags.join(", ")
        )),
        Some(until) => Err(format!(
            "its key is over on {until}: turn key expiry off for it in the console"
        )),
        None => Ok(format!("{TAG}, its key does not expire")),
    };
    findings.note("sidecar's tag", tag);
    let domain = status.cert_domains.iter().flatten().next().cloned();
    findings.note(
        "HTTPS",
        domain.clone().ok_or_else(|| {
            "the tailnet has HTTPS off, so nothing is served: console, DNS, enable MagicDNS and HTTPS \
             certificates, then restart the sidecar"
                .to_owned()
        }),
    );
    domain
}

async fn served(findings: &mut Findings, sidecar: &Sidecar, domain: &str) {
    let path = sidecar.folder.join("serve.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let seen = match sidecar.served().await {
        Err(error) => Err(error.to_string()),
        Ok(served) if serve::is_served(&text, domain, &served) => {
            Ok(format!("https://{domain}/ as serve.json says"))
        }
        Ok(served) => {
            let log = sidecar.log().await;
            let fix = fault(&log)
                .unwrap_or("mount the folder tailscale/, not the file, and restart the sidecar");
            Err(format!("not what serve.json says, but {served}: {fix}"))
        }
    };
    findings.note("what is served", seen);
}

/// Whether the gateway listens where the sidecar sends, for the name that it has.
fn edge(dir: &Dir, target: Option<SocketAddr>, domain: Option<&str>) -> Result<String, String> {
    let read = actor::config::read::<gateway::Config>(&dir.config(AuthorId::Gateway));
    let (_, config) = read.map_err(|error| actor::chain(&error))?;
    let edge = config.edge.ok_or_else(|| {
        "the gateway takes nothing in from the sidecar: add the table [service.edge] to its configuration"
            .to_owned()
    })?;
    let address = edge.address();
    if let Some(target) = target.filter(|target| *target != address) {
        return Err(format!(
            "serve.json sends to {target}, and the gateway listens on {address}: make them one"
        ));
    }
    match domain {
        Some(domain) if !config.hosts.contains(domain) => Err(format!(
            "the gateway does not know its name: add {domain:?} to `hosts` in its configuration, and restart it"
        )),
        Some(_) | None => Ok(format!("{address}, for {} alone", edge.sidecar())),
    }
}
