//! Tests entries of tools that send requests, and the hosts that contracts name for them.

use bus_schema::wire;
use contract::{Catalogue, Contract, HttpArgsError, Method, diff, envelope, powers, show};
use serde_json::{Value, json};

/// An entry of the catalogue, changed.
fn entry(change: impl Fn(&mut Value)) -> Value {
    let mut tool = json!({
        "name": "crm.note", "description": "Adds a note.", "effect": "outward", "risk": "low", "output": "untrusted",
        "input_schema": {
            "type": "object", "additionalProperties": false,
            "properties": {"customer": {"type": "string"}, "text": {"type": "string"}},
            "required": ["customer"],
        },
        "http": {
            "method": "POST", "host": "api.example.com", "path": "/v2/customers/{customer}/notes",
            "query": [{"name": "by", "literal": "me"}],
            "headers": [{"name": "accept", "literal": "application/json"}],
            "body": {"text": {"$value": "text"}, "kind": "note"},
            "answer": {"status": [201], "type": "json", "fields": {"id": "/data/id"}},
            "limits": {"wall_ms": 10_000, "request_bytes_max": 100, "answer_bytes_max": 10_000},
        },
    });
    change(&mut tool);
    tool
}

fn catalogue(change: impl Fn(&mut Value)) -> Result<Catalogue, String> {
    let note = json!({
        "name": "note.read", "description": "", "effect": "read", "output": "trusted",
        "input_schema": {"type": "object"},
    });
    let text = json!([entry(change), note]).to_string();
    Catalogue::parse(text.as_bytes()).map_err(|error| error.to_string())
}

fn parsed(head: &str, tool: &str, tools: &Catalogue) -> Result<Contract, String> {
    let text = crate::text(&format!("{head}\n[[allow]]\ntool = \"{tool}\"\n"));
    let parsed = Contract::parse("c.toml", &text, tools);
    parsed.map_err(|found| found.to_string())
}

#[test]
fn only_a_request_to_a_named_host_can_tell() {
    let tells = catalogue(|tool| tool["effect"] = json!("tell")).unwrap();
    let http = |tools: &Catalogue| tools.get("crm.note").unwrap().http().cloned().unwrap();
    assert!(!http(&tells).changes());
    assert!(http(&catalogue(|_| ()).unwrap()).changes());
    let error = catalogue(|tool| {
        tool["effect"] = json!("tell");
        tool.as_object_mut().unwrap().remove("http");
    });
    assert!(error.unwrap_err().contains("is for tools with `http`"));
    let error = catalogue(|tool| tool["effect"] = json!("write")).unwrap_err();
    assert!(
        error.contains("or \"tell\" if they change nothing there"),
        "{error}"
    );
    let text = crate::text(
        "hosts = [\"api.example.com\"]\n\n[[allow]]\ntool = \"crm.note\"\nuntrusted = \"ask\"\n",
    );
    Contract::parse("c.toml", &text, &tells).unwrap();
}

#[test]
fn what_a_contract_tells_stands_among_what_it_may_send() {
    let tells = catalogue(|tool| tool["effect"] = json!("tell")).unwrap();
    let contract = parsed("hosts = [\"api.example.com\"]", "crm.note", &tells).unwrap();
    let shown = powers(&contract, &tells).text();
    let (_, sends) = shown.split_once("It may send").unwrap();
    for part in ["`crm.note`", "send to api.example.com"] {
        assert!(sends.contains(part), "{part}: {shown}");
    }
    let besides = show(&contract, &tells).text();
    assert!(besides.contains("only tells something"), "{besides}");
}

#[test]
fn prices_have_one_form() {
    let with = |prices: Value| {
        catalogue(|tool| tool["http"]["answer"]["prices"] = prices.clone()).map(drop)
    };
    let price = json!({"at": "/used/in", "price": "3.00"});
    with(json!({"currency": "USD", "per_million": [price]})).unwrap();
    for (prices, problem) in [
        (
            json!({"currency": "usd", "per_million": [price]}),
            "three capital letters",
        ),
        (
            json!({"currency": "USD", "per_million": []}),
            "without a price",
        ),
        (
            json!({"currency": "USD", "per_million": [price, price]}),
            "two prices at",
        ),
        (
            json!({"currency": "USD", "per_million": [{"at": "in", "price": "1"}]}),
            "a price at \"in\"",
        ),
        (
            json!({"currency": "USD", "per_million": [{"at": "/in", "price": "-1"}]}),
            "is no price",
        ),
        (
            json!({"currency": "USD", "per_million": [{"at": "/in", "price": "0.0000001"}]}),
            "is no price",
        ),
        (
            json!({"currency": "USD", "per_million": [{"at": "/in", "price": "1", "within": "/all"}]}),
            "a price within \"/all\"",
        ),
    ] {
        let error = with(prices).unwrap_err();
        assert!(error.contains(problem), "{problem}: {error}");
    }
    let error = catalogue(|tool| {
        tool["http"]["answer"] =
            json!({"type": "text", "prices": {"currency": "USD", "per_million": [price]}});
    });
    assert!(error.unwrap_err().contains("only an answer of the type"));
}

#[test]
fn an_entry_says_what_is_sent() {
    let tools = catalogue(|_| ()).unwrap();
    let tool = tools.get("crm.note").unwrap();
    assert_eq!(tool.wall_ms_max(), 10_000);
    let http = tool.http().unwrap();
    assert_eq!(http.method(), Method::Post);
    assert_eq!(http.endpoint().to_string(), "api.example.com");
    let sent: Vec<_> = http.sent().into_iter().collect();
    assert_eq!(sent, [("customer", true), ("text", false)]);
    let args = json!({"customer": "7", "text": "hello"});
    let request = http.request(args.as_object().unwrap()).unwrap();
    let url = "https://api.example.com/v2/customers/7/notes?by=me";
    assert_eq!(request.url.to_string(), url);
    assert_eq!(
        request.headers,
        [("accept".to_owned(), "application/json".to_owned())]
    );
    let body: Value = serde_json::from_slice(&request.body.unwrap()).unwrap();
    assert_eq!(body, json!({"text": "hello", "kind": "note"}));
    let long = json!({"customer": "7", "text": "x".repeat(100)});
    let error = http.request(long.as_object().unwrap()).unwrap_err();
    assert!(
        matches!(error, HttpArgsError::Large { max: 100, .. }),
        "{error}"
    );
    assert!(tools.get("note.read").unwrap().http().is_none());
}

#[test]
fn a_text_of_json_stands_in_the_body_as_json() {
    let tools = catalogue(|tool| {
        tool["http"]["wire"] = json!("openai-chat");
        tool["http"]["body"] = json!({"kind": "note", "parts": {"$json": "text"}});
    });
    let tools = tools.unwrap();
    let http = tools.get("crm.note").unwrap().http().unwrap();
    assert_eq!(http.wire(), Some("openai-chat"));
    let request = |args: Value| http.request(args.as_object().unwrap());
    let sent = request(json!({"customer": "7", "text": "[{\"a\":1}]"})).unwrap();
    let body: Value = serde_json::from_slice(&sent.body.unwrap()).unwrap();
    assert_eq!(body, json!({"kind": "note", "parts": [{"a": 1}]}));
    // A member of an object is left out with its argument, and the text stands at its own place alone.
    let sent = request(json!({"customer": "7"})).unwrap();
    assert_eq!(sent.body.unwrap(), br#"{"kind":"note"}"#);
    for text in [
        json!("[1"),
        json!("{\"a\":1,\"a\":2}"),
        json!("1, \"kind\": 2"),
        json!(7),
    ] {
        let error = request(json!({"customer": "7", "text": text})).unwrap_err();
        assert_eq!(error, HttpArgsError::Json("text".to_owned()));
    }
}

/// Members of `http`, each with a value that is refused and a part of the reason.
const REFUSED: [(&str, &str, &str); 34] = [
    ("wire", r#""a b""#, "`wire` is \"a b\""),
    (
        "body",
        r#"{"a": {"$json": "text", "b": 1}}"#,
        "alone in its object",
    ),
    ("redirects", "1", "0 for all others"),
    ("method", r#""TRACE""#, "unknown variant `TRACE`"),
    ("method", r#""GET""#, "`body` is not sent with GET"),
    (
        "host",
        r#""API.example.com""#,
        "`host` is \"API.example.com\"",
    ),
    ("host", r#""127.0.0.1""#, "an address, and not a name"),
    ("host", r#""api.example.com:443""#, "is left out"),
    (
        "host",
        r#""user@api.example.com""#,
        "a name has lower-case letters",
    ),
    ("path", r#""v2""#, "`path` does not begin with a slash"),
    ("path", r#""/v2/../{customer}""#, "`path` has `.` or `..`"),
    ("path", r#""/v2/a{customer}""#, "`path` has a character"),
    ("path", r#""/v2//{customer}""#, "`path` has an empty name"),
    ("path", r#""/v2/{customer}?a=b""#, "`path` has a character"),
    (
        "query",
        r#"[{"name": "a"}]"#,
        "`query` has an entry \"a\" without its value",
    ),
    (
        "query",
        r#"[{"name": "a", "literal": "b", "value": "c"}]"#,
        "without its value",
    ),
    (
        "query",
        r#"[{"name": "a", "literal": "b"}, {"name": "a", "literal": "b"}]"#,
        "twice",
    ),
    (
        "headers",
        r#"[{"name": "Host", "literal": "b"}]"#,
        "lower-case",
    ),
    (
        "headers",
        r#"[{"name": "host", "literal": "b"}]"#,
        "writes itself",
    ),
    (
        "headers",
        r#"[{"name": "authorization", "literal": "b"}]"#,
        "does not send",
    ),
    (
        "headers",
        r#"[{"name": "transfer-encoding", "literal": "chunked"}]"#,
        "does not send",
    ),
    (
        "headers",
        r#"[{"name": "x", "literal": "a\r\nb: c"}]"#,
        "not visible ASCII",
    ),
    (
        "body",
        r#"{"$value": "text", "more": 1}"#,
        "alone in its object",
    ),
    ("body", r#"{"a": {"$value": 1}}"#, "alone in its object"),
    ("answer", r#"{"type": "xml"}"#, "unknown variant `xml`"),
    (
        "answer",
        r#"{"type": "text", "fields": {"a": "/a"}}"#,
        "leave them out",
    ),
    (
        "answer",
        r#"{"type": "json", "fields": {"a": "a"}}"#,
        "`answer` has the field",
    ),
    (
        "answer",
        r#"{"type": "json", "tokens": ["usage"]}"#,
        "`answer` has `tokens` at",
    ),
    (
        "answer",
        r#"{"type": "json", "fields": {"a": "/~2"}}"#,
        "`answer` has the field",
    ),
    (
        "answer",
        r#"{"type": "json", "status": [302]}"#,
        "from 200 to 299",
    ),
    (
        "answer",
        r#"{"type": "json", "status": []}"#,
        "from 200 to 299",
    ),
    (
        "limits",
        r#"{"wall_ms": 0, "request_bytes_max": 1, "answer_bytes_max": 1}"#,
        "`wall_ms`",
    ),
    (
        "limits",
        r#"{"wall_ms": 1, "request_bytes_max": 1}"#,
        "missing field",
    ),
    ("proxy", r#""x""#, "unknown field `proxy`"),
];

#[test]
fn an_entry_in_another_form_is_refused() {
    let http = |key: &str, value: Value| {
        let changed = catalogue(|tool| tool["http"][key] = value.clone());
        changed.map(drop).unwrap_err()
    };
    for (key, value, part) in REFUSED {
        let value: Value = serde_json::from_str(value).unwrap();
        let error = http(key, value.clone());
        assert!(error.contains("`http` of `crm.note`: "), "{error}");
        assert!(error.contains(part), "{key} = {value}: {error}");
    }
    let both = catalogue(|tool| tool["exec"] = json!({}))
        .map(drop)
        .unwrap_err();
    assert!(both.contains("has `exec` and `http`"), "{both}");
}

#[test]
fn a_tool_that_sends_an_argument_is_outward() {
    for effect in [
        json!("read"),
        json!("write"),
        json!([{"when": "args.customer == \"1\"", "effect": "read"}, {"effect": "outward"}]),
    ] {
        let error = catalogue(|tool| tool["effect"] = effect.clone());
        let error = error.map(drop).unwrap_err();
        assert!(
            error.contains("sends the argument `customer` to api.example.com"),
            "{error}"
        );
    }
    // What sends nothing may only read.
    let reads = catalogue(|tool| {
        tool["effect"] = json!("read");
        tool["input_schema"] = json!({"type": "object"});
        let http = &mut tool["http"];
        http["path"] = json!("/v2/status");
        http["body"] = json!({"kind": "note"});
    });
    assert!(reads.is_ok());
}

#[test]
fn a_contract_names_the_hosts_of_its_tools() {
    let tools = catalogue(|_| ()).unwrap();
    let error = parsed("", "crm.note", &tools).unwrap_err();
    let problem = "`crm.note` sends to api.example.com, which `hosts` does not name";
    assert!(error.contains(problem), "{error}");
    assert!(
        error.contains("write `hosts = [\"api.example.com\"]`"),
        "{error}"
    );
    let error = parsed("hosts = [\"other.example.com\"]", "crm.note", &tools).unwrap_err();
    assert!(
        error.contains("add \"api.example.com\" to `hosts`"),
        "{error}"
    );
    assert!(parsed("hosts = [\"api.example.com:8443\"]", "crm.note", &tools).is_err());
    // A contract that is about other tools needs none.
    parsed("", "note.read", &tools).unwrap();

    let head = "hosts = [\"b.example.com\", \"api.example.com\"]\nnetworks = [\"10.1.0.0/16\"]";
    let contract = parsed(head, "crm.note", &tools).unwrap();
    let found = envelope(&contract, &tools);
    assert_eq!(found.hosts, ["api.example.com", "b.example.com"]);
    assert_eq!(found.networks, ["10.1.0.0/16"]);
    let text = show(&contract, &tools).text();
    for part in [
        "- Its calls may send to api.example.com and b.example.com, and to no other host.",
        "- These hosts may be in the network 10.1.0.0/16, where nothing is sent to otherwise.",
        "It sends POST to api.example.com.",
    ] {
        assert!(text.contains(part), "{part} is not in:\n{text}");
    }
    let plain = parsed("hosts = [\"api.example.com\"]", "crm.note", &tools).unwrap();
    let rules: Vec<String> = diff(&plain, &contract, &tools)
        .entries
        .iter()
        .map(|entry| entry.rule.to_string())
        .collect();
    assert_eq!(rules, ["hosts", "networks"]);
}

#[test]
fn the_envelope_of_a_contract_without_hosts_has_the_bytes_of_before() {
    let tools = catalogue(|_| ()).unwrap();
    let contract = parsed("", "note.read", &tools).unwrap();
    let bytes = wire::encode(&envelope(&contract, &tools));
    let named = |key: &[u8]| bytes.windows(key.len()).any(|part| part == key);
    assert!(named(b"hosts"));
    assert!(!named(b"networks"));
}
