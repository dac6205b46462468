//! Looks at what lies on the disk: whether there is room, and whether the server's files are this version's.

use std::path::PathBuf;

use rustix::fs::statvfs;

use super::Fault;
use crate::{Dir, init};

/// Least bytes that a place has left for what is written next: a content of the greatest length.
const ROOM_BYTES_MIN: u64 = 4 << 20;

/// Whether every place that can be looked at has room for what is written next.
pub(super) fn room(places: &[PathBuf]) -> Result<String, Fault> {
    let mut looked_at = 0;
    let mut full = Vec::new();
    for path in places {
        // Only root sees into what is a container's.
        let Ok(found) = statvfs(path) else { continue };
        looked_at += 1;
        let left = found.f_bavail.saturating_mul(found.f_frsize);
        if left < ROOM_BYTES_MIN {
            full.push(format!("{} has {} KiB left", path.display(), left >> 10));
        }
    }
    if full.is_empty() {
        return Ok(format!("each of {looked_at} places has some"));
    }
    let fix = format!("make room, at least {} MiB", ROOM_BYTES_MIN >> 20);
    Err(Fault::new(full.join("; "), fix))
}

/// Whether the server is told what this version ships: who may say what to whom stands there.
pub(super) fn server_files(dir: &Dir) -> Result<String, Fault> {
    let outdated = init::outdated(dir);
    if outdated.is_empty() {
        return Ok("as this version ships them".to_owned());
    }
    let outdated: Vec<_> = outdated
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    let fix = format!(
        "run `contractual init --dir {}`, which puts them back, and start nats-server anew",
        dir.path().display()
    );
    let seen = format!("not what this version ships: {}", outdated.join(", "));
    Err(Fault::new(seen, fix))
}
