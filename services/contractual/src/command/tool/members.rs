//! The members of a tool's entry, and what to write for each.

use diagnostic::{Diagnostic, nearest};

use super::place::Place;

/// The form of a member's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Text,
    Number,
    Truth,
    List,
    Object,
    Any,
}

/// A member of an entry: its key, its form, whether it has to be there, and what to write.
pub(super) type Member = (&'static str, Form, bool, &'static str);

/// The members that a program of `exec` and one of `server` have alike.
const PROGRAM: Member = (
    "program",
    Form::Text,
    true,
    "add `\"program\": \"/usr/bin/…\"`, an absolute path",
);
const ARGV0: Member = ("argv0", Form::Text, false, "write the program's own name");
const SHA256: Member = (
    "sha256",
    Form::Object,
    false,
    "remove it: `contractual tool pin` writes it",
);
const ARGV: Member = (
    "argv",
    Form::List,
    true,
    "add `\"argv\": []`, the arguments after the program's name",
);
const LIMITS_OF_A_CALL: Member = (
    "limits",
    Form::Object,
    true,
    "add `\"limits\": {\"wall_ms\": 10000, …}`",
);

/// The members of a tool.
pub(super) const MEMBERS: &[Member] = &[
    ("name", Form::Text, true, "add `\"name\": \"group.verb\"`"),
    (
        "description",
        Form::Text,
        true,
        "add `\"description\": \"…\"`, one sentence for people and models",
    ),
    (
        "input_schema",
        Form::Object,
        true,
        "add the JSON Schema of the arguments: `\"input_schema\": {\"type\": \"object\", \"properties\": {…}}`",
    ),
    (
        "effect",
        Form::Any,
        true,
        "add `\"effect\": \"read\"`, \"write\", \"tell\" or \"outward\"",
    ),
    (
        "output",
        Form::Any,
        true,
        "add `\"output\": \"untrusted\"`, or \"trusted\" if nobody else writes what the tool returns",
    ),
    (
        "output_schema",
        Form::Any,
        false,
        "write the JSON Schema of the results",
    ),
    (
        "risk",
        Form::Text,
        false,
        "write \"low\", \"medium\" or \"high\"",
    ),
    ("idempotent", Form::Truth, false, "write true or false"),
    (
        "exec",
        Form::Object,
        false,
        "write `\"exec\": {\"program\": …, \"argv\": […], \"writable\": false, \"limits\": {…}}`",
    ),
    (
        "mcp",
        Form::Object,
        false,
        "run `contractual tool import`, which writes it",
    ),
    (
        "http",
        Form::Object,
        false,
        "write `\"http\": {\"method\": \"GET\", \"host\": …, \"path\": …, \"answer\": {…}, \"limits\": {…}}`",
    ),
];

/// The members of `mcp`.
pub(super) const MCP_MEMBERS: &[Member] = &[
    (
        "server",
        Form::Object,
        true,
        "add `\"server\": {\"program\": …, \"argv\": […], \"writable\": false, \"limits\": {…}}`",
    ),
    (
        "tool",
        Form::Text,
        true,
        "add `\"tool\": \"…\"`, the name by which the server lists it",
    ),
    (
        "listed",
        Form::Text,
        true,
        "run `contractual tool import`, which writes it",
    ),
];

/// The members of `server`.
pub(super) const SERVER_MEMBERS: &[Member] = &[
    PROGRAM,
    ARGV0,
    SHA256,
    (
        "packages",
        Form::Object,
        false,
        "write `{\"/opt/…\": \"\"}`; `contractual tool pin` fills the digests in",
    ),
    ARGV,
    ("env", Form::Object, false, "write `{\"NAME\": \"value\"}`"),
    (
        "folders",
        Form::List,
        false,
        "write `[\"/srv/…\"]`, absolute paths outside of the workspace",
    ),
    (
        "paths",
        Form::List,
        false,
        "write `[{\"path\": \"notes\", \"write\": true}]`",
    ),
    (
        "writable",
        Form::Truth,
        true,
        "add `\"writable\": false`, or true if the server may write",
    ),
    LIMITS_OF_A_CALL,
    (
        "idle_ms",
        Form::Number,
        false,
        "write the time without calls after which it is stopped, in milliseconds",
    ),
];

/// The members of `exec`.
pub(super) const EXEC_MEMBERS: &[Member] = &[
    PROGRAM,
    ARGV0,
    SHA256,
    ARGV,
    (
        "writable",
        Form::Truth,
        true,
        "add `\"writable\": false`, or true if the program may write",
    ),
    (
        "folders",
        Form::List,
        false,
        "write `\"folders\": [\"/srv/data\"]`, the folders outside of the workspace that the program may read",
    ),
    LIMITS_OF_A_CALL,
];

/// The members of `limits`.
pub(super) const LIMITS: &[Member] = &[
    ("wall_ms", Form::Number, true, "add `\"wall_ms\": 10000`"),
    (
        "cpu_ms_max",
        Form::Number,
        true,
        "add `\"cpu_ms_max\": 10000`",
    ),
    (
        "output_bytes_max",
        Form::Number,
        true,
        "add `\"output_bytes_max\": 65536`",
    ),
    (
        "memory_bytes_max",
        Form::Number,
        true,
        "add `\"memory_bytes_max\": 268435456`",
    ),
    (
        "processes_max",
        Form::Number,
        true,
        "add `\"processes_max\": 8`",
    ),
    (
        "file_bytes_max",
        Form::Number,
        true,
        "add `\"file_bytes_max\": 1048576`",
    ),
    (
        "files_open_max",
        Form::Number,
        true,
        "add `\"files_open_max\": 64`",
    ),
    (
        "added_bytes_max",
        Form::Number,
        false,
        "write a number of bytes",
    ),
    (
        "added_files_max",
        Form::Number,
        false,
        "write a number of files",
    ),
];

/// Checks that an object has the known members, each in its form, and no others.
pub(super) fn members(place: &Place<'_>, known: &[Member], found: &mut Vec<Diagnostic>) {
    let Some(written) = place.members() else {
        found.push(place.problem("this is not an object", "write `{…}`"));
        return;
    };
    for (key, value) in &written {
        let Some((_, form, _, fix)) = known.iter().find(|(name, ..)| *name == key.as_str()) else {
            let similar = nearest(key, known.iter().map(|(name, ..)| *name));
            let fix = similar.map_or_else(
                || "remove it".to_owned(),
                |name| format!("did you mean `{name}`?"),
            );
            found.push(value.problem(format!("there is no member `{key}` here"), fix));
            continue;
        };
        if !form.fits(value.json()) {
            let problem = format!("`{key}` is not {}", form.words());
            found.push(value.problem(problem, fix.replacen("add ", "write ", 1)));
        }
    }
    for (key, _, required, fix) in known {
        if *required && !written.contains_key(*key) {
            found.push(place.problem(format!("`{key}` is missing"), *fix));
        }
    }
}

impl Form {
    fn fits(self, json: &str) -> bool {
        let first = json.bytes().next().unwrap_or_default();
        match self {
            Self::Text => first == b'"',
            Self::Number => first == b'-' || first.is_ascii_digit(),
            Self::Truth => matches!(json, "true" | "false"),
            Self::List => first == b'[',
            Self::Object => first == b'{',
            Self::Any => true,
        }
    }

    const fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Number => "a number",
            Self::Truth => "true or false",
            Self::List => "a list",
            Self::Object => "an object",
            Self::Any => "a value",
        }
    }
}
