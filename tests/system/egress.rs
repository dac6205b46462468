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

const HOST: &str = "api.example.com";
const SERVER: &str = include_str!("world.py");

/// The servers.
pub(crate) struct World {
    process: Child,
    folder: PathBuf,
    dns: u64,
    https: u64,
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

    /// The endpoint of the HTTPS server.
    pub(crate) fn endpoint(&self) -> String {
        format!("{HOST}:{}", self.https)
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
    let config = deployment.dir().config(AuthorId::Egress);
    let text = fs::read_to_string(&config).unwrap();
    let authority = world.folder.join("ca.pem");
    let service = format!(
        "nameservers = [\"127.0.0.1:{}\"]\nfurther_authorities = [{:?}]\n",
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
