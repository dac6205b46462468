//! Values that stand in a store of secrets: read within the call, used once, and nowhere else.

use bus_schema::{AuthorId, Digest};
use harness::{Deployment, Ran, SOON, eventually};
use serde_json::{Value, json};

use crate::{
    canary::search_memory,
    cli::{Ended, run},
    egress::{World, call_under, failure, signed_under, started, submitted_under},
    secret_calls::{KEYS, canary, encodings, everything, give, has},
    secret_kills::is_unknown,
};

const SERVER: &str = include_str!("vault_server.py");
const TOOL: &str = "world.echo";

/// A deployment with a tool, a store, and the secret whose value stands there.
struct Stored {
    deployment: Deployment,
    world: World,
    canary: String,
}

impl Stored {
    /// Starts it, with a secret for this version of the entry; none without Python.
    async fn new(version: &str) -> Option<Self> {
        let deployment = Deployment::provisioned().await;
        let canary = canary(&deployment);
        let given = json!({
            "role": "the-role", "secret_id": format!("{canary}id"), "token": format!("{canary}token"),
            "versions": {
                "1": {"key": format!("{canary}old")}, "2": "deleted", "3": "destroyed",
                "4": {"key": format!("{canary}value"), "number": 7},
            },
        });
        let given = given.to_string();
        let files = [("vault.json", given.as_str()), ("vault_server.py", SERVER)];
        let world = World::with(&deployment, &files)?;
        started(&deployment, &world).await;
        let tool = world.tool(TOOL, |tool| {
            tool["http"]["path"] = json!("/v2/echo/{item}");
            tool["http"]["secret"] = json!("crm");
            tool["http"]["limits"]["wall_ms"] = json!(8_000);
            tool["http"]["answer"] = json!({"type": "json", "fields": {"echo": "/echo"}});
        });
        world.add(&deployment, &[tool]);
        let stored = Self {
            deployment,
            world,
            canary,
        };
        let ended = stored.set(&["--vault-field", "key", "--vault-version", version], "id");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        Some(stored)
    }

    /// Gives the secret, with a secret id that ends so.
    fn set(&self, more: &[&str], id: &str) -> Ended {
        let (host, url) = (
            self.world.endpoint(),
            format!("https://{}", self.world.store()),
        );
        let mut set = vec!["secret", "set", "crm", "--host", &host, "--vault-url", &url];
        set.extend(["--inject", "header:authorization=Bearer {}"]);
        set.extend(["--vault-mount", "kv", "--vault-path", "team/crm"]);
        set.extend(["--vault-role", "the-role"]);
        set.extend(more);
        give(&self.deployment, &set, &format!("{}{id}", self.canary))
    }

    /// The head of a contract that names both hosts.
    fn head(&self) -> String {
        let (host, store) = (self.world.endpoint(), self.world.store());
        format!("hosts = [\"{host}\", \"{store}\"]\nnetworks = [\"127.0.0.0/8\"]\n")
    }

    async fn call(&self, head: &str) -> Ran {
        call_under(&self.deployment, (head, KEYS), TOOL, "all").await
    }

    /// Waits for these steps of the store.
    async fn steps(&self, wanted: &[&str]) {
        eventually(SOON, async || match self.world.lines("store") {
            steps if steps == wanted => Ok(()),
            steps => Err(format!("{steps:?}")),
        })
        .await;
    }

    /// Makes a call that fails before anything is sent, and returns the reason.
    async fn refused(&self, head: &str) -> String {
        let ran = self.call(head).await;
        assert_eq!(ran.outcomes(), ["failed"]);
        let error = failure(&self.deployment, &ran);
        let start = "nothing was sent, because the secret `crm` was not available: ";
        let reason = error.strip_prefix(start);
        assert!(!error.contains(&self.canary), "{error}");
        assert_eq!(self.world.requests(), [""; 0], "{error}");
        reason.unwrap_or_else(|| panic!("{error}")).to_owned()
    }
}

#[tokio::test]
async fn a_value_of_a_store_does_its_work_and_stands_nowhere() {
    let Some(stored) = Stored::new("4").await else {
        return;
    };
    let Stored {
        deployment,
        world,
        canary,
    } = &stored;
    let ran = stored.call(&stored.head()).await;
    assert_eq!(ran.outcome(), "succeeded", "{:?}", ran.events.last());
    let wanted = Digest::of(&[format!("Bearer {canary}value").as_bytes()]);
    assert_eq!(world.seen(), [wanted.to_string()]);
    stored.steps(&["login", "read 4", "revoked"]).await;
    let printed = run(deployment, &["output", &ran.task.to_string(), "call"]).printed;
    assert_eq!(printed.matches("[secret crm]").count(), 12, "{printed}");
    assert_eq!(deployment.record().await.count("secret.released"), 1);
    assert_eq!(deployment.record().await.count("secret.renewed"), 0);

    let encodings = encodings(canary);
    search_memory(deployment, &encodings);
    for (place, bytes) in everything(deployment).await {
        assert!(!has(&bytes, &encodings), "{place} shows a secret");
    }
    // Each call logs in again, and the newest version is read if the terms say so.
    let ended = stored.set(&["--vault-field", "key", "--vault-version", "newest"], "id");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let ran = stored.call(&stored.head()).await;
    assert_eq!(ran.outcome(), "succeeded");
    let steps = ["login", "read 4", "revoked"];
    stored.steps(&[steps, steps].concat()).await;
    let verified = run(deployment, &["audit", "verify"]);
    assert!(verified.printed.contains(" 0 junk"), "{verified:?}");
}

/// Other answers of the store to a login or a reading, each with words of the reason that it leads to.
fn bad_answers() -> Vec<(String, &'static str)> {
    let json = "application/json";
    let says = |step: &str, code: u16, kind: &str, said: &Value| {
        json!({step: [code, kind, said.to_string()]}).to_string()
    };
    let errors = |text: &str| json!({"errors": [text]});
    let large = json!("x".repeat(70_000));
    let v1 = json!({"data": {"key": "a value"}});
    vec![
        (
            says("login", 400, json, &errors("invalid secret id")),
            "does not accept the role",
        ),
        (
            says("login", 403, json, &errors("permission denied")),
            "does not accept the role",
        ),
        (
            says("login", 404, json, &errors("no handler")),
            "has no AppRole login at `auth/approle`",
        ),
        (
            says("login", 503, json, &errors("Vault is sealed")),
            "is sealed or not ready",
        ),
        (
            says("login", 429, json, &errors("quota")),
            "limits the number of requests",
        ),
        (
            says("login", 200, "text/html", &json!({})),
            "is not that of Vault or OpenBao",
        ),
        (
            says("login", 200, json, &json!({"auth": null})),
            "is not that of Vault or OpenBao",
        ),
        (
            says("read", 403, json, &errors("permission denied")),
            "does not let the role read `kv/team/crm`",
        ),
        (
            says("read", 472, json, &errors("")),
            "is not the active server",
        ),
        (
            says("read", 473, json, &errors("")),
            "is not the active server",
        ),
        (
            says("read", 503, json, &errors("")),
            "is sealed or not ready",
        ),
        (
            says("read", 500, json, &errors("")),
            "answered with the code 500",
        ),
        (
            says("read", 200, "text/plain", &v1),
            "is not that of Vault or OpenBao",
        ),
        (says("read", 200, json, &large), "has more than 65536 bytes"),
        (
            says("read", 200, json, &v1),
            "is not that of Vault or OpenBao",
        ),
    ]
}

#[tokio::test]
async fn a_store_that_gives_no_value_fails_the_call_before_anything_is_sent() {
    let Some(stored) = Stored::new("4").await else {
        return;
    };
    let head = stored.head();
    for (says, reason) in bad_answers() {
        std::fs::write(stored.world.file("says.json"), &says).unwrap();
        let error = stored.refused(&head).await;
        assert!(error.contains(reason), "{reason}: {error}");
    }
    std::fs::remove_file(stored.world.file("says.json")).unwrap();
    for (field, version, reason) in [
        ("key", "2", "the version 2 of `kv/team/crm` was deleted"),
        ("key", "3", "the version 3 of `kv/team/crm` was deleted"),
        ("key", "9", "has no value at `kv/team/crm` in the version 9"),
        ("other", "4", "has no text in the field `other`"),
        ("number", "4", "has no text in the field `number`"),
    ] {
        let ended = stored.set(&["--vault-field", field, "--vault-version", version], "id");
        assert_eq!(ended.code, Some(0), "{ended:?}");
        let error = stored.refused(&head).await;
        assert!(error.contains(reason), "{reason}: {error}");
    }
    let given = ["--vault-field", "key", "--vault-version", "4"];
    assert_eq!(stored.set(&given, "wrong id").code, Some(0));
    let error = stored.refused(&head).await;
    assert!(error.contains("does not accept the role"), "{error}");
    // Each token that was given was given back, or its login was answered with something else.
    let all = stored.world.lines("store");
    let count = |step: &str| all.iter().filter(|one| *one == step).count();
    assert!(
        count("revoked") > 0 && count("login") > count("revoked"),
        "{all:?}"
    );
}

#[tokio::test]
async fn a_store_that_the_contract_does_not_name_is_not_asked() {
    let Some(stored) = Stored::new("4").await else {
        return;
    };
    let error = stored.refused(&stored.world.head()).await;
    assert!(error.contains("the contract does not name"), "{error}");
    assert_eq!(stored.world.lines("store"), [""; 0]);
}

#[tokio::test]
async fn egress_killed_between_login_and_reading_sends_nothing_and_no_second_value_is_released() {
    let Some(stored) = Stored::new("4").await else {
        return;
    };
    let Stored {
        deployment, world, ..
    } = &stored;
    world.write("holds");
    let head = stored.head();
    let task = submitted_under(deployment, (&head, KEYS), TOOL, "all").await;
    stored.steps(&["login", "held"]).await;
    assert!(deployment.kill(AuthorId::Egress));
    deployment.start(AuthorId::Egress).await;
    is_unknown(deployment, task).await;
    let record = deployment.record().await;
    assert_eq!(record.count("secret.released"), 1);
    assert_eq!(record.count("action.started"), 1);
    assert_eq!(world.requests(), [""; 0]);
    stored.steps(&["login", "held"]).await;
    // The next call begins anew.
    std::fs::remove_file(world.file("holds")).unwrap();
    let ran = stored.call(&head).await;
    assert_eq!(ran.outcome(), "succeeded");
}

#[tokio::test]
async fn commands_say_where_a_value_stands() {
    let Some(stored) = Stored::new("4").await else {
        return;
    };
    let deployment = &stored.deployment;
    let missing = stored.set(&["--vault-field", "key"], "id");
    assert_eq!(missing.code, Some(64), "{missing:?}");
    assert!(missing.said.contains("--vault-version"), "{missing:?}");
    let given = ["--vault-field", "key", "--vault-version", "latest"];
    let wrong = stored.set(&given, "id");
    assert_eq!(wrong.code, Some(64), "{wrong:?}");
    assert!(wrong.said.contains("newest"), "{wrong:?}");

    let store = stored.world.store();
    let place = format!("key of kv/team/crm on https://{store}, version 4, as the role the-role");
    let shown = run(deployment, &["secret", "show", "crm"]).printed;
    assert!(shown.contains(&place), "{shown}");
    let printed = run(deployment, &["--json", "secret", "show", "crm"]).printed;
    let shown: Value = serde_json::from_str(&printed).unwrap();
    assert_eq!(shown["vault"]["version"], "4");
    let head = stored.head();
    signed_under(deployment, (&head, KEYS), TOOL).await;
    let test = || run(deployment, &["secret", "test", "crm", "--arg", "item=all"]);
    let tested = test();
    assert_eq!(tested.code, Some(0), "{tested:?}");
    // Another secret id under the same terms.
    let rotate = ["secret", "rotate", "crm"];
    let ended = give(deployment, &rotate, "a secret id that is wrong");
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert!(ended.printed.contains(&place), "{ended:?}");
    let tested = test();
    assert_eq!(tested.code, Some(1), "{tested:?}");
    assert!(
        tested.said.contains("contractual secret rotate"),
        "{tested:?}"
    );
}
