//! Runs programs in a cage for the other tests.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rustix::fs::{CWD, RenameFlags, renameat_with};

use runner::{Arg, Cage, ExecError, ExecTool, ExecToolEntry, Finished, Limits, Trial, Workspace};

/// Set in a process whose calls are trials.
pub(crate) const AS_TRIALS: &str = "RUNNER_IT_AS_TRIALS";
/// Set in a process whose programs are children of MCP servers.
pub(crate) const AS_SERVERS: &str = "RUNNER_IT_AS_SERVERS";

/// A directory that is removed with the test; holds `workspace` and `scratch`.
pub(crate) struct Ground {
    pub(crate) root: PathBuf,
    pub(crate) workspace: PathBuf,
    pub(crate) scratch: PathBuf,
}

impl Ground {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("runner-it-{}-{number}", std::process::id());
        let root = std::env::temp_dir().canonicalize().unwrap().join(name);
        let (workspace, scratch) = (root.join("workspace"), root.join("scratch"));
        std::fs::create_dir_all(&workspace).unwrap();
        std::fs::create_dir_all(&scratch).unwrap();
        Self {
            root,
            workspace,
            scratch,
        }
    }

    pub(crate) fn cage(&self) -> Cage {
        Cage::new(launcher()).scratch(self.scratch.clone())
    }

    /// Returns a cage whose launcher has another name, under which it lacks a kernel feature.
    pub(crate) fn cage_named(&self, name: &str) -> Cage {
        let path = self.root.join(name);
        std::os::unix::fs::symlink(launcher(), &path).unwrap();
        Cage::new(path).scratch(self.scratch.clone())
    }

    pub(crate) fn open(&self) -> Workspace {
        Workspace::open(&self.workspace).unwrap()
    }

    /// Runs a program; in a process of the test `trial` it is a trial, in one of `served` the child of a server.
    pub(crate) async fn run(&self, entry: ExecToolEntry) -> Result<Finished, ExecError> {
        if std::env::var_os(AS_TRIALS).is_some() {
            return Ok(self.attempt(entry).await?.finished);
        }
        if std::env::var_os(AS_SERVERS).is_some() {
            return Ok(crate::served::run(self, entry).await);
        }
        let tool = ExecTool::try_from(entry).unwrap();
        runner::run(&self.cage(), &tool, &serde_json::json!({}), &self.open()).await
    }

    /// Tries a program.
    pub(crate) async fn attempt(&self, entry: ExecToolEntry) -> Result<Trial, ExecError> {
        let tool = ExecTool::try_from(entry).unwrap();
        let stop = std::future::pending();
        let args = serde_json::json!({});
        let tried = runner::try_program(&self.cage(), &tool, &args, &self.open(), stop).await?;
        Ok(tried.unwrap())
    }

    /// Runs a shell script that may write the workspace.
    pub(crate) async fn sh(&self, script: &str) -> Finished {
        self.run(sh(script)).await.unwrap()
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.root).ok();
    }
}

/// Runs `test` while another thread exchanges two names all the time, and gives each result to `swapped`. A test that
/// fails ends the exchange, too.
pub(crate) fn swapping(
    one: &Path,
    other: &Path,
    swapped: impl Fn(rustix::io::Result<()>) + Sync,
    test: impl FnOnce(),
) {
    struct Done<'a>(&'a AtomicBool);
    impl Drop for Done<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _done = Done(&done);
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                swapped(renameat_with(CWD, one, CWD, other, RenameFlags::EXCHANGE));
            }
        });
        test();
    });
}

pub(crate) fn launcher() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_launcher"))
}

pub(crate) fn sh(script: &str) -> ExecToolEntry {
    program(Path::new("sh"), &["-c", script])
}

pub(crate) fn program(path: &Path, argv: &[&str]) -> ExecToolEntry {
    ExecToolEntry {
        program: path.to_owned(),
        argv0: None,
        sha256: BTreeMap::new(),
        argv: argv
            .iter()
            .map(|arg| Arg::Literal((*arg).to_owned()))
            .collect(),
        writable: true,
        folders: Vec::new(),
        limits: limits(),
    }
    .pinned()
    .unwrap()
}

pub(crate) fn limits() -> Limits {
    Limits {
        wall_ms: 20_000,
        cpu_ms_max: 10_000,
        output_bytes_max: 64 * 1024,
        memory_bytes_max: 512 * 1024 * 1024,
        processes_max: 32,
        file_bytes_max: 4 * 1024 * 1024,
        files_open_max: 64,
        added_bytes_max: 16 * 1024 * 1024,
        added_files_max: 100,
    }
}

pub(crate) fn text(finished: &Finished) -> String {
    String::from_utf8_lossy(&finished.output).into_owned()
}

/// Returns true if this process makes its grounds on a separate volume of 64 MiB. If not, runs `test` in a process
/// that does.
pub(crate) fn on_a_small_volume(test: &str) -> bool {
    const HERE: &str = "RUNNER_IT_SMALL_VOLUME";
    if std::env::var_os(HERE).is_some() {
        return true;
    }
    let ground = Ground::new();
    let script =
        "mount -t tmpfs -o size=64m tmpfs \"$1\" && export TMPDIR=\"$1\" && shift && exec \"$@\"";
    let mut again = std::process::Command::new("unshare");
    if !rustix::process::geteuid().is_root() {
        again.arg("--map-root-user");
    }
    let again = again
        .args(["--mount", "sh", "-c", script, "sh"])
        .arg(&ground.root)
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .current_dir("/")
        .env(HERE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    if !said.contains("running 1 test") {
        let why = String::from_utf8_lossy(&again.stderr);
        let mandatory =
            std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_some_and(|set| set == "1");
        assert!(!mandatory, "no volume can be mounted here: {why}");
        let text = format!("SKIPPED: no volume can be mounted here: {why}\n");
        std::io::stderr().write_all(text.as_bytes()).unwrap();
        return false;
    }
    assert!(again.status.success(), "{said}");
    false
}

/// Returns true if this process runs only the test. If not, runs it in a process that does.
pub(crate) fn alone(test: &str) -> bool {
    const ALONE: &str = "RUNNER_IT_ALONE";
    if std::env::var_os(ALONE).is_some() {
        return true;
    }
    let again = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test])
        .current_dir("/")
        .env(ALONE, "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(
        again.status.success() && said.contains("running 1 test"),
        "{said}"
    );
    false
}
