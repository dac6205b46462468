//! What a process measures of its own confinement.

use bus_schema::Hardening;

/// Makes this process unreadable to others of its user, keeps its memory out of core files, and lets neither it
/// nor its children gain privileges.
pub fn harden() {
    // Neither can fail for one's own process on a supported kernel; `measure` tells what holds.
    rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable).ok();
    let none = rustix::process::Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    rustix::process::setrlimit(rustix::process::Resource::Core, none).ok();
    rustix::thread::set_no_new_privs(true).ok();
}

/// Reads what the kernel says of this process.
#[must_use]
pub fn measure() -> Hardening {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let field = |name: &str| {
        status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map_or("", str::trim)
    };
    let core = rustix::process::getrlimit(rustix::process::Resource::Core);
    Hardening {
        uid: rustix::process::getuid().as_raw(),
        capabilities: u64::from_str_radix(field("CapEff"), 16).unwrap_or(u64::MAX),
        no_new_privileges: field("NoNewPrivs") == "1",
        seccomp: field("Seccomp").parse().unwrap_or(0),
        dumpable: rustix::process::dumpable_behavior()
            != Ok(rustix::process::DumpableBehavior::NotDumpable),
        core_bytes_max: core.current.unwrap_or(u64::MAX),
    }
}
