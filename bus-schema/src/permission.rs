//! The permissions: what each NATS user may publish and subscribe to, and not one subject more.

use std::fmt::Write as _;

use crate::{
    AUDIT, AuthorId, BLOBS, CALLS, Event as _, FACTS, Head, Live, RosterChanged, STREAMS, TRIGGERS,
};

/// The authors that are processes on the bus, in the order in which they start.
pub const ACTORS: &[AuthorId] = &[
    AuthorId::Audit,
    AuthorId::Policy,
    AuthorId::Runner,
    AuthorId::Worker,
    AuthorId::Gateway,
];

/// Whose contents an author may read.
const fn contents_of(reader: AuthorId) -> &'static [AuthorId] {
    match reader {
        AuthorId::Owner | AuthorId::Gateway => &[
            AuthorId::Owner,
            AuthorId::Gateway,
            AuthorId::Worker,
            AuthorId::Policy,
            AuthorId::Runner,
        ],
        AuthorId::Policy => &[
            AuthorId::Owner,
            AuthorId::Gateway,
            AuthorId::Worker,
            AuthorId::Runner,
        ],
        AuthorId::Worker => &[AuthorId::Gateway, AuthorId::Runner],
        AuthorId::Runner => &[AuthorId::Worker],
        AuthorId::Audit => &[],
    }
}

/// A NATS user with its exact permissions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name; the NKey stands in the deployment's own configuration.
    pub name: &'static str,
    /// The subjects it may publish to.
    pub publish: Vec<String>,
    /// The subjects among those that it may not publish to all the same.
    pub deny: Vec<String>,
    /// The subjects it may subscribe to.
    pub subscribe: Vec<String>,
}

/// Every user there is: the owner's command line, the actors, and the three identities of people and programs
/// outside.
#[must_use]
pub fn users() -> Vec<User> {
    let mut users = vec![author(AuthorId::Owner)];
    users.extend(ACTORS.iter().map(|id| author(*id)));
    users.extend([provision(), audit_reader(), trigger()]);
    for user in &mut users {
        user.publish.sort();
        user.publish.dedup();
        user.deny.sort();
        user.subscribe.push(format!("_INBOX.{}.>", user.name));
        user.subscribe.sort();
    }
    users
}

fn author(id: AuthorId) -> User {
    let mut publish = Vec::new();
    let mut subscribe = Vec::new();
    for spec in FACTS.iter().filter(|spec| spec.by.contains(&id)) {
        let scope = if spec.of_task { "*" } else { "-" };
        publish.push(format!("event.{id}.{scope}.{}", spec.kind));
    }
    if id != AuthorId::Audit {
        publish.push(format!("blob.{id}.*.*"));
    }
    for of in contents_of(id) {
        publish.push(format!("$JS.API.DIRECT.GET.{BLOBS}.blob.{of}.>"));
    }
    if id == AuthorId::Owner {
        publish.push(format!("$JS.API.DIRECT.GET.{AUDIT}"));
        publish.push(format!("$JS.API.DIRECT.GET.{AUDIT}.>"));
    } else {
        for verb in ["INFO", "MSG.NEXT", "RESET"] {
            publish.push(format!("$JS.API.CONSUMER.{verb}.{AUDIT}.{id}"));
        }
    }
    if Head::BY == id {
        publish.push(Head::subject());
    }
    if Head::TO.contains(&id) {
        subscribe.push(Head::subject());
    }
    for call in CALLS {
        for caller in call.from {
            let subject = format!("call.{}.{caller}.{}", call.to, call.verb);
            if *caller == id {
                publish.push(subject);
            } else if call.to == id {
                subscribe.push(subject);
                publish.push(format!("_INBOX.{caller}.>"));
            }
        }
    }
    User {
        name: id.name(),
        publish,
        deny: Vec::new(),
        subscribe,
    }
}

/// Creates what there is to create, under a key that is not mounted afterwards.
fn provision() -> User {
    let mut publish = vec![
        "$JS.API.INFO".to_owned(),
        format!("event.{}.-.{}", AuthorId::Owner, RosterChanged::KIND),
    ];
    for stream in STREAMS {
        for verb in ["CREATE", "INFO", "UPDATE"] {
            publish.push(format!("$JS.API.STREAM.{verb}.{}", stream.name));
        }
    }
    publish.push(format!("$JS.API.CONSUMER.CREATE.{AUDIT}.*"));
    publish.push(format!("$JS.API.CONSUMER.CREATE.{AUDIT}.*.>"));
    publish.push(format!("$JS.API.CONSUMER.INFO.{AUDIT}.*"));
    publish.push(format!("$JS.API.DIRECT.GET.{AUDIT}"));
    publish.push(format!("$JS.API.DIRECT.GET.{AUDIT}.>"));
    // Erasing content is deleting it here; nothing else can be deleted by anybody.
    publish.push(format!("$JS.API.STREAM.PURGE.{BLOBS}"));
    User {
        name: "provision",
        publish,
        deny: Vec::new(),
        subscribe: Vec::new(),
    }
}

/// Reads `AUDIT` with the plain `nats` command line.
fn audit_reader() -> User {
    let publish = vec![
        format!("$JS.API.CONSUMER.CREATE.{AUDIT}.*"),
        format!("$JS.API.CONSUMER.CREATE.{AUDIT}.*.>"),
        format!("$JS.API.CONSUMER.INFO.{AUDIT}.*"),
        format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.*"),
        format!("$JS.API.DIRECT.GET.{AUDIT}"),
        format!("$JS.API.DIRECT.GET.{AUDIT}.>"),
        format!("$JS.API.STREAM.INFO.{AUDIT}"),
        "$JS.API.STREAM.LIST".to_owned(),
        "$JS.API.STREAM.NAMES".to_owned(),
    ];
    let mut deny = Vec::new();
    for actor in ACTORS {
        // To create a consumer that exists is to change it: a narrower filter would hide facts from its owner.
        deny.push(format!("$JS.API.CONSUMER.CREATE.{AUDIT}.{actor}"));
        deny.push(format!("$JS.API.CONSUMER.CREATE.{AUDIT}.{actor}.>"));
        // To pull for somebody else is to take messages away from it.
        deny.push(format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.{actor}"));
    }
    User {
        name: "audit-reader",
        publish,
        deny,
        subscribe: Vec::new(),
    }
}

/// Publishes triggers with the plain `nats` command line.
fn trigger() -> User {
    User {
        name: "trigger",
        publish: vec![
            "trigger.cli.*".to_owned(),
            format!("$JS.API.STREAM.INFO.{TRIGGERS}"),
        ],
        deny: Vec::new(),
        subscribe: Vec::new(),
    }
}

/// The variable of the server's configuration that holds a user's NKey.
#[must_use]
pub fn nkey_variable(user: &str) -> String {
    format!("NKEY_{}", user.to_uppercase().replace('-', "_"))
}

/// The variable of `nats/permissions.conf` that holds a user's permissions.
#[must_use]
pub fn permissions_variable(user: &str) -> String {
    format!("PERMISSIONS_{}", user.to_uppercase().replace('-', "_"))
}

/// `nats/permissions.conf`: one variable for each user. Users and keys stand elsewhere, because an included
/// file cannot see the variables of the file that includes it.
#[must_use]
pub fn permissions_conf() -> String {
    let mut text = String::from(
        "# Generated from bus-schema by `just golden`; a test keeps it equal.\n\
         # Both lists are always there and never empty: without one, everything would be allowed.\n",
    );
    for user in users() {
        let _infallible = writeln!(text, "{}: {{", permissions_variable(user.name));
        text.push_str("  publish: {\n");
        list(&mut text, "allow", &user.publish);
        if !user.deny.is_empty() {
            list(&mut text, "deny", &user.deny);
        }
        text.push_str("  }\n  subscribe: {\n");
        list(&mut text, "allow", &user.subscribe);
        text.push_str("  }\n");
        text.push_str("}\n");
    }
    text
}

fn list(text: &mut String, right: &str, subjects: &[String]) {
    let _infallible = writeln!(text, "    {right}: [");
    for subject in subjects {
        let _infallible = writeln!(text, "      \"{subject}\"");
    }
    text.push_str("    ]\n");
}
