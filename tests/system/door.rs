//! Access to the server: it needs a certificate of the deployment's authority and a known NKey, both.

use std::time::{Duration, SystemTime};

use actor::nkey::UserKey;
use async_nats::ConnectOptions;
use deployment::pki::{Ca, Side};
use harness::{Client, Deployment};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Connects once; returns the reason if the server refuses.
async fn enter(deployment: &Deployment, options: ConnectOptions) -> Result<(), String> {
    let client = Client::connect(options, &deployment.url()).await?;
    client.nats.flush().await.map_err(|error| error.to_string())
}

fn nkey(deployment: &Deployment) -> ConnectOptions {
    let nkey = UserKey::load(&deployment.dir().of("worker").join("user.nk")).unwrap();
    ConnectOptions::with_nkey(nkey.seed().to_owned())
        .add_root_certificates(deployment.dir().ca())
        .require_tls(true)
}

async fn server() -> Deployment {
    let deployment = Deployment::new();
    deployment.nats().start().await;
    deployment
}

#[tokio::test]
async fn both_certificate_and_nkey_let_in() {
    let deployment = server().await;
    let options = deployment.options("worker", "worker");
    assert_eq!(enter(&deployment, options).await, Ok(()));
}

#[tokio::test]
async fn nkey_without_certificate_is_refused() {
    let deployment = server().await;
    let refused = enter(&deployment, nkey(&deployment)).await.unwrap_err();
    assert!(
        refused.contains("CertificateRequired") || refused.contains("certificate"),
        "{refused}"
    );
}

#[tokio::test]
async fn certificate_of_another_authority_is_refused() {
    let deployment = server().await;
    let now = today();
    let other = Ca::create(now).unwrap();
    let leaf = other
        .issue("worker", &["worker"], Side::Client, 1, now)
        .unwrap();
    let (certificate, key) = (
        deployment.scratch().join("c.pem"),
        deployment.scratch().join("k.pem"),
    );
    std::fs::write(&certificate, leaf.cert_pem.as_bytes()).unwrap();
    std::fs::write(&key, leaf.key_pem.as_bytes()).unwrap();
    let options = nkey(&deployment).add_client_certificate(certificate, key);
    let refused = enter(&deployment, options).await.unwrap_err();
    assert!(
        refused.to_lowercase().contains("certificate") || refused.contains("UnknownCA"),
        "{refused}"
    );
}

#[tokio::test]
async fn server_of_another_authority_is_not_spoken_to() {
    let deployment = server().await;
    let other = deployment.scratch().join("ca.pem");
    std::fs::write(&other, Ca::create(today()).unwrap().cert_pem()).unwrap();
    let folder = deployment.dir().of("worker");
    let nkey = UserKey::load(&folder.join("user.nk")).unwrap();
    let options = ConnectOptions::with_nkey(nkey.seed().to_owned())
        .add_root_certificates(other)
        .add_client_certificate(folder.join("cert.pem"), folder.join("key.pem"))
        .require_tls(true);
    let refused = enter(&deployment, options).await.unwrap_err();
    assert!(
        refused.contains("UnknownIssuer") || refused.contains("BadSignature"),
        "{refused}"
    );
}

#[tokio::test]
async fn certificate_with_an_unknown_nkey_is_refused() {
    let deployment = server().await;
    let (stranger, _) = UserKey::create(&deployment.scratch().join("stranger.nk")).unwrap();
    let folder = deployment.dir().of("worker");
    let with = |options: ConnectOptions| {
        options
            .add_root_certificates(deployment.dir().ca())
            .add_client_certificate(folder.join("cert.pem"), folder.join("key.pem"))
            .require_tls(true)
    };
    let unknown = with(ConnectOptions::with_nkey(stranger.seed().to_owned()));
    let refused = enter(&deployment, unknown).await.unwrap_err();
    assert!(refused.contains("authorization violation"), "{refused}");
    let nobody = enter(&deployment, with(ConnectOptions::new()))
        .await
        .unwrap_err();
    assert!(nobody.contains("authorization violation"), "{nobody}");
}

/// A certificate proves membership in the deployment; the NKey decides identity and permissions.
#[tokio::test]
async fn rights_follow_the_nkey_and_not_the_certificate() {
    let deployment = server().await;
    let options = deployment.options("worker", "policy");
    let client = Client::connect(options, &deployment.url()).await.unwrap();
    let grant = "event.policy.action.granted";
    client.nats.publish(grant, "x".into()).await.unwrap();
    assert!(
        client
            .refused()
            .await
            .iter()
            .any(|text| text.contains(grant))
    );
}

#[tokio::test]
async fn plaintext_is_refused() {
    let deployment = server().await;
    let mut stream = TcpStream::connect(deployment.file().bus).await.unwrap();
    let mut text = vec![0; 4096];
    let greeting = stream.read(&mut text).await.unwrap();
    assert!(String::from_utf8_lossy(&text[..greeting]).contains("\"tls_required\":true"));
    stream
        .write_all(b"CONNECT {\"verbose\":true}\r\nPING\r\n")
        .await
        .unwrap();
    let mut answer = Vec::new();
    let reading = stream.read_to_end(&mut answer);
    // The server ends the connection, with or without a reason.
    let ended = tokio::time::timeout(Duration::from_secs(10), reading).await;
    assert!(ended.is_ok(), "the connection stays open");
    let answer = String::from_utf8_lossy(&answer).into_owned();
    assert!(
        !answer.contains("PONG") && !answer.contains("+OK"),
        "{answer}"
    );
}

/// The watcher of the server sees no message of the bus and cannot publish there.
#[tokio::test]
async fn system_account_has_no_way_into_the_bus() {
    let deployment = Deployment::provisioned().await;
    let before = deployment.record().await.last();
    let client = deployment.client("sys").await;
    let stored = client.store(
        "event.owner.halt.ordered",
        async_nats::HeaderMap::new(),
        b"x",
    );
    assert!(stored.await.is_err());
    assert_eq!(deployment.record().await.last(), before);
}

#[expect(
    clippy::disallowed_methods,
    reason = "certificates are dated by the machine's clock"
)]
fn today() -> SystemTime {
    SystemTime::now()
}
