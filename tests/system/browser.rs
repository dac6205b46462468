//! The signer in a real Chromium: pairing by the code, signing in, signing an approval, and a revocation.

use harness::{Deployment, missing};

use crate::{
    chromium::{Chromium, is_installed},
    devices::{CODE, pair, question},
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

    let revoked = deployment.command(&["device", "revoke", "Phone"]);
    assert!(revoked.status.success(), "{revoked:?}");
    browser.open(&format!("{gateway}/v1/session")).await;
    let ended = "document.body.innerText.includes('no-access') ? 'ended' : ''";
    browser.shown(ended).await;
}
