//! Devices from outside: a device pairs by its code, signs in, approves, and does nothing more once it is revoked.

use bus_schema::{
    ApprovalStatement, Body, Challenge, DeviceEndorsed, DeviceKey, DraftGrant, PairingId,
    PublicKey, SignInStatement, Signed, Statement, TaskId, public_key, verify, wire,
};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use ed25519_dalek::SigningKey;
use futures::StreamExt as _;
use gateway::api::{CarryApproval, OfferDevice, PairingShown, PairingState, SessionChallenge};
use harness::{Deployment, SOON, eventually};
use signer::CheckCode;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::{
    cli::program,
    terminal::{PLAYBOOK, Terminal, asks},
};

/// The prompt for the code.
const CODE: &str = "type the code that the device shows: ";

/// An answer of the gateway.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) status: u16,
    head: String,
    body: String,
}

/// Sends a request to the gateway as a browser does, from a page of `origin`.
pub(crate) async fn send(
    deployment: &Deployment,
    line: &str,
    headers: &[&str],
    body: &str,
) -> Said {
    let host = deployment.file().gateway;
    let mut text = format!("{line} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n");
    for header in headers {
        text.push_str(&format!("{header}\r\n"));
    }
    text.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len()));
    let mut socket = TcpStream::connect(host).await.unwrap();
    socket.write_all(text.as_bytes()).await.unwrap();
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(SOON, socket.read_to_end(&mut bytes));
    read.await.unwrap().unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Said {
        status: head.split(' ').nth(1).unwrap().parse().unwrap(),
        head: head.to_lowercase(),
        body: body.to_owned(),
    }
}

fn signers_page(deployment: &Deployment) -> String {
    format!("Origin: http://{}", deployment.file().signer.unwrap())
}

async fn post(deployment: &Deployment, path: &str, body: &str) -> Said {
    let headers = ["Content-Type: application/json", &signers_page(deployment)];
    send(deployment, &format!("POST {path}"), &headers, body).await
}

/// Starts `pair` and returns it with the address that it shows.
pub(crate) async fn pair(deployment: &Deployment, role: &str) -> (Terminal, String) {
    pair_with(deployment, role, &[]).await
}

/// Types the code of the device into `pair`, which then endorses it.
pub(crate) async fn confirm(mut terminal: Terminal, code: &str) {
    terminal.shows(CODE, 1).await;
    terminal.types(&format!("{code}\n"));
    let (status, screen) = terminal.ended().await;
    assert_eq!(status, Some(0), "{screen}");
}

/// As [`pair`], with more options.
pub(crate) async fn pair_with(
    deployment: &Deployment,
    role: &str,
    more: &[&str],
) -> (Terminal, String) {
    let arguments = [&["pair", "--role", role, "--name", "Phone"], more].concat();
    let mut command = program(Some(deployment.dir().path()), &arguments);
    let terminal = Terminal::start(&mut command, "");
    terminal.shows("&o=", 1).await;
    let address = eventually(SOON, async || {
        let screen = terminal.screen();
        let word = screen.split_whitespace();
        let mut found = word.filter(|word| word.contains("/#p="));
        found.next().map(str::to_owned).ok_or(screen.clone())
    })
    .await;
    (terminal, address)
}

/// A device whose key the test holds.
pub(crate) struct Phone {
    key: SigningKey,
}

impl Phone {
    pub(crate) fn new(n: u8) -> Self {
        let key = SigningKey::from_bytes(&[n; 32]);
        Self { key }
    }

    fn public(&self) -> PublicKey {
        public_key(&self.key)
    }

    /// Offers its key to the pairing of an address; returns the id and the code that it shows.
    async fn opens(&self, deployment: &Deployment, address: &str) -> (PairingId, CheckCode) {
        let (_, fragment) = address.split_once("#p=").unwrap();
        let (id, owner) = fragment.split_once("&o=").unwrap();
        let (id, owner) = (id.parse().unwrap(), owner.parse().unwrap());
        let offered = OfferDevice {
            key: DeviceKey::Ed25519(self.public()),
        };
        let body = serde_json::to_string(&offered).unwrap();
        let said = post(deployment, &format!("/v1/pairings/{id}/device"), &body).await;
        assert_eq!(said.status, 202, "{said:?}");
        (id, CheckCode::of(&owner, &self.public(), &id))
    }

    /// Pairs itself; returns the owner's endorsement.
    pub(crate) async fn paired(&self, deployment: &Deployment, role: &str) -> DeviceEndorsed {
        let (terminal, address) = pair(deployment, role).await;
        let (id, code) = self.opens(deployment, &address).await;
        confirm(terminal, &code.to_string()).await;
        let shown = eventually(SOON, async || {
            let shown = pairing(deployment, id).await;
            let is_paired = shown.state == PairingState::Paired;
            is_paired.then_some(shown).ok_or("not endorsed yet")
        })
        .await;
        let word = shown.endorsement.unwrap();
        let body = BASE64.decode(word.body.as_bytes()).unwrap();
        let signature = word.signature.parse().unwrap();
        assert!(verify(&deployment.owner(), &body, &signature));
        let body: Body<DeviceEndorsed> = wire::decode(&body).unwrap();
        assert_eq!(body.fact.key.signs(), self.public());
        body.fact
    }

    /// Signs in; returns the cookie.
    async fn signs_in(&self, deployment: &Deployment, as_device: &DeviceEndorsed) -> String {
        let asked = format!(r#"{{"device":"{}"}}"#, as_device.device);
        let said = post(deployment, "/v1/session/challenge", &asked).await;
        let given: SessionChallenge = serde_json::from_str(&said.body).unwrap();
        let said = self.answers(deployment, as_device, given.challenge).await;
        assert_eq!(said.status, 303, "{said:?}");
        let mut lines = said.head.lines();
        let cookie = lines.find_map(|line| line.strip_prefix("set-cookie: "));
        let pair = cookie.unwrap().split(';').next().unwrap();
        format!("Cookie: {pair}")
    }

    async fn answers(
        &self,
        deployment: &Deployment,
        as_device: &DeviceEndorsed,
        challenge: Challenge,
    ) -> Said {
        let statement = Statement::SignIn(SignInStatement {
            deployment: deployment.id(),
            device: as_device.device,
            challenge,
            origin: format!("http://{}", deployment.file().gateway),
        });
        let signed = Signed::new(&statement, &self.key);
        let body = format!("signed={}", BASE64URL_NOPAD.encode(&wire::encode(&signed)));
        let headers = [
            "Content-Type: application/x-www-form-urlencoded",
            &signers_page(deployment),
        ];
        send(deployment, "POST /v1/session", &headers, &body).await
    }

    async fn approves(&self, deployment: &Deployment, draft: &DraftGrant) -> Said {
        let statement = Statement::Approval(ApprovalStatement {
            deployment: draft.deployment,
            task: draft.task,
            action: draft.action,
            contract: draft.contract,
            draft: draft.digest(),
            approve: true,
            at: deployment.clock().wall(),
        });
        let signed = Signed::new(&statement, &self.key);
        let body = serde_json::to_string(&CarryApproval { signed }).unwrap();
        post(deployment, "/v1/approvals", &body).await
    }
}

async fn pairing(deployment: &Deployment, id: PairingId) -> PairingShown {
    let said = send(deployment, &format!("GET /v1/pairings/{id}"), &[], "").await;
    serde_json::from_str(&said.body).unwrap_or_else(|_| panic!("{said:?}"))
}

async fn status(deployment: &Deployment, cookie: &str) -> u16 {
    send(deployment, "GET /v1/tasks", &[cookie], "")
        .await
        .status
}

/// Submits a task that asks, and waits for its question.
pub(crate) async fn question(deployment: &Deployment) -> (TaskId, DraftGrant) {
    let contract = deployment.sign(&asks("1h")).await;
    let task = deployment.submit(contract, PLAYBOOK).await;
    let gateway = deployment.gateway();
    let mut coming = std::pin::pin!(gateway.follow(task));
    let asked = async {
        while let Some(event) = coming.next().await {
            let event = event.unwrap();
            if event.kind == "approval.requested" {
                let draft = event.body["fact"]["draft"].clone();
                return serde_json::from_value(draft).unwrap();
            }
        }
        panic!("nothing is asked");
    };
    let draft = tokio::time::timeout(SOON, asked).await.unwrap();
    (task, draft)
}

#[tokio::test]
async fn a_device_pairs_signs_in_and_approves_an_action_that_runs_once() {
    let deployment = Deployment::running().await;
    let phone = Phone::new(41);
    let endorsed = phone.paired(&deployment, "approver").await;
    let cookie = phone.signs_in(&deployment, &endorsed).await;
    assert_eq!(status(&deployment, &cookie).await, 200);
    let (task, draft) = question(&deployment).await;
    let said = phone.approves(&deployment, &draft).await;
    assert_eq!(said.status, 202, "{said:?}");
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.outcome(), "succeeded");
    assert_eq!(ran.count("action.started"), 1);
    assert!(deployment.workspace().join("a.txt").exists());
}

#[tokio::test]
async fn a_revoked_device_has_no_session_and_approves_nothing() {
    let deployment = Deployment::running().await;
    let phone = Phone::new(42);
    let endorsed = phone.paired(&deployment, "approver").await;
    let cookie = phone.signs_in(&deployment, &endorsed).await;
    let (task, draft) = question(&deployment).await;
    let listed = deployment.command(&["device", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(
        listed.contains("Phone") && listed.contains("valid"),
        "{listed}"
    );
    let done = deployment.command(&["device", "revoke", "Phone"]);
    assert!(done.status.success(), "{done:?}");
    eventually(SOON, async || match status(&deployment, &cookie).await {
        401 => Ok(()),
        other => Err(other),
    })
    .await;
    assert_eq!(phone.approves(&deployment, &draft).await.status, 403);
    assert!(!deployment.workspace().join("a.txt").exists());
    deployment.approve(&draft).await;
    let ran = deployment.follow(task, false).await;
    assert_eq!(ran.count("action.started"), 1);
}

#[tokio::test]
async fn a_viewer_reads_and_approves_nothing() {
    let deployment = Deployment::running().await;
    let phone = Phone::new(43);
    let endorsed = phone.paired(&deployment, "viewer").await;
    let cookie = phone.signs_in(&deployment, &endorsed).await;
    assert_eq!(status(&deployment, &cookie).await, 200);
    let (_, draft) = question(&deployment).await;
    assert_eq!(phone.approves(&deployment, &draft).await.status, 403);
}

#[tokio::test]
async fn three_wrong_codes_end_a_pairing() {
    let deployment = Deployment::running().await;
    let phone = Phone::new(44);
    let (mut terminal, address) = pair(&deployment, "approver").await;
    let (id, code) = phone.opens(&deployment, &address).await;
    // The code of a key that somebody in between put in its place.
    let other = CheckCode::of(&deployment.owner(), &Phone::new(45).public(), &id);
    assert_ne!(code, other);
    for (times, typed) in [other.to_string(), "nonsense".to_owned(), other.to_string()]
        .iter()
        .enumerate()
    {
        terminal.shows(CODE, times + 1).await;
        terminal.types(&format!("{typed}\n"));
    }
    let (status, screen) = terminal.ended().await;
    assert_eq!(status, Some(1), "{screen}");
    assert!(screen.contains("three wrong codes"), "{screen}");
    assert_eq!(pairing(&deployment, id).await.state, PairingState::Ended);
    let listed = deployment.command(&["device", "list"]);
    let listed = String::from_utf8(listed.stdout).unwrap();
    assert!(listed.contains("there are no devices"), "{listed}");
}
