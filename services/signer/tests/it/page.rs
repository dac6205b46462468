//! Tests of the page: its policy permits its own script and style, its gateway, and nothing else.

use std::path::Path;

use signer::{Config, Page, read};

const GATEWAY: &str = "http://127.0.0.1:8080";

#[test]
fn the_policy_is_closed_but_for_the_page_and_its_gateway() {
    let page = Page::of(GATEWAY);
    let directives: Vec<_> = page.policy.split("; ").collect();
    for wanted in [
        "default-src 'none'",
        "connect-src http://127.0.0.1:8080",
        "form-action http://127.0.0.1:8080",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "trusted-types 'none'",
        "require-trusted-types-for 'script'",
    ] {
        assert!(directives.contains(&wanted), "{wanted}");
    }
    assert!(!page.policy.contains("unsafe"));
    assert_eq!(page.html.matches("<script").count(), 1);
    assert_eq!(page.html.matches("<style").count(), 1);
    // The hash covers the script only if nothing in it ends it early.
    assert_eq!(page.html.matches("</script").count(), 1);
    let named = format!(r#"<meta name="gateway" content="{GATEWAY}">"#);
    assert!(page.html.contains(&named));
}

#[test]
fn the_script_writes_text_and_never_markup() {
    let page = Page::of(GATEWAY);
    for forbidden in [
        "innerHTML",
        "outerHTML",
        "insertAdjacent",
        "document.write",
        "eval(",
        "new Function",
        "postMessage",
        "localStorage",
    ] {
        assert!(!page.html.contains(forbidden), "{forbidden}");
    }
}

#[test]
fn the_sample_configuration_is_valid_and_open_ones_are_not() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("signer.toml");
    let config = read(&sample).unwrap();
    assert!(
        config.is_named("127.0.0.1:8081") && config.is_named("contractual.example.ts.net:8443")
    );
    assert!(!config.is_named("evil.example") && !config.is_named("localhost:8081"));
    let with = |change: fn(&mut Config)| {
        let mut changed = config.clone();
        change(&mut changed);
        changed.check()
    };
    for change in [
        (|config: &mut Config| config.gateway = "http://gateway.example".to_owned())
            as fn(&mut Config),
        |config| config.gateway = "https://a; script-src *".to_owned(),
        |config| config.gateway = "https://a\"><script>".to_owned(),
        |config| config.gateway = String::new(),
        |config| config.listen = "0.0.0.0:8081".parse().unwrap(),
    ] {
        assert!(with(change).is_err());
    }
    assert!(
        with(|config| config.gateway = "https://contractual.example.ts.net".to_owned()).is_ok()
    );
}
