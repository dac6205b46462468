//! `egress`: a granted call of a host, beside the same client direct to the same server; a secret; a stream.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU8},
    },
};

use actor::Clock;
use bus_schema::{AuthorId, Digest, Sealed};
use contract::{Catalogue, HttpTool, Method, Reach};
use contractual::command::contract::sign;
use deployment::{owner::owner, secrets};
use egress::{Call, Fault, Pieces, Resolver, Sender, Trust};
use secret::{Injection, SecretTerms, SecretValue};
use serde_json::{Map, Value, json};
use zeroize::Zeroizing;

use crate::{
    actions::Measured,
    deployment::Deployment,
    egress_world::{EVENTS, FILE_BYTES, LARGE_BYTES, World},
    memory::{megabytes, memory},
    runtime::Error,
    system::{actions, watch},
    table::{self, Row, Times},
};

/// Timed calls of each kind, and calls before them.
const CALLS: usize = 200;
const UNTIMED: usize = 20;
/// Timed readings of the large answer.
const LARGE: usize = 30;
/// The goals: more than a gated action, a release, an event on its way, in milliseconds; a stream, in MB/s.
const MORE_MS_GOAL: f64 = 1.0;
const RELEASE_MS_GOAL: f64 = 1.0;
const PIECE_MS_GOAL: f64 = 5.0;
const STREAM_GOAL: f64 = 200.0;
/// The memory for a large file, in MB.
const FILE_MB_GOAL: f64 = 64.0;
/// The longest time of a call.
const WALL: std::time::Duration = std::time::Duration::from_secs(60);

pub(crate) fn run() -> Result<(), Error> {
    let rows = crate::runtime::block_on(Box::pin(measure()))??;
    table::line(&format!("load average at the end: {}", table::load()));
    table::finish("egress", &rows);
    Ok(())
}

async fn measure() -> Result<Vec<Row>, Error> {
    let folder = tempfile::tempdir()?;
    let clock = Clock::system();
    let world = World::start(folder.path(), &clock)?;
    let direct = Direct::new(&world, &clock)?;
    let mut rows = Vec::new();
    let alone = direct.calls().await?;
    for sync in ["always", "2m"] {
        rows.extend(Box::pin(granted(&world, sync, &alone)).await?);
    }
    rows.extend(direct.large().await?);
    rows.extend(direct.events().await?);
    rows.extend(direct.file(folder.path()).await?);
    Ok(rows)
}

/// The entry of a tool that reads a path.
fn entry(world: &World, name: &str, path: &str, answer: &Value) -> Value {
    json!({
        "name": name, "description": "Reads from the host of the benchmark.", "effect": "read",
        "output": "untrusted", "input_schema": {"type": "object", "additionalProperties": false},
        "http": {
            "method": "GET", "host": world.endpoint(), "path": path, "answer": answer,
            "limits": {"wall_ms": 60_000, "request_bytes_max": 1000, "answer_bytes_max": 4_000_000},
        },
    })
}

/// Reads an entry, as a catalogue would have it.
fn http(entry: &Value) -> Result<HttpTool, Error> {
    let catalogue = Catalogue::parse(json!([entry]).to_string().as_bytes())?;
    let tool = catalogue.get("bench").and_then(|tool| tool.http());
    Ok(tool.ok_or("the catalogue has no such tool")?.clone())
}

/// The client of egress without the bus.
struct Direct<'w> {
    world: &'w World,
    clock: &'w Clock,
    sender: Sender,
    reach: Reach,
}

impl<'w> Direct<'w> {
    fn new(world: &'w World, clock: &'w Clock) -> Result<Self, Error> {
        let sender = Sender {
            resolver: Resolver::new(&[world.names]),
            trust: Trust::read([world.authority.as_path()])?,
            folder: PathBuf::new(),
            proxy: None,
        };
        let reach = Reach::read(&[world.endpoint()], &["127.0.0.0/8".to_owned()]);
        Ok(Self {
            world,
            clock,
            sender,
            reach,
        })
    }

    fn passed(&self, since: std::time::Duration) -> f64 {
        self.clock.elapsed().saturating_sub(since).as_secs_f64() * 1000.0
    }

    fn tool(&self, path: &str, answer: &Value) -> Result<HttpTool, Error> {
        http(&entry(self.world, "bench", path, answer))
    }

    /// Calls a tool; returns the size of its output.
    async fn call(&self, tool: &HttpTool, pieces: Option<&Pieces>) -> Result<usize, Error> {
        let (begun, body) = (AtomicBool::new(false), OnceLock::new());
        let call = Call {
            tool,
            args: &Map::new(),
            begun: &begun,
            page: &AtomicU8::new(0),
            body: &body,
            granted: FILE_BYTES as u64,
            credential: None,
            pieces,
        };
        let output = self.sender.call(&call, &self.reach, WALL).await?;
        let Some(file) = output.download else {
            return Ok(output.bytes.len());
        };
        // Each part is sealed as it would be for the bus, and dropped.
        let put = |part: Vec<u8>| {
            let sealed = Sealed::new(self.clock.salt(), &part);
            let content = sealed.map(|sealed| sealed.content());
            std::future::ready(content.map_err(|error| Fault::Store(error.to_string())))
        };
        let (_, stored) = file.store(put).await?;
        Ok(usize::try_from(stored)?)
    }

    /// Downloads the file; returns how much more memory it needs.
    async fn file(mut self, folder: &Path) -> Result<Vec<Row>, Error> {
        folder.clone_into(&mut self.sender.folder);
        let mut tool = entry(self.world, "bench", "/file", &json!({"type": "download"}));
        if let Some(bytes_max) = tool.pointer_mut("/http/limits/answer_bytes_max") {
            *bytes_max = json!(FILE_BYTES);
        }
        let tool = http(&tool)?;
        // The highest memory so far becomes that of now.
        fs::write("/proc/self/clear_refs", "5")?;
        let before = memory("VmRSS:")?;
        let since = self.clock.elapsed();
        if self.call(&tool, None).await? != FILE_BYTES {
            return Err("the file was cut off".into());
        }
        let (ms, after) = (self.passed(since), memory("VmHWM:")?);
        table::line(&format!("a file of 1 GiB: {:.2} s", ms / 1000.0));
        let more = megabytes(after.saturating_sub(before));
        let case = "a file of 1 GiB, more memory, MB, beside the goal";
        Ok(vec![Row::new(case, more, Some(FILE_MB_GOAL))])
    }

    /// Times calls: the name, a new connection, its proof, and the answer.
    async fn calls(&self) -> Result<Times, Error> {
        let tool = self.tool("/item", &item())?;
        let mut times = Times::default();
        for at in 0..UNTIMED + CALLS {
            let since = self.clock.elapsed();
            self.call(&tool, None).await?;
            if at >= UNTIMED {
                times.push(self.passed(since));
            }
        }
        table::line(&format!("the same client direct: {}", times.text()));
        Ok(times)
    }

    /// Times the large answer, beside TLS alone.
    async fn large(&self) -> Result<Vec<Row>, Error> {
        let tool = self.tool("/large", &json!({"type": "text"}))?;
        let (mut ours, mut bare) = (Times::default(), Times::default());
        for _ in 0..LARGE {
            let since = self.clock.elapsed();
            let read = self.call(&tool, None).await?;
            ours.push(self.passed(since));
            let since = self.clock.elapsed();
            let alone = self.world.bare("/large")?;
            bare.push(self.passed(since));
            if read.min(alone) < LARGE_BYTES {
                return Err("an answer was cut off".into());
            }
        }
        let bytes = f64::from(u32::try_from(LARGE_BYTES).unwrap_or(u32::MAX));
        let speed = |times: &Times| bytes / 1000.0 / times.percentile(50).max(0.001);
        let (ours, bare) = (speed(&ours), speed(&bare));
        Ok(vec![
            Row::new(
                "an answer of 3 MiB, MB/s, beside TLS alone",
                ours,
                Some(bare),
            ),
            Row::new("the same, beside the goal", ours, Some(STREAM_GOAL)),
        ])
    }

    /// Times events from the host's write to the piece that leaves egress.
    async fn events(&self) -> Result<Vec<Row>, Error> {
        let tool = self.tool("/events", &json!({"type": "events"}))?;
        let (pieces, mut waiting) = Pieces::new();
        let called = async {
            let out = pieces;
            self.call(&tool, Some(&out)).await
        };
        let read = async {
            let mut at = Vec::new();
            while waiting.recv().await.is_some() {
                at.push(self.clock.elapsed());
            }
            at
        };
        let (called, read) = futures::join!(called, read);
        called?;
        let written = self.world.written.lock();
        let written = written.unwrap_or_else(PoisonError::into_inner);
        if read.len() != EVENTS || written.len() != EVENTS {
            return Err(format!("{} of {EVENTS} events came", read.len()).into());
        }
        let mut times = Times::default();
        for (written, read) in written.iter().zip(&read) {
            times.push(read.saturating_sub(*written).as_secs_f64() * 1000.0);
        }
        let row = |percent| {
            let case = format!("an event until it leaves egress, p{percent} ms, beside the goal");
            Row::new(case, times.percentile(percent), Some(PIECE_MS_GOAL))
        };
        Ok(vec![row(50), row(99)])
    }
}

fn item() -> Value {
    json!({"type": "json", "fields": {"price": "/price"}})
}

/// Times granted calls without and with a secret, beside a gated action that reaches no host.
async fn granted(world: &World, sync: &str, alone: &Times) -> Result<Vec<Row>, Error> {
    let deployment = Deployment::create(sync)?;
    prepare(&deployment, world)?;
    let mut fleet = deployment.start_nats().await?;
    deployment.start_actors(&mut fleet).await?;
    let measured = Box::pin(timed(&deployment, world)).await;
    fleet.stop().await;
    let [local, plain, secret] = measured?;
    let mut rows = Vec::new();
    for percent in [50, 99] {
        let floor = local.whole.percentile(percent) + alone.percentile(percent);
        let case = format!(
            "sync {sync}, granted call, p{percent} ms, beside a gated action and the client"
        );
        rows.push(Row::new(case, plain.whole.percentile(percent), Some(floor)));
    }
    let p50 = |measured: &Measured| measured.whole.percentile(50);
    let more = p50(&plain) - p50(&local) - alone.percentile(50);
    let case = format!("sync {sync}, more than both, p50 ms, beside the goal");
    rows.push(Row::new(case, more, Some(MORE_MS_GOAL)));
    let case = format!("sync {sync}, release of a secret, p50 ms, beside the goal");
    let release = p50(&secret) - p50(&plain);
    rows.push(Row::new(case, release, Some(RELEASE_MS_GOAL)));
    Ok(rows)
}

/// Adds the tools of the host to the catalogue, and has egress know the world.
fn prepare(deployment: &Deployment, world: &World) -> Result<(), Error> {
    let file = deployment.dir.catalogue();
    let mut tools: Vec<Value> = serde_json::from_slice(&fs::read(&file)?)?;
    let plain = entry(world, "bench.plain", "/item", &item());
    let mut secret = entry(world, "bench.secret", "/item", &item());
    if let Some(http) = secret.get_mut("http").and_then(Value::as_object_mut) {
        http.insert("secret".to_owned(), json!("bench"));
    }
    tools.extend([plain, secret]);
    fs::write(&file, serde_json::to_vec(&tools)?)?;
    let file = deployment.dir.config(AuthorId::Egress);
    let text = fs::read_to_string(&file)?;
    let (names, authority) = (world.names, &world.authority);
    let service = format!("nameservers = [\"{names}\"]\nfurther_authorities = [{authority:?}]\n");
    Ok(fs::write(file, format!("{text}{service}"))?)
}

/// Runs tasks of one call after the other: of the machine's own tool, of the host, and of the host with a secret.
async fn timed(deployment: &Deployment, world: &World) -> Result<[Measured; 3], Error> {
    give(deployment, world).await?;
    let contract = signed(deployment, world).await?;
    let client = contractual::client(&deployment.opened()?)?;
    let mut all = Vec::new();
    for (tool, args) in [
        ("file.list", "path = \".\""),
        ("bench.plain", ""),
        ("bench.secret", ""),
    ] {
        let mut text = String::from("playbook = \"bench\"\npurpose = \"Calls the host.\"\n");
        for step in 0..UNTIMED + CALLS {
            text.push_str(&format!(
                "\n[[step]]\nid = \"s{step}\"\ntool = \"{tool}\"\nargs = {{ {args} }}\n"
            ));
        }
        let submitted = client.submit(contract, text.as_bytes()).await?;
        watch(deployment, &client, submitted.task, &mut Times::default()).await?;
        let measured = actions(deployment, submitted.seq).await?.measured(UNTIMED);
        table::line(&format!("{tool}: {}", measured.text()));
        if measured.count != CALLS {
            return Err(format!("{tool}: {} of {CALLS} calls ended", measured.count).into());
        }
        all.push(measured);
    }
    all.try_into().map_err(|_| "three tools".into())
}

/// Gives the secret of the host.
async fn give(deployment: &Deployment, world: &World) -> Result<(), Error> {
    let opened = deployment.opened()?;
    let inject: Injection = "header:authorization=Bearer {}".parse()?;
    let hosts = vec![world.endpoint().parse()?];
    let terms = SecretTerms::new("bench".parse()?, 1, hosts, vec![Method::Get], inject)?;
    let value = SecretValue::new(Zeroizing::new(b"a key of the benchmark".to_vec()))?;
    let bus = opened.bus().await?;
    let found = secrets::read(&bus, owner(&opened.dir)?).await?;
    secrets::sign(&opened, &bus, &found, (&terms, &value), None).await?;
    Ok(())
}

async fn signed(deployment: &Deployment, world: &World) -> Result<Digest, Error> {
    let text = format!(
        "contract = \"bench\"\nversion = 1\npurpose = \"Calls the host again and again\"\nowner = \"The benchmark\"\n\
         hosts = [\"{}\"]\nnetworks = [\"127.0.0.0/8\"]\nexpires = 2036-12-31\n\n\
         [limits]\ncalls = 100000\nwall_time = \"10h\"\noutput_bytes = 67108864\n\n\
         [[allow]]\nname = \"list\"\ntool = \"file.list\"\nwhere.path = \".\"\n\n\
         [[allow]]\nname = \"plain\"\ntool = \"bench.plain\"\n\n\
         [[allow]]\nname = \"secret\"\ntool = \"bench.secret\"\nsecrets = [\"bench\"]\n",
        world.endpoint()
    );
    let path = deployment.dir.path().join("contract.toml");
    fs::write(&path, text)?;
    Ok(sign::sign(&deployment.opened()?, &path).await?.contract)
}
