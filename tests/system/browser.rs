//! The signer in a real Chromium: pairing by the code, signing in, signing an approval, and a revocation.

use harness::{Deployment, missing};

use crate::{
    chromium::{Chromium, is_installed},
    devices::{CODE, pair, pair_with, question},
};

/// Returns the text of the element with this id.
fn text_of(id: &str) -> String {
    format!("(document.getElementById('{id}')?.textContent ?? '')")
}

#[tokio::test]
async fn a_browser_pairs_signs_in_and_signs_an_approval() {
    if !is_installed() {
        return missing("chromium is not installed");
    }
    let deployment = Deployment::running().await;
    deployment.start_signer().await;
    let signer = format!("http://{}", deployment.file().signer.unwrap());
    let gateway = format!("http://{}", deployment.file().gateway);
    let mut browser = Chromium::start().await;

    let (mut terminal, address) = pair(&deployment, "approver").await;
    assert!(address.starts_with(&signer), "{address}");
    browser.open(&address).await;
    let code = browser.shown(&text_of("code")).await;
    terminal.shows(CODE, 1).await;
    terminal.types(&format!("{code}\n"));
    let (status, screen) = terminal.ended().await;
    assert_eq!(status, Some(0), "{screen}");

    browser.click("sign-in").await;
    let at_gateway = format!("location.origin === '{gateway}' ? 'there' : ''");
    browser.shown(&at_gateway).await;
    browser.open(&format!("{gateway}/v1/session")).await;
    let name = "document.body.innerText.includes('\"name\":\"Phone\"') ? 'Phone' : ''";
    browser.shown(name).await;

    let (task, draft) = question(&deployment).await;
    browser.open(&format!("{gateway}/")).await;
    let link = browser
        .shown("document.querySelector('.go a')?.href ?? ''")
        .await;
    assert_eq!(link, format!("{signer}/#t={task}&a={}", draft.action));
    browser.open(&link).await;
    let shown = browser
        .shown(&format!(
            "{} && document.body.innerText",
            text_of("approve")
        ))
        .await;
    for wanted in [
        "May file.write run?",
        "a.txt",
        "written",
        "asks, version 1",
        "Refuse",
    ] {
        assert!(shown.contains(wanted), "{wanted}: {shown}");
    }
    let focused = browser.evaluate("document.activeElement.id").await;
    assert_eq!(focused, "refuse");
    browser.click("approve").await;
    browser.shown(&text_of("sent")).await;
    let ran = deployment.follow(task, false).await;
    assert_eq!(
        (ran.outcome(), ran.count("action.started")),
        ("succeeded", 1)
    );

    // The button of a page ends the session, and the device signs in again.
    browser.open(&format!("{gateway}/")).await;
    let button = "document.querySelector('.out button')";
    browser
        .shown(&format!("({button}?.textContent ?? '')"))
        .await;
    browser.evaluate(&format!("{button}.click()")).await;
    let out = "document.title.startsWith('Signed out') ? 'out' : ''";
    browser.shown(out).await;
    browser.open(&format!("{signer}/")).await;
    browser.click("sign-in").await;
    browser.shown(&at_gateway).await;

    let revoked = deployment.command(&["device", "revoke", "Phone"]);
    assert!(revoked.status.success(), "{revoked:?}");
    browser.open(&format!("{gateway}/v1/session")).await;
    let ended = "document.body.innerText.includes('no-access') ? 'ended' : ''";
    browser.shown(ended).await;
}

#[tokio::test]
async fn a_passkey_signs_an_approval_after_its_person_was_verified() {
    if !is_installed() {
        return missing("chromium is not installed");
    }
    let deployment = Deployment::running().await;
    deployment.start_signer().await;
    let mut browser = Chromium::start().await;
    browser.authenticator(true).await;
    let (mut terminal, address) = pair_with(&deployment, "approver", &["--passkey"]).await;
    assert!(address.starts_with("http://localhost:"), "{address}");
    browser.open(&address).await;
    browser.click("make").await;
    let code = browser.shown(&text_of("code")).await;
    terminal.shows(CODE, 1).await;
    terminal.types(&format!("{code}\n"));
    let (status, screen) = terminal.ended().await;
    assert_eq!(status, Some(0), "{screen}");
    browser.shown(&text_of("sign-in")).await;

    let (task, draft) = question(&deployment).await;
    let (signer, _) = address.split_once("/#").unwrap();
    browser
        .open(&format!("{signer}/#t={task}&a={}", draft.action))
        .await;
    browser.click("show").await;
    browser.click("approve").await;
    browser.shown(&text_of("sent")).await;
    let ran = deployment.follow(task, false).await;
    assert_eq!(
        (ran.outcome(), ran.count("action.started")),
        ("succeeded", 1)
    );
    // The record has what the passkey signed.
    let record = deployment.record().await;
    let granted = record.of("action.granted").last().unwrap();
    let approval = &granted.fact["grant"]["approvals"][0];
    assert!(approval["assertion"]["client"].is_string(), "{approval}");
    let verified = deployment.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test]
async fn a_passkey_pairing_takes_no_key_of_the_browser() {
    if !is_installed() {
        return missing("chromium is not installed");
    }
    let deployment = Deployment::running().await;
    deployment.start_signer().await;
    let mut browser = Chromium::start().await;
    let (mut terminal, address) = pair_with(&deployment, "approver", &["--passkey"]).await;
    browser.open(&address.replace("&k=passkey", "")).await;
    browser.shown(&text_of("code")).await;
    let (status, screen) = terminal.ended().await;
    assert_eq!(status, Some(1), "{screen}");
    assert!(screen.contains("without a passkey"), "{screen}");
}
