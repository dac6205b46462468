//! Self-measurement and a probe notice each protection that a container lacks.

use regex::Regex;

use crate::{
    engine::text,
    hard::differing,
    probe::probed_of,
    stack::Stack,
    table::{Table, inside_of},
};

/// A service, a change of the compose file, and the rows of the table that it changes.
type Change = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static [&'static str],
);

const WRITABLE: &str = "inside: file systems that can be written to";
const FOLDERS: &str = "probe: folders it can write in";

const CHANGES: [Change; 9] = [
    (
        "nats",
        &[(r"(?m)^  cap_drop: .*\n", "")],
        &["inside: capabilities"],
    ),
    (
        "nats",
        // Without capabilities root could not read the service's files.
        &[
            (r"(?m)^  cap_drop: .*\n", ""),
            (r#""10012:10012""#, r#""0:0""#),
        ],
        &[
            "inside: capabilities",
            "inside: gids",
            "inside: other groups",
            "inside: uids",
            "inside: users of its processes",
        ],
    ),
    (
        "nats",
        &[(
            r#""no-new-privileges:true", "seccomp=./seccomp/nats.json""#,
            r#""seccomp=unconfined""#,
        )],
        &["inside: no new privileges", "inside: seccomp mode"],
    ),
    (
        "nats",
        &[("seccomp=./seccomp/nats.json", "seccomp=unconfined")],
        &["inside: seccomp mode"],
    ),
    // Each of these has a row of its own.
    (
        "nats",
        &[
            ("core: 0, ", "core: 1024, "),
            ("nofile: 4096", "nofile: 2048"),
            (r", bus-ui\]", "]"),
            (
                r"bus-gateway: \{<<: \*star, ipam: \{config: \[",
                r#"bus-gateway: {<<: *star, enable_ipv6: true, ipam: {config: [{subnet: "fd00:89::/64"}, "#,
            ),
        ],
        &[
            "inside: core bytes",
            "inside: interfaces",
            "inside: interfaces with IPv6",
            "inside: open files",
        ],
    ),
    ("nats", &[(r"(?m)^  read_only: true\n", "")], &[WRITABLE]),
    ("nats", &[(r"(?m)^  ipc: none\n", "")], &[WRITABLE, FOLDERS]),
    ("nats", &[("read_only: true, bind", "bind")], &[WRITABLE]),
    ("runner", &[("rw,noexec,", "rw,exec,")], &[WRITABLE]),
];

/// The properties of a service that is started alone, with a compose file.
fn found(stack: &Stack, path: &std::path::Path, service: &'static str) -> Table {
    let started = stack.compose(path, &["up", "--detach", "--no-deps", service]);
    assert!(started.status.success(), "{}", text(&started));
    let mut table = inside_of(service);
    table.append(&mut probed_of(service));
    let gone = stack.compose(path, &["down", "--timeout", "1"]);
    assert!(gone.status.success(), "{}", text(&gone));
    table
}

#[tokio::test]
async fn a_weaker_container_is_noticed_from_inside() {
    let Some(stack) = Stack::files().await else {
        return;
    };
    stack.script(&["pin"]);
    let shipped = crate::engine::root().join("deploy/docker-compose.yml");
    let whole = ["nats", "runner"].map(|service| (service, found(&stack, &shipped, service)));
    let mut wrong = Vec::new();
    for (service, changes, expected) in CHANGES {
        let path = stack.altered(|file| {
            changes
                .iter()
                .fold(file.to_owned(), |file, (line, instead)| {
                    let pattern = Regex::new(line).unwrap();
                    pattern.replace_all(&file, *instead).into_owned()
                })
        });
        let (_, whole) = whole.iter().find(|(of, _)| *of == service).unwrap();
        let less = found(&stack, &path, service);
        let other = differing(whole, &less);
        if other != expected.iter().copied().collect() {
            wrong.push(format!(
                "{service} with {changes:?}: {other:?}, not {expected:?}"
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
