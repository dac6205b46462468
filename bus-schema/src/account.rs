//! The accounts: one for each identity. What an identity can reach at all is what its account imports; what its user
//! may name are the subjects of two lists.
//!
//! NATS does not check the reply subject of a request: the server sends its answer there with the rights of the
//! account that the answer comes from. So the streams lie in an account that no actor is in, and an answer reaches
//! nobody but whoever asked.

mod conf;

use crate::{
    ACTORS, AUDIT, AuthorId, BLOBS, CALLS, Chain, FACTS, Head, Live, RosterChanged, STREAMS,
    Subject, TRIGGERS, stream,
};

pub use crate::stream::API;
pub use conf::{
    accounts_conf, accounts_conf_of, nkey_variable, one_account_conf, rights_in_one_account,
};

/// The account that holds the streams.
pub const BUS: &str = "BUS";
/// The server's own account; it has no user.
const SYS: &str = "SYS";
/// The JetStream API of the own account.
pub const OWN_API: &str = "$JS.API";
/// The name under which the server can be watched, and what may be asked of it.
pub const WATCHER: &str = "sys";
const WATCHED: [&str; 4] = ["CONNZ", "HEALTHZ", "JSZ", "VARZ"];

/// What crosses from one account to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A request with one answer.
    Answer,
    /// A request with many answers, the last one within this many seconds.
    Answers(u8),
    /// Messages that the exporting account publishes.
    Stream,
}

/// One thing that an account takes from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The account that exports it.
    pub from: String,
    /// What it is.
    pub form: Form,
    /// Its subject there.
    pub subject: String,
    /// Its subject here.
    pub to: String,
}

/// An identity: a user alone in its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name; the NKey stands in the deployment's own configuration.
    pub name: &'static str,
    /// The subjects it may publish to.
    pub publish: Vec<String>,
    /// The subjects it may subscribe to.
    pub subscribe: Vec<String>,
    /// What its account takes from others.
    pub imports: Vec<Import>,
    /// Whether its account holds streams.
    pub jetstream: bool,
}

impl User {
    const fn new(name: &'static str) -> Self {
        Self {
            name,
            publish: Vec::new(),
            subscribe: Vec::new(),
            imports: Vec::new(),
            jetstream: false,
        }
    }

    /// The name of its account.
    #[must_use]
    pub fn account(&self) -> String {
        match self.name {
            "provision" => BUS.to_owned(),
            // The server's own account has that name.
            WATCHER => "WATCHER".to_owned(),
            name => account_of(name),
        }
    }

    /// Where it asks the JetStream API that it may ask.
    #[must_use]
    pub fn api(&self) -> &'static str {
        api_of(self.name)
    }

    /// May put messages of `family`, a subject with wildcards, into a stream. A literal one would have the server
    /// store answers under it.
    fn stores(&mut self, family: String) {
        self.takes(BUS.to_owned(), Form::Answer, family);
    }

    /// Imports a subject under its own name.
    fn takes(&mut self, from: String, form: Form, subject: String) {
        self.imports.push(Import {
            from,
            form,
            to: subject.clone(),
            subject,
        });
    }

    /// May ask `verb` of the JetStream API of [`BUS`].
    fn asks(&mut self, verb: &str, form: Form) {
        let to = format!("{API}.{verb}");
        self.publish.push(to.clone());
        self.imports.push(Import {
            from: BUS.to_owned(),
            form,
            subject: format!("{OWN_API}.{verb}"),
            to,
        });
    }

    /// May read and put back the consumer of its name.
    fn pulls(&mut self) {
        let name = self.name;
        self.asks(&format!("CONSUMER.INFO.{AUDIT}.{name}"), Form::Answer);
        self.asks(&format!("CONSUMER.RESET.{AUDIT}.{name}"), Form::Answer);
        self.asks(
            &format!("CONSUMER.MSG.NEXT.{AUDIT}.{name}"),
            Form::Answers(stream::PULL_ANSWERS_SECONDS),
        );
    }

    /// May read single messages and batches of `AUDIT`.
    fn reads(&mut self) {
        self.asks(&format!("DIRECT.GET.{AUDIT}"), Form::Answers(5));
        self.asks(&format!("DIRECT.GET.{AUDIT}.>"), Form::Answers(5));
    }

    fn hears_or_says<L: Live>(&mut self, me: AuthorId) {
        let subject = L::subject();
        if L::BY == me {
            self.publish.push(subject.clone());
        }
        if L::TO.contains(&me) {
            let family = format!("{}*", subject.trim_end_matches('-'));
            self.subscribe.push(subject);
            self.takes(account_of(L::BY.name()), Form::Stream, family);
        }
    }
}

/// The account of an identity.
fn account_of(name: &str) -> String {
    name.to_uppercase().replace('-', "_")
}

/// Where `user` asks the JetStream API that it may ask.
#[must_use]
pub fn api_of(user: &str) -> &'static str {
    match user {
        "provision" | stream::COPIER => OWN_API,
        _ => API,
    }
}

/// Every identity there is: the owner's command line, the actors, and those of people and programs outside.
#[must_use]
pub fn users() -> Vec<User> {
    let mut users = vec![author(AuthorId::Owner)];
    users.extend(ACTORS.iter().map(|id| author(*id)));
    users.extend([provision(), audit_reader(), trigger(), watcher()]);
    for user in &mut users {
        user.subscribe.push(format!("_INBOX.{}.>", user.name));
        for list in [&mut user.publish, &mut user.subscribe] {
            list.sort();
            list.dedup();
        }
        user.imports.sort();
        user.imports.dedup();
    }
    users
}

fn author(id: AuthorId) -> User {
    let mut user = User::new(id.name());
    for spec in FACTS.iter().filter(|spec| spec.by.contains(&id)) {
        let subject = match (id.chain(), spec.of_task) {
            (Chain::PerTask, true) => format!("event.{id}.*.{}", spec.kind),
            (Chain::PerTask, false) | (Chain::Whole, _) => {
                let (by, task, kind) = (id, None, spec.kind);
                Subject { by, task, kind }.to_string()
            }
        };
        user.publish.push(subject);
    }
    user.stores(stream::family(id));
    if id != AuthorId::Audit {
        let contents = format!("blob.{id}.*.*");
        user.publish.push(contents.clone());
        user.stores(contents);
    }
    for of in id.contents() {
        user.asks(&format!("DIRECT.GET.{BLOBS}.blob.{of}.>"), Form::Answer);
    }
    if id == AuthorId::Owner {
        user.reads();
    } else {
        user.pulls();
    }
    user.hears_or_says::<Head>(id);
    for call in CALLS {
        for caller in call.from {
            let subject = format!("call.{}.{caller}.{}", call.to, call.verb);
            if *caller == id {
                user.publish.push(subject);
                let family = format!("call.{}.{caller}.*", call.to);
                user.takes(account_of(call.to.name()), Form::Answer, family);
            } else if call.to == id {
                user.subscribe.push(subject);
                // Where the server has the answers to imported requests go.
                user.publish.push("_R_.>".to_owned());
            }
        }
    }
    user
}

/// Creates what there is to create, under a key that is not mounted afterwards.
fn provision() -> User {
    let mut user = User::new("provision");
    user.jetstream = true;
    let roster = Subject {
        by: AuthorId::Owner,
        task: None,
        kind: <RosterChanged as crate::Event>::KIND,
    };
    user.publish = vec![format!("{OWN_API}.INFO"), roster.to_string()];
    for stream in STREAMS {
        for verb in ["CREATE", "INFO", "UPDATE"] {
            user.publish
                .push(format!("{OWN_API}.STREAM.{verb}.{}", stream.name));
        }
    }
    for verb in [
        format!("CONSUMER.CREATE.{AUDIT}.*"),
        format!("CONSUMER.CREATE.{AUDIT}.*.>"),
        format!("CONSUMER.INFO.{AUDIT}.*"),
        format!("DIRECT.GET.{AUDIT}"),
        format!("DIRECT.GET.{AUDIT}.>"),
        // Erasing content is deleting it here; nothing else can be deleted by anybody.
        format!("STREAM.PURGE.{BLOBS}"),
    ] {
        user.publish.push(format!("{OWN_API}.{verb}"));
    }
    user
}

/// Reads a copy of `AUDIT` with the plain `nats` command line, in an account of its own; where there is no copy, it reads
/// `AUDIT` itself, message by message.
fn audit_reader() -> User {
    let mut user = User::new(stream::COPIER);
    user.jetstream = true;
    for verb in ["INFO", "STREAM.LIST", "STREAM.NAMES"] {
        user.publish.push(format!("{OWN_API}.{verb}"));
        user.asks(verb, Form::Answer);
    }
    for verb in ["INFO", "MSG.GET"] {
        let verb = format!("STREAM.{verb}.{AUDIT}");
        user.publish.push(format!("{OWN_API}.{verb}"));
        user.asks(&verb, Form::Answer);
    }
    user.reads();
    for verb in [
        "CONSUMER.CREATE",
        "CONSUMER.DELETE",
        "CONSUMER.DURABLE.CREATE",
        "CONSUMER.INFO",
        "CONSUMER.LIST",
        "CONSUMER.MSG.NEXT",
        "CONSUMER.NAMES",
        "CONSUMER.PAUSE",
        "CONSUMER.RESET",
        "DIRECT.GET",
        "STREAM.CREATE",
    ] {
        user.publish.push(format!("{OWN_API}.{verb}.{AUDIT}"));
        user.publish.push(format!("{OWN_API}.{verb}.{AUDIT}.>"));
    }
    for what in ["ACK", "FC"] {
        user.publish.push(format!("$JS.{what}.{AUDIT}.>"));
    }
    // How the server copies: it puts the consumer of that name back, and answers its flow control.
    let name = user.name;
    user.imports.push(Import {
        from: BUS.to_owned(),
        form: Form::Answer,
        subject: format!("{OWN_API}.CONSUMER.RESET.{AUDIT}.{name}"),
        to: format!("{API}.CONSUMER.RESET.{AUDIT}.{name}"),
    });
    let answers = format!("$JS.FC.{AUDIT}.{name}.>");
    user.takes(BUS.to_owned(), Form::Answer, answers);
    let delivered = stream::COPY_DELIVERED.to_owned();
    user.takes(BUS.to_owned(), Form::Stream, delivered);
    user
}

/// Publishes triggers with the plain `nats` command line.
fn trigger() -> User {
    let mut user = User::new("trigger");
    user.publish.push("trigger.cli.*".to_owned());
    user.stores("trigger.cli.*".to_owned());
    user.asks(&format!("STREAM.INFO.{TRIGGERS}"), Form::Answer);
    user
}

/// Watches the server; sees no message.
fn watcher() -> User {
    let mut user = User::new(WATCHER);
    for what in WATCHED {
        let to = format!("server.{}", what.to_lowercase());
        user.publish.push(to.clone());
        user.imports.push(Import {
            from: SYS.to_owned(),
            form: Form::Answer,
            subject: format!("$SYS.REQ.SERVER.PING.{what}"),
            to,
        });
    }
    user
}
