//! Whose identity stored what is no event, and whether that identity has had another NKey since.

use std::{fs, path::Path, time::UNIX_EPOCH};

use audit::check::Checked;
use bus_schema::{Time, account::nkey_variable};

use deployment::Dir;

use super::finding::Fault;

/// What the log holds of junk. It stays there for ever, so it is a fault until whose identity stored it has a newer
/// NKey; `renew` makes those that are missing.
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
            text.push_str(", before it had its NKey");
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
            "see what it is with `contractual audit verify`; somebody else has that identity's NKey, or a \
             process of its own an old signing key: stop everything, delete {}, then {renew}, which makes another",
            bad.join(", "),
        ),
    ))
}

/// An identity's NKey: its file, and the line that tells the server of it.
pub(super) fn nkey_of(dir: &Dir, user: &str) -> String {
    format!(
        "{} and the line {} in {}",
        dir.of(user).join("user.nk").display(),
        nkey_variable(user),
        dir.nats().join("local.conf").display()
    )
}

/// When a key was made.
fn made(path: &Path) -> Option<Time> {
    let made = fs::metadata(path).ok()?.modified().ok()?;
    let since = made.duration_since(UNIX_EPOCH).ok()?;
    i64::try_from(since.as_nanos()).ok().map(Time::from_ns)
}
