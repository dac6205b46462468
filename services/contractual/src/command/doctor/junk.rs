//! Check of junk: the identities that stored it, and if they got a new NKey since.

use std::{fs, path::Path, time::UNIX_EPOCH};

use audit::check::Checked;
use bus_schema::{Time, account::nkey_variable};

use deployment::Dir;

use super::finding::Fault;

/// Checks the junk in the log. Junk is never deleted, so it is a fault until the identity that stored it has a newer
/// NKey; `renew` makes missing ones.
pub(super) fn look(dir: &Dir, checked: &Checked, renew: &str) -> Result<String, Fault> {
    let authors = checked.authors.iter();
    let mut all: Vec<_> = authors.map(|(author, of)| (author.name(), of)).collect();
    all.push(("provision", &checked.strangers));
    let (mut seen, mut bad) = (Vec::new(), Vec::new());
    for (user, counts) in all {
        let Some((first, last)) = counts.junk_stored else {
            continue;
        };
        let nkey = dir.of(user).join("user.nk");
        let mut text = format!(
            "{} stored with the identity of {user} from {first} to {last}",
            counts.junk
        );
        if made(&nkey).is_some_and(|made| last < made) {
            text.push_str(", before its present NKey");
        } else {
            bad.push(nkey_of(dir, user));
        }
        seen.push(text);
    }
    if seen.is_empty() {
        seen.push("none".to_owned());
    }
    let seen = seen.join("; ");
    if bad.is_empty() {
        return Ok(seen);
    }
    Err(Fault::new(
        seen,
        format!(
            "list it with `contractual audit verify`; the identity's NKey is stolen, or one of its processes has an \
             old signing key: stop everything, delete {}, then {renew}, which makes a new NKey",
            bad.join(", "),
        ),
    ))
}

/// The places of an identity's NKey: its file, and its line in the server's configuration.
pub(super) fn nkey_of(dir: &Dir, user: &str) -> String {
    format!(
        "{} and the line {} in {}",
        dir.of(user).join("user.nk").display(),
        nkey_variable(user),
        dir.nats().join("local.conf").display()
    )
}

/// The time at which a key was made.
fn made(path: &Path) -> Option<Time> {
    let made = fs::metadata(path).ok()?.modified().ok()?;
    let since = made.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(Time::from_ns)
}
