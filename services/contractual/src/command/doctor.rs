//! `doctor`: checks a deployment and names the fix for each problem.

mod containers;
mod finding;
mod junk;
mod models;
mod on_disk;
mod secrets;
mod server;
mod services;
mod sidecar;

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use actor::{Clock, files, nkey::UserKey, signing_key};
use bus_schema::{ACTORS, AUDIT, account};
use clap::Args;
use deployment::{
    Containers, Deployment, Dir,
    certs::{self, State},
    nats_server::{self, Places},
};

use self::finding::{Fault, Findings};
use super::{
    attach,
    audit::verify,
    context::today,
    contract::{self, ContractEntry, ContractStatus},
    halt::{self, InForce},
};
use crate::{Error, Output, agent::Attachment};

/// `doctor …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual doctor --dir ~/contractual")]
pub(crate) struct Arguments {
    /// Check serve.json and policy.hujson in this folder, such as tailscale; needs no sidecar.
    #[arg(long, value_name = "FOLDER")]
    tailscale: Option<PathBuf>,
}

impl Arguments {
    /// Checks the deployment, and the tailnet's files in the named folder or in the sidecar's own.
    pub(super) async fn run(&self, dir: &Dir, out: &Output, clock: &Clock) -> Result<(), Error> {
        let mut findings = Findings::default();
        let deployment = Deployment::open(dir, clock);
        let inside = deployment
            .as_ref()
            .ok()
            .and_then(|deployment| deployment.file.containers.clone());
        if inside.is_none() {
            let cancel = std::sync::atomic::AtomicBool::new(false);
            let server = nats_server::find(&Places::from_env(), &cancel, &mut |_| {});
            let server =
                server.map(|found| format!("{} at {}", found.version, found.path.display()));
            let fix = format!(
                "install nats-server {} or newer, or set NATS_SERVER to its path",
                nats_server::OLDEST
            );
            findings.note(
                "nats-server",
                server.map_err(|error| Fault::of(&error, fix)),
            );
        }
        kernel(&mut findings);
        if inside.is_none() {
            cage(&mut findings).await;
        }
        findings.note(
            "state directory",
            deployment
                .as_ref()
                .map(|_| dir.path().display().to_string())
                .map_err(|error| {
                    Fault::of(
                        error,
                        "name the deployment's folder with --dir, or run `contractual init`",
                    )
                }),
        );
        match (&deployment, inside) {
            (Err(_), _) => {}
            (Ok(deployment), None) => here(&mut findings, deployment).await,
            (Ok(deployment), Some(of)) => in_containers(&mut findings, deployment, &of).await,
        }
        agents(&mut findings, dir).await;
        sidecar::tailnet(&mut findings, dir, self.tailscale.as_deref()).await;
        findings.report(out)
    }
}

/// Starts each attached agent once, and checks the tools that it lists.
async fn agents(findings: &mut Findings, dir: &Dir) {
    let again = "attach it again: contractual attach AGENT --contract FILE";
    let all = match Attachment::all(dir) {
        Ok(all) => all,
        Err(error) => {
            findings.note("agents", Err(Fault::of(&error, again)));
            return;
        }
    };
    for one in all {
        let found = attach::check(&one, dir).await;
        let found = found.map(|listing| {
            let tools = match listing.ours.len() {
                0 => "the tools of the contract after a search".to_owned(),
                number => format!("{number} tools of the contract"),
            };
            format!("in {}, it lists {tools}", one.project.display())
        });
        let found = found.map_err(|error| Fault::of(&error, again));
        findings.note(one.agent.title(), found);
    }
}

/// Checks a deployment of processes on this machine.
async fn here(findings: &mut Findings, deployment: &Deployment) {
    let Deployment { dir, file, .. } = deployment;
    identities(findings, dir);
    workspace(findings, &file.workspace);
    let places = [dir.path().to_owned(), file.workspace.clone()];
    findings.note("disk space", on_disk::disk_space(&places));
    findings.note("server's files", on_disk::server_files(dir));
    let parts = services::look(deployment);
    if let Some(stopped) = parts.stopped(deployment) {
        findings.note("deployment", Err(stopped));
    } else {
        if findings.note("bus", parts.bus) {
            bus(findings, deployment).await;
        }
        if findings.note("gateway", parts.gateway) {
            gateway(findings, deployment).await;
        }
        for (author, seen) in parts.services {
            findings.note(author.name(), seen);
        }
    }
    if services::has_run(dir) {
        let init = format!("run `contractual init --dir {}`", dir.path().display());
        log(findings, deployment, &init);
    }
}

/// Checks a deployment in containers, whose files only root can read.
async fn in_containers(findings: &mut Findings, deployment: &Deployment, of: &Containers) {
    let dir = &deployment.dir;
    let is_root = rustix::process::geteuid().is_root();
    if is_root {
        identities(findings, dir);
        findings.note("server's files", on_disk::server_files(dir));
    } else {
        let said = "not checked: they belong to the containers; run doctor with sudo".to_owned();
        findings.note("keys", Ok(said));
    }
    let up = containers::look(findings, deployment, of);
    if up.contains(&"nats") {
        server::streams(findings, deployment).await;
        server::own_account(findings, deployment).await;
        server::floods(findings, deployment).await;
        if is_root {
            agreement(findings, deployment).await;
            halted(findings, deployment).await;
            contracts(findings, deployment).await;
            models::models(findings, deployment).await;
            secrets::openable(findings, deployment).await;
        }
    }
    if up.contains(&"gateway") {
        gateway(findings, deployment).await;
    }
    if is_root {
        let upgrade = format!("run `sudo deploy/stack upgrade {}`", dir.path().display());
        log(findings, deployment, &upgrade);
    }
}

async fn gateway(findings: &mut Findings, deployment: &Deployment) {
    if !deployment.dir.owner_key().exists() {
        let said = "not checked: it needs the owner's key, which is offline".to_owned();
        findings.note("gateway's answer", Ok(said));
        return;
    }
    let tasks = async { Ok::<_, Error>(crate::client(deployment)?.tasks().await?) };
    let tasks = tasks.await;
    let seen = tasks.map(|tasks| format!("{} tasks", tasks.tasks.len()));
    let fix = "read the gateway's log, and compare its clock with this machine's";
    findings.note(
        "gateway's answer",
        seen.map_err(|error| Fault::of(&error, fix)),
    );
}

fn kernel(findings: &mut Findings) {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    let landlock = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let seen = if landlock.is_empty() || landlock.contains("landlock") {
        Ok(format!("Linux {release}"))
    } else {
        Err(Fault::new(
            format!("Linux {release} runs without Landlock"),
            "add landlock to the kernel's lsm= list",
        ))
    };
    findings.note("kernel", seen);
}

async fn cage(findings: &mut Findings) {
    let Ok(program) = std::env::current_exe() else {
        return;
    };
    let probed = runner::Cage::new(program).probe().await;
    let probed = probed.map(|_| "exec tools can be caged (Landlock, seccomp)".to_owned());
    let fix = "use Linux 6.12 or newer with Landlock and seccomp; no tool runs without them";
    findings.note("cage", probed.map_err(|error| Fault::of(&error, fix)));
    let awk = Command::new("awk").arg("BEGIN { print 1 }").output();
    let seen = if awk.is_ok_and(|output| output.status.success()) {
        Ok("awk answers".to_owned())
    } else {
        Err(Fault::new(
            "awk is missing",
            "install mawk or gawk for the example's totals",
        ))
    };
    findings.note("example's program", seen);
}

fn identities(findings: &mut Findings, dir: &Dir) {
    let (mut wrong, mut offline) = (Vec::new(), Vec::new());
    let mut names: Vec<_> = account::users().iter().map(|user| user.name).collect();
    let is_actor = |name: &str| ACTORS.iter().any(|author| author.name() == name);
    names.retain(|name| {
        let is_there = is_actor(name) || dir.of(name).exists();
        if !is_there {
            offline.push(*name);
        }
        is_there
    });
    for name in &names {
        let folder = dir.of(name);
        let nkey = UserKey::load(&folder.join("user.nk"));
        wrong.extend(nkey.err().map(|error| actor::chain(&error)));
        let key = files::read_secret(&folder.join("key.pem"));
        wrong.extend(key.err().map(|error| error.to_string()));
    }
    let signers = ACTORS
        .iter()
        .map(|author| dir.of(author.name()).join("signing.pem"));
    let mut signers: Vec<_> = signers.collect();
    if dir.owner_key().exists() {
        signers.push(dir.owner_key());
    } else if names.contains(&"owner") {
        offline.push("the owner's signing key");
    }
    if !dir.ca_key().exists() {
        offline.push("the authority's key");
    }
    for path in &signers {
        let key = signing_key::load(path);
        wrong.extend(key.err().map(|error| actor::chain(&error)));
    }
    let seen = if wrong.is_empty() {
        let (users, keys) = (names.len(), signers.len());
        let mut text = format!("{users} users, {keys} signing keys, private");
        if !offline.is_empty() {
            text.push_str(&format!("; offline: {}", offline.join(", ")));
        }
        Ok(text)
    } else {
        let (wrong, dir) = (wrong.join("; "), dir.path().display());
        let fix = format!(
            "restore each from a backup; `contractual init --dir {dir}` makes missing keys anew"
        );
        Err(Fault::new(wrong, fix))
    };
    findings.note("keys", seen);
    certificates(findings, dir);
}

fn certificates(findings: &mut Findings, dir: &Dir) {
    let seen = certs::show(dir, today());
    let fix = format!(
        "run `contractual certs renew --dir {}`",
        dir.path().display()
    );
    let unread = |error| Fault::of(&error, fix.clone());
    let seen = seen.map_err(unread).and_then(|all| {
        let bad = all.iter().filter(|one| one.state != State::Good);
        let bad: Vec<_> = bad.map(ToString::to_string).collect();
        let soonest = all.iter().map(|one| one.days_left).min().unwrap_or(0);
        if bad.is_empty() {
            Ok(format!("the first one expires in {soonest} days"))
        } else {
            Err(Fault::new(bad.join("; "), fix.clone()))
        }
    });
    findings.note("certificates", seen);
}

fn workspace(findings: &mut Findings, path: &Path) {
    let written = tempfile::Builder::new()
        .prefix(".contractual-doctor")
        .tempfile_in(path);
    let seen = written.map(|_| path.display().to_string());
    findings.note(
        "workspace",
        seen.map_err(|error| {
            let seen = format!("{}: {error}", path.display());
            Fault::new(seen, "make it a folder you can write to")
        }),
    );
}

async fn bus(findings: &mut Findings, deployment: &Deployment) {
    server::streams(findings, deployment).await;
    server::own_account(findings, deployment).await;
    server::floods(findings, deployment).await;
    agreement(findings, deployment).await;
    halted(findings, deployment).await;
    contracts(findings, deployment).await;
    models::models(findings, deployment).await;
    secrets::openable(findings, deployment).await;
}

/// Checks that nothing is halted.
async fn halted(findings: &mut Findings, deployment: &Deployment) {
    if !deployment.dir.of("owner").exists() {
        let said = "not checked: the owner's identity is offline".to_owned();
        findings.note("halt", Ok(said));
        return;
    }
    let fix = "run `contractual resume` once tasks may go on";
    let seen = match halt::look(deployment).await {
        Ok(None) => Ok("none".to_owned()),
        Ok(Some(InForce::Recorded(since))) => Err(Fault::new(
            format!("everything is halted since {since}"),
            fix,
        )),
        Ok(Some(InForce::AtExecutor(executor, at))) => Err(Fault::new(
            format!("the {executor} is halted since {at}, which is not on record"),
            format!("{fix}, or `contractual halt` to put it on record"),
        )),
        Ok(Some(InForce::Unknown)) => Err(Fault::new(
            "an executor has an order to halt that cannot be read here",
            format!("run doctor as the executor's user or root; {fix}"),
        )),
        Err(error) => Err(Fault::of(&error, "read nats-server's log")),
    };
    findings.note("halt", seen);
}

/// Checks that no contract is suspended; shows the differences of a suspended one.
async fn contracts(findings: &mut Findings, deployment: &Deployment) {
    if !deployment.dir.owner_key().exists() {
        let said = "not checked: the owner's key is offline".to_owned();
        findings.note("contracts", Ok(said));
        return;
    }
    let seen = match contract::entries(deployment).await {
        Ok(all) => {
            let suspended = |one: &&ContractEntry| one.state == ContractStatus::Suspended;
            let suspended: Vec<String> = all
                .iter()
                .filter(suspended)
                .map(ContractEntry::text)
                .collect();
            let active = all.iter().filter(|one| one.state == ContractStatus::Active);
            if suspended.is_empty() {
                Ok(format!("{} in force, none suspended", active.count()))
            } else {
                let fix = "restore the signed state, or sign the present one with `contractual contract sign`";
                Err(Fault::new(suspended.join("\n"), fix))
            }
        }
        Err(error) => Err(Fault::of(&error, "read nats-server's log")),
    };
    findings.note("contracts", seen);
}

async fn agreement(findings: &mut Findings, deployment: &Deployment) {
    let verified = verify::files_and_stream(deployment).await;
    let seen = verified.map(|verified| format!("{} leaves agree with {AUDIT}", verified.size));
    findings.note(
        "log and stream",
        seen.map_err(|error| unverified(&deployment.dir, &error)),
    );
}

/// The fault of a record that does not verify, with the fix; a missing log can mean that audit has not run yet.
fn unverified(dir: &Dir, error: &Error) -> Fault {
    let Error::Bad { bad } = error else {
        let fix = "read nats-server's log, and run `contractual audit verify`";
        return Fault::of(error, fix);
    };
    let fix = bad.problem.fix();
    if dir.of("audit").join("log").exists() {
        Fault::new(bad.to_string(), fix)
    } else {
        let first = "run `contractual up`, which starts a log; if there was one before";
        Fault::new(bad.to_string(), format!("{first}, {fix}"))
    }
}

fn log(findings: &mut Findings, deployment: &Deployment, renew: &str) {
    let dir = &deployment.dir;
    let checked = verify::files(deployment);
    if let Ok((_, checked)) = &checked {
        findings.note("junk", junk::look(dir, checked, renew));
    }
    let checked =
        checked.map(|(verified, _)| format!("{} leaves, root {}", verified.size, verified.root));
    findings.note("log", checked.map_err(|error| unverified(dir, &error)));
}
