//! Reads from `/proc` how many processes a call has and what they cost.

use std::collections::BTreeMap;

/// Whether more than `max` processes, living or dead, are below this one, or `/proc` has more than `entries_max`
/// entries.
pub(crate) fn more_descendants_than(max: u64, entries_max: usize) -> bool {
    let mut children: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let pids = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    for (entry, seen) in pids.zip(0_usize..) {
        if seen >= entries_max {
            return true;
        }
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<i32>().ok()) else {
            continue;
        };
        let stat = std::fs::read(format!("/proc/{pid}/stat")).unwrap_or_default();
        if let Some(parent) = stat_field(&stat, 4).and_then(|parent| i32::try_from(parent).ok()) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut open = vec![rustix::process::getpid().as_raw_nonzero().get()];
    let mut count = 0_u64;
    while let Some(below) = open
        .pop()
        .map(|parent| children.remove(&parent).unwrap_or_default())
    {
        count += u64::try_from(below.len()).unwrap_or(u64::MAX);
        open.extend(below);
        if count > max {
            return true;
        }
        if open.is_empty() {
            break;
        }
    }
    false
}

/// Tasks on this machine, of every uid.
pub(crate) fn tasks() -> u64 {
    // Where the number cannot be had, this stands for it: enough for what else the uid may run.
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

/// Processor time of all reaped descendants; the kernel gives it in steps of 10 ms.
pub(crate) fn children_cpu_ms() -> u64 {
    let stat = std::fs::read("/proc/self/stat").unwrap_or_default();
    let ticks = |field| stat_field(&stat, field).unwrap_or(0);
    (ticks(16) + ticks(17)) * 10
}

/// Field of a `stat` file, numbered as in its manual; the name in field 2 may hold anything.
fn stat_field(stat: &[u8], number: usize) -> Option<u64> {
    let name_end = stat.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?;
    rest.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}
