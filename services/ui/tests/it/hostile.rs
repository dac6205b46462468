//! Hostile texts: whatever anybody writes, no page has markup, a link or an invisible character of it.

use diagnostic::is_hidden;

use crate::story::Story;

/// Texts that are dangerous in some place of a page.
const CORPUS: [&str; 9] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</pre></code></details><svg onload=alert(1)>",
    "</title><iframe srcdoc=\"<script>alert(1)</script>\">",
    "javascript:alert(1)//data:text/html,<b>",
    "{{7*7}}${7*7}<!--<base href=//x.example>",
    "pay\u{202e}gnp.exe\u{2066}a\u{200b}b\u{e0041}\u{feff}c\u{ad}",
    "a\0b\u{1b}[2Jc\u{85}d\u{2028}e\rf",
];
/// The elements of pages.
const ELEMENTS: &str = "a article body button code dd details div dl dt footer form h1 h2 h3 head header html i input label \
    li link main meta nav ol option p pre script section select span strong summary time title ul";
/// The attributes of pages.
const ATTRIBUTES: &str = "action aria-current aria-hidden aria-label autocomplete charset class content data-seq datetime \
    defer href id lang method name open rel role selected spellcheck src start tabindex title type value";

/// Each tag of a document: the name of the element, and its attributes.
fn tags(html: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut tags = Vec::new();
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        rest = &rest[at + 1..];
        if rest.starts_with('/') || rest.starts_with("!DOCTYPE") {
            continue;
        }
        let end = rest.find(['>', ' ']).unwrap();
        let name = rest[..end].to_owned();
        rest = &rest[end..];
        let mut attributes = Vec::new();
        while !rest.starts_with('>') {
            rest = rest.trim_start();
            let end = rest.find(['=', '>', ' ']).unwrap();
            let attribute = rest[..end].to_owned();
            rest = &rest[end..];
            let mut value = String::new();
            if let Some(quoted) = rest.strip_prefix("=\"") {
                let end = quoted.find('"').unwrap();
                value = quoted[..end].to_owned();
                rest = &quoted[end + 1..];
            } else if let Some(bare) = rest.strip_prefix('=') {
                let end = bare.find([' ', '>']).unwrap();
                value = bare[..end].to_owned();
                rest = &bare[end..];
            }
            attributes.push((attribute, value));
        }
        tags.push((name, attributes));
    }
    tags
}

fn check(address: &str, html: &str) {
    let hidden: Vec<char> = html
        .chars()
        .filter(|c| !matches!(c, '\n' | '\t'))
        .filter(|c| is_hidden(*c))
        .collect();
    assert!(hidden.is_empty(), "{address}: {hidden:?}");
    let known = |list: &str, name: &str| list.split_whitespace().any(|one| one == name);
    for (element, attributes) in tags(html) {
        assert!(known(ELEMENTS, &element), "{address}: <{element}>: {html}");
        for (name, value) in attributes {
            assert!(known(ATTRIBUTES, &name), "{address}: {element} {name}");
            if matches!(name.as_str(), "href" | "src" | "action") {
                let is_own = value.starts_with('/') && !value.starts_with("//");
                assert!(
                    is_own || value == "#main" || value == "data:,",
                    "{address}: {value}"
                );
            }
        }
    }
}

#[test]
fn nothing_that_anybody_wrote_is_markup_on_any_page() {
    for text in CORPUS {
        let story = Story::of(text);
        for address in Story::addresses() {
            check(&address, &story.world.page(&address));
        }
    }
}

#[test]
fn addresses_are_not_repeated_on_pages_as_markup() {
    let story = Story::of("quiet");
    for text in CORPUS {
        let encoded: String = url::form_urlencoded::byte_serialize(text.as_bytes()).collect();
        for address in [
            format!("/audit?kind={encoded}"),
            format!("/audit?kind={text}"),
            format!("/tasks/{text}"),
            format!("/{encoded}"),
        ] {
            let page = story.world.ask(&address, None);
            check(&address, &String::from_utf8(page.body).unwrap());
        }
    }
}

#[test]
fn the_parser_of_this_test_finds_what_it_looks_for() {
    let found = tags("<p id=\"x\">&lt;b&gt;<img src=x onerror=alert(1)></p>");
    assert_eq!(found.len(), 2);
    assert_eq!(found[1].0, "img");
    assert_eq!(found[1].1[1].0, "onerror");
}

#[test]
fn a_text_is_shown_with_everything_that_is_in_it() {
    let story = Story::of("pay\u{202e}gnp.exe\u{200b}!");
    for address in ["/", "/contracts/filing", "/tools"] {
        let html = story.world.page(address);
        assert!(
            html.contains("\\u{202e}</span>gnp.exe"),
            "{address}: {html}"
        );
    }
}

#[test]
fn a_page_of_long_texts_fits_and_says_what_is_cut() {
    let long = "<\u{200b}>".repeat(6_000);
    let story = Story::of(&long);
    for address in Story::addresses() {
        let page = story.world.ask(&address, None);
        assert!(page.body.len() <= bus_schema::PAGE_BYTES_MAX, "{address}");
        assert_eq!(page.status, 200, "{address}");
    }
}
