//! Checks the `http` member of a tool's entry.

use contract::{HttpTool, Tool};
use diagnostic::Diagnostic;

use super::{
    members::{Form, Member, members},
    place::Place,
    uses::Uses,
};

/// The members of `http`.
const HTTP_MEMBERS: &[Member] = &[
    (
        "method",
        Form::Text,
        true,
        "add `\"method\": \"GET\"`, or HEAD, POST, PUT, PATCH or DELETE",
    ),
    (
        "host",
        Form::Text,
        true,
        "add `\"host\": \"api.example.com\"`, with `:8443` behind it for another port than 443",
    ),
    (
        "path",
        Form::Text,
        true,
        "add `\"path\": \"/v2/items/{item}\"`, with an argument in braces as a whole name",
    ),
    ("query", Form::List, false, PARAMS),
    ("headers", Form::List, false, PARAMS),
    (
        "body",
        Form::Any,
        false,
        "write JSON in which `{\"$value\": \"name\"}` stands for an argument",
    ),
    (
        "redirects",
        Form::Number,
        false,
        "write how many redirects GET and HEAD may follow, to hosts that the contract names: 0 to 5",
    ),
    (
        "secret",
        Form::Text,
        false,
        "write the name of a secret of `contractual secret list`, such as crm",
    ),
    (
        "wire",
        Form::Text,
        false,
        "run `contractual model add`, which writes it",
    ),
    (
        "answer",
        Form::Object,
        true,
        "add `\"answer\": {\"type\": \"json\", \"fields\": {\"id\": \"/data/id\"}}`",
    ),
    (
        "pages",
        Form::Object,
        false,
        "write `{\"items\": \"/data\", \"next\": \"link\", \"pages_max\": 10}`, or leave it out if an answer has one page",
    ),
    (
        "limits",
        Form::Object,
        true,
        "add `\"limits\": {\"wall_ms\": 10000, \"request_bytes_max\": 65536, \"answer_bytes_max\": 65536}`",
    ),
];
const PARAMS: &str = "write `[{\"name\": \"limit\", \"literal\": \"10\"}, {\"name\": \"page\", \"value\": \"page\"}]`";
/// The members of `answer`.
const ANSWER_MEMBERS: &[Member] = &[
    (
        "status",
        Form::List,
        false,
        "write `\"status\": [200]`, the codes of success",
    ),
    (
        "type",
        Form::Text,
        true,
        "add `\"type\": \"json\"`, or text, events, download or nothing",
    ),
    (
        "fields",
        Form::Object,
        false,
        "write `{\"id\": \"/data/id\"}`, names with JSON Pointers",
    ),
    (
        "tokens",
        Form::List,
        false,
        "write `[\"/usage/total_tokens\"]`, JSON Pointers of numbers",
    ),
    (
        "prices",
        Form::Object,
        false,
        "write `{\"currency\": \"USD\", \"per_million\": [{\"at\": \"/usage/total_tokens\", \"price\": \"3.00\"}]}`",
    ),
];
/// The members of `pages`.
const PAGES_MEMBERS: &[Member] = &[
    (
        "items",
        Form::Text,
        true,
        "add `\"items\": \"/data\"`, the JSON Pointer of the list in a page",
    ),
    (
        "next",
        Form::Any,
        true,
        "add `\"next\": \"link\"`, or `{\"cursor\": {\"at\": \"/next\", \"query\": \"after\"}}`, or \
         `{\"counter\": {\"query\": \"page\", \"start\": 1, \"step\": 1}}`",
    ),
    (
        "pages_max",
        Form::Number,
        true,
        "add `\"pages_max\": 10`, the most pages of a call: 1 to 100",
    ),
];
/// The members of `limits`.
const LIMITS_MEMBERS: &[Member] = &[
    ("wall_ms", Form::Number, true, "add `\"wall_ms\": 10000`"),
    (
        "request_bytes_max",
        Form::Number,
        true,
        "add `\"request_bytes_max\": 65536`",
    ),
    (
        "answer_bytes_max",
        Form::Number,
        true,
        "add `\"answer_bytes_max\": 65536`",
    ),
];

/// Checks the keys of `http`, and of its inner objects.
pub(super) fn fields(place: &Place<'_>, found: &mut Vec<Diagnostic>) {
    let has =
        |place: &Place<'_>, key: &str| place.members().is_some_and(|all| all.contains_key(key));
    let http = place.at(&["http"]);
    if !has(place, "http") || http.members().is_none() {
        return;
    }
    members(&http, HTTP_MEMBERS, found);
    for (key, known) in [
        ("answer", ANSWER_MEMBERS),
        ("pages", PAGES_MEMBERS),
        ("limits", LIMITS_MEMBERS),
    ] {
        let inner = http.at(&[key]);
        if has(&http, key) && inner.members().is_some() {
            members(&inner, known, found);
        }
    }
}

/// Places a problem of the entry, as the catalogue says it, at the member that it is about.
pub(super) fn problem(place: &Place<'_>, problem: &str) -> Option<Diagnostic> {
    let (_, about) = problem.strip_prefix("`http` of `")?.split_once("`: ")?;
    let key = about
        .strip_prefix('`')
        .and_then(|rest| rest.split('`').next());
    let member = HTTP_MEMBERS.iter().find(|(name, ..)| Some(*name) == key);
    let (keys, fix) = match member {
        Some((name, _, _, fix)) => (vec!["http", *name], *fix),
        None => (vec!["http"], "correct this entry"),
    };
    let fix = fix.replacen("add ", "write ", 1);
    Some(place.at(&keys).problem(about, fix))
}

/// Says in a sentence what a call of the tool does besides one request; none if that is all.
pub(super) fn words(tool: &Tool) -> Option<String> {
    let (http, name) = (tool.http()?, tool.name());
    let pages = http
        .pages()
        .map(|pages| format!("a call of `{name}` {pages}"));
    let file =
        |max| format!("a call of `{name}` stores a file of up to {max} bytes that the host sends");
    pages.or_else(|| http.file_bytes_max().map(file))
}

/// Compares the request with the schema of the arguments: each argument is sent, and what every call needs is required.
pub(super) fn meaning(
    place: &Place<'_>,
    tool: &Tool,
    http: &HttpTool,
    found: &mut Vec<Diagnostic>,
) {
    let uses = Uses {
        part: "http",
        verb: "sends",
        at: &["http"],
        names: http.sent().into_iter().collect(),
        unused: |name| {
            format!(
                "put `{{{name}}}` into `path`, add an entry with `\"value\": \"{name}\"` to `query` or `headers`, or \
                 `{{\"$value\": \"{name}\"}}` to `body`; or remove it here"
            )
        },
    };
    uses.compare(place, tool, found);
}
