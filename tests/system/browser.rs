//! The signer in a real Chromium: pairing by the code, signing in, signing an approval, and a revocation.

use bus_schema::TaskId;
use harness::{Deployment, missing};

use crate::{
    chromium::{Chromium, is_installed, text_of},
    devices::{confirm, pair, pair_with, question},
};

/// A deployment with a signer, and a browser; none without Chromium.
async fn started() -> Option<(Deployment, Chromium)> {
    if !is_installed() {
        missing("chromium is not installed");
        return None;
    }
    let deployment = Deployment::running().await;
    deployment.start_signer().await;
    Some((deployment, Chromium::start().await))
}

/// Presses the button that approves, and follows the task to its one effect.
async fn approved(browser: &mut Chromium, deployment: &Deployment, task: TaskId) {
    browser.click("approve").await;
    browser.text("sent").await;
    let ran = deployment.follow(task, false).await;
    assert_eq!(
        (ran.outcome(), ran.count("action.started")),
        ("succeeded", 1)
    );
}

#[tokio::test]
async fn a_browser_pairs_signs_in_and_signs_an_approval() {
    let Some((deployment, mut browser)) = started().await else {
        return;
    };
    let signer = format!("http://{}", deployment.file().signer.unwrap());
    let gateway = format!("http://{}", deployment.file().gateway);

    let (terminal, address) = pair(&deployment, "approver").await;
    assert!(address.starts_with(&signer), "{address}");
    browser.open(&address).await;
    let code = browser.text("code").await;
    confirm(terminal, &code).await;

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
    approved(&mut browser, &deployment, task).await;

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
    // The open page loads itself again, and would end a navigation that began before.
    let asks = "document.body.innerText.includes('Sign in with this browser') ? 'asks' : ''";
    browser.shown(asks).await;
    browser.open(&format!("{gateway}/v1/session")).await;
    let ended = "document.body.innerText.includes('no-access') ? 'ended' : ''";
    browser.shown(ended).await;
}

#[tokio::test]
async fn a_passkey_signs_an_approval_after_its_person_was_verified() {
    let Some((deployment, mut browser)) = started().await else {
        return;
    };
    browser.authenticator(true).await;
    let (terminal, address) = pair_with(&deployment, "approver", &["--passkey"]).await;
    assert!(address.starts_with("http://localhost:"), "{address}");
    browser.open(&address).await;
    browser.click("make").await;
    let code = browser.text("code").await;
    confirm(terminal, &code).await;
    browser.text("sign-in").await;

    let (task, draft) = question(&deployment).await;
    let (signer, _) = address.split_once("/#").unwrap();
    browser
        .open(&format!("{signer}/#t={task}&a={}", draft.action))
        .await;
    browser.click("show").await;
    approved(&mut browser, &deployment, task).await;
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
    let Some((deployment, mut browser)) = started().await else {
        return;
    };
    let (mut terminal, address) = pair_with(&deployment, "approver", &["--passkey"]).await;
    browser.open(&address.replace("&k=passkey", "")).await;
    let (status, screen) = terminal.ended().await;
    assert_eq!(status, Some(1), "{screen}");
    assert!(screen.contains("without a passkey"), "{screen}");
}
