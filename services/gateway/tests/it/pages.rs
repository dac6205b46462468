//! Pages: who may read them, their headers, and what ui cannot choose.

use bus_schema::{PAGE_BYTES_MAX, ShownPage};

use crate::world::{Answer, NAME, World};

const PATHS: [&str; 13] = [
    "/",
    "/new",
    "/tasks",
    "/tasks/00000000-0000-0000-0000-000000000001",
    "/contracts",
    "/contracts/filing",
    "/jobs",
    "/secrets",
    "/tools",
    "/models",
    "/devices",
    "/audit?kind=action.",
    "/settings",
];

fn shown(status: u16, body: &str) -> ShownPage {
    ShownPage {
        status,
        validator: "a".repeat(64),
        body: body.into(),
    }
}

/// Checks the headers of every page.
fn is_page(answer: &Answer) {
    for header in [
        "content-type: text/html; charset=utf-8",
        "cache-control: no-store",
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: same-origin",
        "cross-origin-opener-policy: same-origin",
        "cross-origin-resource-policy: same-origin",
    ] {
        assert!(answer.head.contains(header), "{header}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_page_has_the_headers_of_the_gateway() {
    let world = World::start().await;
    world.stream().page = Some(shown(200, "<p>hello"));
    for path in PATHS {
        let answer = world.get(path).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "<p>hello"),
            "{path}"
        );
        is_page(&answer);
        let tag = format!("etag: \"{}\"", "a".repeat(64));
        assert!(answer.head.contains(&tag), "{}", answer.head);
    }
    let asked = world.stream().asked.clone();
    let asked = asked.iter().map(|one| match one.query.as_str() {
        "" => one.path.clone(),
        query => format!("{}?{query}", one.path),
    });
    assert_eq!(asked.collect::<Vec<_>>(), PATHS);
}

#[tokio::test]
async fn a_page_without_access_says_how_to_pair_and_asks_ui_nothing() {
    let world = World::start().await;
    world.stream().page = Some(shown(200, "<p>hello"));
    for path in PATHS {
        let answer = world.ask(&format!("GET {path}"), &[], "").await;
        assert_eq!(answer.status, 401, "{path}");
        is_page(&answer);
        assert!(answer.head.contains("www-authenticate: contractual"));
        assert!(answer.body.contains("contractual pair"), "{}", answer.body);
    }
    assert_eq!(world.stream().asked.len(), 0);
    let live = world.ask("GET /live", &[], "").await;
    assert_eq!((live.status, live.problem().as_str()), (401, "no-access"));
}

#[tokio::test]
async fn a_page_of_another_host_or_for_another_site_is_refused() {
    let world = World::start().await;
    let access = world.access();
    for (header, status) in [
        ("Host: other.example.ts.net".to_owned(), 421),
        ("Origin: https://other.example.ts.net".to_owned(), 403),
        ("Origin: null".to_owned(), 403),
        (format!("Host: {NAME}."), 421),
    ] {
        let answer = world.ask("GET /", &[&access, &header], "").await;
        assert_eq!(answer.status, status, "{header}: {answer:?}");
    }
    assert_eq!(world.stream().asked.len(), 0);
}

#[tokio::test]
async fn the_validator_of_a_reader_reaches_ui_and_nothing_else_does() {
    let world = World::start().await;
    world.stream().page = Some(shown(304, ""));
    let (access, tag) = (world.access(), "b".repeat(64));
    for (sent, known) in [
        (format!("\"{tag}\""), Some(tag.clone())),
        (format!("W/\"{tag}\""), Some(tag.clone())),
        ("*".to_owned(), None),
        (format!("\"{}\"", "x".repeat(64)), None),
        (format!("\"{tag}\", \"{tag}\""), None),
    ] {
        let header = format!("If-None-Match: {sent}");
        let answer = world.ask("GET /tasks", &[&access, &header], "").await;
        assert_eq!((answer.status, answer.body.as_str()), (304, ""));
        assert_eq!(world.stream().asked.last().unwrap().known, known, "{sent}");
    }
}

#[tokio::test]
async fn a_lying_ui_chooses_no_status_and_no_header() {
    let world = World::start().await;
    let mut pages: Vec<ShownPage> = [101, 204, 301, 302, 401, 500, 503, 999]
        .map(|status| shown(status, "<p>hello"))
        .into();
    for validator in ["", "x\r\nset-cookie: a=b", "\"", "é"] {
        let validator = validator.to_owned();
        pages.push(ShownPage {
            validator,
            ..shown(200, "<p>hello")
        });
    }
    pages.push(shown(200, &"x".repeat(PAGE_BYTES_MAX + 1)));
    for page in pages {
        let status = page.status;
        world.stream().page = Some(page);
        let answer = world.get("/").await;
        assert_eq!(answer.status, 503, "{status}: {}", answer.head);
        assert!(!answer.head.contains("set-cookie"), "{}", answer.head);
        is_page(&answer);
    }
}

#[tokio::test]
async fn without_ui_a_page_says_so() {
    let world = World::start().await;
    let answer = world.get("/tasks").await;
    assert_eq!(answer.status, 503);
    is_page(&answer);
    assert!(answer.head.contains("retry-after: 5"), "{}", answer.head);
    assert!(
        answer.body.contains("contractual health ui"),
        "{}",
        answer.body
    );
}

#[tokio::test]
async fn an_asset_is_read_without_access_and_kept_for_ever() {
    let world = World::start().await;
    for asset in [page::Asset::style(), page::Asset::script()] {
        let answer = world.ask(&format!("GET {}", asset.path), &[], "").await;
        assert_eq!((answer.status, answer.body.as_str()), (200, asset.bytes));
        for header in ["immutable", "nosniff", asset.kind] {
            assert!(answer.head.contains(header), "{}", answer.head);
        }
    }
    let gone = world
        .ask("GET /assets/app-0000000000000000.js", &[], "")
        .await;
    assert_eq!(gone.problem(), "not-found");
    let other = world.ask("GET /assets/%2e%2e%2fCargo.toml", &[], "").await;
    assert_eq!(other.problem(), "not-found");
}

#[tokio::test]
async fn a_long_address_is_refused_before_ui_is_asked() {
    let world = World::start().await;
    for path in [
        format!("/contracts/{}", "a".repeat(600)),
        format!("/audit?kind={}", "a".repeat(600)),
    ] {
        assert_eq!(world.get(&path).await.problem(), "malformed");
    }
    assert_eq!(world.stream().asked.len(), 0);
}
