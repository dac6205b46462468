//! Common programs in the cage, as the README lists them.

use std::io::Write as _;
use std::path::Path;

use runner::{Outcome, SYSTEM_PATH};

use crate::call::{Ground, sh, text};
use crate::shelf::pdf;

/// A program, a script that uses it, and what the script prints.
const WORK: [(&str, &str, &str); 24] = [
    ("gzip", "gzip -k a && gunzip -c a.gz", "hello"),
    ("bzip2", "bzip2 -k a && bzip2 -dc a.bz2", "hello"),
    ("xz", "xz -k a && xz -dc a.xz", "hello"),
    ("zstd", "zstd -q a && zstd -qdc a.zst", "hello"),
    (
        "tar",
        "mkdir d && cp a d && tar -czf d.tgz d && rm -r d && tar -xzf d.tgz && cat d/a",
        "hello",
    ),
    (
        "unzip",
        "zip -q a.zip a && rm a && unzip -q a.zip && cat a",
        "hello",
    ),
    ("cp", "cp -p a b && cat b", "hello"),
    ("sed", "sed -i s/h/H/ a && cat a", "Hello"),
    ("sort", "printf '2\\n1\\n' | sort", "1\n2\n"),
    ("awk", "awk '{ print length($0) }' a", "5\n"),
    ("jq", "printf '{\"a\":[1,2]}' | jq -c .a", "[1,2]\n"),
    (
        "sqlite3",
        "sqlite3 t.db 'create table t(a); insert into t values(7); select a from t'",
        "7\n",
    ),
    ("perl", "perl -e 'print 6*7'", "42"),
    (
        "python3",
        "python3 -c 'import json, sqlite3, subprocess, tempfile; print(json.dumps([1]))'",
        "[1]\n",
    ),
    (
        "python3",
        "python3 -c 'import asyncio, sys; asyncio.run(asyncio.sleep(0)); print(6*7)'",
        "42\n",
    ),
    ("node", "node -e 'console.log(6*7)'", "42\n"),
    (
        "git",
        "git init -q r && cd r && cp ../a . && git add a && git -c user.name=n -c user.email=n@x.example commit -qm m && git log --format=%s && git status --short",
        "m\n",
    ),
    (
        "openssl",
        "openssl dgst -sha256 -r a | cut -c1-8",
        "2cf24dba\n",
    ),
    ("timeout", "timeout 5 cat a", "hello"),
    (
        "bsdtar",
        "bsdtar -caf a.zip a && rm a && bsdtar -xf a.zip && cat a",
        "hello",
    ),
    ("pdftotext", "pdftotext a.pdf -", "Invoice 42\n\n\u{c}"),
    // Its collector of garbage prints a warning.
    ("w3m", "w3m -dump -T text/html a 2>/dev/null", "hello\n"),
    ("html2text", "html2text -o - a", "hello\n"),
    (
        "sox",
        "sox -n -r 8000 -b 16 a.wav synth 1 sine 440 && sox a.wav -r 4000 b.wav && head -c 4 b.wav",
        "RIFF",
    ),
];

/// A script that needs what the cage refuses, and the words in which it says so.
const REFUSED: [(&str, &str, &str); 5] = [
    ("chown", "chown 1 a", "Operation not permitted"),
    ("ln", "ln -s a b", "Operation not permitted"),
    ("mkfifo", "mkfifo f", "Operation not permitted"),
    ("sh", "echo x >/tmp/x", "Permission denied"),
    ("cat", "cat /etc/passwd", "Permission denied"),
];

fn is_installed(name: &str) -> bool {
    SYSTEM_PATH
        .split(':')
        .any(|folder| Path::new(folder).join(name).exists())
}

#[tokio::test]
async fn common_programs_work() {
    // The superuser may not change attributes: its files are everywhere.
    if rustix::process::geteuid().is_root() {
        return;
    }
    for (name, script, expected) in WORK {
        if !is_installed(name) {
            writeln!(std::io::stderr(), "SKIPPED: no {name} here").unwrap();
            continue;
        }
        let ground = Ground::new();
        std::fs::write(ground.workspace.join("a"), "hello").unwrap();
        std::fs::write(ground.workspace.join("a.pdf"), pdf("Invoice 42")).unwrap();
        let mut entry = sh(script);
        entry.limits.memory_bytes_max = 1 << 30;
        let ran = ground.run(entry).await.unwrap();
        let errors = String::from_utf8_lossy(&ran.diagnostics);
        assert_eq!(ran.outcome, Outcome::Succeeded, "{name}: {errors}");
        assert_eq!(
            (text(&ran).as_str(), errors.as_ref()),
            (expected, ""),
            "{name}"
        );
    }
}

#[tokio::test]
async fn programs_say_what_the_cage_refuses() {
    for (name, script, expected) in REFUSED {
        let ground = Ground::new();
        std::fs::write(ground.workspace.join("a"), "hello").unwrap();
        let ran = ground.sh(script).await;
        let errors = String::from_utf8_lossy(&ran.diagnostics);
        assert!(
            matches!(ran.outcome, Outcome::Failed { .. }),
            "{name}: {ran:?}"
        );
        assert!(errors.contains(expected), "{name}: {errors}");
    }
}
