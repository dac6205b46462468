//! Tests entries of tools whose answers have pages.

use contract::{Catalogue, Contract, envelope, show};
use serde_json::{Value, json};

fn catalogue(change: impl Fn(&mut Value)) -> Result<Catalogue, String> {
    let mut tool = json!({
        "name": "crm.list", "description": "Lists notes.", "effect": "tell", "risk": "low", "output": "untrusted",
        "input_schema": {
            "type": "object", "additionalProperties": false,
            "properties": {"customer": {"type": "string"}}, "required": ["customer"],
        },
        "http": {
            "method": "GET", "host": "api.example.com", "path": "/v2/customers/{customer}/notes",
            "query": [{"name": "by", "literal": "me"}],
            "answer": {"type": "json"},
            "pages": {"items": "/data", "next": "link", "pages_max": 20},
            "limits": {"wall_ms": 10_000, "request_bytes_max": 100, "answer_bytes_max": 10_000},
        },
    });
    change(&mut tool);
    Catalogue::parse(json!([tool]).to_string().as_bytes()).map_err(|error| error.to_string())
}

fn counter(member: &str, value: u32) -> Value {
    let mut counter = json!({"query": "page", "start": 1, "step": 1});
    counter[member] = json!(value);
    json!({ "counter": counter })
}

#[test]
fn pages_have_one_form() {
    let with = |member: &str, value: &Value| {
        let changed = catalogue(|tool| tool["http"]["pages"][member] = value.clone());
        changed.map(drop)
    };
    let cursor = |at: &str, query: &str| json!({"cursor": {"at": at, "query": query}});
    for (member, value) in [
        ("items", json!("")),
        ("pages_max", json!(1)),
        ("pages_max", json!(100)),
        ("next", cursor("/meta/next", "after")),
        ("next", counter("start", 0)),
        ("next", counter("full", 1)),
    ] {
        with(member, &value).unwrap();
    }
    for (member, value, problem) in [
        ("items", json!("data"), "`pages` have the place \"data\""),
        (
            "pages_max",
            json!(0),
            "`pages_max` out of its range; choose 1 to 100",
        ),
        ("pages_max", json!(101), "`pages_max` out of its range"),
        ("pages_max", json!(-1), "invalid value"),
        ("next", json!("body"), "unknown variant `body`"),
        ("next", cursor("next", "after"), "have the place \"next\""),
        ("next", cursor("/next", ""), "a parameter without a name"),
        ("next", cursor("/next", "by"), "which `query` has as well"),
        (
            "next",
            json!({"cursor": {"at": "/next"}}),
            "missing field `query`",
        ),
        ("next", counter("step", 0), "the `step` 0"),
        ("next", counter("full", 0), "0 items in a `full` page"),
        ("next", counter("limit", 1), "unknown field `limit`"),
        ("next_max", json!(1), "unknown field `next_max`"),
    ] {
        let error = with(member, &value).unwrap_err();
        assert!(error.contains(problem), "{problem}: {error}");
    }
}

#[test]
fn only_calls_that_change_nothing_read_pages() {
    catalogue(|_| ()).unwrap();
    for (member, value, problem) in [
        (
            "method",
            json!("POST"),
            "are read with GET alone, and not with POST",
        ),
        ("method", json!("HEAD"), "not with HEAD"),
        ("method", json!("DELETE"), "not with DELETE"),
        ("redirects", json!(1), "leave `redirects` out"),
        (
            "answer",
            json!({"type": "text"}),
            "an answer of the type \"json\"",
        ),
        (
            "answer",
            json!({"type": "json", "tokens": ["/used"]}),
            "without `tokens`",
        ),
    ] {
        let changed = catalogue(|tool| {
            if value == "HEAD" {
                tool["http"]["answer"] = json!({"type": "nothing"});
            }
            tool["http"][member] = value.clone();
        });
        let error = changed.unwrap_err();
        assert!(error.contains(problem), "{problem}: {error}");
    }
    for effect in [
        json!("outward"),
        json!([{"when": "args.customer == \"7\"", "effect": "outward"}, {"effect": "tell"}]),
    ] {
        let error = catalogue(|tool| tool["effect"] = effect.clone()).unwrap_err();
        assert!(
            error.contains("only calls that change nothing read `pages`"),
            "{error}"
        );
    }
    catalogue(|tool| {
        tool["effect"] = json!("read");
        tool["http"]["path"] = json!("/v2/notes");
        tool["input_schema"] = json!({"type": "object", "additionalProperties": false});
    })
    .unwrap();
}

#[test]
fn the_first_request_has_the_beginning_of_a_counter() {
    let tools = catalogue(|tool| tool["http"]["pages"]["next"] = counter("start", 0)).unwrap();
    let http = tools.get("crm.list").unwrap().http().unwrap();
    let request = http
        .request(json!({"customer": "7"}).as_object().unwrap())
        .unwrap();
    let url = "https://api.example.com/v2/customers/7/notes?by=me&page=0";
    assert_eq!(request.url.to_string(), url);
}

#[test]
fn a_contract_says_that_a_call_reads_pages() {
    for (next, words) in [
        (
            json!("link"),
            "the next page is at the link with the relation \"next\".",
        ),
        (
            json!({"cursor": {"at": "/next", "query": "after"}}),
            "the next page is asked for with the value at \"/next\" as the parameter \"after\".",
        ),
        (
            counter("full", 50),
            "with the parameter \"page\", from 1 in steps of 1, until a page is empty or has fewer than 50 items.",
        ),
    ] {
        let tools = catalogue(|tool| tool["http"]["pages"]["next"] = next.clone()).unwrap();
        let text = crate::text(
            "hosts = [\"api.example.com\"]\n\n[[allow]]\ntool = \"crm.list\"\nuntrusted = \"ask\"\n",
        );
        let contract = Contract::parse("c.toml", &text, &tools).unwrap();
        let shown = show(&contract, &tools).text();
        for part in [
            "It reads up to 20 pages, each with one request, and returns the list at \"/data\" of each page as one;",
            words,
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }
}

#[test]
fn a_download_has_bounds_of_its_own() {
    let of = |kind: &str, bytes: u64| {
        catalogue(|tool| {
            let http = tool["http"].as_object_mut().unwrap();
            http.remove("pages");
            http["answer"] = json!({ "type": kind });
            http["limits"]["answer_bytes_max"] = json!(bytes);
        })
    };
    let (most, content) = (1 << 30, 4 << 20);
    let tools = of("download", most).unwrap();
    assert!(of("text", content).is_ok());
    for (kind, bytes) in [("download", most + 1), ("text", content + 1)] {
        let error = of(kind, bytes).unwrap_err();
        assert!(
            error.contains("`answer_bytes_max` out of its range"),
            "{error}"
        );
    }
    let error = catalogue(|tool| tool["http"]["answer"] = json!({"type": "download"}));
    assert!(
        error
            .unwrap_err()
            .contains("need an answer of the type \"json\"")
    );
    // The bytes of the file count as output, so a contract that says nothing of them permits 16 MiB.
    for (limit, most) in [
        ("", 16 << 20),
        ("output_bytes = 5000000\n", 5_000_000),
        ("output_bytes = 2000000000\n", most + (1 << 20)),
    ] {
        let head = format!("hosts = [\"api.example.com\"]\n\n[limits]\n{limit}");
        let text = crate::text(&format!("{head}\n[[allow]]\ntool = \"crm.list\"\n"));
        let contract = Contract::parse("c.toml", &text, &tools).unwrap();
        assert_eq!(
            u64::from(envelope(&contract, &tools).output_bytes_max),
            most,
            "{text}"
        );
        let shown = show(&contract, &tools).text();
        assert!(
            shown.contains("It stores a file of up to 1 GiB that the host sends."),
            "{shown}"
        );
    }
}
