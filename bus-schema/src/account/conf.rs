//! The text of `nats/accounts.conf`: the accounts as nats-server reads them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{API, BUS, Form, Import, OWN_API, SYS, User, users};

/// The variable of the server's configuration that holds a user's NKey.
#[must_use]
pub fn nkey_variable(user: &str) -> String {
    format!("NKEY_{}", user.to_uppercase().replace('-', "_"))
}

/// The exports of one account: form and subject, and the importing accounts.
type Exports = BTreeMap<(Form, String), BTreeSet<String>>;

/// `nats/accounts.conf`: every account with its user, exports and imports.
#[must_use]
pub fn accounts_conf() -> String {
    accounts_conf_of(&users())
}

/// The same for other users than the real ones.
#[must_use]
pub fn accounts_conf_of(users: &[User]) -> String {
    let mut exports: BTreeMap<String, Exports> = BTreeMap::new();
    for user in users {
        for import in &user.imports {
            let of = exports.entry(import.from.clone()).or_default();
            of.entry((import.form, import.subject.clone()))
                .or_default()
                .insert(user.account());
        }
    }
    let mut text = String::from(
        "# Generated from bus-schema by `just golden`; a test keeps it equal. One account for each identity: what it can\n\
         # reach at all is what it imports. BUS holds the streams; nobody but `provision` is in it.\n\
         include \"local.conf\"\n\naccounts {\n",
    );
    for user in users {
        account(&mut text, user, exports.get(&user.account()));
    }
    let _infallible = writeln!(text, "  {SYS} {{");
    give(&mut text, exports.get(SYS));
    text.push_str("  }\n}\n");
    text
}

/// Puts all users into the account of the streams, each with the subjects that `rights` lists to publish and to
/// subscribe to. No deployment uses it; tests and benchmarks compare with it.
#[must_use]
pub fn one_account_conf(rights: impl Fn(&User) -> (Vec<String>, Vec<String>)) -> String {
    let mut text = format!(
        "include \"local.conf\"\naccounts {{\n  {BUS} {{\n    jetstream {{ max_file: 26GB }}\n    users: [\n"
    );
    for user in users() {
        let (publish, subscribe) = rights(&user);
        let nkey = nkey_variable(user.name);
        // One subject is refused to all: its refusal shows a client that everything before it was checked.
        let _infallible = writeln!(
            text,
            "      {{ nkey: ${nkey}, permissions: {{ publish: {{ allow: {publish:?}, deny: [\"refused.>\"] }}, \
             subscribe: {{ allow: {subscribe:?} }} }} }}"
        );
    }
    // Users in the account of the streams call its API directly.
    let _infallible = write!(
        text,
        "    ]\n    mappings: {{ \"{API}.>\": \"{OWN_API}.>\" }}\n  }}\n  {SYS} {{}}\n}}\n"
    );
    text
}

/// The rights of `user` in one account: its API subjects both as it names them and as they are mapped.
#[must_use]
pub fn rights_in_one_account(user: &User) -> (Vec<String>, Vec<String>) {
    let mapped = user.publish.iter().map(|one| one.replace(API, OWN_API));
    let publish = user.publish.iter().cloned().chain(mapped).collect();
    (publish, user.subscribe.clone())
}

fn account(text: &mut String, user: &User, exports: Option<&Exports>) {
    let name = user.account();
    let _infallible = writeln!(text, "  {name} {{");
    if name == BUS {
        text.push_str(
            "    jetstream { max_mem: 16MB, max_file: 18GB, max_streams: 4, max_consumers: 64 }\n",
        );
    } else if user.jetstream {
        text.push_str(
            "    jetstream { max_mem: 16MB, max_file: 9GB, max_streams: 1, max_consumers: 64 }\n",
        );
    }
    text.push_str("    limits { max_connections: 16, max_subscriptions: 64, max_payload: 1MB }\n");
    let nkey = nkey_variable(user.name);
    let _infallible = writeln!(text, "    users: [ {{ nkey: ${nkey}, permissions: {{");
    list(text, "publish", &user.publish);
    list(text, "subscribe", &user.subscribe);
    text.push_str("    } } ]\n");
    give(text, exports);
    if !user.imports.is_empty() {
        text.push_str("    imports: [\n");
        for import in &user.imports {
            let _infallible = writeln!(text, "      {}", taken(import));
        }
        text.push_str("    ]\n");
    }
    text.push_str("  }\n");
}

/// Writes one list of subjects. Both lists are always present and never empty: without one, all would be allowed.
fn list(text: &mut String, right: &str, subjects: &[String]) {
    let _infallible = writeln!(text, "      {right}: {{ allow: [");
    for subject in subjects {
        let _infallible = writeln!(text, "        \"{subject}\"");
    }
    text.push_str("      ] }\n");
}

fn give(text: &mut String, exports: Option<&Exports>) {
    let Some(exports) = exports else {
        return;
    };
    text.push_str("    exports: [\n");
    for ((form, subject), to) in exports {
        let to = to.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        let export = match form {
            Form::Answer => format!("service: \"{subject}\", accounts: [{to}], threshold: \"10s\""),
            Form::Answers(seconds) => format!(
                "service: \"{subject}\", accounts: [{to}], response_type: stream, threshold: \"{seconds}s\""
            ),
            Form::Stream => format!("stream: \"{subject}\", accounts: [{to}]"),
        };
        let _infallible = writeln!(text, "      {{ {export} }}");
    }
    text.push_str("    ]\n");
}

fn taken(import: &Import) -> String {
    let Import {
        from,
        form,
        subject,
        to,
    } = import;
    let form = match form {
        Form::Answer | Form::Answers(_) => "service",
        Form::Stream => "stream",
    };
    let renamed = if subject == to {
        String::new()
    } else {
        format!(", to: \"{to}\"")
    };
    format!("{{ {form}: {{ account: {from}, subject: \"{subject}\" }}{renamed} }}")
}
