//! Granted calls to a host outside: a name server and an HTTPS server as a separate process stand for the world.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use bus_schema::{AuthorId, Digest, TaskId};
use harness::{Deployment, Ran, skipped};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use serde_json::{Value, json};

use crate::{
    cli::{add_tools, run},
    scene::{contract, playbook},
};

pub(crate) const HOST: &str = "api.example.com";
const SERVER: &str = include_str!("world.py");

/// The servers.
pub(crate) struct World {
    process: Child,
    folder: PathBuf,
    dns: u64,
    https: u64,
    /// The port of a store of secrets, if there is one.
    store: Option<u64>,
}

impl Drop for World {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl World {
    /// Starts the servers with a certificate for the host, in a new folder; none without Python.
    fn start(deployment: &Deployment) -> Option<Self> {
        Self::with(deployment, &[])
    }

    /// Starts them with further files in their folder.
    pub(crate) fn with(deployment: &Deployment, files: &[(&str, &str)]) -> Option<Self> {
        let folder = deployment.scratch().join("world");
        fs::create_dir(&folder).unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![HOST.to_owned()]).unwrap();
        let signed = params.signed_by(&key, &issuer).unwrap();
        for (name, text) in [
            ("ca.pem", issuer.pem()),
            ("cert.pem", signed.pem()),
            ("key.pem", key.serialize_pem()),
            ("world.py", SERVER.to_owned()),
            ("requests", String::new()),
        ] {
            fs::write(folder.join(name), text).unwrap();
        }
        for (name, text) in files {
            fs::write(folder.join(name), text).unwrap();
        }
        let process = Command::new("python3")
            .arg(folder.join("world.py"))
            .arg(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn();
        let Ok(mut process) = process else {
            skipped("python3 is not installed");
            return None;
        };
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        let ports: Value = serde_json::from_str(&line).unwrap();
        let port = |name: &str| ports[name].as_u64().unwrap();
        let world = Self {
            process,
            folder,
            dns: port("dns"),
            https: port("https"),
            store: ports["store"].as_u64(),
        };
        world.names(&json!({ HOST: ["127.0.0.1"] }));
        Some(world)
    }

    /// Sets the answers of the name server.
    pub(crate) fn names(&self, names: &Value) {
        fs::write(self.folder.join("names.json"), names.to_string()).unwrap();
    }

    /// Adds a file to the folder of the servers.
    pub(crate) fn write(&self, name: &str) {
        fs::write(self.folder.join(name), "").unwrap();
    }

    /// The requests that the HTTPS server has read.
    pub(crate) fn requests(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("requests")).unwrap();
        text.lines().map(str::to_owned).collect()
    }

    /// The SHA-256 of each header `authorization` that the HTTPS server has read.
    pub(crate) fn seen(&self) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join("seen")).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// The lines of a file in the folder of the servers.
    pub(crate) fn lines(&self, name: &str) -> Vec<String> {
        let text = fs::read_to_string(self.folder.join(name)).unwrap_or_default();
        text.lines().map(str::to_owned).collect()
    }

    /// A file of the folder of the servers.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// The file of the authority.
    pub(crate) fn authority(&self) -> String {
        self.folder.join("ca.pem").display().to_string()
    }

    /// The address of the name server.
    pub(crate) fn nameserver(&self) -> String {
        format!("127.0.0.1:{}", self.dns)
    }

    /// The endpoint of the HTTPS server.
    pub(crate) fn endpoint(&self) -> String {
        format!("{HOST}:{}", self.https)
    }

    /// The endpoint of the store of secrets.
    pub(crate) fn store(&self) -> String {
        format!("{HOST}:{}", self.store.unwrap())
    }

    /// A tool of the HTTPS server.
    pub(crate) fn tool(&self, name: &str, change: impl Fn(&mut Value)) -> Value {
        let mut tool = json!({
            "name": name, "description": "A tool of the world.", "effect": "outward", "risk": "low",
            "output": "untrusted",
            "input_schema": {
                "type": "object", "properties": {"item": {"type": "string"}}, "required": ["item"],
                "additionalProperties": false,
            },
            "http": {
                "method": "GET", "host": self.endpoint(), "path": "/v2/items/{item}",
                "answer": {"type": "json", "fields": {"path": "/data/path", "price": "/data/price"}},
                "limits": {"wall_ms": 20_000, "request_bytes_max": 1000, "answer_bytes_max": 10_000},
            },
        });
        change(&mut tool);
        tool
    }

    /// Signs tools.
    pub(crate) fn add(&self, deployment: &Deployment, tools: &[Value]) {
        let file = self.folder.join("tools.json");
        fs::write(&file, json!(tools).to_string()).unwrap();
        add_tools(deployment, &file);
    }

    /// The head of a contract that names the host, and the network of this machine.
    pub(crate) fn head(&self) -> String {
        format!(
            "hosts = [\"{}\"]\nnetworks = [\"127.0.0.0/8\"]\n",
            self.endpoint()
        )
    }

    /// A contract with these rules (TOML) under this head.
    pub(crate) fn contract(&self, name: &str, rules: &str) -> String {
        headed(&self.head(), name, rules)
    }
}

/// A contract with these rules (TOML) under a head.
fn headed(head: &str, name: &str, rules: &str) -> String {
    contract(name, rules).replacen("\n[limits]", &format!("{head}\n[limits]"), 1)
}

/// Starts the services; egress knows the world.
pub(crate) async fn started(deployment: &Deployment, world: &World) {
    started_with(deployment, world, "").await;
}

/// Starts them with more in the configuration of egress (TOML).
pub(crate) async fn started_with(deployment: &Deployment, world: &World, more: &str) {
    let config = deployment.dir().config(AuthorId::Egress);
    let text = fs::read_to_string(&config).unwrap();
    let authority = world.folder.join("ca.pem");
    let service = format!(
        "nameservers = [\"127.0.0.1:{}\"]\nfurther_authorities = [{:?}]\n{more}",
        world.dns, authority
    );
    fs::write(&config, format!("{text}{service}")).unwrap();
    deployment.start_all().await;
}

/// Starts a deployment whose egress knows the world.
pub(crate) async fn deployed() -> Option<(Deployment, World)> {
    let deployment = Deployment::provisioned().await;
    let world = World::start(&deployment)?;
    started(&deployment, &world).await;
    let tools = [
        world.tool("world.read", |_| ()),
        world.tool("world.moved", |tool| {
            tool["http"]["path"] = json!("/v2/{item}")
        }),
        world.tool("world.note", |tool| {
            tool["http"]["method"] = json!("POST");
            tool["http"]["path"] = json!("/v2/notes");
            tool["http"]["body"] = json!({"text": {"$value": "item"}});
            tool["http"]["answer"] =
                json!({"status": [201], "type": "json", "fields": {"text": "/echo/text"}});
        }),
    ];
    world.add(&deployment, &tools);
    Some((deployment, world))
}

/// Signs a contract with this head, and runs one call under it.
async fn call(deployment: &Deployment, head: &str, tool: &str, item: &str) -> Ran {
    call_under(deployment, (head, ""), tool, item).await
}

/// Signs a contract with this head and further keys of its rule, which allows the tool.
pub(crate) async fn signed_under(
    deployment: &Deployment,
    (head, keys): (&str, &str),
    tool: &str,
) -> Digest {
    let rule = format!("[[allow]]\ntool = \"{tool}\"\n{keys}");
    let text = headed(head, &tool.replace('.', "-"), &rule);
    deployment.sign(&text).await
}

/// Signs it, and submits a task of one call under it.
pub(crate) async fn submitted_under(
    deployment: &Deployment,
    head: (&str, &str),
    tool: &str,
    item: &str,
) -> TaskId {
    let signed = signed_under(deployment, head, tool).await;
    let steps =
        format!("[[step]]\nid = \"call\"\ntool = \"{tool}\"\nargs = {{ item = \"{item}\" }}\n");
    deployment.submit(signed, &playbook(&steps)).await
}

/// Signs it, and runs one call under it.
pub(crate) async fn call_under(
    deployment: &Deployment,
    head: (&str, &str),
    tool: &str,
    item: &str,
) -> Ran {
    let task = submitted_under(deployment, head, tool, item).await;
    deployment.follow(task, true).await
}

pub(crate) fn output(deployment: &Deployment, ran: &Ran) -> Value {
    let task = ran.task.to_string();
    let printed = run(deployment, &["output", &task, "call"]).printed;
    serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{error}: {printed}"))
}

/// The error of a call that failed.
pub(crate) fn failure(deployment: &Deployment, ran: &Ran) -> String {
    let output = output(deployment, ran);
    output["error"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_granted_call_reaches_the_host_once_and_nothing_else_does() {
    let Some((deployment, world)) = deployed().await else {
        return;
    };
    let ran = call(&deployment, &world.head(), "world.read", "a b").await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    let expected = json!({"path": "/v2/items/a%20b", "price": 7});
    assert_eq!(output(&deployment, &ran), expected);
    let ran = call(&deployment, &world.head(), "world.note", "hello").await;
    assert_eq!(output(&deployment, &ran), json!({"text": "hello"}));
    let sent = [
        "GET /v2/items/a%20b ",
        "POST /v2/notes {\"text\":\"hello\"}",
    ];
    assert_eq!(world.requests(), sent);
    let record = deployment.record().await;
    let started = record.of("action.started");
    let by: Vec<_> = started.filter_map(harness::Message::by).collect();
    assert_eq!(by, [AuthorId::Egress, AuthorId::Egress]);

    let ran = call(&deployment, &world.head(), "world.moved", "moved").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(&deployment, &ran);
    assert!(
        error.contains("points to \"https://evil.example"),
        "{error}"
    );
    assert_eq!(world.requests().len(), 3);

    // The same host at another address.
    for (addresses, kind) in [
        (json!(["10.0.0.1"]), "private"),
        (
            json!(["127.0.0.1", "169.254.169.254"]),
            "the metadata of a cloud",
        ),
        (json!(["::1"]), "outside of the addresses of the Internet"),
    ] {
        world.names(&json!({ HOST: addresses }));
        let ran = call(&deployment, &world.head(), "world.read", "x").await;
        assert_eq!(ran.outcomes(), ["failed"]);
        let error = failure(&deployment, &ran);
        assert!(error.contains(kind), "{error}");
    }
    assert_eq!(world.requests().len(), 3);
    let verified = run(&deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
}

#[tokio::test]
async fn a_granted_call_reads_all_pages_and_counts_once() {
    let Some((deployment, world)) = deployed().await else {
        return;
    };
    let pages = world.tool("world.pages", |tool| {
        tool["effect"] = json!("tell");
        tool["http"]["path"] = json!("/v2/pages/{item}");
        tool["http"]["answer"] = json!({"type": "json"});
        let next = json!({"cursor": {"at": "/next", "query": "after"}});
        tool["http"]["pages"] = json!({"items": "/data", "next": next, "pages_max": 3});
    });
    world.add(&deployment, &[pages]);
    let shown = run(&deployment, &["tool", "show", "world.pages"]);
    let words = "a call of `world.pages` reads up to 3 pages, each with one request";
    assert!(shown.printed.contains(words), "{shown:?}");
    // The contract permits one call.
    let once = (&*world.head(), "per_task = { calls = 1 }\n");
    let ran = call_under(&deployment, once, "world.pages", "all").await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    let whole = json!({"items": [0, 1, 2, 3, 4], "pages": 3, "more": false});
    assert_eq!(output(&deployment, &ran), whole);
    let ran = call_under(&deployment, once, "world.pages", "broken").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let failed = output(&deployment, &ran);
    assert_eq!((&failed["page"], &failed["code"]), (&json!(2), &json!(500)));
    let sent = [
        "all",
        "all?after=2",
        "all?after=4",
        "broken",
        "broken?after=2",
    ];
    assert_eq!(
        world.requests(),
        sent.map(|path| format!("GET /v2/pages/{path} "))
    );
    let record = deployment.record().await;
    assert_eq!(record.of("action.started").count(), 2);
}

#[tokio::test]
async fn a_granted_call_stores_a_file_that_the_owner_can_write() {
    let Some((deployment, world)) = deployed().await else {
        return;
    };
    let tool = world.tool("world.file", |tool| {
        tool["effect"] = json!("tell");
        tool["http"]["path"] = json!("/v2/files/{item}");
        tool["http"]["answer"] = json!({"type": "download"});
        tool["http"]["limits"]["answer_bytes_max"] = json!(6 << 20);
    });
    world.add(&deployment, &[tool]);
    let ran = call(&deployment, &world.head(), "world.file", "five").await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    let file = &output(&deployment, &ran)["download"];
    assert_eq!(
        (&file["name"], &file["bytes"]),
        (&json!("five.bin"), &json!(5 << 20))
    );
    assert_eq!(file["parts"].as_array().unwrap().len(), 2);
    let (task, path) = (ran.task.to_string(), deployment.scratch().join("five.bin"));
    let written = [
        "output",
        &task,
        "call",
        "--download",
        path.to_str().unwrap(),
    ];
    let written = run(&deployment, &written);
    assert_eq!(written.code, Some(0), "{written:?}");
    let bytes = fs::read(&path).unwrap();
    let whole: Vec<u8> = (0..=255).cycle().take(5 << 20).collect();
    assert!(bytes == whole);
    // The contract has less output left than the file has bytes.
    let text = world.contract("less", "[[allow]]\ntool = \"world.file\"\n");
    let text = text.replacen("output_bytes = 16777216\n", "output_bytes = 4000000\n", 1);
    assert!(text.contains("4000000"), "{text}");
    let signed = deployment.sign(&text).await;
    let steps = "[[step]]\nid = \"call\"\ntool = \"world.file\"\nargs = { item = \"five\" }\n";
    let task = deployment.submit(signed, &playbook(steps)).await;
    let ran = deployment.follow(task, true).await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(&deployment, &ran);
    assert!(error.contains("more than 3934464 bytes"), "{error}");
}

#[tokio::test]
async fn a_contract_says_where_its_calls_may_send() {
    let Some((deployment, world)) = deployed().await else {
        return;
    };
    let file = deployment.scratch().join("contract.toml");
    let rule = "[[allow]]\ntool = \"world.read\"\n";
    fs::write(&file, contract("read", rule)).unwrap();
    let file = file.to_str().unwrap();
    let refused = run(&deployment, &["contract", "check", file]);
    assert_eq!(refused.code, Some(64), "{refused:?}");
    let endpoint = world.endpoint();
    for part in [
        format!("`world.read` sends to {endpoint}, which `hosts` does not name"),
        format!("hosts = [\"{endpoint}\"]"),
    ] {
        assert!(refused.said.contains(&part), "{}", refused.said);
    }
    fs::write(file, world.contract("read", rule)).unwrap();
    let shown = run(&deployment, &["contract", "show", file]);
    assert_eq!(shown.code, Some(0), "{shown:?}");
    for part in [
        format!("Its calls may send to {endpoint}, and to no other host."),
        "These hosts may be in the network 127.0.0.0/8".to_owned(),
        format!("It sends GET to {endpoint}."),
    ] {
        assert!(shown.printed.contains(&part), "{}", shown.printed);
    }
    // Without the network, the host of this machine is out of reach.
    let head = format!("hosts = [\"{endpoint}\"]\n");
    let ran = call(&deployment, &head, "world.read", "x").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    let error = failure(&deployment, &ran);
    assert!(
        error.contains("the address 127.0.0.1 is this machine"),
        "{error}"
    );
    assert_eq!(world.requests(), [""; 0]);
}
