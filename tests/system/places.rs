//! Places of a deployment: odd folders and addresses that work, and errors for others, one sentence each.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Stdio},
};

use contractual::example;
use harness::{Deployment, SOON, can_contain, contractual, eventually, nats_server};

use crate::{
    cli::{Ended, end, one_sentence, program},
    executable::executable,
    findings::Up,
};

/// The program as a user to whom file modes apply, also if the test runs as root.
fn plain(arguments: &[&str]) -> Ended {
    let mut command = Command::new("setpriv");
    command
        .args(["--bounding-set", "-dac_override", "--"])
        .arg(contractual())
        .args(arguments)
        .stdin(Stdio::null())
        .env("NATS_SERVER", nats_server());
    end(&mut command)
}

fn read_only(folder: &Path) {
    fs::set_permissions(folder, fs::Permissions::from_mode(0o555)).unwrap();
}

#[test]
fn a_read_only_folder_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    read_only(folder.path());
    let demo = plain(&["demo", path, "--yes"]);
    assert_eq!(demo.code, Some(1), "{demo:?}");
    one_sentence(
        &demo.said,
        &[path, "Permission denied", "a writable folder"],
    );
    let state = format!("{path}/state");
    let init = plain(&["init", "--dir", &state]);
    assert_eq!(init.code, Some(64), "{init:?}");
    one_sentence(&init.said, &[path, "Permission denied"]);
    let deployment = Deployment::new();
    read_only(deployment.dir().path());
    let dir = deployment.dir().path().to_str().unwrap();
    let up = plain(&["up", "--dir", dir]);
    assert_eq!(up.code, Some(1), "{up:?}");
    one_sentence(&up.said, &[dir, "Permission denied", "a writable folder"]);
    fs::set_permissions(dir, fs::Permissions::from_mode(0o700)).unwrap();
}

#[test]
fn a_folder_that_is_not_there_is_said_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let path = missing.to_str().unwrap();
    let demo = end(&mut program(None, &["demo", path, "--yes"]));
    assert_eq!(demo.code, Some(64), "{demo:?}");
    one_sentence(&demo.said, &[path, "is not a folder"]);
    assert!(!missing.exists());
}

#[test]
fn a_folder_without_an_invoice_is_refused_before_anything_starts() {
    let (empty, long) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    fs::write(empty.path().join("notes.md"), "Total: EUR 1.00").unwrap();
    fs::create_dir(empty.path().join("2026.txt")).unwrap();
    let text = " ".repeat(runner::FILE_BYTES_MAX + 1);
    fs::write(long.path().join("long.txt"), text).unwrap();
    for (folder, words) in [
        (&empty, ["has no file *.txt", "Total: EUR"]),
        (&long, ["long.txt is longer", "1024 KiB"]),
    ] {
        let path = folder.path().to_str().unwrap();
        let mut command = program(None, &["demo", path, "--yes"]);
        let demo = end(command.env("NATS_SERVER", "/nonexistent"));
        assert_eq!(demo.code, Some(64), "{demo:?}");
        one_sentence(&demo.said, &[path, words[0], words[1]]);
    }
}

/// Runs a shell script in which `$1` is an empty disk of this size and `$2` is the program.
fn on_disk(size: &str, script: &str) -> Ended {
    let folder = tempfile::tempdir().unwrap();
    end(&mut disk(folder.path(), size, script))
}

/// The command for such a script; the disk hides `folder`, and ends with the script.
fn disk(folder: &Path, size: &str, script: &str) -> Command {
    let script = format!("mount -t tmpfs -o size={size} none \"$1\" || exit 99\n{script}");
    let mut command = Command::new("unshare");
    command
        .args(["--mount", "sh", "-c", &script, "sh"])
        .arg(folder)
        .arg(contractual())
        .stdin(Stdio::null())
        .env("NATS_SERVER", nats_server());
    command
}

#[test]
fn a_full_disk_is_said() {
    if !can_contain() {
        return;
    }
    let said = "No space left on device";
    let init = on_disk(
        "16k",
        "exec \"$2\" --dir \"$1/state\" init --workspace /tmp",
    );
    assert!(matches!(init.code, Some(1 | 64)), "{init:?}");
    one_sentence(&init.said, &[said]);
    let demo = on_disk("16k", "TMPDIR=\"$1\" exec \"$2\" demo --yes");
    assert!(matches!(demo.code, Some(1 | 64)), "{demo:?}");
    one_sentence(&demo.said, &[said]);
    let demo = on_disk("16k", "exec \"$2\" demo \"$1\" --yes");
    assert_eq!(demo.code, Some(1), "{demo:?}");
    one_sentence(&demo.said, &[said, "with free space"]);
    let up = on_disk(
        "4m",
        "\"$2\" --dir \"$1/state\" init --workspace \"$1/work\" >/dev/null || exit 98\n\
         dd if=/dev/zero of=\"$1/fill\" 2>/dev/null\n\
         exec \"$2\" --dir \"$1/state\" up",
    );
    assert_eq!(up.code, Some(1), "{up:?}");
    one_sentence(&up.said, &[said, "with free space"]);
}

#[test]
fn the_demo_says_that_a_server_is_too_old() {
    let folder = tempfile::tempdir().unwrap();
    let old = folder.path().join("nats-server");
    executable(&old, "#!/bin/sh\necho 'nats-server: v2.10.4'\n");
    let demo = end(program(None, &["demo", "--yes"]).env("NATS_SERVER", &old));
    assert_eq!(demo.code, Some(1), "{demo:?}");
    one_sentence(&demo.said, &["2.10.4", "too old", "2.15.1 or newer"]);
}

/// Two free ports on an address of this machine.
fn ports(host: &str) -> [u16; 2] {
    let bound = [(); 2].map(|()| std::net::TcpListener::bind((host, 0)).unwrap());
    bound.map(|listener| listener.local_addr().unwrap().port())
}

#[tokio::test]
async fn deployment_in_an_odd_folder_and_on_odd_addresses_starts() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("a \"b\" \\c $d #e {f}; 'g'");
    for (host, listen, reached) in [
        ("::1", "[::1]", "[::1]"),
        ("127.0.0.2", "127.0.0.2", "127.0.0.2"),
        ("0.0.0.0", "0.0.0.0", "127.0.0.1"),
    ] {
        if std::net::TcpListener::bind((host, 0)).is_err() {
            harness::skipped("this machine has no IPv6");
            continue;
        }
        let [bus, gateway] = ports(host);
        let (bus, gateway) = (format!("{listen}:{bus}"), format!("{reached}:{gateway}"));
        let workspace = dir.join("work");
        let workspace = workspace.to_str().unwrap();
        let chosen = [
            "--bus",
            &bus,
            "--gateway",
            &gateway,
            "--workspace",
            workspace,
        ];
        let init = end(&mut program(Some(&dir), &[&["init"], &chosen[..]].concat()));
        assert_eq!(init.code, Some(0), "{init:?}");
        let mut up = Up::start(&dir, scratch.path());
        up.printed("ready: the gateway listens").await;
        eventually(SOON, async || {
            let doctor = end(&mut program(Some(&dir), &["doctor"]));
            if doctor.code == Some(0) {
                Ok(())
            } else {
                Err(doctor.printed)
            }
        })
        .await;
        up.stop().await;
        fs::remove_dir_all(&dir).unwrap();
    }
}

#[test]
fn what_cannot_start_is_refused_before_a_file_is_made() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path().join("state");
    for (arguments, words) in [
        (["--bus", "127.0.0.1:0"], "port 0"),
        (["--bus", "192.0.2.1:4222"], "an address of this machine"),
        (["--gateway", "127.0.0.1:4222"], "are the same address"),
        (
            ["--gateway", "255.255.255.255:4222"],
            "no address of one machine",
        ),
        (["--sync", "7"], "is invalid"),
    ] {
        let init = end(&mut program(
            Some(&dir),
            &[&["init"], &arguments[..]].concat(),
        ));
        assert_eq!(init.code, Some(64), "{arguments:?}: {init:?}");
        one_sentence(&init.said, &[arguments[1], words]);
        assert!(!dir.exists(), "{arguments:?}");
    }
    let name = end(&mut program(
        Some(&dir),
        &["init", "--bus", "localhost:4222"],
    ));
    assert_eq!(name.code, Some(64), "{name:?}");
    assert!(
        name.said.contains("name an IP address and a port"),
        "{}",
        name.said
    );
    let odd = scratch.path().join("two\nlines");
    let init = end(&mut program(Some(&odd), &["init"]));
    assert_eq!(init.code, Some(64), "{init:?}");
    one_sentence(&init.said, &["two\\nlines", "a line end", "--dir"]);
    assert!(!odd.exists());
}

/// A catalogue that is longer than the first versions read.
fn long_catalogue() -> String {
    let mut tools: Vec<serde_json::Value> = serde_json::from_str(example::TOOLS).unwrap();
    for n in 0..35 {
        let mut tool = tools[0].clone();
        tool["name"] = format!("more.tool{n}").into();
        tools.push(tool);
    }
    let text = serde_json::to_string(&tools).unwrap();
    assert!(text.len() > 16 << 10);
    text
}

#[test]
fn a_user_without_a_home_needs_one_only_for_the_default_folder() {
    if !can_contain() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let bytes = fs::read(contractual()).unwrap();
    executable(path("contractual").as_ref(), bytes);
    fs::write(path("contract.toml"), harness::contract()).unwrap();
    // Some editors begin a file with a byte order mark.
    let text = format!("\u{feff}{}", long_catalogue());
    fs::write(path("tools.json"), text).unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    let homeless = |arguments: &[&str]| {
        let mut command = Command::new("setpriv");
        command
            .args(["--reuid", "54321", "--clear-groups", "--"])
            .arg(path("contractual"))
            .args(arguments)
            .current_dir(folder.path())
            .env_clear()
            .env("XDG_DATA_HOME", "relative")
            .env("PATH", "/usr/bin:/bin");
        end(&mut command)
    };
    for works in [
        &[
            "contract",
            "check",
            "contract.toml",
            "--tools",
            "tools.json",
        ][..],
        &[
            "contract",
            "new",
            "--task-text",
            "Sort",
            "--tools",
            "tools.json",
        ],
        &["key", "new", "key.pem"],
        &[
            "--dir",
            "state",
            "init",
            "--catalogue",
            "tools.json",
            "--workspace",
            "work",
        ],
        &["--dir", "state", "contract", "check", "contract.toml"],
    ] {
        let ended = homeless(works);
        assert_eq!(ended.code, Some(0), "{works:?}: {ended:?}");
    }
    for needs in [
        &["init"][..],
        &["up"],
        &["contract", "check", "contract.toml"],
    ] {
        let ended = homeless(needs);
        assert_eq!(ended.code, Some(64), "{needs:?}: {ended:?}");
        one_sentence(&ended.said, &["no default folder", "pass --dir"]);
    }
}

#[test]
fn init_has_a_server_that_is_there_check_its_files_and_downloads_none() {
    let scratch = tempfile::tempdir().unwrap();
    let server = scratch.path().join("nats-server");
    let script = "#!/bin/sh\ncase \"$1\" in --version) echo 'nats-server: v2.15.1' ;; \
                  *) echo \"nats-server: no sense in $3\" >&2; exit 1 ;; esac\n";
    executable(&server, script);
    let workspace = scratch.path().join("work");
    let dir = scratch.path().join("state");
    let arguments = ["init", "--workspace", workspace.to_str().unwrap()];
    let init = end(program(Some(&dir), &arguments).env("NATS_SERVER", &server));
    assert_eq!(init.code, Some(64), "{init:?}");
    one_sentence(&init.said, &["no sense in ", "nats/nats.conf", "refuses"]);
    let mut none = program(Some(&dir), &arguments);
    let init = end(none.env_clear().env("PATH", "/nonexistent"));
    assert_eq!(init.code, Some(0), "{init:?}");
}

#[test]
fn a_value_that_an_existing_deployment_would_not_take_is_refused() {
    let scratch = tempfile::tempdir().unwrap();
    let (dir, work) = (scratch.path().join("state"), scratch.path().join("work"));
    let said = |arguments: &[&str]| {
        let words = [&["init", "--workspace", work.to_str().unwrap()], arguments].concat();
        end(&mut program(Some(&dir), &words))
    };
    let chosen = ["--bus", "127.0.0.1:4333", "--sync", "90s"];
    assert_eq!(said(&chosen).code, Some(0));
    // The same again, and nothing at all.
    assert_eq!(
        said(&["--bus", "127.0.0.1:4333", "--sync", "1m30s"]).code,
        Some(0)
    );
    assert_eq!(said(&[]).code, Some(0));
    let catalogue = scratch.path().join("tools.json");
    fs::write(&catalogue, "[]").unwrap();
    for (arguments, named) in [
        (["--bus", "127.0.0.1:4222"], "deployment.toml"),
        (["--gateway", "127.0.0.1:8481"], "deployment.toml"),
        (["--workspace", "/tmp"], "deployment.toml"),
        (["--sync", "always"], "local.conf"),
        (["--catalogue", catalogue.to_str().unwrap()], "tools.json"),
    ] {
        let words = [&["init"][..], &arguments].concat();
        let ended = end(&mut program(Some(&dir), &words));
        assert_eq!(ended.code, Some(64), "{ended:?}");
        one_sentence(&ended.said, &[arguments[0], arguments[1], named]);
    }
}

/// Fills the disk under a running deployment and frees it; prints the findings while it is full and after that. `$3` is
/// the contract, `$4` and `$5` are ports.
const FULL_AND_FREE: &str = r#"set -- "$1/state" "$2" "$CONTRACT" "$BUS" "$GATEWAY" "$1"
within() { until=$(($(date +%s) + $1)); shift
  until "$@"; do [ "$(date +%s)" -lt "$until" ] || return 1; sleep 0.2; done; }
sign() { "$PROGRAM" --dir "$STATE" contract sign "$CONTRACT" >/dev/null 2>&1; }
finds() { "$PROGRAM" --dir "$STATE" doctor | grep -q "$1"; }
STATE=$1 PROGRAM=$2
"$PROGRAM" --dir "$STATE" init --workspace "$6/work" --bus "127.0.0.1:$4" --gateway "127.0.0.1:$5" >/dev/null || exit 98
"$PROGRAM" --dir "$STATE" up >"$UP" 2>&1 & up=$!
end() { kill $up; wait $up; exit "$1"; }
within 60 grep -q "ready: the gateway listens" "$UP" || end 97
dd if=/dev/zero of="$6/fill" bs=4k 2>/dev/null
sign && end 96
within 30 finds "BAD  server's health .*write error.*contractual up. then restarts" || end 95
within 30 grep -q "nats-server stores nothing: .*then it is restarted" "$UP" || end 94
rm "$6/fill"
within 60 sign || end 93
within 30 finds "ok   server's health" || end 92
end 0"#;

#[test]
fn nats_server_is_restarted_once_a_full_disk_has_room_again() {
    if !can_contain() {
        return;
    }
    let scratch = tempfile::tempdir().unwrap();
    let contract = scratch.path().join("contract.toml");
    fs::write(&contract, harness::contract()).unwrap();
    let up = scratch.path().join("up.log");
    let [bus, gateway] = ports("127.0.0.1").map(|port| port.to_string());
    let folder = tempfile::tempdir().unwrap();
    let mut command = disk(folder.path(), "24m", FULL_AND_FREE);
    let command = command
        .env("CONTRACT", contract)
        .env("UP", &up)
        .env("BUS", bus)
        .env("GATEWAY", gateway);
    let ended = end(command);
    let printed = fs::read_to_string(up).unwrap_or_default();
    assert_eq!(ended.code, Some(0), "{ended:?}\n{printed}");
}
