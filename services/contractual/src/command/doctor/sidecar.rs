//! What `doctor` looks at about the tailnet: the two files, the sidecar, and that gateway and sidecar fit together.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use bus_schema::AuthorId;

use deployment::{
    DeploymentFile, Dir,
    tailnet::{
        TAG,
        policy::{Policy, Source},
        serve,
        sidecar::{At, Sidecar, Status, fault},
    },
};

use super::{
    containers::mounted,
    finding::{Fault, Findings},
};

/// What to do about a file that is missing or says something else.
const SHIPPED: &str = "take the one that ships in tailscale/";
/// What to do about a policy that is as it ships.
const NAME_THEM: &str = "name your people, also in the tests, and put it into the console";

/// Where the policy's people do not live.
const PLACEHOLDER: &str = "@example.com";

/// Looks at the files in `folder`, or in the one of the sidecar, and at the sidecar, if there is one.
pub(super) async fn tailnet(findings: &mut Findings, dir: &Dir, folder: Option<&Path>) {
    let sidecar = match Sidecar::read(dir.path()) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            let fix = "put it right, or take it away if there is no sidecar";
            findings.note("sidecar.toml", Err(Fault::of(&error, fix)));
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
    let of = DeploymentFile::read(dir).ok()?.containers?;
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
        text.map_err(|error| Fault::new(format!("{}: {error}", path.display()), SHIPPED))
    };
    let target = read("serve.json")
        .and_then(|text| serve::target(&text).map_err(|error| Fault::of(&error, SHIPPED)));
    findings.note(
        "serve.json",
        target
            .as_ref()
            .map(|target| format!("HTTPS to {target}, nothing else"))
            .map_err(Clone::clone),
    );
    let policy = read("policy.hujson").and_then(|text| {
        let fix = "put it right, or begin with the one that ships";
        Policy::parse(&text).map_err(|error| Fault::of(&error, fix))
    });
    let people = policy.and_then(|policy| match people(&policy) {
        Err(nobody) if !is_asked => {
            Ok(format!("{nobody}: {NAME_THEM}, unless it is there already"))
        }
        Err(nobody) => Err(Fault::new(nobody, NAME_THEM)),
        Ok(people) => Ok(people),
    });
    findings.note("policy.hujson", people);
    target.ok()
}

/// How many people and devices may connect; or that one of them is nobody.
fn people(policy: &Policy) -> Result<String, String> {
    let is_placeholder =
        |source: &Source| matches!(source, Source::Login(login) if login.ends_with(PLACEHOLDER));
    match policy
        .sources()
        .iter()
        .find(|source| is_placeholder(source))
    {
        Some(Source::Login(login)) => Err(format!("{login} is nobody")),
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
            let unknown = Fault::of(&error, "start it, and look at its log");
            let known = fault(&log).map(Fault::from);
            findings.note("sidecar", Err(known.unwrap_or(unknown)));
            return None;
        }
    };
    let node = status.node.as_ref();
    let is_over = node.is_some_and(|node| node.expired);
    let seen = match status.backend_state.as_str() {
        _ if is_over => Err(Fault::new(
            "its node key is over",
            "give it a new auth key, then turn key expiry off for it in the console",
        )),
        "Running" => {
            let addresses = node
                .and_then(|node| node.addresses.clone())
                .unwrap_or_default();
            Ok(format!("in the tailnet as {}", addresses.join(", ")))
        }
        "NeedsMachineAuth" => Err(Fault::new(
            "an admin has to approve it",
            "console, Machines; or make the auth key pre-approved",
        )),
        state => {
            let known = fault(&sidecar.log().await);
            let unknown = || Fault::new(state, "give it a new auth key, and look at its log");
            Err(known.map_or_else(unknown, |known| Fault::from(known).while_it_is(state)))
        }
    };
    findings.note("sidecar", seen).then_some(status)
}

/// The name that it has certificates for.
fn domain(findings: &mut Findings, status: &Status) -> Option<String> {
    let node = status.node.as_ref();
    let tags = node.and_then(|node| node.tags.clone()).unwrap_or_default();
    let tag = match node.and_then(|node| node.key_expiry.as_deref()) {
        _ if tags != [TAG] => Err(Fault::new(
            format!(
                "its tags are [{}], not [{TAG}], so the policy lets nobody in",
                tags.join(", ")
            ),
            "make an auth key with that tag",
        )),
        Some(until) => Err(Fault::new(
            format!("its key is over on {until}"),
            "turn key expiry off for it in the console",
        )),
        None => Ok(format!("{TAG}, its key does not expire")),
    };
    findings.note("sidecar's tag", tag);
    let domain = status.cert_domains.iter().flatten().next().cloned();
    findings.note(
        "HTTPS",
        domain.clone().ok_or_else(|| {
            Fault::new(
                "the tailnet has HTTPS off, so nothing is served",
                "console, DNS, enable MagicDNS and HTTPS certificates, then restart the sidecar",
            )
        }),
    );
    domain
}

async fn served(findings: &mut Findings, sidecar: &Sidecar, domain: &str) {
    let path = sidecar.folder.join("serve.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let seen = match sidecar.served().await {
        Err(error) => Err(Fault::of(
            &error,
            "restart the sidecar, and look at its log",
        )),
        Ok(served) if serve::is_served(&text, domain, &served) => {
            Ok(format!("https://{domain}/ as serve.json says"))
        }
        Ok(served) => {
            let state = format!("not what serve.json says, but {served}");
            let known = fault(&sidecar.log().await);
            let fix = "mount the folder tailscale/, not the file, and restart the sidecar";
            let unknown = || Fault::new(state.clone(), fix);
            Err(known.map_or_else(unknown, |known| Fault::from(known).while_it_is(&state)))
        }
    };
    findings.note("what is served", seen);
}

/// Whether the gateway listens where the sidecar sends, for the name that it has.
fn edge(dir: &Dir, target: Option<SocketAddr>, domain: Option<&str>) -> Result<String, Fault> {
    let read = actor::config::read::<gateway::Config>(&dir.config(AuthorId::Gateway));
    let (_, config) = read.map_err(|error| Fault::of(&error, "put its configuration right"))?;
    let edge = config.edge.ok_or_else(|| {
        Fault::new(
            "the gateway takes nothing in from the sidecar",
            "add the table [service.edge] to its configuration",
        )
    })?;
    let address = edge.address();
    if let Some(target) = target.filter(|target| *target != address) {
        return Err(Fault::new(
            format!("serve.json sends to {target}, and the gateway listens on {address}"),
            "make them one",
        ));
    }
    match domain {
        Some(domain) if !config.hosts.contains(domain) => Err(Fault::new(
            "the gateway does not know its name",
            format!("add {domain:?} to `hosts` in its configuration, and restart it"),
        )),
        Some(_) | None => Ok(format!("{address}, for {} alone", edge.sidecar())),
    }
}
