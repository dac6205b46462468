//! Processes killed without notice: a granted action runs at most once, and all readers agree on unknown outcomes.

use std::{collections::BTreeMap, fs, path::Path, process::Command, time::Duration};

use actor::chain;
use bus_schema::{ActionId, AuthorId, DraftGrant, TaskId};
use contractual::example;
use futures::StreamExt as _;
use gateway::api::Event;
use harness::{Deployment, NATS, Ran, Record, SOON, eventually, nats_server};
use serde_json::{Value, json};

use crate::lines::sign_lines;

/// Kills of one run, unless `SEEDS` is set.
const SEEDS: u64 = 20;
/// About the number of events of the example's task with one more step.
const EVENTS: u64 = 44;
/// A program that writes a line, and hangs unless the line was there before.
const HOLD: &str = r#"echo "$1" >> ran.log; [ "$(grep -cx "$1" ran.log)" -gt 1 ] || exec sleep 90"#;
/// A program that writes a line.
const MARK: &str = r#"echo "$1" >> ran.log"#;

/// The example's tools, and two programs that write a line into the workspace.
fn tools() -> String {
    let mut tools: Vec<Value> = serde_json::from_str(example::TOOLS).unwrap();
    for (name, script) in [("line.hold", HOLD), ("line.mark", MARK)] {
        let line =
            json!({"type": "string", "minLength": 1, "maxLength": 64, "description": "The line."});
        tools.push(json!({
            "name": name,
            "description": "Adds a line to ran.log.",
            "input_schema": {"type": "object", "properties": {"line": line},
                "required": ["line"], "additionalProperties": false},
            "effect": "write",
            "risk": "low",
            "output": "trusted",
            "exec": {
                "program": "sh",
                "argv": [{"literal": "-c"}, {"literal": script}, {"literal": "sh"},
                    {"value": {"name": "line", "kind": "text"}}],
                "writable": true,
                "limits": {"wall_ms": 120_000, "cpu_ms_max": 5_000, "output_bytes_max": 4_096,
                    "memory_bytes_max": 268_435_456, "processes_max": 8, "file_bytes_max": 65_536,
                    "files_open_max": 64},
            },
        }));
    }
    serde_json::to_string(&tools).unwrap()
}

/// The example's contract with another wall time, which also allows the two programs.
pub(super) fn contract(wall_time: &str) -> String {
    assert!(example::CONTRACT.contains("\"30m\""));
    let text = example::CONTRACT.replace("\"30m\"", &format!("\"{wall_time}\""));
    let text = text.replacen("\"\n", &format!("-{wall_time}\"\n"), 1);
    format!("{text}\n[[allow]]\ntool = \"line.*\"\n")
}

pub(super) async fn everything() -> Deployment {
    let deployment = Deployment::with(|choices| choices.catalogue = tools());
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    deployment
}

/// The lines that programs wrote, with their counts.
pub(super) fn lines(deployment: &Deployment) -> BTreeMap<String, usize> {
    let text = fs::read_to_string(deployment.workspace().join("ran.log")).unwrap_or_default();
    let mut lines = BTreeMap::new();
    for line in text.lines() {
        *lines.entry(line.to_owned()).or_default() += 1;
    }
    lines
}

/// The processes that work in `folder` or name it in their arguments.
pub(super) fn processes_of(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let Ok(command) = fs::read(path.join("cmdline")) else {
            continue;
        };
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        let works_in = fs::read_link(path.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        if works_in || command.contains(folder.to_str().unwrap()) {
            found.push(format!("{} {command}", path.display()));
        }
    }
    found
}

pub(super) async fn no_process_of(folder: &Path) {
    eventually(SOON, async || match processes_of(folder) {
        left if left.is_empty() => Ok(()),
        left => Err(left.join("\n")),
    })
    .await;
}

/// Follows a task, with retries while the gateway is down, and approves every question.
async fn follow(deployment: &Deployment, task: TaskId, within: Duration) -> Ran {
    let gateway = deployment.gateway();
    let mut events: Vec<Event> = Vec::new();
    let over = async {
        while !events.last().is_some_and(Event::ends_task) {
            events.clear();
            let mut coming = std::pin::pin!(gateway.follow(task));
            while let Some(event) = coming.next().await {
                match event {
                    Ok(event) => {
                        if event.kind == "approval.requested" {
                            say_yes(deployment, &event).await;
                        }
                        events.push(event);
                    }
                    Err(error) if error.is_passing() => break,
                    Err(error) => panic!("{}", chain(&error)),
                }
            }
        }
    };
    if tokio::time::timeout(within, over).await.is_err() {
        let last = events.last().map(|event| event.kind.clone());
        panic!("task {task} does not end; its last event is {last:?}");
    }
    Ran { task, events }
}

async fn say_yes(deployment: &Deployment, asked: &Event) {
    let draft = asked.body["fact"]["draft"].clone();
    let draft: DraftGrant = serde_json::from_value(draft).unwrap();
    let gateway = deployment.gateway();
    eventually(SOON, async || {
        let carried = |event: &Event| event.kind == "approval.carried";
        match gateway.task(draft.task).await {
            Ok(task) if task.events.iter().any(carried) => Ok(()),
            Ok(_) => {
                let said = gateway.approve(&draft, true).await;
                said.map(drop).map_err(|error| chain(&error))
            }
            Err(error) => Err(chain(&error)),
        }
    })
    .await;
}

/// The number of events of a kind for each action of a task.
fn per_action(record: &Record, task: TaskId, kind: &str) -> BTreeMap<ActionId, usize> {
    let mut found = BTreeMap::new();
    for message in record.of(kind).filter(|one| one.task() == Some(task)) {
        *found.entry(message.action().unwrap()).or_default() += 1;
    }
    found
}

/// Runs the program with `arguments` on the deployment; returns its output if it ended with `code`.
fn command(deployment: &Deployment, arguments: &[&str], code: i32) -> String {
    let output = Command::new(harness::contractual())
        .arg("--dir")
        .arg(deployment.dir().path())
        .args(arguments)
        .env("NATS_SERVER", nats_server())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap() + &String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
    text
}

/// Cases of a killed step: `(name, contract's wall time, the playbook's rule for an unknown outcome)`.
const AFTER: [(&str, &str, &str); 4] = [
    ("stop", "10s", "\"stop\""),
    // The time that an unknown action may have used is not given back.
    ("spent", "10s", "\"continue\""),
    ("continue", "30m", "\"continue\""),
    ("retry", "30m", "{ retry = 1 }"),
];

pub(super) fn held(name: &str, on_unknown: &str) -> String {
    format!(
        "playbook = \"held\"\npurpose = \"Holds on.\"\n\
         [[step]]\nid = \"hold\"\ntool = \"line.hold\"\nargs = {{ line = \"{name}\" }}\non_unknown = {on_unknown}\n\
         [[step]]\nid = \"next\"\ntool = \"line.mark\"\nargs = {{ line = \"{name}-next\" }}\n"
    )
}

#[tokio::test]
async fn an_action_whose_runner_was_killed_is_unknown_to_all_and_never_runs_again() {
    let deployment = everything().await;
    let mut tasks = BTreeMap::new();
    for (name, wall_time, on_unknown) in AFTER {
        let contract = deployment.sign(&contract(wall_time)).await;
        let task = deployment.submit(contract, &held(name, on_unknown)).await;
        tasks.insert(name, task);
    }
    eventually(SOON, async || match lines(&deployment) {
        found if found.len() == AFTER.len() => Ok(()),
        found => Err(format!("{found:?}")),
    })
    .await;
    assert!(deployment.kill(AuthorId::Runner));
    // The programs of the runner end with it.
    no_process_of(deployment.workspace()).await;
    deployment.start(AuthorId::Runner).await;

    let within = SOON * 4;
    let [stop, spent, go_on, retry] =
        AFTER.map(|(name, ..)| follow(&deployment, tasks[name], within));
    let (stop, spent, go_on, retry) = tokio::join!(stop, spent, go_on, retry);
    let outcomes = [&stop, &spent, &go_on, &retry].map(Ran::outcome);
    assert_eq!(outcomes, ["failed", "failed", "succeeded", "succeeded"]);
    assert_eq!(
        (stop.count("action.proposed"), stop.count("action.refused")),
        (1, 0)
    );
    assert_eq!(spent.count("action.refused"), 1);
    let counts = |ran: &Ran| (ran.count("action.proposed"), ran.count("action.finished"));
    assert_eq!((counts(&go_on), counts(&retry)), ((2, 1), (3, 2)));

    let record = deployment.record().await;
    for (name, task) in &tasks {
        let started = per_action(&record, *task, "action.started");
        let finished = per_action(&record, *task, "action.finished");
        let expired = per_action(&record, *task, "action.expired");
        assert!(
            started.values().chain(finished.values()).all(|n| *n == 1),
            "{name}"
        );
        let lost: Vec<_> = started
            .keys()
            .filter(|id| !finished.contains_key(*id))
            .collect();
        assert_eq!(lost, expired.keys().collect::<Vec<_>>(), "{name}");
        assert_eq!(lost.len(), 1, "{name}");
        let shown = deployment.gateway().task(*task).await.unwrap();
        assert_eq!(shown.summary.unknown, 1, "{name}");
        let shown = command(&deployment, &["task", "show", &task.to_string()], 0);
        assert!(shown.contains("expired"), "{shown}");
    }
    let listed = command(&deployment, &["task", "list"], 0);
    assert_eq!(listed.matches("unknown 1").count(), AFTER.len(), "{listed}");
    let ran = [
        ("continue", 1),
        ("continue-next", 1),
        ("retry", 2),
        ("retry-next", 1),
        ("spent", 1),
        ("stop", 1),
    ];
    let ran = ran.map(|(line, times)| (line.to_owned(), times));
    assert_eq!(lines(&deployment), BTreeMap::from(ran));
    command(&deployment, &["audit", "verify"], 0);
}

/// An evenly spread number; the same for the same seed.
pub(super) fn spread(seed: u64) -> u64 {
    let mut x = seed.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// The process that is killed, and the event of the task after which it is killed.
#[derive(Debug)]
struct Kill {
    seed: u64,
    victim: &'static str,
    after: u64,
}

impl Kill {
    fn of(seed: u64) -> Self {
        const VICTIMS: [&str; 11] = [
            "gateway",
            "worker",
            "engine",
            "scheduler",
            "ui",
            "policy",
            "runner",
            "broker",
            "egress",
            "audit",
            NATS,
        ];
        let victim = VICTIMS[usize::try_from(seed).unwrap() % VICTIMS.len()];
        let after = 1 + spread(seed) % EVENTS;
        Self {
            seed,
            victim,
            after,
        }
    }

    /// Waits for the moment, kills, and starts again.
    async fn happen(&self, deployment: &Deployment, task: TaskId, mut seen: impl Seen) {
        let mut left = self.after;
        while left > 0 {
            let next = tokio::time::timeout(SOON, seen.next()).await;
            let trace = next
                .unwrap_or_else(|_| panic!("{self:?}: {left} events too few"))
                .unwrap();
            left -= u64::from(trace.contains(&task.to_string().replace('-', "")));
        }
        assert!(deployment.kill_named(self.victim), "{self:?}");
        match self.victim.parse::<AuthorId>() {
            Ok(author) => deployment.start(author).await,
            Err(_) => deployment.nats().start().await,
        }
    }

    /// The example's playbook with one more step, which writes a line.
    fn playbook(&self) -> String {
        let report = "[[step]]\nid = \"report\"";
        let line = format!("args = {{ line = \"seed-{}\" }}", self.seed);
        // A program, or a tool of an MCP server.
        let tool = if (self.seed / 6).is_multiple_of(2) {
            "line.mark"
        } else {
            "line.note"
        };
        let mark = format!("[[step]]\nid = \"mark\"\ntool = \"{tool}\"\n{line}\n\n{report}");
        let text = example::PLAYBOOK.replace(report, &mark);
        assert_ne!(text, example::PLAYBOOK);
        text
    }

    fn check(&self, deployment: &Deployment, ran: &Ran, record: &Record) {
        assert_eq!(record.junk().count(), 0, "{self:?}");
        let of = |kind: &str| per_action(record, ran.task, kind);
        let (granted, started, finished) = (
            of("action.granted"),
            of("action.started"),
            of("action.finished"),
        );
        for counts in [&granted, &started, &finished, &of("action.proposed")] {
            assert!(counts.values().all(|n| *n == 1), "{self:?}: {counts:?}");
        }
        let unknown = started.len() - finished.len();
        // Written to the ledger, and killed before the claim was sent: it is proposed again.
        let lapsed = granted.len() - started.len();
        assert!(
            lapsed == 0 || (self.victim, lapsed) == ("runner", 1),
            "{self:?}"
        );
        let report = fs::read_to_string(deployment.workspace().join("report.md"));
        let marked = lines(deployment)
            .get(&format!("seed-{}", self.seed))
            .copied();
        if unknown == 0 {
            assert_eq!(ran.outcome(), "succeeded", "{self:?}");
            let counts = (granted.len(), started.len(), ran.count("action.proposed"));
            assert_eq!(counts, (10 + lapsed, 10, 11 + lapsed), "{self:?}");
            let verdicts = (ran.count("approval.requested"), ran.count("action.refused"));
            assert_eq!(verdicts, (1, 1), "{self:?}");
            assert!(report.unwrap().contains("EUR 3392.00"), "{self:?}");
            assert_eq!(marked, Some(1), "{self:?}");
        } else {
            assert_eq!(
                (self.victim, unknown, ran.outcome()),
                ("runner", 1, "failed"),
                "{self:?}"
            );
            assert_eq!(of("action.expired").len(), 1, "{self:?}");
            assert!(marked.unwrap_or_default() <= 1, "{self:?}");
        }
    }
}

/// The traces of messages as they are stored.
trait Seen: futures::Stream<Item = String> + Unpin {}
impl<S: futures::Stream<Item = String> + Unpin> Seen for S {}

/// The messages that are stored from now on.
async fn watch(reader: &async_nats::Client, name: String) -> impl Seen {
    use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
    let stream = async_nats::jetstream::new(reader.clone())
        .get_stream("AUDIT")
        .await;
    let config = pull::Config {
        name: Some(name),
        deliver_policy: DeliverPolicy::New,
        ack_policy: AckPolicy::None,
        ..pull::Config::default()
    };
    let consumer = stream.unwrap().create_consumer(config).await.unwrap();
    let messages = consumer.messages().await.unwrap();
    messages
        .filter_map(|message| {
            let headers = message.ok().and_then(|message| message.headers.clone());
            let trace = headers.and_then(|headers| Some(headers.get("traceparent")?.to_string()));
            std::future::ready(trace)
        })
        .boxed()
}

#[tokio::test]
async fn a_task_survives_the_death_of_any_process_at_any_moment() {
    let seeds =
        std::env::var_os("SEEDS").map_or(SEEDS, |seeds| seeds.to_str().unwrap().parse().unwrap());
    let deployment = everything().await;
    sign_lines(&deployment);
    // Short, so that an unknown outcome is recorded soon.
    let contract = deployment.sign(&contract("4s")).await;
    for seed in 0..seeds {
        let kill = Kill::of(seed);
        let began = deployment.clock().elapsed();
        // The first round has no report yet.
        fs::remove_file(deployment.workspace().join("report.md")).ok();
        let reader = deployment.client("audit-reader").await;
        let seen = watch(&reader.nats, format!("seed-{seed}")).await;
        let task = deployment.submit(contract, &kill.playbook()).await;
        eprintln!("{kill:?}: task {task}");
        let (ran, ()) = tokio::join!(
            follow(&deployment, task, SOON * 2),
            kill.happen(&deployment, task, seen)
        );
        kill.check(&deployment, &ran, &deployment.record().await);
        eprintln!(
            "{}, {:?}",
            ran.outcome(),
            deployment.clock().elapsed() - began
        );
    }
    command(&deployment, &["audit", "verify"], 0);
    command(&deployment, &["audit", "verify", "--offline"], 0);
}
