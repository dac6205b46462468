//! The accounts: one for each identity. An identity reaches only the imports of its account; its user may use only the
//! subjects of two lists.
//!
//! NATS does not check the reply subject of a request: the server sends its answer there with the rights of the
//! account that the answer comes from. Therefore the streams are in an account without actors, and an answer reaches
//! only the requester.

mod conf;

use crate::{
    ACTORS, AUDIT, AuthorId, BLOBS, CALLS, Chain, FACTS, Head, Live, Piece, RosterChanged, STREAMS,
    Subject, TIMERS, TRIGGERS, stream,
};

pub use crate::stream::API;
pub use conf::{
    accounts_conf, accounts_conf_of, nkey_variable, one_account_conf, rights_in_one_account,
};

/// The messages of webhooks, which the gateway hands in.
const HOOKS: &str = "trigger.hook.*";

/// The account that holds the streams.
pub const BUS: &str = "BUS";
/// The server's own account, without users.
const SYS: &str = "SYS";
/// The JetStream API of the own account.
pub const OWN_API: &str = "$JS.API";
/// The identity that monitors the server.
pub const WATCHER: &str = "sys";
const WATCHED: [&str; 4] = ["CONNZ", "HEALTHZ", "JSZ", "VARZ"];

/// The form of messages between accounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Form {
    /// A request with one answer.
    Answer,
    /// A request with many answers, the last one within this many seconds.
    Answers(u8),
    /// Messages that the exporting account publishes.
    Stream,
}

/// One import of an account from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Import {
    /// The account that exports it.
    pub from: String,
    /// Its form.
    pub form: Form,
    /// Its subject in the exporting account.
    pub subject: String,
    /// Its subject in the importing account.
    pub to: String,
}

/// An identity: the only user of its account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct User {
    /// Its name; the NKey is in the deployment's own configuration.
    pub name: &'static str,
    /// The subjects it may publish to.
    pub publish: Vec<String>,
    /// The subjects it may subscribe to.
    pub subscribe: Vec<String>,
    /// The imports of its account.
    pub imports: Vec<Import>,
    /// True if its account holds streams.
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
            // The name of the server's own account is taken.
            WATCHER => "WATCHER".to_owned(),
            name => account_of(name),
        }
    }

    /// The prefix of its requests to the JetStream API.
    #[must_use]
    pub fn api(&self) -> &'static str {
        api_of(self.name)
    }

    /// Permits to store messages of `family`, a subject with wildcards. With a literal subject the server would store
    /// answers under it.
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

    /// Permits to call `verb` of the JetStream API of [`BUS`].
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

    /// Permits to read and reset the consumer of its name.
    fn pulls(&mut self) {
        let name = self.name;
        self.asks(&format!("CONSUMER.INFO.{AUDIT}.{name}"), Form::Answer);
        self.asks(&format!("CONSUMER.RESET.{AUDIT}.{name}"), Form::Answer);
        self.asks(
            &format!("CONSUMER.MSG.NEXT.{AUDIT}.{name}"),
            Form::Answers(stream::PULL_ANSWERS_SECONDS),
        );
    }

    /// Permits to set timers, and to read and acknowledge those that fired, and triggers.
    fn times(&mut self) {
        let name = self.name;
        let mut subjects = vec!["timer.*".to_owned()];
        for stream in [TIMERS, TRIGGERS] {
            self.asks(&format!("CONSUMER.INFO.{stream}.{name}"), Form::Answer);
            self.asks(
                &format!("CONSUMER.MSG.NEXT.{stream}.{name}"),
                Form::Answers(stream::PULL_ANSWERS_SECONDS),
            );
            subjects.push(format!("$JS.ACK.{stream}.{name}.>"));
        }
        for subject in subjects {
            self.publish.push(subject.clone());
            self.takes(BUS.to_owned(), Form::Answer, subject);
        }
    }

    /// Permits to read single messages and batches of `AUDIT`.
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

/// The prefix of `user`'s requests to the JetStream API.
#[must_use]
pub fn api_of(user: &str) -> &'static str {
    match user {
        "provision" | stream::COPIER => OWN_API,
        _ => API,
    }
}

/// All identities: the owner's command line, the actors, and the identities of people and programs outside.
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
    // These name no contents.
    if !matches!(id, AuthorId::Audit | AuthorId::Ui) {
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
    if id == AuthorId::Scheduler {
        user.times();
    }
    if id == AuthorId::Gateway {
        user.publish.push(HOOKS.to_owned());
        user.stores(HOOKS.to_owned());
    }
    user.hears_or_says::<Head>(id);
    user.hears_or_says::<Piece>(id);
    for call in CALLS {
        let pairs = call.from.iter();
        let pairs = pairs.flat_map(|caller| call.to.iter().map(move |callee| (callee, caller)));
        for (callee, caller) in pairs {
            let subject = format!("call.{callee}.{caller}.{}", call.verb);
            if *caller == id {
                user.publish.push(subject);
                let family = format!("call.{callee}.{caller}.*");
                user.takes(account_of(callee.name()), Form::Answer, family);
            } else if *callee == id {
                user.subscribe.push(subject);
                // The server's reply subjects for imported requests.
                user.publish.push("_R_.>".to_owned());
            }
        }
    }
    user
}

/// The identity that creates streams and consumers, with a key that is not mounted afterwards.
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
        format!("CONSUMER.CREATE.{TIMERS}.*"),
        format!("CONSUMER.INFO.{TIMERS}.*"),
        format!("CONSUMER.CREATE.{TRIGGERS}.*"),
        format!("CONSUMER.INFO.{TRIGGERS}.*"),
        format!("DIRECT.GET.{AUDIT}"),
        format!("DIRECT.GET.{AUDIT}.>"),
        // Content is erased by purging it here; nothing else can be deleted.
        format!("STREAM.PURGE.{BLOBS}"),
    ] {
        user.publish.push(format!("{OWN_API}.{verb}"));
    }
    user
}

/// The identity that reads a copy of `AUDIT` with the plain `nats` command line, in its own account; without a copy it
/// reads `AUDIT` itself, message by message.
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
    // To copy, the server resets the consumer of that name and answers its flow control.
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

/// The identity that publishes triggers with the plain `nats` command line.
fn trigger() -> User {
    let mut user = User::new("trigger");
    user.publish.push("trigger.cli.*".to_owned());
    user.stores("trigger.cli.*".to_owned());
    user.asks(&format!("STREAM.INFO.{TRIGGERS}"), Form::Answer);
    user
}

/// The identity that monitors the server; it sees no message.
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
