//! `demo --net`: calls to a host outside, with a secret, and the search for it afterwards.

use std::path::Path;

use bus_schema::{AuthorId, Content, Digest, SecretName, TaskId};
use deployment::{Deployment, Dir, Lock, fleet::Fleet, init, owner::owner, secrets};
use gateway::client::Client;
use secret::{Injection, Scrubber, SecretTerms, SecretValue};
use serde::Serialize;
use serde_json::{Map, Value};
use tempfile::TempDir;
use zeroize::Zeroizing;

use super::{
    parts::{choices, proof, signed, started},
    world::{HOST, World},
};
use crate::{
    Error, Output,
    command::{audit::verify, context::today, up},
    example, fact,
    follower::{Answer, Follower},
    timeline::Timeline,
};

/// The name of the secret.
const SECRET: &str = "crm";
/// The port of the hosts in the example's documents.
const PORT: &str = ":8443";
/// The requests that reach the host: the one with the answer, and the one that is answered with a redirect.
const SENT: [&str; 2] = ["/v1/customers/7", "/v1/moved"];

/// The last line of `--json`.
#[derive(Debug, Default, Serialize)]
struct NetReport {
    /// Empty if the task did not end.
    outcome: String,
    /// The requests that the host has read, each with the secret.
    requests: usize,
    /// The files in which the secret was looked for afterwards.
    files: usize,
    /// The events of the task and the contents that they name, in which it was looked for.
    recorded: usize,
    verified: bool,
}

/// Runs it in a temporary folder.
pub(super) async fn run(out: &Output, clock: &actor::Clock) -> Result<(), Error> {
    let mut interrupt = up::Interrupt::listen()?;
    let scratch = TempDir::with_prefix("contractual-demo-")
        .map_err(Error::io("create", std::env::temp_dir()))?;
    let made = |name: &str| {
        let folder = scratch.path().join(name);
        std::fs::create_dir(&folder).map_err(Error::io("create", folder.clone()))?;
        Ok::<_, Error>(folder)
    };
    let server = up::find_nats_server(out, &mut interrupt).await?;
    let world = World::start(made("world")?).await?;
    let dir = Dir::new(scratch.path().join("state"));
    let choices = choices(made("workspace")?, &here(example::CUSTOMER_TOOLS, &world))?;
    init::init(&dir, &choices, clock, today())?;
    configure(&dir, &world)?;
    let deployment = Deployment::open(&dir, clock)?;
    out.line_for_people(&format!(
        "nats-server {} · state in {} · an HTTPS server as {HOST}:{} stands for the world\n",
        server.version,
        dir.path().display(),
        world.ports.https,
    ));
    let lock = Lock::take(&dir)?;
    let mut fleet = Fleet::new(dir.clone(), server.path, None);
    let gave_up = fleet.gave_up();
    let value = Zeroizing::new(format!("key-{}", clock.salt()));
    let mut report = NetReport::default();
    let done = tokio::select! {
        biased;
        done = perform((&deployment, &world), &mut fleet, &value, (out, &mut report)) => done,
        error = gave_up => Err(error.into()),
        () = interrupt.came() => Err(Error::Interrupted),
    };
    fleet.stop().await;
    drop(lock);
    done?;
    report.requests = check_sent(&world, &value)?;
    report.files = search(scratch.path(), &value)?;
    out.print(&report, || {
        format!(
            "\n{}: {} requests with the key reached the host, no other one did\n\
             search   the key stands in none of {} files, and in none of {} events and contents of the task",
            report.outcome, report.requests, report.files, report.recorded
        )
    });
    Ok(())
}

/// Has egress ask the name server of the world, and trust its authority.
fn configure(dir: &Dir, world: &World) -> Result<(), Error> {
    let file = dir.config(AuthorId::Egress);
    let text = std::fs::read_to_string(&file).map_err(Error::io("read", file.clone()))?;
    let text = format!("{text}{}", world.configuration());
    std::fs::write(&file, text).map_err(Error::io("write", file))
}

/// A document of the example, with the port of the world.
fn here(document: &str, world: &World) -> String {
    document.replace(PORT, &format!(":{}", world.ports.https))
}

async fn perform(
    (deployment, world): (&Deployment, &World),
    fleet: &mut Fleet,
    value: &str,
    (out, report): (&Output, &mut NetReport),
) -> Result<(), Error> {
    started(deployment, fleet).await?;
    give(deployment, world, value).await?;
    out.line_for_people("secret   crm: sealed to broker and egress; neither alone can open it");
    let text = here(example::CUSTOMER_CONTRACT, world);
    let signed = signed(deployment, &text, out).await?;
    let client = crate::client(deployment)?;
    let playbook = example::CUSTOMER_PLAYBOOK.as_bytes();
    let submitted = client.submit(signed.contract, playbook).await?;
    let follower = Follower {
        deployment,
        client: &client,
        out,
        live: true,
    };
    let mut timeline = Timeline::new();
    follower
        .follow(submitted.task, Answer::Asked, &mut timeline)
        .await?;
    report.outcome = timeline.counts.outcome;
    if !timeline.counts.succeeded {
        return Err(Error::Refused(format!(
            "the task ended as {}",
            report.outcome
        )));
    }
    report.recorded = look(&client, submitted.task, value).await?;
    let verified = verify::running(deployment, None).await?;
    report.verified = verified.included == verified.messages && verified.junk == 0;
    out.line_for_people(&proof(&verified));
    if report.verified {
        return Ok(());
    }
    let unproven = "some messages are not valid events, or are not proven to be in the log";
    Err(Error::Refused(unproven.to_owned()))
}

/// Seals the secret, and signs it for the host.
async fn give(deployment: &Deployment, world: &World, value: &str) -> Result<(), Error> {
    let problem = |error: &dyn std::error::Error| Error::Document(actor::chain(error));
    let endpoint = format!("{HOST}:{}", world.ports.https).parse();
    let endpoint = endpoint.map_err(|error| problem(&error))?;
    let inject: Injection = "header:authorization=Bearer {}"
        .parse()
        .map_err(|error| problem(&error))?;
    let methods = vec![contract::Method::Get];
    let terms = SecretTerms::new(name()?, 1, vec![endpoint], methods, inject);
    let terms = terms.map_err(|error| problem(&error))?;
    let value = SecretValue::new(Zeroizing::new(value.as_bytes().to_vec()));
    let value = value.map_err(|error| problem(&error))?;
    let bus = deployment.bus().await?;
    let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
    secrets::sign(deployment, &bus, &found, (&terms, &value), None).await?;
    Ok(())
}

fn name() -> Result<SecretName, Error> {
    let name = SECRET.parse();
    name.map_err(|_| Error::Document(format!("{SECRET:?} is no name of a secret")))
}

/// Checks that the host has read the two requests that were to reach it, each with the secret; returns their number.
fn check_sent(world: &World, value: &str) -> Result<usize, Error> {
    let digest = Digest::of(&[format!("Bearer {value}").as_bytes()]).to_string();
    let seen = world.seen()?;
    let wanted: Vec<_> = SENT.map(|path| (path.to_owned(), digest.clone())).into();
    if seen == wanted {
        return Ok(seen.len());
    }
    let paths: Vec<&str> = seen.iter().map(|(path, _)| path.as_str()).collect();
    Err(Error::Refused(format!(
        "the host has read {paths:?}, and not {SENT:?} with the key"
    )))
}

/// Looks for the secret in the events of a task and in the contents that they name, which the stream's files have compressed;
/// returns their number.
async fn look(client: &Client, task: TaskId, value: &str) -> Result<usize, Error> {
    let mut looked = 0;
    for event in client.task(task).await?.events {
        let mut texts = vec![event.body.to_string().into_bytes()];
        let by = fact::field(&event.body, "author");
        let said = event.body.get("fact").and_then(Value::as_object);
        for name in said.into_iter().flat_map(Map::keys) {
            let content: Option<Content> = event
                .body
                .get("fact")
                .and_then(|said| fact::field(said, name));
            if let (Some(by), Some(content)) = (by, content) {
                texts.extend(client.content(by, &content).await?);
            }
        }
        for text in texts {
            looked += 1;
            if hits(&text, value)? > 0 {
                let kind = event.kind;
                return Err(Error::Refused(format!(
                    "the key stands in the record, at {kind}"
                )));
            }
        }
    }
    Ok(looked)
}

/// Looks for the secret in all files, in each usual encoding; returns their number.
fn search(folder: &Path, value: &str) -> Result<usize, Error> {
    // A search that finds nothing in a text with the secret proves nothing.
    let sample = format!("Bearer {value}");
    if hits(sample.as_bytes(), value)? != 1 {
        return Err(Error::Refused(
            "the search does not find the key in a text that has it".to_owned(),
        ));
    }
    let (mut folders, mut searched) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        let entries = std::fs::read_dir(&folder).map_err(Error::io("read", folder.clone()))?;
        for entry in entries {
            let entry = entry.map_err(Error::io("read", folder.clone()))?;
            let kind = entry.file_type().map_err(Error::io("read", entry.path()))?;
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() {
                let bytes = std::fs::read(entry.path()).map_err(Error::io("read", entry.path()))?;
                searched += 1;
                if hits(&bytes, value)? > 0 {
                    let path = entry.path();
                    return Err(Error::Refused(format!(
                        "the key stands in {}",
                        path.display()
                    )));
                }
            }
        }
    }
    Ok(searched)
}

fn hits(bytes: &[u8], value: &str) -> Result<u64, Error> {
    let mut scrubber = Scrubber::new(&name()?, &[value]);
    drop(scrubber.whole(bytes));
    Ok(scrubber.hits())
}
