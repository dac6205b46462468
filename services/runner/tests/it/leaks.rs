//! Tests that many calls of each kind leave nothing behind.

use std::path::Path;

use actor::Places;
use bus_schema::ActionOutcome;
use serde_json::{Value, json};

use crate::call::{alone, sh};
use crate::mcp::{Hands, Subject, entries, processes, said};

/// Calls of each kind, unless `CALLS` is set.
const CALLS: usize = 300;
/// Calls before the first look: caches and allocators are filled by then.
const WARM: usize = 50;
/// Most memory that all calls of a kind may add, in KiB: what an allocator keeps.
const GROWTH_KIB: u64 = 4096;

/// The resources of one process.
#[derive(Debug, PartialEq, Eq)]
struct Held {
    descriptors: usize,
    processes: usize,
    temporary: usize,
}

fn held(subject: &Subject) -> Held {
    let count = |folder: &Path| std::fs::read_dir(folder).unwrap().count();
    Held {
        descriptors: count(Path::new("/proc/self/fd")),
        processes: processes(&subject.ground.root).len(),
        temporary: count(&subject.ground.scratch),
    }
}

/// The memory of this process, in KiB.
fn memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.unwrap().trim().trim_end_matches(" kB");
    kib.parse().unwrap()
}

fn built_in(name: &str) -> Value {
    json!({
        "name": name, "description": "Reads a file.", "effect": "read", "risk": "low", "output": "untrusted",
        "input_schema": {"type": "object"},
    })
}

async fn call(hands: &Hands, tool: &str, args: &Value) {
    let draft = hands.draft_of(tool);
    let (args, places) = (args.to_string(), Places::default());
    let called = hands.execution.perform(&draft, &places, args.as_bytes());
    let done = called.await.unwrap();
    assert_eq!(done.outcome, ActionOutcome::Succeeded, "{}", said(&done));
}

#[tokio::test]
async fn calls_of_each_kind_leave_nothing_behind() {
    // Other tests of the same process open files.
    if !alone("leaks::calls_of_each_kind_leave_nothing_behind") {
        return;
    }
    let calls = std::env::var_os("CALLS");
    let calls = calls.map_or(CALLS, |calls| calls.to_str().unwrap().parse().unwrap());
    let subject = Subject::new();
    std::fs::write(subject.ground.workspace.join("a"), "hello").unwrap();
    let server = subject.entry(&["modern"]);
    let mut tools = entries(&server, &subject.inspected(&["modern"]).await);
    let exec = serde_json::to_value(sh("cat a; echo b > b; echo $$ > \"$TMPDIR/c\"")).unwrap();
    let mut program = built_in("word.count");
    program["exec"] = exec;
    tools.extend([program, built_in("file.read")]);
    let hands = subject.hands_of(tools);
    for (tool, args) in [
        ("file.read", json!({"path": "a"})),
        ("word.count", json!({})),
        ("x.echo", json!({"text": "hello"})),
    ] {
        for _ in 0..WARM {
            call(&hands, tool, &args).await;
        }
        let (before, memory_before) = (held(&subject), memory());
        for _ in 0..calls {
            call(&hands, tool, &args).await;
        }
        assert_eq!(held(&subject), before, "{tool}");
        let grown = memory().saturating_sub(memory_before);
        assert!(grown < GROWTH_KIB, "{tool}: {grown} KiB");
    }
    hands.execution.execute.servers.end().await;
    let left = held(&subject);
    assert_eq!((left.processes, left.temporary), (0, 0));
}
