//! The sidecar: `containerboot` with the environment, the files and the confinement of the compose file.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
    process::Command,
    time::SystemTime,
};

use deployment::{
    pki::{Ca, Side},
    tailnet::sidecar::{At, Sidecar},
};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    executable::executable,
    tailnet::{DOMAIN, KEY, Tailnet, login_server},
};

/// The sidecar's user and group.
const USER: u32 = 10_010;
/// Its name among the processes, and its machine's name.
const NAME: &str = "contractual";

/// The set-up of the sidecar: the shipped one with the changes of a test.
#[derive(Debug, Clone)]
pub(crate) struct SetUp {
    /// Its environment.
    pub(crate) variables: BTreeMap<String, String>,
    /// The auth key; without one there is no file.
    pub(crate) key: Option<&'static str>,
    /// The owner of the file with the key.
    pub(crate) key_owner: u32,
    /// The owner of its state folder.
    pub(crate) state_owner: u32,
    /// The folder that is mounted on `/config`.
    pub(crate) config: Option<PathBuf>,
    /// True if there is a tmpfs on `/tmp`.
    pub(crate) tmpfs: bool,
}

impl Tailnet {
    /// The shipped set-up, with the control server of the test instead of the hosted one, and an existing certificate
    /// instead of one from an authority on the network.
    pub(crate) fn shipped_set_up(&self) -> SetUp {
        let mut variables = environment();
        let arguments = variables.get_mut("TS_EXTRA_ARGS").unwrap();
        *arguments = format!("{arguments} {}", login_server());
        // Nothing listens there: the request for a renewal fails at once.
        let nowhere = "http://127.0.0.1:1/dir".to_owned();
        variables.insert("TS_DEBUG_ACME_DIRECTORY_URL".to_owned(), nowhere);
        SetUp {
            variables,
            key: Some(KEY),
            key_owner: USER,
            state_owner: USER,
            config: Some(self.folder()),
            tmpfs: true,
        }
    }

    fn of_sidecar(&self, name: &str) -> PathBuf {
        self.deployment.scratch().join("sidecar").join(name)
    }

    /// Its socket.
    pub(crate) fn socket(&self) -> PathBuf {
        self.of_sidecar("tmp").join("tailscaled.sock")
    }

    /// Makes new files for the sidecar, and a certificate for its name.
    pub(crate) fn make_sidecar(&self, set_up: &SetUp) {
        let all = self.of_sidecar("");
        if all.exists() {
            self.unmount();
            fs::remove_dir_all(&all).unwrap();
        }
        for name in ["root", "tmp", "keys", "state/certs", "test"] {
            fs::create_dir_all(self.of_sidecar(name)).unwrap();
        }
        let ca = Ca::create(now()).unwrap();
        let leaf = ca.issue(NAME, &[DOMAIN], Side::Server, 80, now()).unwrap();
        let certificates = self.of_sidecar("state/certs");
        fs::write(certificates.join(format!("{DOMAIN}.crt")), leaf.cert_pem).unwrap();
        fs::write(
            certificates.join(format!("{DOMAIN}.key")),
            leaf.key_pem.as_bytes(),
        )
        .unwrap();
        fs::write(
            self.deployment.scratch().join("certificates.pem"),
            ca.cert_pem(),
        )
        .unwrap();
        if let Some(key) = set_up.key {
            let path = self.of_sidecar("keys/authkey");
            fs::write(&path, format!("{key}\n")).unwrap();
            give(&path, set_up.key_owner, 0o400);
        }
        give(&self.of_sidecar("keys"), USER, 0o500);
        for entry in fs::read_dir(&certificates).unwrap() {
            give(&entry.unwrap().path(), set_up.state_owner, 0o600);
        }
        give(&certificates, set_up.state_owner, 0o700);
        give(&self.of_sidecar("state"), set_up.state_owner, 0o700);
        let under = self.of_sidecar("test/under");
        executable(&under, fs::read(env!("CARGO_BIN_EXE_under")).unwrap());
        fs::copy(
            harness::profile("tailscale"),
            self.of_sidecar("test/tailscale.json"),
        )
        .unwrap();
        give(&self.of_sidecar("test"), 0, 0o755);
        let sidecar = Sidecar {
            folder: self.folder(),
            at: At::Machine {
                tailscale: self.programs.join("tailscale"),
                socket: self.socket(),
                log: self.deployment.log_path(NAME),
            },
        };
        let text = toml::to_string(&sidecar).unwrap();
        fs::write(self.deployment.dir().path().join("sidecar.toml"), text).unwrap();
    }

    /// Starts the sidecar with its present files.
    pub(crate) fn start_sidecar(&self, set_up: &SetUp) {
        let tmp = self.of_sidecar("tmp");
        self.unmount();
        if set_up.tmpfs {
            let mounted = Command::new("mount")
                .args(["-t", "tmpfs", "-o", &tmpfs(), "tmpfs"])
                .arg(&tmp)
                .status();
            assert!(mounted.unwrap().success());
        }
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        let mut arguments: Vec<String> = [
            "--net=/run/netns/contractual",
            "unshare",
            "--mount",
            "--ipc",
            "--pid",
            "--fork",
        ]
        .map(str::to_owned)
        .to_vec();
        arguments.extend(
            [
                "--kill-child",
                "sh",
                "-c",
                include_str!("sidecar.sh"),
                "sidecar",
            ]
            .map(str::to_owned),
        );
        arguments.extend([self.of_sidecar("root"), self.programs.clone()].map(|path| text(&path)));
        arguments.extend(["test", "keys", "state"].map(|name| text(&self.of_sidecar(name))));
        arguments.push(set_up.config.as_deref().map_or("-".to_owned(), text));
        arguments.push(if set_up.tmpfs {
            text(&tmp)
        } else {
            "-".to_owned()
        });
        let mut variables = set_up.variables.clone();
        let path = format!("/programs:{}", crate::tailnet::PATH);
        variables.insert("PATH".to_owned(), path);
        let variables: Vec<_> = variables
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
        self.deployment
            .spawn(NAME, Path::new("nsenter"), &arguments, &variables);
    }

    /// Asks it to stop, as the engine does, and waits for its end.
    pub(crate) async fn stop_sidecar(&self) {
        self.end_sidecar(Signal::TERM).await;
    }

    /// Kills it with all processes that it started.
    pub(crate) async fn kill_sidecar(&self) {
        self.end_sidecar(Signal::KILL).await;
    }

    /// Signals the first process of its namespace; all others there end with it.
    async fn end_sidecar(&self, signal: Signal) {
        let pid = self.deployment.pid(NAME).unwrap();
        // None if it has ended on its own.
        let children = format!("/proc/{pid}/task/{pid}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        if let Ok(first) = children.trim().parse() {
            // It may end at this moment.
            kill_process(Pid::from_raw(first).unwrap(), signal).ok();
        }
        self.deployment.ended(NAME).await;
    }

    fn unmount(&self) {
        // There is none before the first start, and in a set-up without one.
        let tmp = self.of_sidecar("tmp");
        Command::new("umount")
            .args(["--lazy", "--quiet"])
            .arg(tmp)
            .output()
            .unwrap();
    }
}

/// The lines of the sidecar in the compose file.
fn lines() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/docker-compose.yml");
    let text = fs::read_to_string(path).unwrap();
    let own = text.split("\n  tailscale:\n").nth(1).unwrap();
    let lines = own
        .lines()
        .take_while(|line| line.is_empty() || line.starts_with("    "));
    lines.map(str::to_owned).collect()
}

/// Its environment there.
fn environment() -> BTreeMap<String, String> {
    let lines = lines();
    let from = lines
        .iter()
        .position(|line| line == "    environment:")
        .unwrap();
    let own = lines[from + 1..]
        .iter()
        .take_while(|line| line.starts_with("      "));
    let pairs = own.filter_map(|line| line.trim().split_once(": "));
    let pairs = pairs.map(|(name, value)| {
        let value = value
            .trim_matches('"')
            .replace("${CONTRACTUAL_HOSTNAME:-contractual}", NAME)
            .replace(
                "${CONTRACTUAL_LOGIN_SERVER:+ --login-server=$CONTRACTUAL_LOGIN_SERVER}",
                "",
            );
        assert!(!value.contains('$'), "{name} is not known here: {value}");
        (name.to_owned(), value)
    });
    let pairs: BTreeMap<_, _> = pairs.filter(|(name, _)| !name.starts_with('#')).collect();
    assert!(pairs.contains_key("TS_SERVE_CONFIG"), "{pairs:?}");
    pairs
}

/// The options of its `/tmp` there.
fn tmpfs() -> String {
    let lines = lines();
    let line = lines
        .iter()
        .find_map(|line| line.trim().strip_prefix("tmpfs: [\"/tmp:"));
    line.and_then(|line| line.strip_suffix("\"]"))
        .unwrap()
        .to_owned()
}

fn give(path: &Path, user: u32, mode: u32) {
    chown(path, Some(user), Some(user)).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn now() -> SystemTime {
    SystemTime::now()
}
