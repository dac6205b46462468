//! Checks the limits of a call against the ranges that a catalogue may choose from.

use crate::wire::Limits;

/// Largest output bound, in bytes.
const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Longest wall clock and processor time: one hour.
const TIME_MS_MAX: u64 = 3_600_000;
/// Smallest address space in which a program can start.
const MEMORY_BYTES_MIN: u64 = 16 * 1024 * 1024;
/// Most processes at once.
const PROCESSES_MAX: u64 = 1024;
/// Descriptors: the loader needs a few.
const FILES_OPEN_MIN: u64 = 8;
/// Descriptors: common soft limit.
const FILES_OPEN_MAX: u64 = 1024;
/// Files and folders that a call may add.
const ADDED_FILES_MAX: u64 = 1_000_000;

/// Returns the first limit out of its range, with its least and greatest value.
pub(crate) fn out_of_range(limits: &Limits) -> Option<(&'static str, u64, u64)> {
    let output = u64::try_from(limits.output_bytes_max).unwrap_or(u64::MAX);
    let output_max = u64::try_from(OUTPUT_BYTES_MAX).unwrap_or(u64::MAX);
    for (limit, value, min, max) in [
        ("wall_ms", limits.wall_ms, 1, TIME_MS_MAX),
        ("cpu_ms_max", limits.cpu_ms_max, 1, TIME_MS_MAX),
        ("output_bytes_max", output, 0, output_max),
        (
            "memory_bytes_max",
            limits.memory_bytes_max,
            MEMORY_BYTES_MIN,
            u64::MAX / 2,
        ),
        ("processes_max", limits.processes_max, 1, PROCESSES_MAX),
        ("file_bytes_max", limits.file_bytes_max, 0, u64::MAX / 2),
        (
            "files_open_max",
            limits.files_open_max,
            FILES_OPEN_MIN,
            FILES_OPEN_MAX,
        ),
        ("added_bytes_max", limits.added_bytes_max, 0, u64::MAX / 2),
        (
            "added_files_max",
            limits.added_files_max,
            0,
            ADDED_FILES_MAX,
        ),
    ] {
        if !(min..=max).contains(&value) {
            return Some((limit, min, max));
        }
    }
    None
}
