//! Hosts the stages for the tests; under certain names it first removes a kernel feature from a stage.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, TargetArch, apply_filter};

fn main() -> ExitCode {
    let mut args = std::env::args_os();
    let name = args.next().unwrap_or_default();
    let Some(stage) = args.next() else {
        return ExitCode::from(64);
    };
    if stage == "host" {
        return host(&args.map(PathBuf::from).collect::<Vec<_>>()).unwrap_or(ExitCode::from(66));
    }
    let name = Path::new(&name)
        .file_name()
        .and_then(|name| name.to_str())
        .unwrap_or_default();
    let taken = match (name, stage.to_str()) {
        ("supervisor-without-landlock", Some(runner::SUPERVISOR_STAGE))
        | ("cage-without-landlock", Some(runner::CAGE_STAGE)) => {
            take(libc::SYS_landlock_create_ruleset, libc::ENOSYS)
        }
        ("cage-without-restrict", Some(runner::CAGE_STAGE)) => {
            take(libc::SYS_landlock_restrict_self, libc::EPERM)
        }
        ("cage-without-seccomp", Some(runner::CAGE_STAGE)) => take(libc::SYS_seccomp, libc::EPERM),
        _ => Some(()),
    };
    match taken {
        Some(()) => runner::stage(&stage).unwrap_or(ExitCode::from(64)),
        None => ExitCode::from(65),
    }
}

/// Runs a shell script in a cage, as a runner that a test can kill: workspace, scratch, script.
fn host(args: &[PathBuf]) -> Option<ExitCode> {
    let [workspace, scratch, script] = args else {
        return None;
    };
    let entry: runner::ExecToolEntry = serde_json::from_value(serde_json::json!({
        "program": "sh", "writable": true,
        "argv": [{"literal": "-c"}, {"literal": script.to_str()?}],
        "limits": {
            "wall_ms": 60_000, "cpu_ms_max": 1000, "output_bytes_max": 1000, "processes_max": 8,
            "memory_bytes_max": 100_000_000, "file_bytes_max": 1000, "files_open_max": 16,
        },
    }))
    .ok()?;
    let tool = runner::ExecTool::try_from(entry.pinned().ok()?).ok()?;
    let cage = runner::Cage::new(PathBuf::from("/proc/self/exe")).scratch(scratch.clone());
    let workspace = runner::Workspace::open(workspace).ok()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    let args = serde_json::json!({});
    runtime
        .block_on(runner::run(&cage, &tool, &args, &workspace))
        .ok()?;
    Some(ExitCode::SUCCESS)
}

/// Makes one system call fail with `errno` in this process and its descendants.
fn take(call: i64, errno: i32) -> Option<()> {
    let arch = TargetArch::try_from(std::env::consts::ARCH).ok()?;
    let fails = SeccompAction::Errno(u32::try_from(errno).ok()?);
    let rules = BTreeMap::from([(call, Vec::new())]);
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, fails, arch).ok()?;
    apply_filter(&BpfProgram::try_from(filter).ok()?).ok()
}
