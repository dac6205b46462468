//! Packages of npm that tests need, installed once below `target`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

/// Installs packages in a folder of this name, once; returns the folder `node_modules`. None if npm or a package is missing.
pub(crate) fn installed(name: &str, packages: &[&str]) -> Option<PathBuf> {
    let under = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let (ready, marks) = (under.join("ready"), packages.join("\n"));
    let modules = under.join("node_modules");
    if fs::read_to_string(&ready).is_ok_and(|text| text == marks) {
        return Some(modules);
    }
    fs::remove_dir_all(&under).ok();
    fs::create_dir_all(&under).unwrap();
    let npm = Command::new("npm")
        .args(["install", "--no-audit", "--no-fund", "--ignore-scripts"])
        .args(packages)
        .arg("--prefix")
        .arg(&under)
        .stdin(Stdio::null())
        .output();
    npm.ok().filter(|npm| npm.status.success())?;
    fs::write(ready, marks).unwrap();
    Some(modules)
}
