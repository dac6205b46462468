//! Tests that the growth of a volume by one call is bounded, and that space cannot be allocated unwritten.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use runner::{Added, ExecToolEntry, Outcome};

use crate::call::{Ground, on_a_small_volume, program, sh, text};

const MIB: u64 = 1024 * 1024;
/// An upper bound of the bytes that a program writes between two counts on a fast machine.
const SLACK: u64 = 1024 * MIB;

fn python(code: &str) -> ExecToolEntry {
    program(&PathBuf::from("/usr/bin/python3"), &["-c", code])
}

fn bounded(mut tool: ExecToolEntry, bytes: u64, files: u64) -> ExecToolEntry {
    tool.limits.added_bytes_max = bytes;
    tool.limits.added_files_max = files;
    tool
}

/// Returns the bytes on the disk below a folder, and the number of entries.
fn below(folder: &Path) -> (u64, usize) {
    let mut sum = (0, 0);
    for entry in std::fs::read_dir(folder).unwrap() {
        let about = entry.unwrap().metadata().unwrap();
        sum = (sum.0 + about.blocks() * 512, sum.1 + 1);
    }
    sum
}

#[tokio::test]
async fn nothing_is_allocated_without_being_written() {
    let ground = Ground::new();
    // Beyond the end of the file, where no size limit applies.
    let ran = ground
        .run(python(
            "import ctypes, errno, os\n\
             c = ctypes.CDLL(None, use_errno=True)\n\
             c.fallocate.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_long, ctypes.c_long]\n\
             fd = os.open('big', os.O_CREAT | os.O_RDWR)\n\
             for mode in (0, 1, 3, 16):\n\
             \x20   print(c.fallocate(fd, mode, 0, 64 << 20), errno.errorcode[ctypes.get_errno()])\n\
             os.posix_fallocate(fd, 0, 1 << 20)\n\
             print(os.fstat(fd).st_size)",
        ))
        .await
        .unwrap();
    let refused = "-1 ENOTSUP\n".repeat(4);
    assert_eq!(text(&ran), format!("{refused}1048576\n"), "{ran:?}");
    assert!(below(&ground.workspace).0 < 2 * MIB);
}

#[tokio::test]
async fn a_program_that_adds_too_many_bytes_is_ended() {
    let ground = Ground::new();
    for writable in [true, false] {
        let folder = if writable { "." } else { "$TMPDIR" };
        let script = format!(
            "echo on; i=0; while :; do yes | head -c 1000000 > {folder}/f$i; i=$((i + 1)); done"
        );
        let mut tool = bounded(sh(&script), 8 * MIB, 1_000_000);
        tool.writable = writable;
        let ran = ground.run(tool).await.unwrap();
        assert_eq!(
            (ran.outcome, text(&ran).as_str()),
            (Outcome::AddedExceeded(Added::Bytes), "on\n"),
            "{ran:?}"
        );
    }
    let (bytes, _) = below(&ground.workspace);
    assert!((8 * MIB..SLACK).contains(&bytes), "{bytes}");
    assert_eq!(below(&ground.scratch), (0, 0));
}

#[tokio::test]
async fn a_program_that_adds_too_many_files_is_ended() {
    let ground = Ground::new();
    for script in [
        "i=0; while :; do : > f$i; i=$((i + 1)); done",
        "i=0; while :; do mkdir -p d$i/e; i=$((i + 1)); done",
        "cd $TMPDIR; i=0; while :; do : > f$i; i=$((i + 1)); done",
        "while :; do mkdir d; cd d; done",
    ] {
        let ran = ground.run(bounded(sh(script), 8 * MIB, 40)).await.unwrap();
        assert!(
            matches!(ran.outcome, Outcome::AddedExceeded(_)),
            "{script} {ran:?}"
        );
    }
}

#[tokio::test]
async fn a_program_that_is_quicker_than_the_watch_is_found_out_at_its_end() {
    let ground = Ground::new();
    let script = "yes | head -c 100000 > a";
    let ran = ground.run(bounded(sh(script), 90_000, 10)).await.unwrap();
    assert_eq!(ran.outcome, Outcome::AddedExceeded(Added::Bytes), "{ran:?}");
    let ran = ground.run(bounded(sh(": > b; : > c"), 0, 1)).await.unwrap();
    assert_eq!(ran.outcome, Outcome::AddedExceeded(Added::Files), "{ran:?}");
}

#[tokio::test]
async fn files_without_a_name_count_while_they_are_open() {
    let ground = Ground::new();
    for (path, flags) in [("f", "os.O_CREAT"), (".", "os.O_TMPFILE")] {
        let code = format!(
            "import os\n\
             held = []\n\
             for n in range(12):\n\
             \x20   held.append(os.open('{path}', os.O_RDWR | {flags}))\n\
             \x20   os.write(held[-1], bytes(1 << 20))\n\
             \x20   if os.path.exists('f'): os.unlink('f')\n\
             while True: pass"
        );
        let ran = ground.run(bounded(python(&code), 8 * MIB, 100)).await;
        let ran = ran.unwrap();
        assert_eq!(ran.outcome, Outcome::AddedExceeded(Added::Bytes), "{ran:?}");
        assert!(ran.wall_ms < 5_000, "{ran:?}");
    }
}

#[tokio::test]
async fn a_folder_that_its_maker_closes_to_others_is_not_left_uncounted() {
    if rustix::process::geteuid().is_root() {
        // Root can open every folder; the same tests also run without privileges.
        return;
    }
    let ground = Ground::new();
    let code = "import os\n\
                os.mkdir('d')\n\
                fd = os.open('d', os.O_RDONLY)\n\
                os.fchmod(fd, 0o300)\n\
                while True: pass";
    let ran = ground.run(bounded(python(code), MIB, 100)).await.unwrap();
    assert_eq!(ran.outcome, Outcome::AddedExceeded(Added::Bytes), "{ran:?}");
}

#[tokio::test]
async fn what_was_there_before_does_not_count() {
    let ground = Ground::new();
    for n in 0..60 {
        let file = ground.workspace.join(format!("f{n}"));
        std::fs::write(file, vec![b'x'; 100_000]).unwrap();
    }
    let script =
        "for f in f*; do sed s/x/y/ $f > new; mv new $f; done; cat f0 > g; ln g h 2>&1; echo end";
    let mut tool = bounded(sh(script), 200_000, 2);
    tool.limits.file_bytes_max = 100_001;
    let ran = ground.run(tool).await.unwrap();
    assert_eq!(
        (ran.outcome, text(&ran).as_str()),
        (Outcome::Succeeded, "end\n"),
        "{ran:?}"
    );
}

#[tokio::test]
async fn a_program_is_ended_before_the_volume_is_full() {
    if !on_a_small_volume("disk::a_program_is_ended_before_the_volume_is_full") {
        return;
    }
    let ground = Ground::new();
    let roomy = |script: &str| {
        let mut tool = bounded(sh(script), 1024 * MIB, 100);
        tool.limits.file_bytes_max = 1024 * MIB;
        tool
    };
    let ran = ground.run(roomy("yes | head -c 8000000 > f")).await;
    assert_eq!(ran.unwrap().outcome, Outcome::Succeeded);
    for folder in [".", "$TMPDIR"] {
        let script = format!("yes | head -c 56000000 > {folder}/g; sleep 600");
        let ran = ground.run(roomy(&script)).await;
        assert_eq!(ran.unwrap().outcome, Outcome::NoRoom, "{folder}");
        std::fs::remove_file(ground.workspace.join("g")).ok();
    }
}
