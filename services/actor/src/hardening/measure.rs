//! Measures the confinement of this process, as the kernel reports it.

use bus_schema::{Capabilities, Hardening, MOUNT_POINTS_MAX, MountPoint, Profile};
use rustix::{
    fs::{Access, StatVfsMountFlags, access, statvfs},
    process::{DumpableBehavior, Resource, dumpable_behavior, getrlimit},
};

/// File systems of the kernel without user files: the kernel decides what is writable there.
const KERNEL: &[&str] = &[
    "proc",
    "sysfs",
    "cgroup",
    "cgroup2",
    "devpts",
    "mqueue",
    "securityfs",
    "debugfs",
    "tracefs",
    "bpf",
    "pstore",
    "configfs",
    "fusectl",
    "hugetlbfs",
    "autofs",
    "nsfs",
    "binfmt_misc",
];
/// Remote file systems: if their server is gone, a call could block for ever.
const REMOTE: &[&str] = &["nfs", "nfs4", "cifs", "smb3", "ceph", "fuse.sshfs"];

/// Measures the confinement of this process. Protection that cannot be read counts as absent.
#[must_use]
pub fn measure() -> Hardening {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let status = Status(&status);
    let gid = rustix::process::getgid().as_raw();
    let other = |group: &&str| group.parse() != Ok(gid);
    let other_groups = status.field("Groups").split_whitespace().filter(other);
    Hardening {
        profile: Profile::Host,
        waived: Vec::new(),
        uid: rustix::process::getuid().as_raw(),
        gid,
        other_groups: u16::try_from(other_groups.count()).unwrap_or(u16::MAX),
        capabilities: Capabilities {
            effective: status.set("CapEff"),
            permitted: status.set("CapPrm"),
            inheritable: status.set("CapInh"),
            bounding: status.set("CapBnd"),
            ambient: status.set("CapAmb"),
        },
        no_new_privileges: status.field("NoNewPrivs") == "1",
        seccomp: status.field("Seccomp").parse().unwrap_or(0),
        read_only_root: read_only("/"),
        landlock_abi: landlock_abi(),
        dumpable: dumpable_behavior() != Ok(DumpableBehavior::NotDumpable),
        core_bytes_max: getrlimit(Resource::Core).current.unwrap_or(u64::MAX),
        writable: writable(),
    }
}

/// Returns true if this process can make a socket of a family that every shipped profile refuses and the engine's own
/// allows. Such a socket talks only to the kernel, sends nothing by itself, and is closed at once.
pub(super) fn lets_through() -> bool {
    use rustix::net::{AddressFamily, SocketFlags, SocketType, socket_with};
    let made = socket_with(
        AddressFamily::NETLINK,
        SocketType::DGRAM,
        SocketFlags::CLOEXEC,
        None,
    );
    made.err() != Some(rustix::io::Errno::PERM)
}

struct Status<'a>(&'a str);

impl Status<'_> {
    fn field(&self, name: &str) -> &str {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))
            .map_or("", str::trim)
    }

    /// Returns a capability set; all capabilities if it cannot be read.
    fn set(&self, name: &str) -> u64 {
        u64::from_str_radix(self.field(name), 16).unwrap_or(u64::MAX)
    }
}

fn read_only(path: &str) -> bool {
    statvfs(path).is_ok_and(|found| found.f_flag.contains(StatVfsMountFlags::RDONLY))
}

/// Measures the Landlock version in a thread that confines itself: there is no other safe way to read it.
fn landlock_abi() -> u8 {
    use landlock::{AccessFs, LandlockStatus, Ruleset, RulesetAttr as _};
    let asked = std::thread::spawn(|| {
        let ruleset = Ruleset::default().handle_access(AccessFs::Execute).ok()?;
        let status = ruleset.create().ok()?.restrict_self().ok()?;
        match status.landlock {
            LandlockStatus::NotEnabled | LandlockStatus::NotImplemented => None,
            LandlockStatus::Available {
                effective_abi,
                kernel_abi,
            } => u8::try_from(kernel_abi.unwrap_or(effective_abi as i32)).ok(),
        }
    });
    asked.join().ok().flatten().unwrap_or(0)
}

/// The mounts that are writable and whose top this user may write to.
fn writable() -> Vec<MountPoint> {
    let mounts = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let mut points: Vec<MountPoint> = mounts.lines().filter_map(writable_mount).collect();
    points.sort();
    points.dedup();
    points.truncate(MOUNT_POINTS_MAX);
    points
}

fn writable_mount(line: &str) -> Option<MountPoint> {
    let (mount, kind) = line.split_once(" - ")?;
    let kind = kind.split(' ').next()?;
    if KERNEL.contains(&kind) || REMOTE.contains(&kind) {
        return None;
    }
    // The fields: mount id, parent id, device, root, mount point.
    let point = mount.split(' ').nth(4)?;
    let usable = !read_only(point) && access(point, Access::WRITE_OK).is_ok();
    usable
        .then(|| MountPoint::try_from(point.to_owned()).ok())
        .flatten()
}
