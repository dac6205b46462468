//! The pages in a real browser: they fit, break no rule of their own policy, and follow the record.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use bus_schema::{AccessStatement, AuthorId, Signed, Statement, wire};
use data_encoding::BASE64;
use harness::{Deployment, SOON, contract, eventually, missing, playbook};
use serde_json::{Value, json};

use crate::{
    cli::run,
    devices::Phone,
    npm,
    scene::{REFUSED, playbook as steps, until},
};

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// The checker of accessibility, which runs in each page.
const AXE: &str = "axe-core@4.14.1";

/// A browser with the owner's access in each of its requests.
struct Browser {
    child: Child,
    said: ChildStdin,
    heard: BufReader<ChildStdout>,
    base: String,
    axe: Option<PathBuf>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Browser {
    /// Starts a browser, if this machine has one.
    fn start(deployment: &Deployment) -> Option<Self> {
        let python = in_path("python3");
        let chromium = PROGRAMS.iter().find_map(|name| in_path(name));
        let (Some(python), Some(chromium)) = (python, chromium) else {
            missing("there is no browser, or no Python: install chromium and python3");
            return None;
        };
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("system/page_browser.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(chromium)
            .arg(deployment.scratch().join("browser"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (said, heard) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let mut browser = Self {
            child,
            said,
            heard: BufReader::new(heard),
            base: format!("http://{}", deployment.file().gateway),
            axe: None,
        };
        browser.signs(deployment);
        Some(browser)
    }

    /// Sends a fresh access with each request from now on.
    fn signs(&mut self, deployment: &Deployment) {
        let said = Statement::Access(AccessStatement {
            deployment: deployment.id(),
            until: deployment.clock().wall().plus_ms(110_000),
        });
        let signed = Signed::new(&said, &deployment.signing_key(AuthorId::Owner));
        let access = format!("Contractual {}", BASE64.encode(&wire::encode(&signed)));
        let headers = json!({ "do": "headers", "headers": {"Authorization": access} });
        self.ask(&headers);
    }

    fn ask(&mut self, command: &Value) -> Value {
        writeln!(self.said, "{command}").unwrap();
        let mut line = String::new();
        self.heard.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{command}: {error}: {line}"))
    }

    fn open(&mut self, path: &str, width: u32, is_dark: bool, shot: Option<&Path>) -> Value {
        let url = format!("{}{path}", self.base);
        self.ask(&json!({
            "do": "open", "url": url, "width": width, "height": 800, "dark": is_dark, "shot": shot,
            "axe": shot.and(self.axe.as_ref()),
        }))
    }

    fn eval(&mut self, code: &str) -> Value {
        self.ask(&json!({ "do": "eval", "code": code }))["value"].clone()
    }
}

/// The first program of this name in the search path.
fn in_path(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let mut found = std::env::split_paths(&path).map(|folder| folder.join(name));
    found.find(|program| program.is_file())
}

/// The folder in which screenshots are kept.
fn shots() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("pages");
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn each_page_fits_a_phone_and_breaks_no_rule_of_its_policy() {
    let deployment = Deployment::running().await;
    let Some(mut browser) = Browser::start(&deployment) else {
        return;
    };
    let Some(packages) = npm::installed("axe", &[AXE]) else {
        return missing("axe-core cannot be installed: npm or the package is missing");
    };
    browser.axe = Some(packages.join("axe-core/axe.min.js"));
    Phone::new(46).paired(&deployment, "approver").await;
    let signed = deployment.sign(contract()).await;
    let done = deployment.submit(signed, playbook()).await;
    deployment.follow(done, true).await;
    let refused = deployment.submit(signed, &steps(REFUSED)).await;
    deployment.follow(refused, false).await;
    let waiting = deployment.submit(signed, playbook()).await;
    until(&deployment, "approval.requested", 2).await;
    let paths = [
        ("home", "/".to_owned()),
        ("tasks", "/tasks".to_owned()),
        ("done", format!("/tasks/{done}")),
        ("refused", format!("/tasks/{refused}")),
        ("waiting", format!("/tasks/{waiting}")),
        ("contracts", "/contracts".to_owned()),
        ("contract", "/contracts/stocktake".to_owned()),
        ("jobs", "/jobs".to_owned()),
        ("secrets", "/secrets".to_owned()),
        ("tools", "/tools".to_owned()),
        ("models", "/models".to_owned()),
        ("devices", "/devices".to_owned()),
        ("new", "/new".to_owned()),
        ("audit", "/audit".to_owned()),
        ("settings", "/settings".to_owned()),
    ];
    let folder = shots();
    for (name, path) in &paths {
        browser.signs(&deployment);
        for (width, is_dark) in [
            (320, false),
            (360, true),
            (360, false),
            (1200, true),
            (1200, false),
        ] {
            let scheme = if is_dark { "dark" } else { "light" };
            let shot = folder.join(format!("{name}-{width}-{scheme}.png"));
            let shot = (width != 320).then_some(shot);
            let seen = browser.open(path, width, is_dark, shot.as_deref());
            assert_eq!(seen["wider"], 0, "{path} at {width}: {seen}");
            assert_eq!(seen["said"], json!([]), "{path}");
            assert_eq!(seen["axe"], json!([]), "{path} at {width}, {scheme}");
            assert_eq!(seen["small"], json!([]), "{path} at {width}");
        }
    }
}

#[tokio::test]
async fn an_open_page_follows_the_record_and_keeps_its_place() {
    let deployment = Deployment::running().await;
    let Some(mut browser) = Browser::start(&deployment) else {
        return;
    };
    let signed = deployment.sign(contract()).await;
    let task = deployment.submit(signed, playbook()).await;
    until(&deployment, "approval.requested", 1).await;
    browser.open(&format!("/tasks/{task}"), 360, false, None);
    eventually(SOON, async || {
        let asks = browser.eval("document.title");
        match asks.as_str().is_some_and(|title| title.starts_with("(1) ")) {
            true => Ok(()),
            false => Err(asks.to_string()),
        }
    })
    .await;
    let set = "(() => { window.kept = true; const d = document.querySelectorAll('.steps details')[0]; d.open = true; \
               window.which = d.id; d.querySelector('summary').focus(); })()";
    browser.eval(set);
    deployment.follow(task, true).await;
    let seen = "({ same: window.kept, open: document.getElementById(window.which)?.open, \
                focus: document.activeElement.parentElement?.id === window.which, \
                text: document.getElementById('main').textContent, title: document.title, \
                said: document.getElementById('said').textContent })";
    let page = eventually(SOON, async || {
        let page = browser.eval(seen);
        let is_done = !page["title"].as_str().unwrap().starts_with('(')
            && page["text"].as_str().unwrap().contains("after a yes");
        if is_done {
            Ok(page)
        } else {
            Err(page.to_string())
        }
    })
    .await;
    for key in ["same", "open", "focus"] {
        assert_eq!(page[key], true, "{key}: {page}");
    }
    assert_eq!(page["said"], page["title"]);
    // Without ui the page stays, and goes on when it is back.
    assert!(deployment.kill(AuthorId::Ui));
    let halted = run(&deployment, &["halt"]);
    assert_eq!(halted.code, Some(0), "{halted:?}");
    assert_eq!(browser.eval("window.kept"), true);
    deployment.start(AuthorId::Ui).await;
    eventually(SOON, async || {
        let foot = browser.eval("document.getElementById('foot').textContent");
        match foot.as_str().is_some_and(|text| text.contains("halted")) {
            true => Ok(()),
            false => Err(foot.to_string()),
        }
    })
    .await;
    assert_eq!(browser.eval("window.kept"), true);
}
