//! Tests the secrets that tools use and contracts name.

use contract::{Catalogue, Contract, diff, envelope, show};
use serde_json::{Value, json};

fn catalogue(secret: &Value) -> Result<Catalogue, String> {
    let mut read = json!({
        "name": "crm.read", "description": "Reads a customer.", "effect": "outward", "risk": "low", "output": "untrusted",
        "input_schema": {
            "type": "object", "additionalProperties": false, "properties": {"customer": {"type": "string"}},
            "required": ["customer"],
        },
        "http": {
            "method": "GET", "host": "api.example.com", "path": "/v2/customers/{customer}",
            "answer": {"type": "json"},
            "limits": {"wall_ms": 10_000, "request_bytes_max": 0, "answer_bytes_max": 10_000},
        },
    });
    read["http"]["secret"] = secret.clone();
    let mut plain = read.clone();
    plain["name"] = json!("crm.status");
    plain["http"].as_object_mut().unwrap().remove("secret");
    let text = json!([read, plain]).to_string();
    Catalogue::parse(text.as_bytes()).map_err(|error| error.to_string())
}

fn text(rules: &str) -> String {
    crate::text(&format!("hosts = [\"api.example.com\"]\n{rules}"))
}

fn parsed(rules: &str, tools: &Catalogue) -> Result<Contract, String> {
    let parsed = Contract::parse("c.toml", &text(rules), tools);
    parsed.map_err(|found| found.to_string())
}

#[test]
fn an_entry_names_its_secret() {
    let tools = catalogue(&json!("crm")).unwrap();
    let secret = tools.get("crm.read").unwrap().secret().unwrap();
    assert_eq!(secret.as_str(), "crm");
    assert!(tools.get("crm.status").unwrap().secret().is_none());
    let error = catalogue(&json!("CRM")).unwrap_err();
    assert!(error.contains("is not a secret name"), "{error}");
}

#[test]
fn a_rule_names_the_secret_of_each_tool_that_it_permits() {
    let tools = catalogue(&json!("crm")).unwrap();
    let problem = "`crm.read` uses the secret `crm`, which this rule does not name";
    for (rules, fix) in [
        (
            "[[allow]]\ntool = \"crm.read\"\n",
            "write `secrets = [\"crm\"]`, or leave the tool out",
        ),
        (
            "[[allow]]\ntool = \"crm.*\"\nsecrets = [\"other\"]\n",
            "add \"crm\" to `secrets`, or leave the tool out",
        ),
        (
            "[[allow]]\ntool = \"crm.read\"\nsecrets = [\"crm\"]\n[[ask]]\ntool = \"*\"\nreason = \"r\"\n",
            "write `secrets = [\"crm\"]`, or leave the tool out",
        ),
    ] {
        let error = parsed(rules, &tools).unwrap_err();
        assert!(error.contains(problem), "{error}");
        assert!(error.contains(fix), "{error}");
    }
    for rules in [
        "[[allow]]\ntool = \"crm.status\"\n",
        "[[allow]]\ntool = \"crm.*\"\nsecrets = [\"crm\"]\n",
        "[[allow]]\ntool = \"*\"\n[[deny]]\ntool = \"crm.read\"\n",
    ] {
        let contract = parsed(rules, &tools).unwrap();
        let named = envelope(&contract, &tools).secrets;
        assert_eq!(named.is_empty(), !rules.contains("secrets"), "{rules}");
    }
}

#[test]
fn a_person_reads_which_key_goes_to_which_host() {
    let tools = catalogue(&json!("crm")).unwrap();
    let rule = "[[allow]]\ntool = \"crm.read\"\nsecrets = [\"crm\"]\n";
    let contract = parsed(rule, &tools).unwrap();
    let shown = show(&contract, &tools).text();
    let sentence = "It may send to api.example.com with the key `crm`.";
    assert!(shown.contains(sentence), "{shown}");
    let other = rule.replace("[\"crm\"]", "[\"crm\", \"mail\"]");
    let wider = parsed(&other, &tools).unwrap();
    let shown = show(&wider, &tools).text();
    assert!(
        shown.contains("A call may use the secret `mail`."),
        "{shown}"
    );
    let difference = format!("{:?}", diff(&contract, &wider, &tools).entries);
    assert!(difference.contains("`mail`"), "{difference}");
}
