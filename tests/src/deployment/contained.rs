//! Services as in the shipped container: own user, no privileges, read-only root, a list of system calls.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use bus_schema::{AuthorId, Property};
use deployment::{DeploymentFile, Route};

use super::{Deployment, NATS};
use crate::{contractual, executable::executable, nats_server};

/// Sets up the file systems of a container: all read-only except the deployment's folder, which is `$1`, and an empty
/// `/tmp`; then executes the rest of its arguments. `$2` selects a read-only root.
const MOUNTS: &str = r#"set -e
mount --bind "$1" /mnt
mount -t tmpfs -o noexec,nosuid,nodev,mode=1777 tmpfs /tmp
mkdir -p "$1"
mount --bind /mnt "$1"
umount /mnt
[ "$2" = writable ] || mount -o remount,bind,ro /
shift 2
exec "$@""#;

/// The folder of the shipped profiles.
fn profiles() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/seccomp")
}

/// Returns true if this test can make such containers; if not, prints the reason.
///
/// # Panics
/// Panics if `CONTRACTUAL_TESTS_MANDATORY` is set and it is not root.
#[must_use]
pub fn can_contain() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        crate::missing("only root can make containers");
    }
    root
}

/// The shipped profile of a service, or of `nats` and `tailscale`.
#[must_use]
pub fn profile(name: &str) -> PathBuf {
    profiles().join(format!("{name}.json"))
}

impl Deployment {
    /// The same deployment, reached in another way.
    ///
    /// # Panics
    /// Panics if its file cannot be read.
    #[must_use]
    pub fn through(mut self, route: Route) -> Self {
        self.dir = self.dir.clone().through(route);
        self.file = DeploymentFile::read(&self.dir).unwrap();
        self
    }

    /// Gives a service's files to its shipped user, and adds `table` to its configuration.
    ///
    /// # Panics
    /// Panics if they cannot be changed.
    pub fn ship(&self, author: AuthorId, table: &str) {
        let folder = self.dir().of(author.name());
        let config = self.dir().config(author);
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, format!("{text}\n{table}\n")).unwrap();
        give(&folder, author.uid());
        // Another user must also reach the check.
        for (path, mode) in [(folder, 0o711), (config, 0o644)] {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        }
        let ca = self.dir().ca();
        let ways = [self.scratch(), self.dir().path(), ca.parent().unwrap()];
        for path in ways {
            fs::set_permissions(path, fs::Permissions::from_mode(0o711)).unwrap();
        }
        fs::set_permissions(ca, fs::Permissions::from_mode(0o644)).unwrap();
        if author == AuthorId::Runner {
            give(self.workspace(), author.uid());
        }
        self.inside_executable(contractual());
    }

    /// Copies a file to a place that every container sees and every user may read.
    fn inside(&self, file: &Path) -> PathBuf {
        let copy = self.scratch().join(file.file_name().unwrap());
        if !copy.exists() {
            fs::copy(file, &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
        }
        copy
    }

    /// Copies a program to such a place.
    fn inside_executable(&self, file: &Path) -> PathBuf {
        let copy = self.scratch().join(file.file_name().unwrap());
        if !copy.exists() {
            executable(&copy, fs::read(file).unwrap());
        }
        copy
    }

    /// Starts a service in its shipped container, `without` some of its properties, under the profile at
    /// `seccomp`, which `under` installs. Does not wait for it.
    ///
    /// # Panics
    /// Panics if it cannot be started.
    pub fn launch_contained(
        &self,
        author: AuthorId,
        without: &[Property],
        under: &str,
        seccomp: &Path,
    ) {
        let lacks = |property| without.contains(&property);
        let id = author.uid().to_string();
        let scratch = self.scratch().to_str().unwrap();
        let root = if lacks(Property::ReadOnlyRoot) {
            "writable"
        } else {
            "read-only"
        };
        let core = if lacks(Property::Core) {
            "--core=1024:1024"
        } else {
            "--core=0:0"
        };
        let config = self.dir().config(author);
        let program = self.inside_executable(contractual());
        let under = self.inside_executable(Path::new(under));
        let seccomp = self.inside(seccomp);
        let mut arguments = vec![
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            MOUNTS,
            "sh",
        ];
        arguments.extend([scratch, root, "prlimit", core, "setpriv", "--clear-groups"]);
        if !lacks(Property::OwnUser) {
            arguments.extend(["--reuid", &id, "--regid", &id]);
        }
        arguments.extend(["--inh-caps=-all", "--ambient-caps=-all"]);
        if !lacks(Property::Capabilities) {
            arguments.push("--bounding-set=-all");
        }
        if !lacks(Property::NoNewPrivileges) {
            arguments.push("--no-new-privs");
        }
        if !lacks(Property::Seccomp) {
            arguments.extend([under.to_str().unwrap(), seccomp.to_str().unwrap()]);
        }
        arguments.extend([
            program.to_str().unwrap(),
            "service",
            author.name(),
            "--config",
        ]);
        arguments.push(config.to_str().unwrap());
        self.spawn(author.name(), Path::new("unshare"), &arguments, &[]);
    }

    /// Starts the server under its shipped profile, which `under` installs, and waits until it is ready.
    ///
    /// # Panics
    /// Panics with its last lines if it does not get ready.
    pub async fn start_nats_contained(&self, under: &str) {
        let config = self.dir().nats().join("nats.conf");
        let profile = profile(NATS);
        let arguments = [
            profile.to_str().unwrap(),
            nats_server().to_str().unwrap(),
            "-c",
            config.to_str().unwrap(),
        ];
        self.spawn(NATS, Path::new(under), &arguments, &[]);
        self.ready(NATS).await;
    }
}

fn give(path: &Path, uid: u32) {
    chown(path, Some(uid), Some(uid)).unwrap();
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path(), uid);
        }
    }
}
