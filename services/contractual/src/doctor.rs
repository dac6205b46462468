//! `doctor`: checks everything that can be checked from here, and names the fix for each finding.

mod sidecar;

use std::{net::TcpStream, path::Path, process::Command, time::Duration};

use actor::{Clock, Operator, files, nkey::UserKey, signing_key};
use bus_schema::{ACTORS, AUDIT, STREAMS, permission};
use serde::Serialize;

use crate::{
    Dir, Error,
    init::Facts,
    nats_server::{self, Places},
    output::Output,
    pki::Ca,
    run, verify,
};

/// One thing that was looked at.
#[derive(Debug, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub what: String,
    /// Whether it is good.
    pub ok: bool,
    /// What was seen, and what to do about it if it is not good.
    pub text: String,
}

#[derive(Debug, Default)]
struct Findings(Vec<Finding>);

impl Findings {
    fn note(&mut self, what: impl Into<String>, seen: Result<String, String>) -> bool {
        let ok = seen.is_ok();
        let text = seen.unwrap_or_else(|text| text);
        self.0.push(Finding {
            what: what.into(),
            ok,
            text,
        });
        ok
    }
}

/// Looks at everything; at the files for the tailnet in `tailscale`, or in the sidecar's own folder.
///
/// # Errors
/// [`Error::Found`] if anything is not good.
pub async fn doctor(
    dir: &Dir,
    tailscale: Option<&Path>,
    out: &Output,
    clock: &Clock,
) -> Result<(), Error> {
    let mut findings = Findings::default();
    let cancel = std::sync::atomic::AtomicBool::new(false);
    let server = nats_server::find(&Places::from_env(), &cancel, &mut |_| {});
    let server = server.map(|found| format!("{} at {}", found.version, found.path.display()));
    findings.note("nats-server", server.map_err(|error| actor::chain(&error)));
    kernel(&mut findings);
    cage(&mut findings).await;
    let facts = Facts::read(dir);
    let there = findings.note(
        "state directory",
        facts
            .as_ref()
            .map(|_| dir.path().display().to_string())
            .map_err(ToString::to_string),
    );
    if let (true, Ok(facts)) = (there, facts) {
        identities(&mut findings, dir);
        workspace(&mut findings, &facts.workspace);
        if reachable(
            &mut findings,
            "bus",
            facts.bus,
            "run `contractual up`, or start nats-server",
        ) {
            bus(&mut findings, dir, &facts, clock).await;
        }
        if reachable(
            &mut findings,
            "gateway",
            facts.gateway,
            "run `contractual up`, or look at the gateway's log",
        ) {
            let tasks = async { Ok::<_, Error>(run::client(dir, clock)?.tasks().await?) };
            let tasks = tasks
                .await
                .map(|tasks| format!("{} tasks", tasks.tasks.len()));
            findings.note(
                "gateway's answer",
                tasks.map_err(|error| actor::chain(&error)),
            );
        }
        services(&mut findings, dir, clock);
        log(&mut findings, dir);
    }
    sidecar::tailnet(&mut findings, dir, tailscale).await;
    report(findings, out)
}

fn report(findings: Findings, out: &Output) -> Result<(), Error> {
    out.print(&findings.0, || {
        let line = |finding: &Finding| {
            let mark = if finding.ok { "ok  " } else { "BAD " };
            format!("{mark} {:<22} {}", finding.what, finding.text)
        };
        findings.0.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    match findings.0.iter().filter(|finding| !finding.ok).count() {
        0 => Ok(()),
        bad => Err(Error::Found(format!(
            "{bad} of {} checks found something",
            findings.0.len()
        ))),
    }
}

fn kernel(findings: &mut Findings) {
    let release = rustix::system::uname();
    let release = release.release().to_string_lossy().into_owned();
    let landlock = std::fs::read_to_string("/sys/kernel/security/lsm").unwrap_or_default();
    let seen = if landlock.is_empty() || landlock.contains("landlock") {
        Ok(format!("Linux {release}"))
    } else {
        Err(format!(
            "Linux {release} runs without Landlock: add landlock to the kernel's lsm= list"
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
    findings.note("cage", probed.map_err(|error| actor::chain(&error)));
    let awk = Command::new("awk").arg("BEGIN { print 1 }").output();
    let seen = if awk.is_ok_and(|output| output.status.success()) {
        Ok("awk answers".to_owned())
    } else {
        Err("awk is missing: install mawk or gawk for the example's totals".to_owned())
    };
    findings.note("example's program", seen);
}

fn identities(findings: &mut Findings, dir: &Dir) {
    let mut wrong = Vec::new();
    let mut names: Vec<_> = permission::users().iter().map(|user| user.name).collect();
    names.push("sys");
    for name in &names {
        let folder = dir.of(name);
        wrong.extend(
            UserKey::load(&folder.join("user.nk"))
                .err()
                .map(|error| actor::chain(&error)),
        );
        wrong.extend(
            files::read_secret(&folder.join("key.pem"))
                .err()
                .map(|error| error.to_string()),
        );
    }
    let signers = ACTORS
        .iter()
        .map(|author| dir.of(author.name()).join("signing.pem"));
    for path in signers.chain([dir.owner_key()]) {
        wrong.extend(
            signing_key::load(&path)
                .err()
                .map(|error| actor::chain(&error)),
        );
    }
    let seen = if wrong.is_empty() {
        Ok(format!(
            "{} users, {} signing keys, private",
            names.len(),
            ACTORS.len() + 1
        ))
    } else {
        Err(wrong.join("; "))
    };
    findings.note("keys", seen);
    certificates(findings, dir, &names);
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn certificates(findings: &mut Findings, dir: &Dir, names: &[&str]) {
    let now = std::time::SystemTime::now();
    let authority = files::read_public(&dir.ca())
        .and_then(|cert| Ok((cert, files::read_secret(&dir.ca_key())?)));
    let seen = match authority {
        Err(error) => Err(error.to_string()),
        Ok((cert, key)) => {
            match Ca::load(
                &String::from_utf8_lossy(&key),
                &String::from_utf8_lossy(&cert),
                now,
            ) {
                Err(error) => Err(actor::chain(&error)),
                Ok(ca) => leaves(&ca, dir, names, now),
            }
        }
    };
    findings.note("certificates", seen);
}

fn leaves(
    ca: &Ca,
    dir: &Dir,
    names: &[&str],
    now: std::time::SystemTime,
) -> Result<String, String> {
    const WEEK: Duration = Duration::from_secs(7 * 86_400);
    let mut soonest = None;
    for name in names.iter().chain(&["nats"]) {
        let folder = dir.of(name);
        let read =
            |file: &str| files::read_public(&folder.join(file)).map_err(|error| error.to_string());
        let (key, cert) = (read("key.pem")?, read("cert.pem")?);
        let until = ca.check(
            &String::from_utf8_lossy(&key),
            &String::from_utf8_lossy(&cert),
            now,
        );
        let until = until.map_err(|error| format!("{name}: {}", actor::chain(&error)))?;
        soonest = Some(soonest.map_or(until, |soonest: std::time::SystemTime| soonest.min(until)));
    }
    let left = soonest
        .and_then(|until| until.duration_since(now).ok())
        .unwrap_or_default();
    let days = left.as_secs() / 86_400;
    if left < WEEK {
        Err(format!(
            "the first one expires in {days} days: delete it and its key, and run `contractual init` again"
        ))
    } else {
        Ok(format!("the first one expires in {days} days"))
    }
}

fn workspace(findings: &mut Findings, path: &Path) {
    let written = tempfile::Builder::new()
        .prefix(".contractual-doctor")
        .tempfile_in(path);
    let seen = written.map(|_| path.display().to_string());
    findings.note(
        "workspace",
        seen.map_err(|error| {
            format!(
                "{}: {error}; make it a folder you can write to",
                path.display()
            )
        }),
    );
}

fn reachable(
    findings: &mut Findings,
    what: &str,
    address: std::net::SocketAddr,
    fix: &str,
) -> bool {
    let connected = TcpStream::connect_timeout(&address, Duration::from_secs(1));
    let seen = connected.map(|_| format!("{address} answers"));
    findings.note(
        what,
        seen.map_err(|error| format!("{address}: {error}; {fix}")),
    )
}

async fn bus(findings: &mut Findings, dir: &Dir, facts: &Facts, clock: &Clock) {
    let asked = async {
        let bus = Operator::connect(&dir.access("provision", &facts.url()), clock.clone()).await?;
        let mut seen = Vec::new();
        for stream in STREAMS {
            let info = bus
                .api(
                    &format!("STREAM.INFO.{}", stream.name),
                    &serde_json::json!({}),
                )
                .await?;
            let of = |group: &str, field: &str| {
                info.pointer(&format!("/{group}/{field}"))
                    .and_then(serde_json::Value::as_u64)
                    .unwrap_or(0)
            };
            let percent = of("state", "bytes") * 100 / of("config", "max_bytes").max(1);
            seen.push((stream.name, of("state", "messages"), percent));
        }
        Ok::<_, actor::Error>(seen)
    };
    match asked.await {
        Err(error) => drop(findings.note("streams", Err(actor::chain(&error)))),
        Ok(streams) => {
            for (name, messages, percent) in streams {
                let text = format!("{messages} messages, {percent} % full");
                let seen = match percent {
                    0..50 => Ok(text),
                    50..80 => Err(format!("{text}: plan more room or a new epoch")),
                    _ => Err(format!(
                        "{text}: at 100 % nothing more is stored; make room now"
                    )),
                };
                findings.note(format!("stream {name}"), seen);
            }
        }
    }
    let verified = verify::files_and_stream(dir, clock).await;
    let seen = verified.map(|verified| format!("{} leaves agree with {AUDIT}", verified.size));
    findings.note("log and stream", seen.map_err(|error| actor::chain(&error)));
}

fn services(findings: &mut Findings, dir: &Dir, clock: &Clock) {
    for author in ACTORS {
        let health = actor::health::read(&dir.state(*author), clock);
        let seen = health.map(|health| {
            format!(
                "{} at message {}, {} junk",
                health.state, health.seq, health.junk
            )
        });
        findings.note(
            author.name(),
            seen.map_err(|error| format!("{error}; look at its log, or run `contractual up`")),
        );
    }
}

fn log(findings: &mut Findings, dir: &Dir) {
    let checked = verify::files(dir)
        .map(|(verified, _)| format!("{} leaves, root {}", verified.size, verified.root));
    findings.note("log", checked.map_err(|error| actor::chain(&error)));
}
