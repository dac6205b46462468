//! Golden files of the wire contract: they change only with `just golden`.

use std::{collections::BTreeMap, fmt::Write as _, fs, path::PathBuf};

use bus_schema::{
    ACTORS, AuthorId, CALLS, EngineFact, ExecutorFact, FACTS, Facts as _, GatewayFact, Head,
    Live as _, Piece, PolicyFact, STREAMS, SchedulerFact, Subject, UiFact, WorkerFact,
    account::{API, accounts_conf, nkey_variable},
    consumer, stream, users, wire,
};
use data_encoding::HEXLOWER;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    example, fixture,
    matrix::{self, subjects_of},
};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Sorts the keys, so that the text is the same under all features of `serde_json`.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(map) => {
            let map: BTreeMap<_, _> = map
                .iter()
                .map(|(key, value)| (key, sorted(value)))
                .collect();
            map.into_iter()
                .map(|(key, value)| (key.clone(), value))
                .collect()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => value.clone(),
    }
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(&sorted(value)).expect("a value is JSON");
    text.push('\n');
    text
}

/// Writes the files under `GOLDEN=write`; otherwise checks that each is equal.
fn golden(files: &BTreeMap<String, String>) {
    let write = std::env::var_os("GOLDEN").is_some_and(|value| value == "write");
    let mut differ = Vec::new();
    for (path, wanted) in files {
        let file = root().join(path);
        if write {
            fs::write(&file, wanted).expect("the golden file can be written");
        } else if fs::read_to_string(&file).ok().as_deref() != Some(wanted.as_str()) {
            differ.push(path.as_str());
        }
    }
    assert!(
        differ.is_empty(),
        "{differ:#?} differ from the code; if the change is intended, run `just golden`"
    );
}

fn bytes_of<T: Serialize>(name: &str, value: &T) -> Value {
    json!({
        "kind": name,
        "v": 1,
        "example": serde_json::to_value(value).expect("a value is JSON"),
        "body_hex": HEXLOWER.encode(&wire::encode(value)),
    })
}

fn schemas() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    let mut file = |name: String, value: Value| {
        files.insert(format!("bus-schema/schema/{name}.json"), pretty(&value));
    };
    let examples = example::events();
    for spec in FACTS {
        let of_it = |example: &&example::Example| example.kind == spec.kind;
        let example = examples.iter().find(of_it);
        let example =
            example.unwrap_or_else(|| panic!("example.rs has no example of {}", spec.kind));
        assert!(
            example.stable,
            "the example of {} does not survive the wire",
            spec.kind
        );
        let subject = Subject::parse(&example.subject).expect("a subject");
        let value = json!({
            "kind": spec.kind,
            "v": spec.v,
            "by": spec.by,
            "scope": if spec.of_task { "task" } else { "deployment" },
            "doc": spec.doc.trim(),
            "fields": spec.fields,
            "example": spec.json(subject, &example.schema, &example.body).expect("its own kind"),
            "body_hex": HEXLOWER.encode(&example.body),
        });
        file(format!("{}.v{}", spec.kind, spec.v), value);
    }
    for (name, statement) in example::statements() {
        file(
            format!("statement.{name}.v1"),
            bytes_of(&format!("statement.{name}"), &statement),
        );
    }
    file(
        "live.head.v1".to_owned(),
        bytes_of(&Head::subject(), &example::head()),
    );
    file(
        "live.piece.v1".to_owned(),
        bytes_of(&Piece::subject(), &piece()),
    );
    let (question, answer) = example::prove();
    let call = json!({
        "question": bytes_of("call.audit.owner.prove", &question),
        "answer": bytes_of("call.audit.owner.prove", &answer),
    });
    file("call.prove.v1".to_owned(), call);
    let (question, answer) = example::release();
    let call = json!({
        "question": bytes_of("call.broker.egress.release", &question),
        "answer": bytes_of("call.broker.egress.release", &answer),
    });
    file("call.release.v1".to_owned(), call);
    let (question, answer) = example::renew();
    let call = json!({
        "question": bytes_of("call.broker.egress.renew", &question),
        "answer": bytes_of("call.broker.egress.renew", &answer),
    });
    file("call.renew.v1".to_owned(), call);
    files
}

fn piece() -> Piece {
    Piece {
        task: fixture::task(),
        action: fixture::id(4),
        nth: 3,
        text: "{\"delta\":{\"text\":\"Hi\"}}".to_owned(),
    }
}

/// The readers that fold it or check every link of its chain; it is delivered to all.
fn readers(by: AuthorId, kind: &str) -> String {
    let reads = |reader: AuthorId| {
        let folds = match reader {
            AuthorId::Gateway => GatewayFact::READS,
            AuthorId::Worker => WorkerFact::READS,
            AuthorId::Engine => EngineFact::READS,
            AuthorId::Policy => PolicyFact::READS,
            AuthorId::Runner | AuthorId::Broker | AuthorId::Egress => ExecutorFact::READS,
            AuthorId::Scheduler => SchedulerFact::READS,
            AuthorId::Ui => UiFact::READS,
            AuthorId::Audit | AuthorId::Owner => return true,
        };
        let mut folds = folds.iter();
        by == reader
            || by == AuthorId::Owner
            || folds.any(|(authors, read)| *read == kind && authors.contains(&by))
    };
    let readers = ACTORS.iter().rev().filter(|reader| reads(**reader));
    readers
        .map(|reader| reader.name())
        .collect::<Vec<_>>()
        .join(" ")
}

fn subjects() -> String {
    let mut text = format!("{:<46} {:<9} {}\n", "# subject", "author", "readers");
    let mut line = |subject: String, author: &str, readers: &str| {
        let _infallible = writeln!(text, "{subject:<46} {author:<9} {readers}");
    };
    for spec in FACTS {
        for by in spec.by {
            let subject = subjects_of(*by, spec, "<task>");
            let readers = readers(*by, spec.kind);
            line(subject, by.name(), &readers);
        }
    }
    let names =
        |by: &&AuthorId| !matches!(by, AuthorId::Audit | AuthorId::Scheduler | AuthorId::Ui);
    for by in AuthorId::ALL.iter().filter(names) {
        let read = format!("{API}.DIRECT.GET.BLOBS.blob.{by}.digest.0");
        let readers: Vec<_> = users()
            .iter()
            .filter(|user| matrix::may_publish(user, &read))
            .map(|user| user.name)
            .collect();
        line(
            format!("blob.{by}.<digest>.<n>"),
            by.name(),
            &readers.join(" "),
        );
    }
    for call in CALLS {
        for (from, to) in call
            .from
            .iter()
            .flat_map(|from| call.to.iter().map(move |to| (from, to)))
        {
            line(
                format!("call.{to}.{from}.{}", call.verb),
                from.name(),
                to.name(),
            );
        }
    }
    for (subject, by, to) in [
        (Head::subject(), Head::BY, Head::TO),
        (Piece::subject(), Piece::BY, Piece::TO),
    ] {
        let listeners: Vec<_> = to.iter().map(|author| author.name()).collect();
        line(subject, by.name(), &listeners.join(" "));
    }
    let scheduler = AuthorId::Scheduler.name();
    line("timer.<job>".to_owned(), scheduler, "");
    line("due.<job>".to_owned(), "server", scheduler);
    line("trigger.cli.<name>".to_owned(), "trigger", scheduler);
    let gateway = AuthorId::Gateway.name();
    line("trigger.hook.<name>".to_owned(), gateway, scheduler);
    text
}

#[test]
fn every_fact_statement_call_and_live_message_has_its_exact_bytes() {
    golden(&schemas());
}

#[test]
fn no_picture_of_a_forgotten_kind_is_left() {
    let wanted = schemas();
    for entry in fs::read_dir(root().join("bus-schema/schema")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        // The bytes of an older version are kept for ever.
        let kind = name
            .split_once(".v")
            .map_or(name.as_str(), |(kind, _)| kind);
        let known = wanted
            .keys()
            .any(|path| path.contains(&format!("/{kind}.v")));
        assert!(
            known || name == "subjects.txt",
            "nothing is called {name}; delete it"
        );
    }
}

#[test]
fn subjects_streams_permissions_and_matrix_are_as_checked_in() {
    let streams = json!({
        "streams": STREAMS.iter().map(|stream| stream.config()).collect::<Vec<_>>(),
        "consumers": ACTORS.iter().map(|of| consumer(*of)).collect::<Vec<_>>(),
        "timers": stream::timers_consumer(),
        "triggers": stream::triggers_consumer(),
        "copy": { "stream": stream::copy(), "consumer": stream::copy_consumer() },
    });
    golden(&BTreeMap::from([
        ("bus-schema/schema/subjects.txt".to_owned(), subjects()),
        ("nats/accounts.conf".to_owned(), accounts_conf()),
        ("nats/streams.json".to_owned(), pretty(&streams)),
        ("nats/matrix.txt".to_owned(), matrix::table()),
    ]));
}

#[test]
fn the_shipped_configuration_names_no_user_of_its_own() {
    let text = fs::read_to_string(root().join("nats/nats.conf")).unwrap();
    for word in [
        "nkey",
        "permissions",
        "users",
        "no_auth_user",
        "allow_responses",
    ] {
        assert!(!text.contains(word), "{word}");
    }
    let accounts = accounts_conf();
    for user in users() {
        let named = format!("nkey: ${},", nkey_variable(user.name));
        assert_eq!(accounts.matches(&named).count(), 1, "{named}");
    }
}
