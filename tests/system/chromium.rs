//! A real Chromium, driven by messages of its DevTools protocol over two pipes.

use std::process::{Command as Plain, Stdio};

use harness::SOON;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    time::timeout,
};

/// Hands the pipes to the browser at the descriptors where it expects them.
const START: &str = r#"exec chromium "$@" 3<&0 4>&1 </dev/null >/dev/null 2>"$LOG""#;
const FLAGS: [&str; 9] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-pipe",
    "about:blank",
];

/// A browser with one page.
pub(crate) struct Chromium {
    // Dropped before its profile.
    _child: Child,
    to: ChildStdin,
    from: BufReader<ChildStdout>,
    sent: u64,
    session: Option<String>,
    _profile: TempDir,
}

/// Returns true if there is a Chromium.
pub(crate) fn is_installed() -> bool {
    let asked = Plain::new("chromium").arg("--version").output();
    asked.is_ok_and(|asked| asked.status.success())
}

/// Returns the expression of the text of the element with this id.
pub(crate) fn text_of(id: &str) -> String {
    format!("(document.getElementById('{id}')?.textContent ?? '')")
}

impl Chromium {
    /// Starts one with an empty profile.
    pub(crate) async fn start() -> Self {
        let profile = TempDir::with_prefix("contractual-chromium-").unwrap();
        let mut child = Command::new("sh")
            .args(["-c", START, "sh"])
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .args(FLAGS)
            .env("LOG", profile.path().join("log"))
            .env("HOME", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let to = child.stdin.take().unwrap();
        let from = BufReader::new(child.stdout.take().unwrap());
        let mut browser = Self {
            _child: child,
            to,
            from,
            sent: 0,
            session: None,
            _profile: profile,
        };
        let made = json!({"url": "about:blank"});
        let made = browser.call("Target.createTarget", made).await;
        let page = json!({"targetId": made["targetId"], "flatten": true});
        let page = browser.call("Target.attachToTarget", page).await;
        browser.session = Some(page["sessionId"].as_str().unwrap().to_owned());
        browser
    }

    /// Calls a method and returns its result.
    async fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.message(method, params).await;
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Calls a method and returns the message that answers it.
    async fn message(&mut self, method: &str, params: Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let text = format!("{message}\0");
        self.to.write_all(text.as_bytes()).await.unwrap();
        self.to.flush().await.unwrap();
        let answered = timeout(SOON, self.answer(self.sent)).await;
        answered.unwrap_or_else(|_| panic!("no answer to {method}"))
    }

    /// Reads to the answer of a message.
    async fn answer(&mut self, id: u64) -> Value {
        loop {
            let mut bytes = Vec::new();
            let read = self.from.read_until(0, &mut bytes).await.unwrap();
            assert!(read > 0, "the browser has ended");
            bytes.pop();
            let message: Value = serde_json::from_slice(&bytes).unwrap();
            if message["id"] == id {
                return message;
            }
        }
    }

    /// Gives the browser an authenticator, whose person is there and is verified or not.
    pub(crate) async fn authenticator(&mut self, is_verified: bool) {
        self.call("WebAuthn.enable", json!({})).await;
        let options = json!({
            "protocol": "ctap2", "ctap2Version": "ctap2_1", "transport": "internal", "hasResidentKey": true,
            "hasUserVerification": true, "isUserVerified": is_verified, "automaticPresenceSimulation": true,
        });
        self.call(
            "WebAuthn.addVirtualAuthenticator",
            json!({ "options": options }),
        )
        .await;
    }

    /// Opens an address.
    pub(crate) async fn open(&mut self, address: &str) {
        let opened = self.call("Page.navigate", json!({"url": address})).await;
        assert!(opened["errorText"].is_null(), "{address}: {opened}");
    }

    /// Evaluates an expression in the page.
    pub(crate) async fn evaluate(&mut self, expression: &str) -> Value {
        let value = self.value(expression).await;
        value.unwrap_or_else(|said| panic!("{expression}: {said}"))
    }

    /// Evaluates an expression. The error is the answer, which is none of the page if another one opened meanwhile.
    async fn value(&mut self, expression: &str) -> Result<Value, Value> {
        let asked = json!({"expression": expression, "returnByValue": true});
        let said = self.message("Runtime.evaluate", asked).await;
        let result = &said["result"];
        if !result.is_object() || result["exceptionDetails"].is_object() {
            return Err(said);
        }
        Ok(result["result"]["value"].clone())
    }

    /// Waits until an expression gives a text that is not empty.
    pub(crate) async fn shown(&mut self, expression: &str) -> String {
        let until = tokio::time::Instant::now() + SOON;
        loop {
            let value = self.value(expression).await;
            let text = value.as_ref().ok().and_then(Value::as_str);
            if let Some(text) = text.filter(|text| !text.is_empty()) {
                return text.to_owned();
            }
            if tokio::time::Instant::now() >= until {
                let page = self.value("document.body.innerText").await;
                panic!("{expression}: {value:?}; the page shows {page:?}");
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    /// Waits until the element with this id has a text.
    pub(crate) async fn text(&mut self, id: &str) -> String {
        self.shown(&text_of(id)).await
    }

    /// Clicks the element with this id, once it is there.
    pub(crate) async fn click(&mut self, id: &str) {
        let there = format!("document.getElementById('{id}') ? 'there' : ''");
        self.shown(&there).await;
        self.evaluate(&format!("document.getElementById('{id}').click()"))
            .await;
    }
}
