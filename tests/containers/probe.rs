//! A probe in each container: a thread in its namespaces, as its user, that tries forbidden operations.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::{fd::AsFd as _, unix::fs::MetadataExt as _},
    path::{Path, PathBuf},
    thread,
};

use rustix::{
    process::{Gid, Uid},
    thread::{
        UnshareFlags, move_into_link_name_space, set_no_new_privs, set_thread_groups,
        set_thread_res_gid, set_thread_res_uid,
    },
};

use crate::{
    engine::{SERVICES, pid},
    table::Table,
};

/// Skipped folders: those of the kernel, whose access is in the table of mounts; and the sidecar's volume, which
/// changes all the time.
const PASSED_OVER: [&str; 3] = ["/proc", "/sys", "/contractual/tailscale/state"];

/// Runs a closure on a thread in all namespaces of a process except pid, as a user without capabilities.
pub(crate) fn within<T: Send>(pid: u64, user: u32, job: impl FnOnce() -> T + Send) -> T {
    let spaces = ["cgroup", "ipc", "uts", "net", "mnt"];
    let spaces = spaces.map(|one| File::open(format!("/proc/{pid}/ns/{one}")).unwrap());
    thread::scope(|scope| {
        let inside = scope.spawn(|| {
            #[expect(
                deprecated,
                reason = "the other one is unsafe, and no descriptor is parted"
            )]
            rustix::thread::unshare(UnshareFlags::FS).unwrap();
            for space in &spaces {
                move_into_link_name_space(space.as_fd(), None).unwrap();
            }
            let (group, user) = (Gid::from_raw(user), Uid::from_raw(user));
            set_thread_groups(&[]).unwrap();
            set_thread_res_gid(group, group, group).unwrap();
            set_thread_res_uid(user, user, user).unwrap();
            set_no_new_privs(true).unwrap();
            job()
        });
        inside.join().unwrap()
    })
}

/// The results of a walk through all files of a container.
#[derive(Default)]
struct Found {
    /// Folders in which a file can be made.
    writable: BTreeSet<PathBuf>,
    /// Files of the image that its user may execute.
    programs: BTreeSet<PathBuf>,
    /// Files of the deployment that its user can open, with their modes.
    secrets: BTreeSet<String>,
    /// Files of the deployment that it sees but cannot open.
    closed: BTreeSet<PathBuf>,
    devices: BTreeSet<PathBuf>,
}

impl Found {
    fn walk(&mut self, folder: &Path) {
        let file = folder.join("probe");
        if File::create_new(&file).is_ok() {
            fs::remove_file(&file).unwrap();
            self.writable.insert(folder.to_owned());
            // A volume: what is in it changes.
            return;
        }
        let Ok(entries) = fs::read_dir(folder) else {
            return;
        };
        for entry in entries {
            let path = entry.unwrap().path();
            let meta = fs::symlink_metadata(&path).unwrap();
            let kind = meta.file_type();
            if kind.is_dir() {
                if !PASSED_OVER.iter().any(|one| path == Path::new(one)) {
                    self.walk(&path);
                }
            } else if path.starts_with("/dev") {
                self.devices.insert(path);
            } else if kind.is_file() {
                self.file(path, &meta);
            }
        }
    }

    fn file(&mut self, path: PathBuf, meta: &fs::Metadata) {
        if !path.starts_with("/contractual") {
            if meta.mode() & 0o111 != 0 {
                self.programs.insert(path);
            }
        } else if File::open(&path).is_ok() {
            let mode = meta.mode() & 0o7777;
            self.secrets.insert(format!("{}:{mode:o}", path.display()));
        } else {
            self.closed.insert(path);
        }
    }
}

fn words(paths: &BTreeSet<PathBuf>) -> String {
    let words: Vec<_> = paths
        .iter()
        .map(|path| path.display().to_string())
        .collect();
    words.join(" ")
}

/// The results of a probe in each container.
pub(crate) fn probed() -> Table {
    SERVICES
        .into_iter()
        .flat_map(|(service, _)| probed_of(service))
        .collect()
}

/// The results of a probe in one container.
pub(crate) fn probed_of(service: &'static str) -> Table {
    let (_, user) = SERVICES.into_iter().find(|(of, _)| *of == service).unwrap();
    let (found, first) = within(pid(service), user, || {
        let mut found = Found::default();
        found.walk(Path::new("/"));
        (found, fs::read_to_string("/proc/1/comm").unwrap())
    });
    let secrets: Vec<_> = found.secrets.into_iter().collect();
    let rows = [
        ("folders it can write in", words(&found.writable)),
        ("programs", words(&found.programs)),
        ("files it can read", secrets.join(" ")),
        ("files it cannot read", words(&found.closed)),
        ("devices", words(&found.devices)),
        ("first process", first.trim().to_owned()),
    ];
    let rows = rows.map(|(row, value)| {
        let value = if value.is_empty() {
            "none".to_owned()
        } else {
            value
        };
        ((format!("probe: {row}"), service), value)
    });
    Table::from(rows)
}
