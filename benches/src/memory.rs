//! The memory of this process.

use crate::runtime::Error;

/// Returns a line of `/proc/self/status` in bytes, such as `VmRSS:`, the resident memory.
pub(crate) fn memory(name: &str) -> Result<u64, Error> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.ok_or("the memory is not known")?.parse::<u64>()? * 1024)
}

pub(crate) fn megabytes(bytes: u64) -> f64 {
    f64::from(u32::try_from(bytes / 1000).unwrap_or(u32::MAX)) / 1000.0
}
