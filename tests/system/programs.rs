//! Programs of tools: what was signed is what runs, from the catalogue to the end of an action.

use std::fs;

use bus_schema::AuthorId;
use harness::{Deployment, SOON, eventually};
use serde_json::json;

use crate::{
    cli::{Ended, end, run as command},
    main_job::{has, run},
    scene::troubled,
};

const CONTRACT: &str = "contract = \"script\"\nversion = 1\npurpose = \"Run a script\"\nowner = \"The person who signs this\"\n\
    expires = 2036-12-31\n[[allow]]\ntool = \"script.run\"\nwhere.path = { path = \"inbox/**\" }\n";
const PLAYBOOK: &str = "playbook = \"one\"\npurpose = \"One.\"\n[[step]]\nid = \"s\"\ntool = \"script.run\"\nargs = { path = \"inbox/a\" }\n";
const SCRIPT: &str = "echo signed; cat \"$1\"\n";

/// A catalogue with one program, as a person writes it: without digests.
fn tools(script: &str) -> String {
    json!([{
        "name": "script.run", "description": "Runs a script.", "effect": "read", "output": "trusted",
        "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]},
        "exec": {
            "program": "sh", "writable": false,
            "argv": [{"literal": script}, {"value": {"name": "path", "kind": "path", "prefix": "./"}}],
            "limits": {"wall_ms": 10_000, "cpu_ms_max": 5_000, "output_bytes_max": 4_096,
                "memory_bytes_max": 268_435_456, "processes_max": 8, "file_bytes_max": 0, "files_open_max": 64},
        },
    }])
    .to_string()
}

async fn is_suspended(deployment: &Deployment) {
    eventually(SOON, async || {
        let list = command(deployment, &["contract", "list", "--json"]);
        if list.printed.contains("\"suspended\"") {
            Ok(())
        } else {
            Err(list.printed)
        }
    })
    .await;
}

#[tokio::test]
async fn script_edited_after_signing_runs_only_after_it_is_signed_again() {
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().canonicalize().unwrap().join("script");
    fs::write(&script, SCRIPT).unwrap();
    let path = script.to_str().unwrap();
    let deployment = Deployment::with(|choices| choices.catalogue = tools(path));
    let inbox = deployment.workspace().join("inbox");
    fs::create_dir(&inbox).unwrap();
    fs::write(inbox.join("a"), "a\n").unwrap();
    deployment.nats().start().await;
    deployment.provision().await;
    deployment.start_all().await;
    let file = |name: &str, text: &str| {
        let path = deployment.scratch().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let contract = file("contract.toml", CONTRACT);
    let arguments = [
        "--contract".to_owned(),
        contract.clone(),
        "--playbook".to_owned(),
        file("playbook.toml", PLAYBOOK),
    ];
    let sign = || command(&deployment, &["contract", "sign", &contract]);
    let ran = || -> Ended { end(&mut run(&deployment, &arguments, &[])) };
    assert_eq!(sign().code, Some(0));
    has(&ran().printed, &["-> signed a"]);

    // The runner knows the digest, and the owner's signature covers it.
    fs::write(&script, SCRIPT.replace("signed", "edited")).unwrap();
    let refused = ran();
    assert_ne!(refused.code, Some(0));
    has(&refused.printed, &["is not what the owner signed"]);
    assert!(!refused.printed.contains("edited"), "{refused:?}");
    // A runner that starts now goes on without this tool, and says what to write.
    deployment.stop(AuthorId::Runner).await;
    deployment.start(AuthorId::Runner).await;
    troubled(&deployment, AuthorId::Runner, "is not the signed file").await;
    troubled(&deployment, AuthorId::Runner, "contractual tool pin").await;

    let pinned = command(&deployment, &["tool", "pin"]);
    assert_eq!(pinned.code, Some(0), "{pinned:?}");
    has(&pinned.printed, &["script.run: changed", path]);
    let copy = deployment.dir().catalogue();
    let added = command(&deployment, &["tool", "add", copy.to_str().unwrap()]);
    assert_eq!(added.code, Some(0), "{added:?}");
    has(
        &added.printed,
        &["suspends `script`", "read by  policy, runner"],
    );
    is_suspended(&deployment).await;
    assert_ne!(ran().code, Some(0));
    let signed = sign();
    assert_eq!(signed.code, Some(0), "{signed:?}");
    has(
        &signed.printed,
        &[&format!("`script.run` runs {path}, SHA-256: was \"")],
    );
    has(&ran().printed, &["-> edited a"]);
}

#[test]
fn init_writes_the_digests_of_programs_and_names_a_file_that_is_missing() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let init = |dir: &str, more: &[&str]| {
        let workspace = at("workspace");
        let words = [&["init", "--workspace", &workspace], more].concat();
        end(&mut crate::cli::program(Some(at(dir).as_ref()), &words))
    };
    let ended = init("plain", &[]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let made = fs::read_to_string(folder.path().join("plain/tools.json")).unwrap();
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let total = made.as_array().unwrap().last().unwrap();
    let program = total["exec"]["program"].as_str().unwrap();
    assert!(total["exec"]["sha256"][program].is_string(), "{total}");
    let keys: Vec<_> = total.as_object().unwrap().keys().collect();
    assert_eq!(keys[0], "name", "the order of keys is kept");

    let tools = at("tools.json");
    fs::write(&tools, tools_of_no_program()).unwrap();
    let ended = init("missing", &["--catalogue", &tools]);
    assert_eq!(ended.code, Some(64), "{ended:?}");
    has(&ended.said, &["script.run", "/nonexistent/program"]);
}

fn tools_of_no_program() -> String {
    tools("x").replace("\"sh\"", "\"/nonexistent/program\"")
}
