//! Access to the gateway through the tailnet: allowed and refused devices, and their identities.

use bus_schema::{AccessStatement, Signed, Statement, wire};
use data_encoding::BASE64;
use harness::{Answer, SOON, eventually};

use crate::{
    isolated::isolated,
    tailnet::{DOMAIN, Tailnet},
};

const HEALTH: &str = "/v1/health";
/// The headers that the sidecar sets for an allowed person.
const FORGED: [&str; 4] = [
    "Host: contractual.example.ts.net",
    "Tailscale-User-Login: alice@example.test",
    "X-Forwarded-For: 100.64.0.1",
    "X-Forwarded-Proto: https",
];

/// Starts everything, with an allowed person, an allowed device and a refused one; returns the sidecar's address.
async fn joined(programs: std::path::PathBuf) -> (Tailnet, String) {
    let tailnet = Tailnet::new(programs).await;
    tailnet.open_edge(DOMAIN);
    tailnet.open_signer();
    tailnet.deployment.nats().start().await;
    tailnet.deployment.provision().await;
    tailnet.deployment.start_all().await;
    tailnet.deployment.start_signer().await;
    let set_up = tailnet.shipped_set_up();
    tailnet.make_sidecar(&set_up);
    tailnet.start_sidecar(&set_up);
    let address = tailnet.address(&tailnet.socket()).await;
    tailnet.join("laptop").await;
    tailnet.join("intruder").await;
    let tablet = tailnet.join("tablet").await;
    tailnet.enter_policy("alice@example.test", &tablet);
    (tailnet, address)
}

/// Sends a request until there is an answer: the first packets between two nodes may be lost.
async fn answered(tailnet: &Tailnet, machine: &str, headers: &[&str]) -> Answer {
    eventually(SOON, async || {
        let answer = tailnet.ask(machine, HEALTH, headers);
        if answer.status == 0 {
            Err(answer.error)
        } else {
            Ok(answer)
        }
    })
    .await
}

/// The number of requests of this person in the gateway's log.
fn asked_by(tailnet: &Tailnet, login: &str) -> usize {
    let log = tailnet.deployment.log("gateway");
    let of = format!("\"login\":\"{login}\"");
    log.lines()
        .filter(|line| line.contains("request through the tailnet") && line.contains(&of))
        .count()
}

fn access(tailnet: &Tailnet) -> String {
    let said = Statement::Access(AccessStatement {
        deployment: tailnet.deployment.id(),
        until: tailnet.deployment.clock().wall().plus_ms(60_000),
    });
    let owner = tailnet.deployment.signing_key(bus_schema::AuthorId::Owner);
    let signed = wire::encode(&Signed::new(&said, &owner));
    format!("Authorization: Contractual {}", BASE64.encode(&signed))
}

#[test]
fn allowed_devices_reach_the_gateway_over_https_as_whom_they_are() {
    isolated(
        "reached::allowed_devices_reach_the_gateway_over_https_as_whom_they_are",
        async |programs| {
            let (tailnet, address) = joined(programs).await;
            let answer = answered(&tailnet, "laptop", &[]).await;
            assert_eq!(
                (answer.status, answer.body.as_str()),
                (200, "{\"ok\":true}")
            );
            assert_eq!(asked_by(&tailnet, "alice@example.test"), 1);
            // Allowed by its address, for any person on it.
            assert_eq!(answered(&tailnet, "tablet", &[]).await.status, 200);
            assert_eq!(asked_by(&tailnet, "bob@example.test"), 1);
            // All identity headers of a client are replaced.
            let own = [
                "Tailscale-User-Login: mallory@example.test",
                "X-Forwarded-For: 1.2.3.4",
            ];
            assert_eq!(answered(&tailnet, "laptop", &own).await.status, 200);
            assert_eq!(asked_by(&tailnet, "mallory@example.test"), 0);
            assert_eq!(asked_by(&tailnet, "alice@example.test"), 2);
            assert!(!tailnet.deployment.log("gateway").contains("1.2.3.4"));
            // The signer's page, which talks to the gateway's name.
            let page = tailnet.ask_signer("laptop");
            assert_eq!(page.status, 200, "{page:?}");
            let gateway = format!("<meta name=\"gateway\" content=\"https://{DOMAIN}\">");
            assert!(page.body.contains(&gateway), "{page:?}");
            // Requests of that page get the gateway's answers, and those of another port's none.
            let from = |port: &str| format!("Origin: https://{DOMAIN}{port}");
            for (origin, status) in [(from(":8443"), 200), (from(":8444"), 403)] {
                let answer = tailnet.ask("laptop", HEALTH, &[&origin]);
                assert_eq!(answer.status, status, "{origin}: {answer:?}");
            }
            // The sidecar does not replace headers that it does not know; the gateway refuses them.
            let alike = ["Tailscale_User_Login: mallory@example.test"];
            let refused = answered(&tailnet, "laptop", &alike).await;
            assert!(
                refused.body.contains("is not a header of the sidecar"),
                "{refused:?}"
            );
            // Identity alone permits nothing: a read needs the owner's signature.
            assert_eq!(tailnet.ask("laptop", "/v1/tasks", &[]).status, 401);
            let read = tailnet.ask("laptop", "/v1/tasks", &[&access(&tailnet)]);
            assert_eq!(read.status, 200, "{read:?}");
            for what in [
                "serve.json",
                "policy.hujson",
                "sidecar",
                "sidecar's tag",
                "HTTPS",
                "what is served",
                "gateway's edge",
            ] {
                let (ok, text) = tailnet.finding(what).unwrap();
                assert!(ok, "{what}: {text}");
            }
            let (_, text) = tailnet.finding("sidecar").unwrap();
            assert!(text.contains(&address), "{text}");
        },
    );
}

#[test]
fn denied_device_gets_no_answer_while_allowed_ones_do() {
    isolated(
        "reached::denied_device_gets_no_answer_while_allowed_ones_do",
        async |programs| {
            let (tailnet, address) = joined(programs).await;
            assert_eq!(answered(&tailnet, "laptop", &[]).await.status, 200);
            let silent = |answer: Answer| {
                assert_eq!(answer.status, 0, "{answer:?}");
                assert!(
                    answer.error.contains("deadline") || answer.error.contains("Timeout"),
                    "{answer:?}"
                );
            };
            silent(tailnet.ask("intruder", HEALTH, &[]));
            silent(tailnet.ask("intruder", HEALTH, &[&access(&tailnet)]));
            silent(tailnet.ask_signer("intruder"));
            assert_eq!(tailnet.ask_signer("laptop").status, 200);
            assert_eq!(tailnet.ask("laptop", HEALTH, &[]).status, 200);
            // Allowed devices reach only two ports: neither the health check's, nor the gateway's own.
            for port in [22, 80, 8080, 9002] {
                let url = format!("http://{address}:{port}/");
                silent(tailnet.fetch(
                    "laptop",
                    &["-socks", "127.0.0.1:1055", "-limit", "2s", &url],
                ));
            }
            // The policy refuses it.
            let allowed =
                serde_json::json!({"Login": "mallory@example.test", "Ports": [443, 8443]});
            tailnet.decide(|decided| decided["Allow"].as_array_mut().unwrap().push(allowed));
            assert_eq!(answered(&tailnet, "intruder", &[]).await.status, 200);
            tailnet.decide(|decided| {
                decided["Allow"].as_array_mut().unwrap().pop();
            });
            eventually(SOON, async || match tailnet.ask("intruder", HEALTH, &[]) {
                answer if answer.status == 0 => Ok(()),
                answer => Err(format!("{answer:?}")),
            })
            .await;
            assert_eq!(tailnet.ask("laptop", HEALTH, &[]).status, 200);
        },
    );
}

#[test]
fn forged_identity_from_anywhere_but_the_sidecar_is_refused() {
    isolated(
        "reached::forged_identity_from_anywhere_but_the_sidecar_is_refused",
        async |programs| {
            let tailnet = Tailnet::new(programs).await;
            tailnet.open_edge(DOMAIN);
            tailnet.deployment.nats().start().await;
            tailnet.deployment.provision().await;
            tailnet.deployment.start_all().await;
            let ask = |machine: &str, address: &str| {
                let url = format!("http://{address}{HEALTH}");
                let mut arguments = vec!["-limit", "2s"];
                for header in FORGED {
                    arguments.extend(["-header", header]);
                }
                arguments.push(&url);
                tailnet.fetch(machine, &arguments)
            };
            let edge = "10.89.1.2:8080";
            // The same request is accepted from the sidecar's own address.
            assert_eq!(ask("contractual", edge).status, 200);
            // From another machine of that network, from the gateway's own, and from beyond.
            for machine in ["other", "", "laptop", "world"] {
                let refused = ask(machine, edge);
                assert_eq!(
                    (refused.status, refused.body.as_str()),
                    (0, ""),
                    "{machine}: {refused:?}"
                );
                assert!(!refused.error.is_empty());
            }
            assert_eq!(asked_by(&tailnet, "alice@example.test"), 1);
            // Local programs may use the loopback, but not with headers of the sidecar.
            let own = tailnet.deployment.file().gateway.to_string();
            let refused = ask("", &own);
            assert!(
                refused.body.contains("this address has no sidecar"),
                "{refused:?}"
            );
            // The gateway has no internet access.
            let out = tailnet.fetch("", &["-limit", "2s", "http://198.51.100.1:8080/key?v=100"]);
            assert!(out.error.contains("unreachable"), "{out:?}");
            assert_eq!(
                tailnet
                    .fetch("laptop", &["http://198.51.100.1:8080/key?v=100"])
                    .status,
                200
            );
        },
    );
}

#[test]
fn restart_of_the_sidecar_keeps_address_and_service() {
    isolated(
        "reached::restart_of_the_sidecar_keeps_address_and_service",
        async |programs| {
            let (tailnet, address) = joined(programs).await;
            assert_eq!(answered(&tailnet, "laptop", &[]).await.status, 200);
            // The real service asks a known node for no key; the control server of the test would.
            tailnet.decide(|decided| decided["Key"] = "".into());
            let set_up = tailnet.shipped_set_up();
            for stop_it in [true, false] {
                if stop_it {
                    tailnet.stop_sidecar().await;
                } else {
                    tailnet.kill_sidecar().await;
                }
                assert_eq!(tailnet.ask("laptop", HEALTH, &[]).status, 0);
                tailnet.start_sidecar(&set_up);
                assert_eq!(answered(&tailnet, "laptop", &[]).await.status, 200);
                assert_eq!(tailnet.address(&tailnet.socket()).await, address);
                let (ok, text) = tailnet.finding("what is served").unwrap();
                assert!(ok, "{text}");
            }
        },
    );
}
