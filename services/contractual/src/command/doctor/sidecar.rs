//! Checks of the tailnet: the two files, the sidecar, and the match of gateway and sidecar.

use std::path::{Path, PathBuf};

use bus_schema::AuthorId;

use deployment::{
    DeploymentFile, Dir,
    tailnet::{
        SIGNER_PORT, TAG,
        policy::{Policy, Source},
        serve::{self, Targets},
        sidecar::{At, Sidecar, Status, fault},
    },
};

use super::{
    containers::mounted,
    finding::{Fault, Findings},
};

/// The fix for a missing or changed file.
const SHIPPED: &str = "copy the shipped one from tailscale/";
/// The fix for a policy that is unchanged.
const NAME_THEM: &str = "name your people, also in the tests, and copy it into the console";

/// The domain of the policy's placeholders.
const PLACEHOLDER: &str = "@example.com";

/// Checks the files in `folder`, or in the sidecar's, and the sidecar, if there is one.
pub(super) async fn tailnet(findings: &mut Findings, dir: &Dir, folder: Option<&Path>) {
    let sidecar = match Sidecar::read(dir.path()) {
        Ok(sidecar) => sidecar,
        Err(error) => {
            let fix = "correct it, or delete it if there is no sidecar";
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
    let targets = files(findings, &folder, is_asked);
    let Some(sidecar) = sidecar else { return };
    let status = running(findings, &sidecar).await;
    let domain = status.as_ref().and_then(|status| domain(findings, status));
    if let Some(domain) = &domain {
        served(findings, &sidecar, domain).await;
    }
    let hidden = std::fs::File::open(dir.config(AuthorId::Gateway));
    let edge = match hidden {
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => Ok(
            "not checked: its configuration belongs to the container; run doctor with sudo"
                .to_owned(),
        ),
        Ok(_) | Err(_) => edge(dir, targets, domain.as_deref()),
    };
    findings.note("gateway's edge", edge);
}

/// The sidecar of a deployment in containers, with `folder` or the mounted one; none if the container is missing,
/// which is another finding.
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

/// Checks the files; returns the addresses in `serve.json`. The policy in the console counts, so placeholders in the file
/// are a fault only if the files are asked about.
fn files(findings: &mut Findings, folder: &Path, is_asked: bool) -> Option<Targets> {
    let read = |name: &str| {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path);
        text.map_err(|error| Fault::new(format!("{}: {error}", path.display()), SHIPPED))
    };
    let targets = read("serve.json")
        .and_then(|text| serve::targets(&text).map_err(|error| Fault::of(&error, SHIPPED)));
    findings.note(
        "serve.json",
        targets
            .as_ref()
            .map(|to| format!("HTTPS to {} and {}, nothing else", to.gateway, to.signer))
            .map_err(Clone::clone),
    );
    let policy = read("policy.hujson").and_then(|text| {
        let fix = "correct it, or start again from the shipped one";
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
    targets.ok()
}

/// The number of people and devices that may connect; an error if one is a placeholder.
fn people(policy: &Policy) -> Result<String, String> {
    let is_placeholder =
        |source: &Source| matches!(source, Source::Login(login) if login.ends_with(PLACEHOLDER));
    match policy
        .sources()
        .iter()
        .find(|source| is_placeholder(source))
    {
        Some(Source::Login(login)) => Err(format!("{login} is a placeholder")),
        Some(Source::Device(_)) | None => Ok(format!(
            "{} people and devices, {} tests pass",
            policy.sources().len(),
            policy.tests()
        )),
    }
}

/// Checks that the sidecar is in the tailnet; returns its status then.
async fn running(findings: &mut Findings, sidecar: &Sidecar) -> Option<Status> {
    let status = match sidecar.status().await {
        Ok(status) => status,
        Err(error) => {
            let log = sidecar.log().await;
            let unknown = Fault::of(&error, "start it, and read its log");
            let known = fault(&log).map(Fault::from);
            findings.note("sidecar", Err(known.unwrap_or(unknown)));
            return None;
        }
    };
    let node = status.node.as_ref();
    let is_over = node.is_some_and(|node| node.expired);
    let seen = match status.backend_state.as_str() {
        _ if is_over => Err(Fault::new(
            "its node key has expired",
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
            "approve it in the console, Machines; or use a pre-approved auth key",
        )),
        state => {
            let known = fault(&sidecar.log().await);
            let unknown = || Fault::new(state, "give it a new auth key, and read its log");
            Err(known.map_or_else(unknown, |known| Fault::from(known).while_it_is(state)))
        }
    };
    findings.note("sidecar", seen).then_some(status)
}

/// Checks tag, key expiry and HTTPS of the sidecar; returns the name in its certificates.
fn domain(findings: &mut Findings, status: &Status) -> Option<String> {
    let node = status.node.as_ref();
    let tags = node.and_then(|node| node.tags.clone()).unwrap_or_default();
    let tag = match node.and_then(|node| node.key_expiry.as_deref()) {
        _ if tags != [TAG] => Err(Fault::new(
            format!(
                "its tags are [{}], not [{TAG}], so the policy refuses all connections",
                tags.join(", ")
            ),
            "make an auth key with that tag",
        )),
        Some(until) => Err(Fault::new(
            format!("its key expires on {until}"),
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
                "HTTPS is off in the tailnet, so nothing is served",
                "in the console, DNS, enable MagicDNS and HTTPS certificates, then restart the sidecar",
            )
        }),
    );
    domain
}

async fn served(findings: &mut Findings, sidecar: &Sidecar, domain: &str) {
    let path = sidecar.folder.join("serve.json");
    let text = std::fs::read_to_string(path).unwrap_or_default();
    let seen = match sidecar.served().await {
        Err(error) => Err(Fault::of(&error, "restart the sidecar, and read its log")),
        Ok(served) if serve::is_served(&text, domain, &served) => {
            Ok(format!("https://{domain}/ as in serve.json"))
        }
        Ok(served) => {
            let state = format!("differs from serve.json: {served}");
            let known = fault(&sidecar.log().await);
            let fix = "mount the folder tailscale/, not the file, and restart the sidecar";
            let unknown = || Fault::new(state.clone(), fix);
            Err(known.map_or_else(unknown, |known| Fault::from(known).while_it_is(&state)))
        }
    };
    findings.note("what is served", seen);
}

/// Checks that gateway and signer listen on the addresses in `serve.json`, for the name of the sidecar.
fn edge(dir: &Dir, targets: Option<Targets>, domain: Option<&str>) -> Result<String, Fault> {
    let read = actor::config::read::<gateway::Config>(&dir.config(AuthorId::Gateway));
    let (_, config) = read.map_err(|error| Fault::of(&error, "correct its configuration"))?;
    let edge = config.edge.ok_or_else(|| {
        Fault::new(
            "the gateway does not listen for the sidecar",
            "add the table [service.edge] to its configuration",
        )
    })?;
    let address = edge.address();
    let target = targets.map(|to| to.gateway);
    if let Some(target) = target.filter(|target| *target != address) {
        return Err(Fault::new(
            format!("serve.json sends to {target}, and the gateway listens on {address}"),
            "set the same address in both",
        ));
    }
    match domain {
        Some(domain) if !config.hosts.contains(domain) => Err(Fault::new(
            "the gateway does not know the sidecar's name",
            format!("add {domain:?} to `hosts` in its configuration, and restart it"),
        )),
        Some(domain) => {
            signer(dir, &config, targets, domain)?;
            Ok(format!("{address}, for {} only", edge.sidecar()))
        }
        None => Ok(format!("{address}, for {} only", edge.sidecar())),
    }
}

/// Checks that the signer is where `serve.json` sends to, and that it and the gateway know each other.
fn signer(
    dir: &Dir,
    gateway: &gateway::Config,
    targets: Option<Targets>,
    domain: &str,
) -> Result<(), Fault> {
    let origin = format!("https://{domain}:{SIGNER_PORT}");
    if !gateway.signers.names(&origin) {
        return Err(Fault::new(
            "the gateway does not know the signer",
            format!("add {origin:?} to `signers` in its configuration, and restart it"),
        ));
    }
    let path = dir.signer_config();
    let config = signer::read(&path);
    let config = config.map_err(|error| Fault::of(&error, "run `contractual init` again"))?;
    let fix = |line: String| format!("write `{line}` in {}, and restart it", path.display());
    if let Some(Targets { signer, .. }) = targets.filter(|to| to.signer != config.listen) {
        return Err(Fault::new(
            format!(
                "serve.json sends to {signer}, and the signer listens on {}",
                config.listen
            ),
            fix(format!("listen = \"{signer}\"")),
        ));
    }
    let (host, of) = (
        format!("{domain}:{SIGNER_PORT}"),
        format!("https://{domain}"),
    );
    if !config.is_named(&host) {
        return Err(Fault::new(
            "the signer does not know its name",
            fix(format!("hosts = [{host:?}]")),
        ));
    }
    if config.gateway != of {
        return Err(Fault::new(
            format!("the signer's page talks to {}", config.gateway),
            fix(format!("gateway = {of:?}")),
        ));
    }
    Ok(())
}
