//! Installs a container engine's seccomp profile, then executes the program: `under PROFILE PROGRAM ARGUMENTS…`.

use std::{
    collections::BTreeMap,
    os::unix::process::CommandExt as _,
    process::{Command, ExitCode},
};

use seccompiler::{TargetArch, apply_filter, compile_from_json};
use serde::Deserialize;
use serde_json::{Value, json};

/// A profile in the engine's format, with the fields that ours use.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Profile {
    default_action: String,
    #[serde(rename = "archMap")]
    _arch_map: Value,
    syscalls: Vec<Rule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rule {
    names: Vec<String>,
    action: String,
    #[serde(default)]
    args: Vec<Argument>,
    #[serde(default)]
    includes: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    errno_ret: Option<u32>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Argument {
    index: u8,
    value: u64,
    #[serde(default)]
    value_two: u64,
    op: String,
}

/// The names of processors, of the engine and of the filter's compiler.
fn processor() -> (&'static str, TargetArch) {
    match std::env::consts::ARCH {
        "aarch64" => ("arm64", TargetArch::aarch64),
        _ => ("amd64", TargetArch::x86_64),
    }
}

fn condition(argument: &Argument) -> Value {
    let (op, value) = match argument.op.as_str() {
        "SCMP_CMP_EQ" => (json!("eq"), argument.value),
        "SCMP_CMP_MASKED_EQ" => (json!({"masked_eq": argument.value}), argument.value_two),
        other => panic!("{other} is not known here"),
    };
    json!({"index": argument.index, "type": "qword", "op": op, "val": value})
}

fn filter(profile: &Profile, action: &str, mismatch: Value, matched: Value) -> Value {
    let (arch, _) = processor();
    let here = |rule: &&Rule| {
        let arches = rule.includes.get("arches");
        rule.action == action && arches.is_none_or(|arches| arches.iter().any(|one| one == arch))
    };
    let rules = profile.syscalls.iter().filter(here).flat_map(|rule| {
        let args: Vec<_> = rule.args.iter().map(condition).collect();
        rule.names.iter().map(move |name| match args.as_slice() {
            [] => json!({"syscall": name}),
            args => json!({"syscall": name, "args": args}),
        })
    });
    json!({"mismatch_action": mismatch, "match_action": matched, "filter": rules.collect::<Vec<_>>()})
}

fn install(filter: &Value) {
    let text = json!({"main": filter}).to_string();
    let programs = compile_from_json(text.as_bytes(), processor().1)
        .unwrap_or_else(|error| panic!("the profile cannot be compiled: {error}"));
    let program = programs.get("main").expect("it was compiled");
    apply_filter(program).unwrap_or_else(|error| panic!("no filter: {error}"));
}

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(path), Some(program)) = (arguments.next(), arguments.next()) else {
        panic!("usage: under PROFILE PROGRAM ARGUMENTS…");
    };
    let text = std::fs::read_to_string(path).expect("the profile can be read");
    let profile: Profile = serde_json::from_str(&text).expect("it is a profile");
    assert_eq!(profile.default_action, "SCMP_ACT_ERRNO");
    const EPERM: u32 = 1;
    let errnos: Vec<_> = profile
        .syscalls
        .iter()
        .filter_map(|rule| rule.errno_ret)
        .collect();
    // One filter for each action; the kernel takes the strictest, so each filter allows all other calls.
    for errno in errnos {
        let refused = filter(
            &profile,
            "SCMP_ACT_ERRNO",
            json!("allow"),
            json!({"errno": errno}),
        );
        install(&refused);
    }
    let mut allowed = filter(
        &profile,
        "SCMP_ACT_ALLOW",
        json!({"errno": EPERM}),
        json!("allow"),
    );
    // Calls of another filter must pass this one.
    let others = profile
        .syscalls
        .iter()
        .filter(|rule| rule.action == "SCMP_ACT_ERRNO");
    let others = others
        .flat_map(|rule| &rule.names)
        .map(|name| json!({"syscall": name}));
    if let Some(rules) = allowed.pointer_mut("/filter").and_then(Value::as_array_mut) {
        rules.extend(others);
    }
    install(&allowed);
    let error = Command::new(&program).args(arguments).exec();
    panic!("cannot run {}: {error}", program.display());
}
