//! The server's files: shipped files, the deployment's own file, and contexts of the `nats` command line.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use actor::files;
use bus_schema::{account, stream::COPIER};

use crate::{
    DeploymentFile, Dir, Error, InitReport, Sync, layout,
    report::{keep, refresh},
};

/// The server's shipped configuration.
const NATS_CONF: &str = include_str!("../../../../nats/nats.conf");
const ACCOUNTS_CONF: &str = include_str!("../../../../nats/accounts.conf");
/// The variable of the sync interval, which the user may have edited.
const SYNC: &str = "BUS_SYNC";

/// The variables in `local.conf`, without quotes; empty if there is none.
pub(super) fn known(dir: &Dir) -> Result<BTreeMap<String, String>, Error> {
    let path = local(dir);
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", path))?;
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), unquoted(value)))
        .collect())
}

fn local(dir: &Dir) -> PathBuf {
    dir.nats().join("local.conf")
}

/// The sync to disk that the server's configuration asks for.
///
/// # Errors
/// [`Error::Document`] if it is missing or no interval.
pub fn wanted_sync(dir: &Dir) -> Result<Sync, Error> {
    let text = known(dir)?.remove(SYNC).unwrap_or_default();
    text.parse().map_err(|error| {
        let path = local(dir);
        Error::Document(format!("{}: {SYNC}: {error}", path.display()))
    })
}

/// Checks the folder of a deployment, which its configurations name.
///
/// # Errors
/// [`Error::Document`] for a name that is not text, or that has a line end or another control character.
pub(super) fn check_folder(path: &Path) -> Result<(), Error> {
    let plain = path
        .to_str()
        .is_some_and(|text| !text.chars().any(char::is_control));
    if plain {
        return Ok(());
    }
    Err(Error::Document(format!(
        "the folder {path:?} has a character in its name that is no text, such as a line end: name another one with \
         --dir"
    )))
}

/// Writes the server's files for the users with these NKeys.
pub(super) fn write(
    dir: &Dir,
    file: &DeploymentFile,
    sync: &str,
    nkeys: &[(&str, String)],
    made: &mut InitReport,
) -> Result<(), Error> {
    let folder = dir.nats();
    refresh(&folder.join("nats.conf"), NATS_CONF, made)?;
    refresh(&folder.join("accounts.conf"), ACCOUNTS_CONF, made)?;
    let root = match file.containers {
        Some(_) => PathBuf::from(layout::INSIDE),
        None => dir
            .path()
            .canonicalize()
            .map_err(Error::io("find", dir.path()))?,
    };
    let path = |inside: &str| quoted(&root.join(inside).display().to_string());
    let before = known(dir)?;
    let sync = before.get(SYNC).map_or(sync, String::as_str);
    let mut local = format!(
        "# The values of this deployment. Written by `contractual init`; holds no secret.\n\
         BUS_LISTEN: {}\nBUS_STORE: {}\nBUS_CERT: {}\nBUS_KEY: {}\nBUS_CA: {}\n{SYNC}: {}\n",
        quoted(&file.bus.to_string()),
        path("nats/data"),
        path("nats/cert.pem"),
        path("nats/key.pem"),
        path("ca/ca.pem"),
        quoted(sync),
    );
    for (user, key) in nkeys {
        let name = account::nkey_variable(user);
        local.push_str(&format!("{name}: {}\n", quoted(key)));
    }
    if file.containers.is_some() {
        local.push_str(layout::MONITOR);
    }
    refresh(&folder.join("local.conf"), &local, made)?;
    // A value that was edited, or that an older version wrote, may be no interval.
    wanted_sync(dir).map(drop)
}

/// A quoted string of the server's configuration, in which `$` and `#` have no meaning. Without quotes `2m` is a number
/// there: two million.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// The text in a value of the server's configuration, which has no quotes if an older version wrote it.
fn unquoted(value: &str) -> String {
    let value = value.trim();
    let inside = value
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    let Some(inside) = inside else {
        return value.to_owned();
    };
    let mut text = String::with_capacity(inside.len());
    let mut chars = inside.chars();
    while let Some(c) = chars.next() {
        text.extend(if c == '\\' { chars.next() } else { Some(c) });
    }
    text
}

/// The server's files that differ from this version's.
pub fn outdated(dir: &Dir) -> Vec<PathBuf> {
    let shipped = [("nats.conf", NATS_CONF), ("accounts.conf", ACCOUNTS_CONF)];
    let found = shipped.map(|(name, text)| (dir.nats().join(name), text));
    let others = found.into_iter().filter(|(path, text)| {
        files::read_public(path).map_or(true, |found| found != text.as_bytes())
    });
    others.map(|(path, _)| path).collect()
}

/// The contexts of the `nats` command line.
pub(super) fn contexts(
    dir: &Dir,
    file: &DeploymentFile,
    made: &mut InitReport,
) -> Result<(), Error> {
    // The copy of the record in the reader's own account, and the record itself.
    let (copy, record) = (account::OWN_API, account::API);
    let all = [
        ("audit-reader", COPIER, copy),
        ("audit-direct", COPIER, record),
        ("trigger", "trigger", record),
    ];
    for (name, user, api) in all {
        context(dir, name, user, api, file, made)?;
    }
    Ok(())
}

fn context(
    dir: &Dir,
    name: &str,
    user: &str,
    api: &str,
    file: &DeploymentFile,
    made: &mut InitReport,
) -> Result<(), Error> {
    let home = dir.contexts().join("nats");
    let folder = home.join("context");
    for folder in [&dir.contexts(), &home, &folder] {
        files::private_dir(folder)?;
    }
    let root = dir
        .path()
        .canonicalize()
        .map_err(Error::io("find", dir.path()))?;
    let identity = root.join(user);
    let context = serde_json::json!({
        "description": format!("Contractual: {name}"),
        "jetstream_api_prefix": api,
        "url": match file.containers {
            Some(_) => layout::RELAYED_URL.to_owned(),
            None => file.url(),
        },
        "nkey": identity.join("user.nk"),
        "cert": identity.join("cert.pem"),
        "key": identity.join("key.pem"),
        "ca": root.join("ca/ca.pem"),
        "inbox_prefix": format!("_INBOX.{user}"),
    });
    keep(
        &folder.join(format!("{name}.json")),
        &format!("{context:#}\n"),
        made,
    )
}

#[cfg(test)]
mod tests {
    use super::{quoted, unquoted};

    #[test]
    fn quoted_text_is_read_back_as_it_was() {
        for text in ["", "2m", "a \"b\" \\c $d #e", "\\", "\"", "\\\"", "ü: {x}"] {
            assert_eq!(unquoted(&quoted(text)), text);
        }
        assert_eq!(unquoted("2m"), "2m");
    }
}
