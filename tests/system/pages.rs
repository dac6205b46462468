//! The pages of a real deployment: what they show of a task, who may read them, and what happens without ui.

use bus_schema::{AuthorId, TaskId};
use gateway::client::{Client, PageResponse};
use harness::{Deployment, SOON, contract, eventually, playbook};

use crate::{
    cli::{exists, run},
    main_job::has,
    scene::{LIST, MAY_LIST, contract as listing, playbook as lists},
};

/// Every page without an id.
const PLACES: [&str; 11] = [
    "/",
    "/new",
    "/tasks",
    "/contracts",
    "/jobs",
    "/secrets",
    "/tools",
    "/models",
    "/devices",
    "/audit",
    "/settings",
];

async fn get(client: &Client, path: &str) -> PageResponse {
    client.page(path, None).await.unwrap()
}

/// Each command that a page shows exists.
fn commands_exist(page: &str) {
    for part in page.split("<pre class=\"command\"><code>").skip(1) {
        let (command, _) = part.split_once("</code>").unwrap();
        let command = command.replace("&lt;", "<").replace("&amp;", "&");
        exists(&command.replace("&quot;", "\"").replace("&gt;", ">"));
    }
}

/// Waits until a page shows all of these. Its commands exist.
async fn showing(client: &Client, path: &str, words: &[&str]) -> String {
    let page = eventually(SOON, async || {
        let page = get(client, path).await;
        let lacks: Vec<_> = words
            .iter()
            .filter(|word| !page.body.contains(**word))
            .collect();
        match page.status == 200 && lacks.is_empty() {
            true => Ok(page.body),
            false => Err(format!(
                "{path}: {} lacks {lacks:?}: {}",
                page.status, page.body
            )),
        }
    })
    .await;
    commands_exist(&page);
    page
}

/// The demo's task, which waits for an answer.
async fn waiting(deployment: &Deployment) -> TaskId {
    let signed = deployment.sign(contract()).await;
    deployment.submit(signed, playbook()).await
}

#[tokio::test]
async fn the_pages_of_a_task_show_its_question_and_its_end() {
    let deployment = Deployment::running().await;
    let client = deployment.gateway();
    let empty = [
        ("/", "There are no tasks yet"),
        ("/contracts", "You have not signed a contract yet"),
        ("/jobs", "There are no jobs"),
        ("/secrets", "There are no secrets"),
        ("/tools", "file.write"),
        ("/models", "There are no models"),
        ("/devices", "No device is paired"),
        ("/new", "No contract is in force"),
        ("/settings", "contractual halt"),
        ("/audit", "roster.changed"),
    ];
    for (path, words) in empty {
        showing(&client, path, &[words]).await;
    }
    let task = waiting(&deployment).await;
    let (path, approve) = (
        format!("/tasks/{task}"),
        format!("contractual approve {task}"),
    );
    let words = [
        "(1) Home",
        "Waiting for you",
        "report.md",
        "write-the-report",
        &approve,
    ];
    showing(&client, "/", &words).await;
    showing(&client, &path, &["asks you", "list-the-folder", &approve]).await;
    let ran = deployment.follow(task, true).await;
    assert_eq!(ran.outcome(), "succeeded");
    let words = [
        "done",
        "after a yes",
        "untrusted",
        "2026-09-nordlicht-paper.txt",
        "Proof",
    ];
    let page = showing(&client, &path, &words).await;
    assert!(!page.contains(&approve), "{page}");
    showing(
        &client,
        "/",
        &["No question waits for you", "Nothing runs now"],
    )
    .await;
    showing(&client, "/new", &["stocktake", "contractual run 'Sort"]).await;
    let words = [
        "In sentences",
        "What it may do after a yes",
        "write-the-report",
        "in force",
    ];
    showing(&client, "/contracts/stocktake", &words).await;
    let audit = format!("/audit?task={task}&kind=action.granted");
    let facts = showing(&client, &audit, &["action.granted"]).await;
    assert!(!facts.contains("<strong>task.admitted"), "{facts}");
    let halted = run(&deployment, &["halt"]);
    assert_eq!(halted.code, Some(0), "{halted:?}");
    showing(
        &client,
        "/",
        &["You halted everything at", "contractual resume"],
    )
    .await;
}

#[tokio::test]
async fn a_page_is_for_its_owner_has_its_headers_and_is_sent_once() {
    let deployment = Deployment::running().await;
    let client = deployment.gateway();
    for path in PLACES {
        let page = get(&client, path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.body);
        let header = |name: &str| page.headers[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store");
        let policy = header("content-security-policy");
        has(
            &policy,
            &[
                "default-src 'none'",
                "script-src 'self'",
                "trusted-types 'none'",
            ],
        );
        assert!(!policy.contains("unsafe"), "{policy}");
        assert!(!page.body.contains(" style=") && !page.body.contains("onclick"));
        for asset in page
            .body
            .split('"')
            .filter(|part| part.starts_with("/assets/"))
        {
            let asset = get(&client, asset).await;
            assert_eq!(asset.status, 200);
            has(
                asset.headers["cache-control"].to_str().unwrap(),
                &["immutable"],
            );
        }
    }
    let page = get(&client, "/settings").await;
    let tag = page.headers["etag"].to_str().unwrap();
    let again = client.page("/settings", Some(tag)).await.unwrap();
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    for (path, status) in [
        ("/tasks/x", 400),
        ("/tasks/01990000-0000-7000-8000-000000000000", 404),
        ("/contracts/none", 404),
        ("/nothing", 404),
    ] {
        assert_eq!(get(&client, path).await.status, status, "{path}");
    }
    let other = Deployment::new();
    let key = other.signing_key(AuthorId::Owner);
    let url = format!("http://{}", deployment.file().gateway);
    let stranger = Client::new(&url, key, deployment.id(), deployment.clock().clone()).unwrap();
    for path in PLACES {
        let page = get(&stranger, path).await;
        assert_eq!(page.status, 401, "{path}");
        has(&page.body, &["Sign in", "contractual pair"]);
        assert_eq!(page.headers["www-authenticate"], "Contractual");
    }
    assert_eq!(get(&stranger, "/live").await.status, 401);
}

#[tokio::test]
async fn without_ui_tasks_go_on_and_the_pages_catch_up() {
    let deployment = Deployment::running().await;
    let client = deployment.gateway();
    showing(&client, "/", &["There are no tasks yet"]).await;
    assert!(deployment.kill(AuthorId::Ui));
    let gone = get(&client, "/").await;
    assert_eq!(gone.status, 503, "{}", gone.body);
    has(
        &gone.body,
        &["Tasks go on without it", "contractual health ui"],
    );
    assert!(gone.headers.contains_key("content-security-policy"));
    let signed = deployment.sign(&listing("lists", MAY_LIST)).await;
    let task = deployment.submit(signed, &lists(LIST)).await;
    assert_eq!(deployment.follow(task, false).await.outcome(), "succeeded");
    deployment.start(AuthorId::Ui).await;
    showing(&client, &format!("/tasks/{task}"), &["file.list", "done"]).await;
    // It starts from its snapshot as well.
    assert!(deployment.stop(AuthorId::Ui).await.success());
    deployment.start(AuthorId::Ui).await;
    showing(&client, "/tasks", &["done", &task.to_string()]).await;
}
