//! An existing deployment: files that are offline are not missed, and only files that this version adds are made.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

use actor::{Clock, config, signing_key};
use bus_schema::{AuthorId, public_key};
use contractual::example;
use deployment::{
    DeploymentFile, Dir, InitReport, certs,
    containers::{self, Person},
    init::{Choices, init},
};
use serde_json::Value;
use tempfile::TempDir;

use crate::executable::executable;

/// The owner of a deployment in containers.
const PERSON: Person = Person {
    uid: 4321,
    gid: 4322,
};
/// A fake docker with one container, the sidecar, whose folder is $SERVED and in which no program answers.
const DOCKER: &str = r#"case "$*" in
*/config*tailscale-1) echo "$SERVED" ;;
*) echo "no such container" >&2; exit 1 ;;
esac"#;

/// A deployment's files in a folder of their own, and its choices.
struct Deployed {
    dir: Dir,
    choices: Choices,
    folder: TempDir,
}

impl Deployed {
    fn new(containers: Option<containers::ContainerChoices>) -> Self {
        let folder = TempDir::new().unwrap();
        let choices = Choices {
            copy: true,
            bus: "127.0.0.1:4222".parse().unwrap(),
            gateway: "127.0.0.1:8480".parse().unwrap(),
            signer: None,
            workspace: folder.path().join("workspace"),
            catalogue: example::TOOLS.to_owned(),
            sync: "2m".to_owned(),
            containers,
        };
        let dir = Dir::new(folder.path().join("state"));
        let made = Self {
            dir,
            choices,
            folder,
        };
        made.again().unwrap();
        made
    }

    /// Needs root, to give each container its files; without root it fails if tests are mandatory.
    fn contained() -> Option<Self> {
        let is_root = rustix::process::geteuid().is_root();
        let mandatory =
            std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_some_and(|set| set == "1");
        assert!(is_root || !mandatory, "only root can give files away");
        let containers = containers::ContainerChoices {
            person: PERSON,
            authkey: None,
            name: None,
        };
        is_root.then(|| Self::new(Some(containers)))
    }

    /// Runs `init` again with the same choices.
    fn again(&self) -> Result<InitReport, String> {
        let made = init(&self.dir, &self.choices, &Clock::system(), now());
        made.map_err(|error| actor::chain(&error))
    }

    fn set(&mut self, change: impl FnOnce(&mut containers::ContainerChoices)) {
        change(self.choices.containers.as_mut().unwrap());
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.dir.path().join(path)).unwrap()
    }

    /// Moves a file or folder of the deployment elsewhere.
    fn offline(&self, path: &str) -> PathBuf {
        let to = self.folder.path().join(path.replace('/', "-"));
        fs::rename(self.dir.path().join(path), &to).unwrap();
        to
    }

    /// Removes a service and a user that an older version did not have.
    fn before_the_worker(&self) {
        for name in ["worker", "trigger"] {
            fs::remove_dir_all(self.dir.of(name)).unwrap();
        }
        let path = self.dir.nats().join("local.conf");
        let text = fs::read_to_string(&path).unwrap();
        let older = text
            .lines()
            .filter(|line| !line.starts_with("NKEY_WORKER") && !line.starts_with("NKEY_TRIGGER"));
        fs::write(
            &path,
            older.map(|line| format!("{line}\n")).collect::<String>(),
        )
        .unwrap();
    }

    /// Runs `doctor` with a fake `docker`; returns all findings.
    fn doctor(&self, served: &Path) -> Vec<Value> {
        let bin = self.folder.path().join("bin");
        executable(&bin.join("docker"), format!("#!/bin/sh\n{DOCKER}\n"));
        let output = Command::new(env!("CARGO_BIN_EXE_contractual"))
            .args(["doctor", "--json", "--dir"])
            .arg(self.dir.path())
            .env("PATH", format!("{}:/usr/bin:/bin", bin.display()))
            .env("NATS_SERVER", "/bin/true")
            .env("SERVED", served)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {said}"))
    }
}

fn now() -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000)
}

fn finding(all: &[Value], what: &str) -> (bool, String) {
    let found = all.iter().find(|one| one["what"] == what);
    let found = found.unwrap_or_else(|| panic!("{what}: {all:?}"));
    (
        found["ok"] == true,
        found["text"].as_str().unwrap().to_owned(),
    )
}

#[test]
fn what_was_taken_offline_is_not_made_anew_and_is_no_fault() {
    let made = Deployed::new(None);
    let (roster, server) = (made.read("roster.json"), made.read("nats/local.conf"));
    let away = ["owner", "provision", "ca/ca-key.pem"].map(|path| (path, made.offline(path)));
    made.again().unwrap();
    for (path, _) in &away {
        assert!(!made.dir.path().join(path).exists(), "{path} was made anew");
    }
    assert_eq!(
        (made.read("roster.json"), made.read("nats/local.conf")),
        (roster, server)
    );
    let (ok, text) = finding(&made.doctor(Path::new("")), "keys");
    let words = "offline: owner, provision, the authority's key";
    assert!(ok && text.contains(words), "{text}");
    let said = certs::renew(&made.dir, None, 30, now())
        .unwrap_err()
        .to_string();
    assert!(
        said.contains("offline: bring") && said.contains("ca-key.pem"),
        "{said}"
    );
    for (path, kept) in away {
        fs::rename(kept, made.dir.path().join(path)).unwrap();
    }
    made.again().unwrap();
    let (ok, text) = finding(&made.doctor(Path::new("")), "keys");
    assert!(ok && !text.contains("offline"), "{text}");
}

#[test]
fn what_this_version_adds_is_made_and_signed_and_edited_files_stay() {
    let mut made = Deployed::new(None);
    let config = made.dir.config(AuthorId::Policy);
    let edited = format!("# mine\n{}", fs::read_to_string(&config).unwrap());
    fs::write(&config, &edited).unwrap();
    made.before_the_worker();
    made.choices.sync = "always".to_owned();
    made.again().unwrap();
    assert_eq!(fs::read_to_string(&config).unwrap(), edited);
    let server = made.read("nats/local.conf");
    assert!(server.contains("BUS_SYNC: \"2m\"\n"), "{server}");
    for name in ["worker", "trigger"] {
        let nkey = actor::nkey::UserKey::load(&made.dir.of(name).join("user.nk")).unwrap();
        let line = format!("NKEY_{}: \"{}\"\n", name.to_uppercase(), nkey.public());
        assert!(server.contains(&line), "{name}: {server}");
    }
    let roster: Value = serde_json::from_str(&made.read("roster.json")).unwrap();
    let key = signing_key::load(&made.dir.of("worker").join("signing.pem")).unwrap();
    let named = public_key(&key).to_string();
    assert!(
        roster["body"].as_str().unwrap().contains(&named),
        "{roster}"
    );
    // A second run changes nothing.
    let third = made.again().unwrap();
    assert!(
        third.created.is_empty() && third.replaced.is_empty(),
        "{third:?}"
    );
}

#[test]
fn the_key_that_an_upgrade_needs_is_named() {
    for (path, words) in [
        ("ca/ca-key.pem", "worker needs a certificate: bring "),
        ("owner", "the owner must sign the roster of keys: bring "),
    ] {
        let made = Deployed::new(None);
        made.before_the_worker();
        let away = made.offline(path);
        let said = made.again().unwrap_err();
        assert!(said.contains(words), "{said}");
        fs::rename(away, made.dir.path().join(path)).unwrap();
        made.again().unwrap();
    }
}

/// An earlier version had permissions instead of accounts.
#[test]
fn deployment_of_a_version_without_accounts_is_refused_with_one_sentence_and_left_as_it_is() {
    let deployed = Deployed::new(None);
    fs::write(deployed.dir.nats().join("permissions.conf"), "").unwrap();
    fs::write(deployed.dir.nats().join("nats.conf"), "old").unwrap();
    let said = deployed.again().unwrap_err();
    for word in ["made by an earlier version", "--dir"] {
        assert!(said.contains(word) && !said.contains('\n'), "{said}");
    }
    let kept = fs::read_to_string(deployed.dir.nats().join("nats.conf")).unwrap();
    assert_eq!(kept, "old");
}

#[test]
fn neither_another_owner_nor_another_authority_takes_over() {
    let made = Deployed::new(None);
    let away = made.offline("owner/signing.pem");
    signing_key::create(&made.dir.owner_key()).unwrap();
    let said = made.again().unwrap_err();
    assert!(said.contains("belongs to another owner"), "{said}");
    fs::remove_file(made.dir.owner_key()).unwrap();
    fs::rename(away, made.dir.owner_key()).unwrap();
    made.offline("ca/ca.pem");
    let said = made.again().unwrap_err();
    assert!(said.contains("ca.pem is missing: bring it back"), "{said}");
}

#[test]
fn another_key_and_name_for_the_tailnet_take_the_place_of_the_old() {
    let Some(mut made) = Deployed::contained() else {
        return;
    };
    let key = made.folder.path().join("key");
    for text in ["tskey-first\n", "tskey-second\n"] {
        fs::write(&key, text).unwrap();
        made.set(|choices| choices.authkey = Some(key.clone()));
        made.again().unwrap();
        assert_eq!(made.read("tailscale/authkey"), text);
    }
    for name in ["one.tail1234.ts.net", "two.tail1234.ts.net"] {
        made.set(|choices| choices.name = Some(name.to_owned()));
        made.again().unwrap();
        let line = format!("hosts = [\"{name}\"]\n");
        let gateway = made.read("gateway/config.toml");
        assert!(gateway.contains(&line), "{gateway}");
        let line = format!("signers = [\"https://{name}:8443\"]\n");
        assert!(gateway.contains(&line), "{gateway}");
        let signer = made.read("signer/config.toml");
        let expected = format!(
            "listen = \"10.89.1.90:8080\"\ngateway = \"https://{name}\"\nhosts = [\"{name}:8443\"]\n"
        );
        assert_eq!(signer, expected);
        let facts = DeploymentFile::read(&made.dir).unwrap();
        assert_eq!(facts.containers.unwrap().name.as_deref(), Some(name));
    }
    // The files of a version without a signer.
    let path = made.dir.config(AuthorId::Gateway);
    let now = fs::read_to_string(&path).unwrap();
    let (before, after) = now.split_once("signers = ").unwrap();
    let (_, after) = after.split_once('\n').unwrap();
    fs::write(&path, format!("{before}{after}")).unwrap();
    fs::remove_dir_all(made.dir.of("signer")).unwrap();
    made.again().unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), now);
    assert!(made.dir.signer_config().exists());
    // An edited file is not overwritten, and the report says so.
    let path = made.dir.config(AuthorId::Gateway);
    let edited = format!("# mine\n{}", fs::read_to_string(&path).unwrap());
    fs::write(&path, &edited).unwrap();
    made.set(|choices| choices.name = Some("three.tail1234.ts.net".to_owned()));
    let said = made.again().unwrap_err();
    assert!(
        said.contains("hosts = [\"three.tail1234.ts.net\"]"),
        "{said}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), edited);
}

#[test]
fn a_deployment_stays_whose_it_is_whoever_runs_init_again() {
    let Some(mut made) = Deployed::contained() else {
        return;
    };
    made.set(|choices| choices.person = Person { uid: 0, gid: 0 });
    made.again().unwrap();
    for path in [
        made.dir.owner_key(),
        made.dir.ca_key(),
        made.dir.path().to_owned(),
    ] {
        let found = fs::metadata(&path).unwrap();
        assert_eq!(
            (found.uid(), found.gid()),
            (PERSON.uid, PERSON.gid),
            "{}",
            path.display()
        );
    }
}

#[test]
fn containers_see_a_new_authority_in_a_folder_that_holds_nothing_else() {
    let Some(made) = Deployed::contained() else {
        return;
    };
    let same = || made.read("ca/ca.pem") == made.read("trust/ca.pem");
    let folder = made.dir.path().join("trust");
    let open = |path: &Path| fs::metadata(path).unwrap().mode() & 0o7777;
    assert_eq!(
        (open(&folder), open(&folder.join("ca.pem"))),
        (0o755, 0o444)
    );
    let first = made.read("trust/ca.pem");
    let said = certs::new_authority(&made.dir, now())
        .unwrap()
        .text(&made.dir);
    assert!(
        said.contains("docker kill --signal HUP contractual-nats-1"),
        "{said}"
    );
    assert!(same() && made.read("trust/ca.pem").contains(first.trim()));
    let renewed = certs::renew(&made.dir, None, 30, now()).unwrap();
    let said = renewed.text(&made.dir);
    assert!(
        said.contains("docker kill --signal HUP contractual-nats-1"),
        "{said}"
    );
    certs::retire_authority(&made.dir, now()).unwrap();
    assert!(same() && !made.read("trust/ca.pem").contains(first.trim()));
    assert_eq!(open(&folder.join("ca.pem")), 0o444);
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
}

/// Applies the instructions of a text, as a person would.
fn follow(config: &str, said: &str) -> String {
    let (_, lines) = said.split_once(":\n\n").unwrap();
    let (lines, _) = lines.split_once("\n\n").unwrap();
    if said.contains("under the line `[hardening]`") {
        config.replace("[hardening]\n", &format!("[hardening]\n{lines}\n"))
    } else {
        format!("{config}\n{lines}\n")
    }
}

#[test]
fn what_exception_add_says_to_write_is_a_configuration_that_names_the_exception() {
    let made = Deployed::new(None);
    let path = made.dir.config(AuthorId::Worker);
    let plain = fs::read_to_string(&path).unwrap();
    let contained = plain.replace(
        "[service]",
        "[hardening]\nprofile = \"container\"\n\n[service]",
    );
    for config in [plain, contained] {
        fs::write(&path, &config).unwrap();
        let sign = |command: &[&str]| {
            let output = Command::new(env!("CARGO_BIN_EXE_contractual"))
                .args(command)
                .args(["worker", "core", "--dir"])
                .arg(made.dir.path())
                .output()
                .unwrap();
            assert!(output.status.success(), "{output:?}");
            String::from_utf8(output.stdout).unwrap()
        };
        let said = sign(&["exception", "add"]);
        fs::write(&path, follow(&config, &said)).unwrap();
        let read = config::read::<toml::Table>(&path).unwrap_or_else(|error| {
            panic!("{}\n{said}", actor::chain(&error));
        });
        let exception = made.dir.of("worker").join("exception.json");
        assert_eq!(read.0.hardening.exception, Some(exception));
        let said = sign(&["waive"]);
        assert!(said.contains("no change is needed"), "{said}");
    }
}

#[test]
fn doctor_looks_at_the_tailnet_of_a_deployment_in_containers_unasked() {
    let Some(made) = Deployed::contained() else {
        return;
    };
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tailscale");
    let found = made.doctor(&shipped);
    let (ok, text) = finding(&found, "serve.json");
    assert!(ok && text.contains("10.89.1.2:8080"), "{text}");
    let (ok, text) = finding(&found, "policy.hujson");
    assert!(ok && text.contains("unless it is there already"), "{text}");
    assert!(!finding(&found, "sidecar").0);
    assert!(finding(&found, "gateway's edge").0);
}
