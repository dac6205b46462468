//! Tests that a kept digest is that of the bytes that run, whoever writes into the program.

use std::cell::Cell;
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::{FileExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use runner::{DIGESTS, DigestCache, ExecError, ExecTool};
use rustix::fs::{CWD, Timespec, Timestamps, utimensat};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::call::{Ground, program, text};
use crate::executable::executable;

/// A program of root, and a cache.
struct Program {
    ground: Ground,
    path: PathBuf,
    cache: DigestCache,
}

/// The times of a moment long ago, which a writer puts back.
const LONG_AGO: Timestamps = Timestamps {
    last_access: Timespec {
        tv_sec: 1_000_000_000,
        tv_nsec: 7,
    },
    last_modification: Timespec {
        tv_sec: 1_000_000_000,
        tv_nsec: 7,
    },
};

fn now_s() -> i64 {
    clock_gettime(ClockId::Realtime).tv_sec
}

/// A time at which a file of the test has been there for long.
fn later_s() -> i64 {
    now_s() + 1000
}

impl Program {
    /// `None` without privileges: then no file belongs to root alone.
    fn of_root() -> Option<Self> {
        if !rustix::process::geteuid().is_root() {
            return None;
        }
        let ground = Ground::new();
        let path = ground.root.join("program");
        executable(&path, "old");
        long_ago(&path);
        Some(Self {
            ground,
            path,
            cache: DigestCache::new(),
        })
    }

    /// Returns the digest, here the bytes themselves, and whether they were read.
    fn digest_at(&self, now_s: i64) -> (String, bool) {
        let was_read = Cell::new(false);
        let mut file = File::open(&self.path).unwrap();
        let digest = self.cache.digest(&mut file, now_s, |file| {
            was_read.set(true);
            let mut bytes = String::new();
            file.read_to_string(&mut bytes)?;
            Ok(Some(bytes))
        });
        (digest.unwrap().unwrap(), was_read.get())
    }

    fn digest(&self) -> (String, bool) {
        self.digest_at(later_s())
    }

    /// Requires that the digest is kept, at the latest once no process has the writer of the test any more: one that
    /// another test starts has it until it executes its program.
    fn keeps(&self, bytes: &str) {
        const ATTEMPTS: usize = 100_000;
        for _ in 0..ATTEMPTS {
            let (digest, was_read) = self.digest();
            assert_eq!(digest, bytes);
            if !was_read {
                return;
            }
            std::thread::yield_now();
        }
        panic!("it is read each time");
    }

    /// Requires that the bytes are read each time.
    fn reads(&self, bytes: &str) {
        for _ in 0..2 {
            assert_eq!(self.digest(), (bytes.to_owned(), true));
        }
    }
}

fn long_ago(path: &Path) {
    utimensat(CWD, path, &LONG_AGO, rustix::fs::AtFlags::empty()).unwrap();
}

#[test]
fn a_program_that_does_not_change_is_read_once() {
    let Some(program) = Program::of_root() else {
        return;
    };
    assert_eq!(program.digest(), ("old".to_owned(), true));
    program.keeps("old");
}

#[test]
fn a_write_with_the_time_put_back_is_found() {
    let Some(program) = Program::of_root() else {
        return;
    };
    program.keeps("old");
    let file = File::options().write(true).open(&program.path).unwrap();
    file.write_all_at(b"new", 0).unwrap();
    drop(file);
    long_ago(&program.path);
    assert_eq!(program.digest(), ("new".to_owned(), true));
    program.keeps("new");
}

#[test]
fn another_file_at_the_path_is_found() {
    let Some(program) = Program::of_root() else {
        return;
    };
    program.keeps("old");
    let other = program.ground.root.join("other");
    executable(&other, "new");
    long_ago(&other);
    fs::rename(&other, &program.path).unwrap();
    assert_eq!(program.digest(), ("new".to_owned(), true));
}

#[test]
fn a_program_that_changed_a_moment_ago_is_read_again() {
    let Some(program) = Program::of_root() else {
        return;
    };
    // The time of its bytes is put back; that of its attributes cannot be.
    for _ in 0..2 {
        assert_eq!(program.digest_at(now_s()), ("old".to_owned(), true));
    }
    program.keeps("old");
}

#[test]
fn a_program_that_is_open_for_writing_is_read_again() {
    let Some(program) = Program::of_root() else {
        return;
    };
    let writer = File::options().write(true).open(&program.path).unwrap();
    program.reads("old");
    writer.write_all_at(b"new", 0).unwrap();
    program.reads("new");
    drop(writer);
    program.keeps("new");
    let writer = File::options().write(true).open(&program.path).unwrap();
    writer.write_all_at(b"end", 0).unwrap();
    long_ago(&program.path);
    assert_eq!(program.digest().0, "end");
}

#[test]
fn a_program_that_is_mapped_for_writing_is_read_again() {
    let Some(program) = Program::of_root() else {
        return;
    };
    const MAP: &str = "import mmap, os, sys\nfile = os.open(sys.argv[1], os.O_RDWR)\nmapped = mmap.mmap(file, 3)\nos.close(file)\n\
        for line in sys.stdin:\n    mapped[0:3] = line.strip().encode()\n    print(flush=True)\n";
    if !Path::new("/usr/bin/python3").exists() {
        let mandatory =
            std::env::var_os("CONTRACTUAL_TESTS_MANDATORY").is_some_and(|set| set == "1");
        assert!(!mandatory, "no python3 here");
        let text = b"SKIPPED: a mapped program: no python3 here\n";
        std::io::stderr().write_all(text).unwrap();
        return;
    }
    let mut mapping = Command::new("/usr/bin/python3")
        .args(["-c", MAP])
        .arg(&program.path)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut to = mapping.stdin.take().unwrap();
    let mut from = BufReader::new(mapping.stdout.take().unwrap());
    let mut writes = |bytes: &str| {
        writeln!(to, "{bytes}").unwrap();
        from.read_line(&mut String::new()).unwrap();
    };
    // The second write to the page changes no time.
    for bytes in ["one", "two", "end"] {
        writes(bytes);
        program.reads(bytes);
    }
    drop(to);
    assert!(mapping.wait().unwrap().success());
    program.keeps("end");
}

#[test]
fn a_program_that_others_can_write_is_read_each_time() {
    let Some(program) = Program::of_root() else {
        return;
    };
    let set_mode = |mode| {
        fs::set_permissions(&program.path, fs::Permissions::from_mode(mode)).unwrap();
    };
    chown(&program.path, Some(10_004), None).unwrap();
    program.reads("old");
    chown(&program.path, Some(0), None).unwrap();
    program.keeps("old");
    for mode in [0o575, 0o557] {
        set_mode(mode | 0o200);
        program.reads("old");
    }
    set_mode(0o555);
    program.keeps("old");
    let other = program.ground.root.join("other");
    fs::hard_link(&program.path, &other).unwrap();
    program.reads("old");
    fs::remove_file(&other).unwrap();
    program.keeps("old");
}

#[tokio::test]
async fn a_call_executes_a_known_program_without_reading_it_and_no_other() {
    let Some(known) = Program::of_root() else {
        return;
    };
    let ground = &known.ground;
    let path = ground.root.join("echo");
    executable(&path, fs::read("/bin/echo").unwrap());
    let mut entry = program(&path, &["signed"]);
    // A digest that no bytes have shows that they were not read.
    let false_digest = "0".repeat(64);
    entry.sha256.insert(path.clone(), false_digest.clone());
    assert!(ExecTool::try_from(entry.clone()).is_err());
    let mut file = File::open(&path).unwrap();
    let learnt = DIGESTS.digest(&mut file, later_s(), |_| Ok(Some(false_digest)));
    drop(learnt.unwrap());
    let tool = ExecTool::try_from(entry).unwrap();
    let args = json!({});
    let run = async || runner::run(&ground.cage(), &tool, &args, &ground.open()).await;
    assert_eq!(text(&run().await.unwrap()), "signed\n");
    // The same bytes with another time are read.
    long_ago(&path);
    let refused = run().await;
    assert!(matches!(refused, Err(ExecError::Changed(_))), "{refused:?}");
}
