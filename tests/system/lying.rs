//! A gateway that lies, in front of a real Chromium: the signer shows no button, and policy refuses what it was not asked.

use std::{
    fs,
    net::SocketAddr,
    sync::{Arc, Mutex},
};

use bus_schema::{
    ApprovalCarried, Body, ContractSigned, DeploymentId, DeviceEndorsed, DeviceId, DeviceKey,
    DeviceRole, Digest, Draft, DraftGrant, Gateway, PublicKey, TaskId, Time, public_key, wire,
};
use data_encoding::{BASE64, HEXLOWER};
use ed25519_dalek::{Signer as _, SigningKey};
use gateway::api::{CarryApproval, OwnerWord, PairingShown, PairingState, QuestionShown};
use harness::{Deployment, eventually, missing};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    chromium::{Chromium, is_installed, text_of},
    devices::{confirm, pair, question},
    terminal::asks,
};

/// Changes the body of the answer to a request line.
type Lie = Box<dyn FnMut(&str, Vec<u8>) -> Vec<u8> + Send>;
type Approvals = Arc<Mutex<Vec<Vec<u8>>>>;

/// A proxy in front of the gateway.
struct LyingGateway {
    address: SocketAddr,
    lie: Arc<Mutex<Lie>>,
    approvals: Approvals,
    _serving: JoinSet<()>,
}

impl LyingGateway {
    /// Listens, and tells the truth until [`Self::lies`].
    async fn start(gateway: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let lie: Arc<Mutex<Lie>> = Arc::new(Mutex::new(Box::new(|_, body| body)));
        let (approvals, mut serving) = (Approvals::default(), JoinSet::new());
        let (told, kept) = (Arc::clone(&lie), Arc::clone(&approvals));
        serving.spawn(async move {
            let mut open = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, kept) = (Arc::clone(&told), Arc::clone(&kept));
                // A browser opens connections that it does not use.
                open.spawn(async move { exchange(stream, gateway, &told, &kept).await.ok() });
            }
        });
        Self {
            address,
            lie,
            approvals,
            _serving: serving,
        }
    }

    fn lies(&self, lie: impl FnMut(&str, Vec<u8>) -> Vec<u8> + Send + 'static) {
        *self.lie.lock().unwrap() = Box::new(lie);
    }
}

/// Carries one request and its answer.
async fn exchange(
    mut from: TcpStream,
    gateway: SocketAddr,
    lie: &Mutex<Lie>,
    approvals: &Mutex<Vec<Vec<u8>>>,
) -> std::io::Result<()> {
    let (head, body) = message(&mut from).await?;
    let line = head.lines().next().unwrap_or_default().to_owned();
    let mut asked = String::new();
    for header in head.lines() {
        let name = header.split(':').next().unwrap().to_ascii_lowercase();
        match name.as_str() {
            "host" => asked.push_str(&format!("Host: {gateway}\r\n")),
            "connection" => {}
            _ => asked.push_str(&format!("{header}\r\n")),
        }
    }
    asked.push_str("Connection: close\r\n\r\n");
    if line.starts_with("POST /v1/approvals ") {
        approvals.lock().unwrap().push(body.clone());
    }
    let mut to = TcpStream::connect(gateway).await?;
    to.write_all(&[asked.as_bytes(), &body].concat()).await?;
    let (head, body) = message(&mut to).await?;
    let body = (lie.lock().unwrap())(&line, body);
    let mut answer = String::new();
    for header in head.lines() {
        let name = header.split(':').next().unwrap().to_ascii_lowercase();
        if !["content-length", "connection", "transfer-encoding"].contains(&name.as_str()) {
            answer.push_str(&format!("{header}\r\n"));
        }
    }
    answer.push_str(&format!(
        "Content-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    from.write_all(&[answer.as_bytes(), &body].concat()).await
}

/// Reads a head and the body of the length that it names.
async fn message(from: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..at]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                let is_it = name.eq_ignore_ascii_case("content-length");
                is_it.then(|| value.trim().parse::<usize>().ok()).flatten()
            });
            let mut body = bytes.split_off(at + 4);
            while body.len() < length.unwrap_or(0) {
                if from.read_buf(&mut body).await? == 0 {
                    return Err(std::io::ErrorKind::UnexpectedEof.into());
                }
            }
            return Ok((head, body));
        }
        if from.read_buf(&mut bytes).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}

/// A deployment whose signer talks to a gateway that lies, and a browser.
async fn lied_to() -> Option<(Deployment, LyingGateway, Chromium)> {
    if !is_installed() {
        missing("chromium is not installed");
        return None;
    }
    let deployment = Deployment::running().await;
    let gateway = LyingGateway::start(deployment.file().gateway).await;
    let path = deployment.dir().signer_config();
    let text = fs::read_to_string(&path).unwrap();
    let real = format!("http://{}", deployment.file().gateway);
    let changed = text.replace(&real, &format!("http://{}", gateway.address));
    assert_ne!(text, changed);
    fs::write(&path, changed).unwrap();
    deployment.start_signer().await;
    Some((deployment, gateway, Chromium::start().await))
}

/// Pairs the browser, over the truth.
async fn paired(deployment: &Deployment, browser: &mut Chromium) {
    let (terminal, address) = pair(deployment, "approver").await;
    browser.open(&address).await;
    let code = browser.text("code").await;
    confirm(terminal, &code).await;
    browser.text("sign-in").await;
}

/// Opens an address from nothing, and returns what the page says of a fault.
async fn fault(browser: &mut Chromium, address: &str) -> String {
    browser.open("about:blank").await;
    browser
        .shown("location.href === 'about:blank' ? 'there' : ''")
        .await;
    browser.open(address).await;
    let said = "(document.querySelector('.fault')?.textContent ?? '')";
    let shown = format!("{said} || {}", text_of("approve"));
    let text = browser.shown(&shown).await;
    let buttons = browser
        .evaluate("document.querySelectorAll('button').length")
        .await;
    assert_eq!(buttons, 0, "{text}");
    text
}

/// A change of the draft in a question.
fn draft(change: impl Fn(&mut DraftGrant) + Send + 'static) -> Lie {
    question_with(move |shown| {
        let bytes = BASE64.decode(shown.draft.as_bytes()).unwrap();
        let mut draft: DraftGrant = wire::decode(&bytes).unwrap();
        change(&mut draft);
        shown.draft = BASE64.encode(&wire::encode(&draft));
    })
}

/// A change of a question.
fn question_with(change: impl Fn(&mut QuestionShown) + Send + 'static) -> Lie {
    Box::new(move |line, body| {
        if !line.starts_with("GET ") || !line.contains("/questions/") {
            return body;
        }
        let mut shown: QuestionShown = serde_json::from_slice(&body).unwrap();
        change(&mut shown);
        serde_json::to_vec(&shown).unwrap()
    })
}

/// A change of the content with this digest.
fn content(digest: Digest, change: impl Fn(&mut Vec<u8>) + Send + 'static) -> Lie {
    Box::new(move |line, mut body| {
        if line.starts_with("GET ") && line.contains(&digest.to_string()) {
            change(&mut body);
        }
        body
    })
}

/// The word of somebody else who says that it is the owner's.
fn word_of(key: &SigningKey, body: Vec<u8>) -> OwnerWord {
    OwnerWord {
        signature: HEXLOWER.encode(&key.sign(&body).to_bytes()),
        body: BASE64.encode(&body),
    }
}

fn body_of(word: &OwnerWord) -> Vec<u8> {
    BASE64.decode(word.body.as_bytes()).unwrap()
}

/// The owner's signature of the contract of a draft.
async fn signed(deployment: &Deployment, draft: &DraftGrant) -> ContractSigned {
    let record = deployment.record().await;
    let signed = record.of("contract.signed");
    let facts = signed.map(|one| serde_json::from_value(one.fact.clone()).unwrap());
    let mut facts: Vec<ContractSigned> = facts.collect();
    facts.retain(|fact| fact.contract == draft.contract);
    facts.pop().unwrap()
}

/// A swap: its name, the lie, and words of the fault that the signer names.
type Swap = (&'static str, Lie, &'static str);

/// Swaps of the bytes that the question names.
fn contents(asked: &DraftGrant, signed: &ContractSigned) -> Vec<Swap> {
    let wanted = "other bytes than the question names";
    vec![
        (
            "arguments",
            content(*asked.args.digest(), |body| body.push(b' ')),
            wanted,
        ),
        (
            "text of the contract",
            content(*signed.document.digest(), |body| body.swap(0, 1)),
            wanted,
        ),
        (
            "catalogue",
            content(*signed.pins.tools.digest(), |body| body.swap(2, 3)),
            wanted,
        ),
    ]
}

/// Swaps in the draft; `other` is another contract of the owner.
fn drafts(other: Digest) -> Vec<Swap> {
    let no_tool = "the contract that the owner signed names no such tool";
    let another = "another question than the address names";
    vec![
        (
            "tool",
            draft(|draft| draft.tool = "file.list".parse().unwrap()),
            no_tool,
        ),
        (
            "entry of the tool",
            draft(|draft| draft.tool_digest = Digest::of(&[b"another"])),
            no_tool,
        ),
        (
            "contract of the draft",
            draft(move |draft| draft.contract = other),
            "another contract than the question names",
        ),
        (
            "task",
            draft(|draft| draft.task = TaskId::new(uuid::Uuid::nil())),
            another,
        ),
        (
            "deployment",
            draft(|draft| draft.deployment = DeploymentId::new(uuid::Uuid::nil())),
            another,
        ),
        (
            "approvers",
            draft(|draft| {
                let asked = draft.asked.as_mut().unwrap();
                asked.approvers = vec![PublicKey::new([9; 32])];
                asked.escalation = None;
            }),
            "not for the owner",
        ),
        (
            "deadline",
            draft(|draft| draft.asked.as_mut().unwrap().until = Time::default()),
            "the question has expired",
        ),
        (
            "passkey",
            draft(|draft| draft.asked.as_mut().unwrap().verified = true),
            "the contract demands a passkey",
        ),
    ]
}

/// Swaps of the owner's signature: by another key, and for something else.
fn words(replayed: OwnerWord, endorsed: OwnerWord) -> Vec<Swap> {
    let stranger = SigningKey::from_bytes(&[77; 32]);
    let no_signature = "the owner's signature does not fit";
    vec![
        (
            "owner's key",
            question_with(move |shown| {
                let body = body_of(shown.contract.as_ref().unwrap());
                shown.contract = Some(word_of(&stranger, body));
                shown.owner = public_key(&stranger);
            }),
            no_signature,
        ),
        (
            "signed bytes",
            question_with(|shown| {
                let word = shown.contract.as_mut().unwrap();
                let mut body = body_of(word);
                *body.last_mut().unwrap() ^= 1;
                word.body = BASE64.encode(&body);
            }),
            no_signature,
        ),
        (
            "replayed signature of another contract",
            question_with(move |shown| shown.contract = Some(replayed.clone())),
            "another contract than the question names",
        ),
        (
            "signature of another kind of event",
            question_with(move |shown| shown.contract = Some(endorsed.clone())),
            "it is another event of the owner",
        ),
        (
            "no signature",
            question_with(|shown| shown.contract = None),
            "no signature of the contract",
        ),
    ]
}

#[tokio::test]
async fn the_signer_shows_no_button_for_anything_that_a_gateway_swaps() {
    let Some((deployment, gateway, mut browser)) = lied_to().await else {
        return;
    };
    paired(&deployment, &mut browser).await;
    // Another contract that the owner signed.
    let other = asks("2h").replace("\"asks\"", "\"other\"");
    let other = deployment.sign(&other).await;
    let (task, asked) = question(&deployment).await;
    let contract = signed(&deployment, &asked).await;
    let signer = format!("http://{}", deployment.file().signer.unwrap());
    let address = format!("{signer}/#t={task}&a={}", asked.action);
    let replayed = owner_word(&deployment, "contract.signed", other).await;
    let endorsed = owner_word(&deployment, "device.endorsed", Digest::of(&[])).await;
    let cases = contents(&asked, &contract)
        .into_iter()
        .chain(drafts(other))
        .chain(words(replayed, endorsed));
    for (what, lie, wanted) in cases {
        gateway.lies(lie);
        let said = fault(&mut browser, &address).await;
        assert!(said.contains(wanted), "{what}: {said}");
    }
    assert!(gateway.approvals.lock().unwrap().is_empty());
    // Over the truth the same address has both buttons.
    gateway.lies(|_, body| body);
    browser.open("about:blank").await;
    browser.open(&address).await;
    browser.text("refuse").await;
}

/// The owner's event of a kind; of contracts the one with this digest.
async fn owner_word(deployment: &Deployment, kind: &str, contract: Digest) -> OwnerWord {
    let record = deployment.record().await;
    let of_contract = |fact: &serde_json::Value| {
        kind != "contract.signed" || fact["contract"] == contract.to_string()
    };
    let found = record.of(kind).find(|one| of_contract(&one.fact));
    let stored = &found.unwrap().stored;
    OwnerWord {
        body: BASE64.encode(&stored.body),
        signature: stored.signature.clone().unwrap(),
    }
}

#[tokio::test]
async fn an_approval_of_a_draft_that_policy_did_not_make_runs_nothing() {
    let Some((deployment, gateway, mut browser)) = lied_to().await else {
        return;
    };
    paired(&deployment, &mut browser).await;
    let (task, asked) = question(&deployment).await;
    let signer = format!("http://{}", deployment.file().signer.unwrap());
    let address = format!("{signer}/#t={task}&a={}", asked.action);
    // Every part fits, and policy asked about another one.
    gateway.lies(draft(|draft| draft.output_bytes_max += 1));
    browser.open(&address).await;
    browser.click("approve").await;
    browser.text("sent").await;
    let refused = async || {
        let record = deployment.record().await;
        match record.count("approval.refused") {
            0 => Err("not refused"),
            _ => Ok(record.count("action.granted")),
        }
    };
    assert_eq!(eventually(harness::SOON, refused).await, 0);
    // The same approval in the name of a stolen gateway, which checks nothing, and for no other action either.
    let sent = gateway.approvals.lock().unwrap().pop().unwrap();
    let sent: CarryApproval = serde_json::from_slice(&sent).unwrap();
    let stolen = deployment.steal::<Gateway>().await;
    let fact = ApprovalCarried {
        action: asked.action,
        statement: sent.signed,
    };
    stolen.say(&Draft::of(task, fact)).await;
    let twice = async || {
        let record = deployment.record().await;
        match record.count("approval.refused") {
            count if count < 2 => Err(count),
            _ => Ok(record.count("action.started")),
        }
    };
    assert_eq!(eventually(harness::SOON, twice).await, 0);
    assert!(!deployment.workspace().join("a.txt").exists());
}

/// A pairing that says that it is done, with this word.
fn endorsed_by(word: OwnerWord) -> Lie {
    Box::new(move |line, body| {
        if !line.starts_with("GET /v1/pairings/") {
            return body;
        }
        let mut shown: PairingShown = serde_json::from_slice(&body).unwrap();
        shown.state = PairingState::Paired;
        shown.endorsement = Some(word.clone());
        serde_json::to_vec(&shown).unwrap()
    })
}

#[tokio::test]
async fn a_browser_takes_no_endorsement_that_the_owner_did_not_sign_for_its_key() {
    let Some((deployment, gateway, mut browser)) = lied_to().await else {
        return;
    };
    // One that the owner signed, for another device.
    let mut first = Chromium::start().await;
    paired(&deployment, &mut first).await;
    drop(first);
    let other = owner_word(&deployment, "device.endorsed", Digest::of(&[])).await;
    let revoked = deployment.command(&["device", "revoke", "Phone"]);
    assert!(revoked.status.success(), "{revoked:?}");
    let stranger = SigningKey::from_bytes(&[78; 32]);
    let mut body: Body<DeviceEndorsed> = wire::decode(&body_of(&other)).unwrap();
    body.fact.device = DeviceId::new(uuid::Uuid::nil());
    body.fact.role = DeviceRole::Owner;
    body.fact.key = DeviceKey::Ed25519(public_key(&stranger));
    let invented = word_of(&stranger, wire::encode(&body));
    for (word, wanted) in [
        (other, "the owner endorsed another device"),
        (invented, "the owner's signature does not fit"),
    ] {
        gateway.lies(endorsed_by(word));
        let (terminal, address) = pair(&deployment, "approver").await;
        let said = fault(&mut browser, &address).await;
        assert!(said.contains(wanted), "{said}");
        drop(terminal);
        let title = browser_home(&deployment, &mut browser).await;
        assert_eq!(title, "This device is not paired");
    }
}

/// The title of the signer's first page.
async fn browser_home(deployment: &Deployment, browser: &mut Chromium) -> String {
    let signer = format!("http://{}/", deployment.file().signer.unwrap());
    browser.open("about:blank").await;
    browser.open(&signer).await;
    browser
        .shown("(document.querySelector('h1')?.textContent ?? '')")
        .await
}
