//! Values that a real server of Vault keeps. `.ci/run vault`, a part of the long checks, builds it from its published source.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
};

use bus_schema::Digest;
use harness::Deployment;
use serde_json::Value;

use crate::{
    cli::Ended,
    egress::{HOST, World, call_under, failure},
    secret_calls::{KEYS, canary, encodings, everything, give, has, with_tool},
};

/// The variable with the path of the server's program.
const PROGRAM: &str = "VAULT_SERVER";

/// A server; it ends with this value.
struct Vault {
    process: Child,
    told: Value,
}

impl Drop for Vault {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

impl Vault {
    /// Starts one whose secret `apps/crm` has this value, behind the certificate of the world.
    fn start(program: &str, world: &World, value: &str) -> Self {
        let file = world.file("value");
        std::fs::write(&file, value).unwrap();
        let mut process = Command::new(program)
            .arg(file.parent().unwrap())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let out = process.stdout.take().unwrap();
        BufReader::new(out).read_line(&mut line).unwrap();
        std::fs::remove_file(file).unwrap();
        let told = serde_json::from_str(&line).unwrap();
        Self { process, told }
    }

    fn text(&self, name: &str) -> String {
        self.told[name].as_str().unwrap().to_owned()
    }

    fn endpoint(&self) -> String {
        format!("{HOST}:{}", self.told["port"])
    }

    /// Gives the secret `crm` with this place, version and secret id.
    fn set(
        &self,
        (deployment, world): (&Deployment, &World),
        (path, field, version): (&str, &str, &str),
        secret_id: &str,
    ) -> Ended {
        let (host, url) = (world.endpoint(), format!("https://{}", self.endpoint()));
        let role = self.text("role");
        let arguments = [
            "secret",
            "set",
            "crm",
            "--host",
            &host,
            "--inject",
            "header:authorization=Bearer {}",
            "--vault-url",
            &url,
            "--vault-path",
            path,
            "--vault-field",
            field,
            "--vault-version",
            version,
            "--vault-role",
            &role,
        ];
        let ended = give(deployment, &arguments, secret_id);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended
    }
}

#[tokio::test]
async fn a_real_vault_keeps_a_value_and_each_refusal_of_it_has_one_sentence() {
    let program = std::env::vars().find(|(name, _)| name == PROGRAM);
    let Some((_, program)) = program else {
        println!("SKIPPED: {PROGRAM} names no server; `.ci/run vault` builds one");
        return;
    };
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    let value = canary(&deployment);
    let vault = Vault::start(&program, &world, &value);
    let hosts = format!(
        "hosts = [\"{}\", \"{}\"]\n",
        world.endpoint(),
        vault.endpoint()
    );
    let head = format!("{hosts}networks = [\"127.0.0.0/8\"]\n");
    let call = async || call_under(&deployment, (&head, KEYS), "world.echo", "all").await;
    let (always, once) = (vault.text("always"), vault.text("once"));
    let of = (&deployment, &world);

    let shown = vault.set(of, ("apps/crm", "key", "2"), &always);
    assert!(shown.printed.contains("version 2"), "{shown:?}");
    for _ in 0..2 {
        assert_eq!(call().await.outcome(), "succeeded");
    }
    vault.set(of, ("apps/crm", "key", "newest"), &once);
    assert_eq!(call().await.outcome(), "succeeded");
    let seen = Digest::of(&[format!("Bearer {value}").as_bytes()]).to_string();
    assert_eq!(world.seen(), [seen.as_str(); 3]);

    let wrong = "00000000-0000-0000-0000-000000000000";
    for (place, secret_id, sentence) in [
        (
            ("apps/crm", "key", "newest"),
            once.as_str(),
            "does not accept the role",
        ),
        (("apps/crm", "key", "2"), wrong, "does not accept the role"),
        (
            ("apps/crm", "key", "7"),
            &always,
            "has no value at `secret/apps/crm` in the version 7",
        ),
        (
            ("apps/nothing", "key", "1"),
            &always,
            "has no value at `secret/apps/nothing`",
        ),
        (("apps/crm", "key", "1"), &always, "was deleted"),
        (
            ("apps/crm", "other", "2"),
            &always,
            "no text in the field `other`",
        ),
        (
            ("others/crm", "key", "1"),
            &always,
            "does not let the role read",
        ),
    ] {
        vault.set(of, place, secret_id);
        let ran = call().await;
        assert_eq!(ran.outcomes(), ["failed"], "{sentence}");
        let error = failure(&deployment, &ran);
        assert!(error.contains(sentence), "{sentence}: {error}");
    }
    assert_eq!(world.seen().len(), 3);
    let encodings = encodings(&value);
    for (place, bytes) in everything(&deployment).await {
        assert!(!has(&bytes, &encodings), "{place} shows the value");
    }
}
