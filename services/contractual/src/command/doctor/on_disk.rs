//! The checks of the disk: free space, and the version of the server's files.

use std::path::PathBuf;

use deployment::{
    Dir,
    disk_space::{FREE_BYTES_MIN, free},
    init,
};

use super::finding::Fault;

/// The free disk space of every volume that can be read.
pub(super) fn disk_space(places: &[PathBuf]) -> Result<String, Fault> {
    let mut looked_at = 0;
    let mut full = Vec::new();
    for path in places {
        // Only root can read the volumes of containers.
        let Some(left) = free(path) else { continue };
        looked_at += 1;
        if left < FREE_BYTES_MIN {
            full.push(format!("{} has {} KiB free", path.display(), left >> 10));
        }
    }
    if full.is_empty() {
        return Ok(format!("{looked_at} volumes OK"));
    }
    let fix = format!("free at least {} MiB there", FREE_BYTES_MIN >> 20);
    Err(Fault::new(full.join("; "), fix))
}

/// Checks that the server has this version's files, which hold the permissions.
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
        "run `contractual init --dir {}`, which writes them again, then restart nats-server",
        dir.path().display()
    );
    let seen = format!("differ from this version's: {}", outdated.join(", "));
    Err(Fault::new(seen, fix))
}
