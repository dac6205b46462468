//! The operations of a public API as tools: imported from its OpenAPI document, signed, and called under a contract on a
//! server that answers as the document says.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use harness::{Deployment, skipped};
use serde_json::{Value, json};

use crate::{
    cli::{Ended, add_tools, run},
    egress::{World, started},
    scene::playbook,
};

/// The module whose document it is.
const MODULE: &str = "github.com/ory/hydra/v2@v2.3.0";
const SERVER: &str = include_str!("documented.py");

/// The calls of the task: operation, arguments, and a part of the request that the host then has read.
const CALLS: [(&str, &str, &str); 8] = [
    ("isAlive", "{}", "GET /health/alive "),
    (
        "listOAuth2Clients",
        "{ page_size = 5, owner = \"a b\" }",
        "page_size=5",
    ),
    (
        "createOAuth2Client",
        "{ client_name = \"crm\", redirect_uris = [\"https://example.com/x\"], skip_consent = true }",
        "\"client_name\":\"crm\"",
    ),
    (
        "getOAuth2Client",
        "{ id = \"a b\" }",
        "GET /admin/clients/a%20b ",
    ),
    (
        "patchOAuth2Client",
        "{ id = \"7\", body = [{ op = \"replace\", path = \"/owner\", value = \"x\" }] }",
        "PATCH /admin/clients/7 [{",
    ),
    (
        "createJsonWebKeySet",
        "{ set = \"s\", alg = \"RS256\", kid = \"k\", use = \"sig\" }",
        "POST /admin/keys/s {",
    ),
    (
        "deleteOAuth2Token",
        "{ client_id = \"7\" }",
        "DELETE /admin/oauth2/tokens?client_id=7 ",
    ),
    (
        "acceptOAuth2LogoutRequest",
        "{ logout_challenge = \"c\" }",
        "PUT /admin/oauth2/auth/requests/logout/accept?logout_challenge=c ",
    ),
];

/// The document, below the cache of modules; none without Go.
fn document(scratch: &Path) -> Option<PathBuf> {
    let loaded = Command::new("go")
        .args(["mod", "download", "-json", MODULE])
        .env("GOFLAGS", "-mod=mod")
        .current_dir(scratch)
        .output();
    let Some(loaded) = loaded.ok().filter(|loaded| loaded.status.success()) else {
        skipped("Go is not installed, or cannot load a module");
        return None;
    };
    let said: Value = serde_json::from_slice(&loaded.stdout).unwrap();
    Some(Path::new(said["Dir"].as_str().unwrap()).join("spec/api.json"))
}

/// Imports these operations; returns the printed row of each.
fn imported(deployment: &Deployment, document: &Path, host: &str, only: &str) -> Vec<Value> {
    let file = deployment.scratch().join("hydra.json");
    let words = [
        "--json",
        "tool",
        "import",
        "openapi",
        document.to_str().unwrap(),
    ];
    let choice = ["--host", host, "--only", only, "--name", "hydra", "--force"];
    let to = ["--out", file.to_str().unwrap()];
    let ran = run(deployment, &[&words[..], &choice, &to].concat());
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let said: Value = serde_json::from_str(&ran.printed).unwrap();
    said["tools"].as_array().unwrap().clone()
}

/// Imports every operation, and checks what is left out and the guesses.
fn imports_all(deployment: &Deployment, document: &Path, host: &str) {
    let listed = run(
        deployment,
        &[
            "--json",
            "tool",
            "import",
            "openapi",
            document.to_str().unwrap(),
        ],
    );
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let listed: Value = serde_json::from_str(&listed.printed).unwrap();
    let listed = listed["operations"].as_array().unwrap();
    assert_eq!(listed.len(), 47);
    let all: Vec<&str> = listed
        .iter()
        .map(|one| one["operation"].as_str().unwrap())
        .collect();
    let rows = imported(deployment, document, host, &all.join(","));
    let left_out: Vec<_> = rows
        .iter()
        .filter(|row| row["imported"] == json!(false))
        .map(|row| {
            (
                row["name"].as_str().unwrap(),
                row["because"].as_str().unwrap(),
            )
        })
        .collect();
    let because = "left out: its body is not JSON";
    assert_eq!(
        left_out,
        [
            ("hydra.introspectOAuth2Token", because),
            ("hydra.revokeOAuth2Token", because),
            (
                "hydra.revokeOidcSession",
                "left out: it has no response of success"
            ),
            ("hydra.oauth2TokenExchange", because),
        ]
    );
    let effects = |name: &str| {
        let row = rows
            .iter()
            .find(|row| row["name"] == format!("hydra.{name}"));
        let row = row.unwrap();
        (row["effect"].clone(), row["risk"].clone())
    };
    assert_eq!(effects("isAlive"), (json!("read"), json!(null)));
    assert_eq!(effects("getOAuth2Client"), (json!("outward"), json!("low")));
    assert_eq!(
        effects("deleteOAuth2Token"),
        (json!("outward"), json!("high"))
    );
}

#[tokio::test]
async fn operations_of_a_public_api_are_tools_and_run() {
    let deployment = Deployment::provisioned().await;
    let Some(document) = document(deployment.scratch()) else {
        return;
    };
    let text = fs::read_to_string(&document).unwrap();
    let files = [("document.json", text.as_str()), ("documented.py", SERVER)];
    let Some(world) = World::with(&deployment, &files) else {
        return;
    };
    imports_all(&deployment, &document, &world.endpoint());
    started(&deployment, &world).await;
    let only = CALLS.map(|(operation, ..)| operation).join(",");
    imported(&deployment, &document, &world.endpoint(), &only);
    add_tools(&deployment, &deployment.scratch().join("hydra.json"));
    let text = world.contract("hydra", "[[allow]]\ntool = \"hydra.*\"\n");
    let signed = deployment.sign(&text).await;
    let steps = CALLS.iter().enumerate().map(|(at, (operation, args, _))| {
        format!("[[step]]\nid = \"call-{at}\"\ntool = \"hydra.{operation}\"\nargs = {args}\n")
    });
    let steps: String = steps.collect();
    let task = deployment.submit(signed, &playbook(&steps)).await;
    let ran = deployment.follow(task, true).await;
    let shown = || run(&deployment, &["task", "show", &task.to_string()]);
    assert_eq!(ran.outcome(), "succeeded", "{}", shown().printed);
    let requests = world.requests();
    assert_eq!(requests.len(), CALLS.len(), "{requests:?}");
    for ((operation, _, part), request) in CALLS.iter().zip(&requests) {
        assert!(request.contains(part), "{operation}: {request}");
    }
}

/// A document with one operation, `put`, whose JSON body has this schema.
fn small(schema: &Value) -> Value {
    let body = json!({"required": true, "content": {"application/json": {"schema": schema}}});
    let node = json!({"type": "object", "properties": {
        "id": {"type": "string", "readOnly": true}, "next": {"$ref": "#/components/schemas/Node"},
        "size": {"type": "integer", "minimum": 0, "exclusiveMinimum": true, "nullable": true},
    }, "required": ["id", "size"]});
    json!({
        "openapi": "3.0.3", "info": {"title": "t", "version": "1"},
        "servers": [{"url": "https://other.example.com/v9"}, {"url": "https://api.example.com/v2/"}],
        "paths": {"/items/{item}": {
            "parameters": [{"name": "item", "in": "path", "required": true, "schema": {"type": "string"}}],
            "put": {"operationId": "put", "requestBody": body, "responses": {"200": {"description": "Done."}}},
        }},
        "components": {"schemas": {"Node": node}},
    })
}

/// Imports a document with these words; returns the end, and what was written.
fn import(deployment: &Deployment, document: &Value, words: &[&str]) -> (Ended, String) {
    let file = deployment.scratch().join("small.json");
    fs::write(&file, document.to_string()).unwrap();
    let out = deployment.scratch().join("out.json");
    let paths = [
        file.to_str().unwrap(),
        "--out",
        out.to_str().unwrap(),
        "--force",
    ];
    let ran = run(
        deployment,
        &[&["tool", "import", "openapi"], &paths[..], words].concat(),
    );
    let written = fs::read_to_string(&out).unwrap_or_default();
    fs::remove_file(&out).ok();
    (ran, written)
}

#[tokio::test]
async fn a_document_does_not_choose_the_host() {
    let deployment = Deployment::new();
    let chosen = ["--host", "api.example.com", "--only", "put"];
    let node = json!({"$ref": "#/components/schemas/Node"});
    let (ran, written) = import(&deployment, &small(&node), &chosen);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let entry: Value = serde_json::from_str(&written).unwrap();
    let entry = &entry[0];
    assert_eq!(entry["http"]["host"], "api.example.com");
    assert_eq!(entry["http"]["path"], "/v2/items/{item}");
    let body = json!({"next": {"$value": "next"}, "size": {"$value": "size"}});
    assert_eq!(entry["http"]["body"], body);
    let schema = &entry["input_schema"];
    assert_eq!(schema["required"], json!(["item", "size"]));
    let size = json!({"type": ["integer", "null"], "exclusiveMinimum": 0});
    assert_eq!(schema["properties"]["size"], size);
    let inner = &schema["$defs"]["Node"]["properties"];
    assert_eq!(inner["next"], json!({"$ref": "#/$defs/Node"}));
    assert_eq!(inner.get("id"), None);

    let (elsewhere, written) = import(
        &deployment,
        &small(&node),
        &["--host", "a.example.net", "--only", "put"],
    );
    assert_eq!(elsewhere.code, Some(0), "{elsewhere:?}");
    assert!(written.contains("\"/items/{item}\""), "{written}");
}

#[tokio::test]
async fn a_document_that_cannot_be_taken_is_named() {
    let deployment = Deployment::new();
    let chosen = ["--host", "api.example.com", "--only", "put"];
    let node = json!({"$ref": "#/components/schemas/Node"});
    let deep = (0..100).fold(
        json!({}),
        |inner, _| json!({"type": "array", "items": inner}),
    );
    for (schema, part) in [
        (
            json!({"$ref": "https://evil.example/x.json"}),
            "which is not a named schema",
        ),
        (
            json!({"$ref": "#/components/schemas/None"}),
            "which the document does not have",
        ),
        (
            json!({"type": "array", "items": {"$ref": "#/paths"}}),
            "not a named schema",
        ),
        (deep, "more than 64 levels"),
        (json!(7), "neither an object nor a truth value"),
    ] {
        let (ran, _) = import(&deployment, &small(&schema), &chosen);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.said.contains(part), "{part}: {}", ran.said);
    }
    let mut cookie = small(&node);
    let place = cookie
        .pointer_mut("/paths/~1items~1{item}/parameters/0")
        .unwrap();
    place["in"] = json!("cookie");
    let mut loops = small(&node);
    let schemas = loops.pointer_mut("/components/schemas").unwrap();
    *schemas = json!({"Node": {"$ref": "#/components/schemas/Node"}});
    for (document, words, code, part) in [
        (cookie, &chosen[..], 1, "its parameter `item` is a cookie"),
        (loops, &chosen[..], 1, "more than 32 references"),
        (
            json!({"swagger": "2.0"}),
            &[],
            64,
            "convert it to OpenAPI 3.0 or 3.1 first",
        ),
        (
            json!({"openapi": "4.0.0"}),
            &[],
            64,
            "give a document of these versions",
        ),
        (json!([]), &[], 64, "give a document of these versions"),
        (
            small(&node),
            &["--host", "api.example.com", "--only", "get"],
            64,
            "has no such operation",
        ),
        (
            small(&node),
            &["--host", "127.0.0.1", "--only", "put"],
            64,
            "it is an address, and not a name",
        ),
        (small(&node), &["--only", "put"], 64, "--host"),
    ] {
        let (ran, written) = import(&deployment, &document, words);
        assert_eq!(ran.code, Some(code), "{part}: {ran:?}");
        assert!(ran.said.contains(part), "{part}: {}", ran.said);
        assert_eq!(written, "");
    }
}
