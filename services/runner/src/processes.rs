//! Reads a call's number of processes, their processor time and their nameless files from `/proc`.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use rustix::fs::{FileType, MemfdFlags, Stat, memfd_create};

/// Longest `stat` file: 52 numbers and a name.
const STAT_BYTES_MAX: usize = 2048;

/// Reads a file that the kernel gives as a whole, with one call: many of them are read at once. Empty if it is gone.
fn read_short<'a>(path: &str, buffer: &'a mut [u8]) -> &'a [u8] {
    let read = File::open(path).and_then(|mut file| file.read(buffer));
    buffer.get(..read.unwrap_or(0)).unwrap_or_default()
}

/// Returns true if this process has more than `max` descendants, living or dead, or `/proc` has more than
/// `entries_max` entries.
pub(crate) fn more_descendants_than(max: u64, entries_max: usize) -> bool {
    descendants(max, entries_max).is_none()
}

/// Returns the descendants of this process. `None` if there are more than `max`, or more than `entries_max` entries
/// of `/proc`.
fn descendants(max: u64, entries_max: usize) -> Option<Vec<i32>> {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let mut buffer = [0; STAT_BYTES_MAX];
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for (entry, seen) in pids.zip(0_usize..) {
        if seen >= entries_max {
            return None;
        }
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = read_short(&format!("/proc/{pid}/stat"), &mut buffer);
        if let Some(parent) = stat_field(stat, 4).and_then(|parent| i32::try_from(parent).ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut open = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut found = Vec::new();
    while let Some(below) = open
        .pop()
        .map(|parent| children.remove(&parent).unwrap_or_default())
    {
        open.extend(&below);
        found.extend(below);
        if u64::try_from(found.len()).unwrap_or(u64::MAX) > max {
            return None;
        }
    }
    Some(found)
}

/// Returns the files without a name that descendants have open, once per open descriptor. `None` if some of them
/// cannot be read, or `/proc` has more than `entries_max` entries.
pub(crate) fn nameless_files(entries_max: usize) -> Option<Vec<Stat>> {
    // The scripts of a call are in memory, which no program can make for itself.
    let memory = memory_device()?;
    let mut found = Vec::new();
    for pid in descendants(u64::MAX, entries_max)? {
        // A thread may have descriptors of its own.
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task"));
        for task in tasks.into_iter().flatten().flatten() {
            let files = match std::fs::read_dir(task.path().join("fd")) {
                Ok(files) => files,
                // A dead process has no open files, and its folder belongs to root.
                Err(_) if is_dead(&task.path()) => continue,
                Err(_) => return None,
            };
            for file in files.flatten() {
                // A descriptor that was closed meanwhile is gone.
                let about = rustix::fs::stat(file.path()).ok();
                found.extend(about.filter(|about| {
                    about.st_nlink == 0
                        && about.st_dev != memory
                        && FileType::from_raw_mode(about.st_mode) == FileType::RegularFile
                }));
            }
        }
    }
    Some(found)
}

/// Returns the device of files in memory.
fn memory_device() -> Option<u64> {
    let file = memfd_create("device", MemfdFlags::CLOEXEC | MemfdFlags::NOEXEC_SEAL).ok()?;
    Some(rustix::fs::fstat(file).ok()?.st_dev)
}

/// Returns true if the task has ended or is about to: then it has released its memory.
fn is_dead(task: &Path) -> bool {
    let stat = std::fs::read(task.join("stat")).unwrap_or_default();
    stat_field(&stat, 23).is_none_or(|memory_bytes| memory_bytes == 0)
}

/// Returns the number of tasks on this machine, of every uid.
pub(crate) fn tasks() -> u64 {
    // Used if the number cannot be read: enough for the other tasks that the uid may run.
    const UNKNOWN: u64 = 8192;
    let line = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let total = line
        .split_ascii_whitespace()
        .nth(3)
        .and_then(|part| part.rsplit('/').next());
    total
        .and_then(|total| total.parse().ok())
        .unwrap_or(UNKNOWN)
}

/// Returns the processor time of all reaped descendants; the kernel gives it in steps of 10 ms.
pub(crate) fn children_cpu_ms() -> u64 {
    let stat = std::fs::read("/proc/self/stat").unwrap_or_default();
    let ticks = |field| stat_field(&stat, field).unwrap_or(0);
    (ticks(16) + ticks(17)) * 10
}

/// Returns a field of a `stat` file, numbered as in its manual; the name in field 2 may hold anything.
fn stat_field(stat: &[u8], number: usize) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}
