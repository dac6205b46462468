//! The errors of `tool check`: each with its place, the problem and the repair.

use std::fs;

use serde_json::{Value, json};

use crate::cli::{end, program};

fn good() -> Value {
    json!({
        "name": "word.count", "description": "Counts the words of a file.", "effect": "write", "risk": "low",
        "output": "trusted",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"],
            "additionalProperties": false},
        "exec": {
            "program": "wc", "writable": false,
            "argv": [{"literal": "-w"}, {"value": {"name": "path", "kind": "path", "prefix": "./"}}],
            "limits": {"wall_ms": 10_000, "cpu_ms_max": 5_000, "output_bytes_max": 4_096,
                "memory_bytes_max": 268_435_456, "processes_max": 8, "file_bytes_max": 0, "files_open_max": 64},
        },
    })
}

/// Returns the exit code and everything that `tool check` prints for this text.
fn checked(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tool.json");
    fs::write(&file, text).unwrap();
    let ended = end(&mut program(
        None,
        &["tool", "check", file.to_str().unwrap()],
    ));
    (ended.code, format!("{}{}", ended.printed, ended.said))
}

/// Each line has a change of the entry (a JSON pointer, and a value or `-` for its removal), the problem and the repair.
const CASES: &str = r##"
/name | - | `name` is missing | add `"name"
/description | - | `description` is missing | add `"description"
/effect | - | `effect` is missing | "read"
/output | - | `output` is missing | "untrusted"
/input_schema | - | `input_schema` is missing | JSON Schema
/risk | - | has no `risk` | add `"risk": "low"`
/risk | "small" | unknown variant `small` | "medium"
/risk | 3 | `risk` is not a text | "medium"
/effct | "read" | no member `effct` | did you mean `effect`?
/effect | "delete" | `effect` is | "write"
/output | "safe" | `output` is | "untrusted"
/name | "a..b" | empty part | group.verb
/input_schema/properties/path/pattern | "(" | is not a "regex" | JSON Schema
/output_schema | {"type": "nothing"} | the output schema | JSON Schema
/exec | "wc" | `exec` is not an object | "program"
/exec | - | has neither `exec` nor `http` | add one of them
/exec/program | - | `program` is missing | absolute path
/exec/program | "/nonexistent/wc" | /nonexistent/wc | install the program
/exec/program | "no-such-program" | no-such-program | install the program
/exec/argv | - | `argv` is missing | `"argv": []`
/exec/argv/0 | {"text": "-w"} | unknown variant `text` | "literal"
/exec/argv/1/value/kind | "file" | unknown variant `file` | paths
/exec/argv/1/value/name | "file" | the argument `file` | add `file`
/exec/argv/1/value/write | true | `writable` and `write` differ | "writable": true
/input_schema/required | [] | not required | add `path` to `required`
/input_schema/properties/mode | {"type": "string"} | takes the argument `mode` | remove it
/exec/writable | - | `writable` is missing | false
/exec/writable | "no" | `writable` is not true or false | false
/exec/folders | "/srv" | `folders` is not a list | ["/srv/data"]
/exec/folders | [7] | invalid type: integer `7` | ["/srv/data"]
/exec/folders | ["data"] | `data` is not a plain absolute path | by its absolute path
/exec/folders | ["/srv/../etc"] | is not a plain absolute path | by its absolute path
/exec/folders | ["/proc"] | shows the whole machine | folders with data
/exec/folders | ["/nonexistent/data"] | is no folder of this machine | the folder with the data
/exec/limits | - | `limits` is missing | wall_ms
/exec/limits/wall_ms | - | `wall_ms` is missing | 10000
/exec/limits/wall_ms | 0 | `wall_ms` is out of range | choose 1 to 3600000
/exec/limits/wall_ms | "10s" | `wall_ms` is not a number | 10000
/exec/limits/memory | 1 | no member `memory` | remove it
/exec/sha256 | {"/usr/bin/wc": "00"} | is not a plain absolute path | "sha256": {
"##;

/// A tool of an MCP server.
fn served() -> Value {
    let mut entry = good();
    entry.as_object_mut().unwrap().remove("exec");
    entry["mcp"] = json!({
        "server": {
            "program": "sh", "argv": ["-c", "exit"], "writable": false, "limits": good()["exec"]["limits"],
        },
        "tool": "count", "listed": "0".repeat(64),
    });
    entry
}

/// The same for a tool of an MCP server.
const SERVED: &str = r##"
/mcp | "sh" | `mcp` is not an object | tool import
/mcp/serve | {} | no member `serve` | did you mean `server`?
/mcp/server | - | `server` is missing | "program"
/mcp/tool | - | `tool` is missing | lists it
/mcp/tool | "" | `tool` or `listed` is not valid | tool import
/mcp/listed | - | `listed` is missing | tool import
/mcp/listed | "00" | `tool` or `listed` is not valid | tool import
/mcp/server/program | - | `program` is missing | absolute path
/mcp/server/program | "/nonexistent/node" | /nonexistent/node | name a file
/mcp/server/argv | [1] | invalid type | tool import
/mcp/server/argv | "x" | `argv` is not a list | `"argv": []`
/mcp/server/env | {"LD_PRELOAD": "x"} | `LD_PRELOAD` cannot be set | rename `LD_PRELOAD`
/mcp/server/env | {"A B": "x"} | `A B` cannot be set | rename `A B`
/mcp/server/packages | {"/nonexistent": ""} | /nonexistent | name the folder
/mcp/server/packages | {"opt": ""} | not a plain absolute path | name the folder
/mcp/server/paths | [{"path": "../x"}] | `..` component | tool import
/mcp/server/paths | [{"path": "x", "write": true}] | needs `"writable": true` | make both agree
/mcp/server/folders | ["srv"] | srv | name a folder
/mcp/server/idle_ms | 1 | `idle_ms` is out of range | choose 1000 to
/mcp/server/limits/processes_max | 0 | `processes_max` is out of range | choose 1 to 1024
/mcp/server/sha256 | {"/usr/bin/sh": "00"} | not those of the digests | tool pin
/exec | {"program": "wc", "argv": [], "writable": false, "limits": {}} | `wall_ms` is missing | 10000
"##;

/// A tool that sends requests.
fn sent() -> Value {
    let mut entry = good();
    entry.as_object_mut().unwrap().remove("exec");
    entry["effect"] = json!("outward");
    entry["http"] = json!({
        "method": "GET", "host": "api.example.com", "path": "/v2/items/{path}",
        "answer": {"type": "json", "fields": {"id": "/id"}},
        "limits": {"wall_ms": 10_000, "request_bytes_max": 1000, "answer_bytes_max": 1000},
    });
    entry
}

/// The same for a tool that sends requests.
const SENT: &str = r##"
/http | "x" | `http` is not an object | "method"
/http/hosts | "x" | no member `hosts` | did you mean `host`?
/http/method | - | `method` is missing | "GET"
/http/method | "TRACE" | unknown variant `TRACE` | correct this entry
/http/host | - | `host` is missing | api.example.com
/http/host | "https://api.example.com" | `host` is "https://api.example.com" | api.example.com
/http/host | "10.0.0.1" | an address, and not a name | api.example.com
/http/path | "items" | does not begin with a slash | /v2/items/{item}
/http/path | "/v2/%2e%2e/{path}" | has a `%` that escapes | /v2/items/{item}
/http/query | [{"name": "a"}] | without its value | "literal"
/http/headers | [{"name": "cookie", "literal": "a"}] | does not send | "literal"
/http/body | {} | `body` is not sent with GET | JSON
/http/redirects | 9 | `redirects` is 9 | 0 to 5
/http/answer | - | `answer` is missing | "type": "json"
/http/answer/type | - | `type` is missing | "json"
/http/answer/fields/id | "id" | has the field "id" | /data/id
/http/limits/wall_ms | 0 | `wall_ms` out of its range | "wall_ms": 10000
/http/limits/memory | 1 | no member `memory` | remove it
/http/path | "/v2/items/{item}" | sends the argument `item` | add `item`
/http/path | "/v2/items" | no part of `http` sends the argument `path` | {path}
/input_schema/required | [] | not required | add `path` to `required`
/effect | "read" | sends the argument `path` to api.example.com | "read"
/exec | {"program": "wc", "argv": [], "writable": false, "limits": {}} | `wall_ms` is missing | 10000
"##;

#[test]
fn every_fault_of_a_tool_is_named_with_its_place_and_its_repair() {
    let cases = |text: &'static str| text.lines().filter(|line| !line.is_empty());
    let programs = cases(CASES).map(|case| (case, good()));
    let mut count = 0;
    let served = cases(SERVED).map(|case| (case, served()));
    let sent = cases(SENT).map(|case| (case, sent()));
    for (case, mut entry) in programs.chain(served).chain(sent) {
        let [at, value, problem, fix] = case.split(" | ").collect::<Vec<_>>()[..] else {
            panic!("{case}");
        };
        let (parent, key) = at.rsplit_once('/').unwrap();
        let value: Option<Value> = serde_json::from_str(value).ok();
        match (entry.pointer_mut(parent).unwrap(), value) {
            (Value::Object(all), Some(value)) => drop(all.insert(key.to_owned(), value)),
            (Value::Object(all), None) => drop(all.remove(key)),
            (list, value) => list[key.parse::<usize>().unwrap()] = value.unwrap(),
        }
        let (code, said) = checked(&serde_json::to_string_pretty(&entry).unwrap());
        assert_eq!(code, Some(64), "{case}: {said}");
        for part in ["tool.json:", problem, "\nfix: ", fix] {
            assert!(said.contains(part), "{case}: {part} in {said}");
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
}

#[test]
fn good_tools_and_broken_texts_are_told_apart() {
    let one = good().to_string();
    for text in [
        one.clone(),
        served().to_string(),
        sent().to_string(),
        format!("[{one}]"),
        contractual::example::TOOLS.to_owned(),
    ] {
        let (code, said) = checked(&text);
        assert_eq!(code, Some(0), "{said}");
        assert!(said.contains("good: "), "{said}");
    }
    for (text, problem) in [
        (format!("[{one},{one}]"), "`word.count` is there twice"),
        ("7".to_owned(), "neither a tool nor a list"),
        ("{\"name\": }".to_owned(), "tool.json:1:10: "),
        (String::new(), "tool.json:1:1: "),
    ] {
        let (code, said) = checked(&text);
        assert_eq!(code, Some(64), "{said}");
        assert!(said.contains(problem), "{said}");
    }
}
