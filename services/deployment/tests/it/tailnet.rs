//! Tests of the two files for the tailnet: the shipped ones are valid, and files that open more are refused.

use std::path::Path;

use deployment::tailnet::{
    policy::{Policy, Source},
    serve, sidecar,
};
use serde_json::json;

fn shipped(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tailscale");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

/// The shipped text with one place changed.
fn changed(name: &str, from: &str, to: &str) -> String {
    let text = shipped(name);
    assert!(text.contains(from), "{from}");
    text.replacen(from, to, 1)
}

#[test]
fn shipped_serve_file_leads_to_gateway_and_signer_and_nowhere_else() {
    let text = shipped("serve.json");
    let targets = serve::Targets {
        gateway: "10.89.1.2:8080".parse().unwrap(),
        signer: "10.89.1.90:8080".parse().unwrap(),
    };
    assert_eq!(serve::targets(&text).unwrap(), targets);
    let name = "contractual.example.ts.net";
    let served = json!({
        "TCP": {"443": {"HTTPS": true}, "8443": {"HTTPS": true}},
        "Web": {
            "contractual.example.ts.net:443": {"Handlers": {"/": {"Proxy": "http://10.89.1.2:8080"}}},
            "contractual.example.ts.net:8443": {"Handlers": {"/": {"Proxy": "http://10.89.1.90:8080"}}},
        },
    });
    assert!(serve::is_served(&text, name, &served));
    assert!(!serve::is_served(&text, "other.example.ts.net", &served));
    assert!(!serve::is_served(&text, name, &json!({})));
}

#[test]
fn serve_files_that_serve_less_or_more_are_refused() {
    for (from, to, why) in [
        // The sidecar would accept these without an error, and serve nothing.
        ("\"Handlers\"", "\"Handler\"", "unknown field `Handler`"),
        ("\"HTTPS\"", "\"https\"", "unknown field `https`"),
        ("\"Web\"", "\"web\"", "unknown field `web`"),
        ("\"Proxy\"", "\"Proxi\"", "unknown field `Proxi`"),
        ("${TS_CERT_DOMAIN}:443", "${TS_CERT_DOMAIN}:80", "`Web`"),
        ("${TS_CERT_DOMAIN}:8443", "${TS_CERT_DOMAIN}:80", "`Web`"),
        ("${TS_CERT_DOMAIN}", "contractual", "`Web`"),
        ("{\"443\"", "{\"80\"", "`TCP`"),
        ("true", "false", "`TCP`"),
        ("\"8443\": {\"HTTPS\": true}", "", "trailing comma"),
        (", \"8443\": {\"HTTPS\": true}", "", "`TCP`"),
        ("{\"/\"", "{\"/v1\"", "`Handlers`"),
        ("http://10", "https+insecure://10", "`Proxy`"),
        ("http://10.89.1.2:8080", "10.89.1.2:8080", "`Proxy`"),
        ("10.89.1.2:8080", "gateway:8080", "`Proxy`"),
        ("10.89.1.2:8080", "10.89.1.2:8080/x", "`Proxy`"),
        ("10.89.1.2:8080", "user@10.89.1.2:8080", "`Proxy`"),
        ("10.89.1.90:8080", "10.89.1.2:8080", "the same address"),
        // These open more than the tailnet, or more than the gateway.
        ("{\n", "{\"AllowFunnel\": {},", "AllowFunnel"),
        ("{\n", "{\"Services\": {},", "Services"),
        (
            "{\"443\": {\"HTTPS\": true}",
            "{\"443\": {\"HTTPS\": true}, \"22\": {\"TCPForward\": \"a\"}",
            "TCPForward",
        ),
        (
            "{\"443\": {\"HTTPS\": true}",
            "{\"443\": {\"HTTPS\": true}, \"80\": {\"HTTPS\": true}",
            "`TCP`",
        ),
        (
            "{\"/\": {",
            "{\"/x\": {\"Proxy\": \"\"}, \"/\": {",
            "`Handlers`",
        ),
        (
            "\"Proxy\":",
            "\"AcceptAppCaps\": [], \"Proxy\":",
            "AcceptAppCaps",
        ),
        ("{\n", "", "column"),
    ] {
        let refused = serve::targets(&changed("serve.json", from, to));
        let said = refused.expect_err(to).to_string();
        assert!(
            said.contains(why) && said.contains("use the shipped serve.json"),
            "{to}: {said}"
        );
    }
}

#[test]
fn shipped_policy_lets_in_one_person_and_one_device() {
    let policy = Policy::parse(&shipped("policy.hujson")).unwrap();
    let expected = [
        Source::Login("owner@example.com".to_owned()),
        Source::Device("100.100.100.10".parse().unwrap()),
    ];
    assert_eq!(policy.sources(), expected);
    assert_eq!(policy.tests(), 4);
}

#[test]
fn policies_that_open_more_are_refused() {
    let first = "\"src\": [\"group:contractual\"], \"dst\": [\"tag:contractual\"], \"ip\": [\"tcp:443\", \"tcp:8443\"]";
    let with = |from: &str, to: &str| changed("policy.hujson", first, &first.replacen(from, to, 1));
    let open = |key: &str| {
        changed(
            "policy.hujson",
            "  \"grants\": [",
            &format!("  {key},\n  \"grants\": ["),
        )
    };
    for text in [
        with("\"src\": [\"group:contractual\"]", "\"src\": [\"*\"]"),
        with("group:contractual", "autogroup:member"),
        with("group:contractual", "autogroup:shared"),
        with("group:contractual", "group:others"),
        with("group:contractual", "tag:contractual"),
        with("group:contractual", "100.64.0.0/10"),
        with("\"tag:contractual\"", "\"*\""),
        with("\"tag:contractual\"", "\"tag:contractual\", \"tag:other\""),
        with("\"tag:contractual\"", "\"contractual-tablet\""),
        with("tcp:443", "*"),
        with("tcp:8443", "*"),
        with(", \"tcp:8443\"", ""),
        with("tcp:443", "tcp:*"),
        with("tcp:443", "443"),
        with("tcp:443", "tcp:443-8080"),
        with("\"tcp:443\"", "\"tcp:443\", \"tcp:8080\""),
        with("\"ip\"", "\"app\": {}, \"ip\""),
        with("\"ip\": [\"tcp:443\", \"tcp:8443\"]", "\"ip\": []"),
        changed("policy.hujson", "[\"owner@example.com\"]", "[\"*\"]"),
        changed(
            "policy.hujson",
            "[\"owner@example.com\"]",
            "[\"*@example.com\"]",
        ),
        changed(
            "policy.hujson",
            "[\"owner@example.com\"]",
            "[\"autogroup:member\"]",
        ),
        changed("policy.hujson", "100.100.100.10", "0.0.0.0/0"),
        changed("policy.hujson", "100.100.100.10", "10.89.1.3"),
        changed("policy.hujson", "autogroup:admin", "autogroup:member"),
        changed("policy.hujson", "autogroup:admin", "*"),
        changed(
            "policy.hujson",
            "\"tagOwners\": {",
            "\"tagOwners\": {\"tag:other\": [\"autogroup:admin\"],",
        ),
        open("\"ssh\": []"),
        open("\"acls\": [{\"action\": \"accept\", \"src\": [\"*\"], \"dst\": [\"*:*\"]}]"),
        open("\"nodeAttrs\": [{\"target\": [\"*\"], \"attr\": [\"funnel\"]}]"),
        open("\"autoApprovers\": {}"),
        open("\"grants\": []"),
        changed("policy.hujson", "\"grants\"", "\"grnats\""),
        changed("policy.hujson", "},\n  ],\n\n  //", "} {},\n  ],\n\n  //"),
    ] {
        Policy::parse(&text).expect_err(&text);
    }
}

#[test]
fn tests_of_a_policy_decide() {
    for (from, to) in [
        // The stranger joins the group, and the tests detect it.
        (
            "[\"owner@example.com\"]",
            "[\"owner@example.com\", \"somebody-else@example.com\"]",
        ),
        // No sources are left.
        ("[\"owner@example.com\"]", "[]"),
        (
            "\"accept\": [\"tag:contractual:443\"",
            "\"accept\": [\"tag:contractual:80\"",
        ),
        (
            "\"accept\": [\"tag:contractual:443\"",
            "\"accept\": [\"contractual-tablet:443\"",
        ),
        (
            "\"deny\": [\"tag:contractual:22\"",
            "\"deny\": [\"tag:contractual:443\"",
        ),
        (
            "\"deny\": [\"tag:contractual:22\"",
            "\"deny\": [\"tag:contractual:x\"",
        ),
        (
            "\"src\": \"owner@example.com\"",
            "\"src\": \"tag:contractual\"",
        ),
        ("\"src\": \"owner@example.com\"", "\"src\": \"nobody\""),
    ] {
        Policy::parse(&changed("policy.hujson", from, to)).expect_err(to);
    }
    let text = shipped("policy.hujson");
    let untested = text.split("\"tests\"").next().unwrap().to_owned() + "\"tests\": []}";
    Policy::parse(&untested).expect_err("without tests");
}

#[test]
fn newest_known_fault_in_a_log_is_named() {
    let log = "boot: Starting tailscaled\nbackend error: invalid authkey\nstate store is unhealthy\nother\n";
    assert!(sidecar::fault(log).unwrap().fix.contains("10010:10010"));
    assert_eq!(sidecar::fault("magicsock: all is well"), None);
}

#[test]
fn sidecar_is_in_a_container_or_on_the_machine() {
    let read = |text: &str| {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("sidecar.toml"), text).unwrap();
        let read = sidecar::Sidecar::read(dir.path());
        let read = read.map_err(|error| error.to_string())?.unwrap();
        let folder = read.folder.strip_prefix(dir.path()).unwrap().to_owned();
        assert_eq!(folder, Path::new("tailscale"));
        Ok::<_, String>(toml::to_string(&read).unwrap())
    };
    let folder = "folder = \"tailscale\"\n";
    let container = read(&format!("{folder}container = \"contractual-tailscale-1\"")).unwrap();
    assert!(container.contains("container = \"contractual-tailscale-1\""));
    let machine = "tailscale = \"bin/tailscale\"\nsocket = \"run/socket\"\nlog = \"run/log\"\n";
    assert!(
        read(&format!("{folder}{machine}"))
            .unwrap()
            .contains("run/socket")
    );
    for (text, why) in [
        (folder.to_owned(), "name the sidecar's `container`"),
        (format!("{folder}{machine}container = \"a\""), "or else"),
        (
            format!("{folder}container = \"a\"\nother = 1"),
            "unknown field `other`",
        ),
        (format!("{folder}tailscale = \"a\""), "`socket` and `log`"),
    ] {
        let refused = read(&text).expect_err(&text);
        assert!(refused.contains(why), "{text}: {refused}");
    }
}
