//! The matrix of rights on the bus, computed from the permissions as the server does it.

use std::fmt::Write as _;

use bus_schema::{
    ACTORS, AUDIT, AuthorId, CALLS, Chain, FACTS, Head, Live as _, Piece, STREAMS, Spec, TIMERS,
    TRIGGERS,
    account::{API, Form, OWN_API, User},
    stream, users,
};
use serde_json::Value;

/// Returns true if `pattern` covers `subject`.
pub(crate) fn matches(pattern: &str, subject: &str) -> bool {
    let (mut pattern, mut subject) = (pattern.split('.'), subject.split('.'));
    loop {
        match (pattern.next(), subject.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some(want), Some(token)) if want == "*" || want == token => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

fn any(patterns: &[String], subject: &str) -> bool {
    patterns.iter().any(|pattern| matches(pattern, subject))
}

pub(crate) fn may_publish(user: &User, subject: &str) -> bool {
    any(&user.publish, subject)
}

fn may_subscribe(user: &User, subject: &str) -> bool {
    any(&user.subscribe, subject)
}

/// The subject of a fact of `by`, with `task` where a task is named.
pub(crate) fn subjects_of(by: AuthorId, spec: &Spec, task: &str) -> String {
    match (by.chain(), spec.of_task) {
        (Chain::Whole, _) => format!("event.{by}.{}", spec.kind),
        (Chain::PerTask, true) => format!("event.{by}.{task}.{}", spec.kind),
        (Chain::PerTask, false) => format!("event.{by}.-.{}", spec.kind),
    }
}

/// One subject of each family of the whole system, allowed or not.
fn families() -> Vec<String> {
    let mut all = Vec::new();
    for by in AuthorId::ALL {
        for spec in FACTS.iter().filter(|spec| spec.by.contains(by)) {
            all.push(subjects_of(*by, spec, "TASK"));
        }
        all.push(format!("event.{by}.some.thing"));
        all.push(format!("event.{by}.-.some.thing"));
        all.push(format!("blob.{by}.DIGEST.0"));
    }
    all.extend([API, OWN_API].into_iter().flat_map(requests));
    for call in CALLS {
        for to in call.to {
            let from = call.from.iter().map(|from| from.name()).chain(["other"]);
            all.extend(from.map(|from| format!("call.{to}.{from}.{}", call.verb)));
        }
    }
    all.extend([Head::subject(), Piece::subject()]);
    all.extend(AuthorId::ALL.iter().map(|by| format!("live.{by}.what.-")));
    all.extend(["cli", "hook", "other"].map(|source| format!("trigger.{source}.NAME")));
    all.extend(
        users()
            .iter()
            .map(|user| format!("_INBOX.{}.ID", user.name)),
    );
    for actor in ACTORS.iter().map(|actor| actor.name()).chain(["other"]) {
        all.push(format!("$JS.ACK.{AUDIT}.{actor}.1.1.1.1.0"));
        all.push(format!("$JS.ACK.{TIMERS}.{actor}.1.1.1.1.0"));
        all.push(format!("$JS.ACK.{TRIGGERS}.{actor}.1.1.1.1.0"));
        all.push(format!("$JS.FC.{AUDIT}.{actor}.ID"));
    }
    let rest = [
        "timer.JOB",
        "due.JOB",
        "_R_.ID",
        stream::COPY_DELIVERED,
        "server.varz",
        "$SRV.PING",
        "$SYS.REQ.SERVER.PING",
        "$KV.B.KEY",
        "$O.B.C.ID",
        "other",
    ];
    all.extend(rest.map(str::to_owned));
    all
}

/// One request of each kind to the JetStream API under `api`.
fn requests(api: &str) -> Vec<String> {
    let mut all: Vec<_> = AuthorId::ALL
        .iter()
        .flat_map(|by| {
            [
                format!("DIRECT.GET.BLOBS.blob.{by}.DIGEST.0"),
                format!("DIRECT.GET.{AUDIT}.event.{by}.some.thing"),
            ]
        })
        .collect();
    all.push(format!("DIRECT.GET.{AUDIT}"));
    for stream in STREAMS {
        for verb in [
            "CREATE",
            "UPDATE",
            "INFO",
            "DELETE",
            "PURGE",
            "MSG.GET",
            "MSG.DELETE",
            "SNAPSHOT",
            "RESTORE",
            "LEADER.STEPDOWN",
        ] {
            all.push(format!("STREAM.{verb}.{}", stream.name));
        }
    }
    for consumer in ACTORS
        .iter()
        .map(|actor| actor.name())
        .chain([stream::COPIER, "other"])
    {
        for verb in [
            "CREATE", "INFO", "MSG.NEXT", "RESET", "DELETE", "PAUSE", "UNPIN",
        ] {
            all.push(format!("CONSUMER.{verb}.{AUDIT}.{consumer}"));
        }
        all.push(format!(
            "CONSUMER.CREATE.{AUDIT}.{consumer}.event.policy.some.thing"
        ));
        all.push(format!("CONSUMER.DURABLE.CREATE.{AUDIT}.{consumer}"));
    }
    for consumer in ["scheduler", "other"] {
        for verb in ["CREATE", "INFO", "MSG.NEXT", "RESET", "DELETE", "PAUSE"] {
            all.push(format!("CONSUMER.{verb}.{TIMERS}.{consumer}"));
            all.push(format!("CONSUMER.{verb}.{TRIGGERS}.{consumer}"));
        }
    }
    let rest = [
        "CONSUMER.CREATE.BLOBS.other",
        "CONSUMER.MSG.NEXT.BLOBS.other",
        "INFO",
        "STREAM.LIST",
        "STREAM.NAMES",
    ];
    all.extend(rest.map(str::to_owned));
    all.iter()
        .map(|request| format!("{api}.{request}"))
        .collect()
}

/// The table: `p` may publish, `s` may subscribe, `.` neither.
pub(crate) fn table() -> String {
    let users = users();
    let mut text = format!("{:<72}", "# p publish, s subscribe, . refused");
    for user in &users {
        let _infallible = write!(text, " {}", user.name);
    }
    text.push('\n');
    for family in families() {
        let _infallible = write!(text, "{family:<72}");
        for user in &users {
            let cell = match (may_publish(user, &family), may_subscribe(user, &family)) {
                (true, true) => "ps",
                (true, false) => "p",
                (false, true) => "s",
                (false, false) => ".",
            };
            let _infallible = write!(text, " {cell:<width$}", width = user.name.len());
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    text
}

/// Returns true if some subject is covered by both.
fn overlap(one: &str, other: &str) -> bool {
    let (mut one, mut other) = (one.split('.'), other.split('.'));
    loop {
        match (one.next(), other.next()) {
            (Some(">"), Some(_)) | (Some(_), Some(">")) | (None, None) => return true,
            (Some("*"), Some(_)) | (Some(_), Some("*")) => {}
            (Some(this), Some(that)) if this == that => {}
            (Some(_) | None, Some(_) | None) => return false,
        }
    }
}

/// Returns true if it covers more than one subject.
fn is_wide(pattern: &str) -> bool {
    pattern.split('.').any(|token| token == "*" || token == ">")
}

/// The subjects of all streams.
fn stored() -> Vec<String> {
    let configs = STREAMS.iter().map(|stream| stream.config());
    let subjects = configs.flat_map(|config| {
        let subjects = config.get("subjects").and_then(Value::as_array).cloned();
        subjects.expect("a list").into_iter()
    });
    subjects
        .map(|subject| subject.as_str().expect("a subject").to_owned())
        .collect()
}

/// Answers are stored under a literal subject that is imported; with a wildcard they keep the server's own subject.
#[test]
fn every_import_into_a_stream_has_a_wildcard() {
    let mut seen = 0;
    for user in users() {
        for import in &user.imports {
            let into = |subject: &String| overlap(&import.subject, subject);
            if import.form == Form::Stream || !stored().iter().any(into) {
                continue;
            }
            seen += 1;
            assert!(is_wide(&import.subject), "{}: {import:?}", user.name);
            assert!(is_wide(&import.to), "{}: {import:?}", user.name);
        }
    }
    // Events of every author, contents of every author but audit and ui, messages of the user `trigger` and of
    // webhooks, and timers.
    assert_eq!(seen, AuthorId::ALL.len() + AuthorId::ALL.len() - 2 + 3);
}

/// An account without JetStream answers on `$JS.API` itself, and first.
#[test]
fn every_request_to_the_api_is_imported_under_another_name() {
    for user in users() {
        for import in &user.imports {
            assert!(
                !import.to.starts_with("$JS.API"),
                "{}: {import:?}",
                user.name
            );
            assert_eq!(
                import.subject.starts_with("$JS.API."),
                import.to.starts_with("$JS.BUS.API."),
                "{}: {import:?}",
                user.name
            );
        }
    }
}

/// A pull that waits longer than its answers are routed loses them, and they count as delivered.
#[test]
fn every_pull_ends_well_before_its_answers_are_lost() {
    const { assert!(stream::PULL_SECONDS * 2 <= stream::PULL_ANSWERS_SECONDS) };
    for user in users() {
        for import in &user.imports {
            let pull = import.subject.contains(".MSG.NEXT.");
            let lasts = Form::Answers(stream::PULL_ANSWERS_SECONDS);
            assert!(!pull || import.form == lasts, "{}: {import:?}", user.name);
        }
    }
}

#[test]
fn nobody_imports_what_makes_changes_or_ends_anything() {
    for user in users() {
        for import in &user.imports {
            let forbidden = [
                "CREATE",
                "UPDATE",
                "DELETE",
                "PURGE",
                "SNAPSHOT",
                "RESTORE",
                "STEPDOWN",
                "PAUSE",
                "UNPIN",
                "$SYS.REQ.ACCOUNT",
                "RELOAD",
                "KICK",
            ];
            let found = forbidden
                .iter()
                .find(|word| import.subject.contains(**word));
            assert_eq!(found, None, "{}: {import:?}", user.name);
            let consumer = import.subject.starts_with("$JS.API.CONSUMER.");
            let own = import.subject.ends_with(&format!(".{}", user.name));
            assert!(!consumer || own, "{}: {import:?}", user.name);
        }
    }
}

/// A service import of an account cannot be exported as a stream again.
#[test]
fn what_is_heard_comes_from_the_account_of_whoever_says_it() {
    for user in users() {
        for import in user.imports.iter().filter(|one| one.form == Form::Stream) {
            let says = |user: &User| may_publish(user, &import.subject.replace('*', "-"));
            let by = users().into_iter().find(says);
            let by = by.map_or("BUS".to_owned(), |user| user.account());
            assert_eq!(import.from, by, "{}: {import:?}", user.name);
        }
    }
}

/// Every subject that may be published leads somewhere, and a user may use every import of its account.
#[test]
fn publishing_and_importing_are_one() {
    for user in users() {
        for subject in &user.publish {
            let imported = user.imports.iter().any(|one| overlap(&one.to, subject));
            let own =
                user.jetstream && (subject.starts_with("$JS.") || subject.starts_with("event."));
            let answers = subject == "_R_.>";
            let live = subject.starts_with("live.");
            assert!(
                imported || own || answers || live,
                "{}: {subject}",
                user.name
            );
        }
        for import in user.imports.iter().filter(|one| one.form != Form::Stream) {
            let named = user.publish.iter().any(|one| overlap(&import.to, one));
            // The server itself makes the copy.
            let copies = user.name == stream::COPIER && import.to.contains(stream::COPIER);
            assert!(named || copies, "{}: {import:?}", user.name);
        }
    }
}

#[test]
fn nobody_publishes_into_the_subtree_of_another_author() {
    for user in users() {
        for author in AuthorId::ALL
            .iter()
            .filter(|author| author.name() != user.name)
        {
            for family in families() {
                let theirs = family.starts_with(&format!("event.{author}."))
                    || family.starts_with(&format!("blob.{author}."))
                    || family.starts_with(&format!("live.{author}."))
                    || family.starts_with(&format!("{API}.CONSUMER.MSG.NEXT.{AUDIT}.{author}"))
                    || family.starts_with(&format!("{API}.CONSUMER.RESET.{AUDIT}.{author}"));
                // The first roster is signed beforehand and stored by the identity that creates the stream.
                let first = user.name == "provision" && family.ends_with("roster.changed");
                assert!(
                    !theirs || first || !may_publish(&user, &family),
                    "{}: {family}",
                    user.name
                );
            }
        }
    }
}

#[test]
fn nobody_listens_to_another_inbox_or_to_events() {
    for user in users() {
        let own = format!("_INBOX.{}.ID", user.name);
        for family in families() {
            let closed = family.starts_with("_INBOX.") && family != own;
            let bus = ["event.", "blob.", "trigger.", "$"]
                .iter()
                .any(|word| family.starts_with(word));
            assert!(
                !(closed || bus) || !may_subscribe(&user, &family),
                "{}: {family}",
                user.name
            );
        }
    }
}

#[test]
fn both_lists_of_every_user_hold_something_and_no_list_holds_everything() {
    for user in users() {
        assert!(
            !user.publish.is_empty() && !user.subscribe.is_empty(),
            "{}",
            user.name
        );
        let wide =
            |pattern: &String| matches!(pattern.as_str(), ">" | "*" | "event.>" | "_INBOX.>");
        assert!(
            !user.publish.iter().chain(&user.subscribe).any(wide),
            "{}",
            user.name
        );
    }
}
