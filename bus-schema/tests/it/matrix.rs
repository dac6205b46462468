//! Who may do what on the bus, worked out from the permissions as the server would.

use std::fmt::Write as _;

use bus_schema::{
    ACTORS, AUDIT, AuthorId, CALLS, FACTS, Head, Live as _, STREAMS, permission::User, users,
};

/// Whether `pattern` covers `subject`.
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
    any(&user.publish, subject) && !any(&user.deny, subject)
}

fn may_subscribe(user: &User, subject: &str) -> bool {
    any(&user.subscribe, subject)
}

/// One subject of each family of the whole system, allowed to somebody or not.
fn families() -> Vec<String> {
    let mut all = Vec::new();
    for by in AuthorId::ALL {
        for spec in FACTS.iter().filter(|spec| spec.by.contains(by)) {
            let scope = if spec.of_task { "TASK" } else { "-" };
            all.push(format!("event.{by}.{scope}.{}", spec.kind));
        }
        all.push(format!("event.{by}.-.some.thing"));
        all.push(format!("blob.{by}.DIGEST.0"));
        all.push(format!("$JS.API.DIRECT.GET.BLOBS.blob.{by}.DIGEST.0"));
        all.push(format!(
            "$JS.API.DIRECT.GET.{AUDIT}.event.{by}.-.some.thing"
        ));
    }
    all.push(format!("$JS.API.DIRECT.GET.{AUDIT}"));
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
            all.push(format!("$JS.API.STREAM.{verb}.{}", stream.name));
        }
    }
    for consumer in ACTORS.iter().map(|actor| actor.name()).chain(["other"]) {
        for verb in [
            "CREATE", "INFO", "MSG.NEXT", "RESET", "DELETE", "PAUSE", "UNPIN",
        ] {
            all.push(format!("$JS.API.CONSUMER.{verb}.{AUDIT}.{consumer}"));
        }
        all.push(format!(
            "$JS.API.CONSUMER.CREATE.{AUDIT}.{consumer}.event.policy.-.some.thing"
        ));
        all.push(format!(
            "$JS.API.CONSUMER.DURABLE.CREATE.{AUDIT}.{consumer}"
        ));
        all.push(format!("$JS.ACK.{AUDIT}.{consumer}.1.1.1.1.0"));
    }
    all.push("$JS.API.CONSUMER.CREATE.BLOBS.other".to_owned());
    all.push("$JS.API.CONSUMER.MSG.NEXT.BLOBS.other".to_owned());
    for call in CALLS {
        let from = call.from.iter().map(|from| from.name()).chain(["other"]);
        all.extend(from.map(|from| format!("call.{}.{from}.{}", call.to, call.verb)));
    }
    all.push(Head::subject());
    all.extend(AuthorId::ALL.iter().map(|by| format!("live.{by}.what.-")));
    all.extend(["cli", "other"].map(|source| format!("trigger.{source}.NAME")));
    all.extend(
        users()
            .iter()
            .map(|user| format!("_INBOX.{}.ID", user.name)),
    );
    let rest = [
        "$JS.API.INFO",
        "$JS.API.STREAM.LIST",
        "$JS.API.STREAM.NAMES",
        "$SRV.PING",
    ];
    all.extend(rest.map(str::to_owned));
    all.extend(["$SYS.REQ.SERVER.PING", "$KV.B.KEY", "$O.B.C.ID", "other"].map(str::to_owned));
    all
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
                    || family.starts_with(&format!("$JS.API.CONSUMER.MSG.NEXT.{AUDIT}.{author}"))
                    || family.starts_with(&format!("$JS.API.CONSUMER.RESET.{AUDIT}.{author}"));
                // The first roster is signed beforehand and stored by whoever creates the stream.
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
fn nobody_changes_a_consumer_or_deletes_what_was_said() {
    for user in users() {
        for family in families() {
            let forbidden = [
                "STREAM.DELETE",
                "MSG.DELETE",
                "STREAM.SNAPSHOT",
                "STREAM.RESTORE",
            ]
            .iter()
            .chain(&[
                "CONSUMER.DELETE",
                "CONSUMER.PAUSE",
                "$JS.ACK",
                "$SYS",
                "$KV",
                "$O.",
            ])
            .chain(&["STREAM.PURGE.AUDIT", "STREAM.PURGE.TRIGGERS"])
            .any(|word| family.contains(word));
            let changes = family.contains("CONSUMER.CREATE") && !family.contains(".other");
            let refused = forbidden || (changes && user.name != "provision");
            assert!(
                !refused || !may_publish(&user, &family),
                "{}: {family}",
                user.name
            );
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
