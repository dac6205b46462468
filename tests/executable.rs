//! Files that a test writes and then executes.
//!
//! Another process writes them: a file that this one has open for writing while another thread
//! starts a child stays open in that child until it executes, and its execution fails with `ETXTBSY`.

use std::{
    io::Write as _,
    path::Path,
    process::{Command, Stdio},
};

/// Writes an executable file (0755), and the folder it stands in.
pub(crate) fn executable(path: &Path, bytes: impl AsRef<[u8]>) {
    let mut shell = Command::new("/bin/sh")
        .args(["-c", r#"mkdir -p "${0%/*}" && cat >"$0" && chmod 755 "$0""#])
        .arg(path)
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell starts");
    let mut input = shell.stdin.take().expect("a pipe");
    input
        .write_all(bytes.as_ref())
        .expect("the shell reads the file");
    drop(input);
    assert!(shell.wait().expect("the shell ends").success());
}
