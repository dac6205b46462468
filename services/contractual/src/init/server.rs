//! The server's files: what ships with the program, what is the deployment's own, and contexts of the `nats` command line.

use std::{collections::BTreeMap, path::PathBuf};

use actor::files;
use bus_schema::permission;

use super::{Facts, Made, keep, refresh};
use crate::{Dir, Error, containers};

/// The server's configuration, as it is shipped.
const NATS_CONF: &str = include_str!("../../../../nats/nats.conf");
const PERMISSIONS_CONF: &str = include_str!("../../../../nats/permissions.conf");
/// The variable of what the person chose once and may have changed since.
const SYNC: &str = "BUS_SYNC";

/// What `local.conf` says, by variable; empty if there is none.
pub(super) fn known(dir: &Dir) -> Result<BTreeMap<String, String>, Error> {
    let path = dir.nats().join("local.conf");
    if !path.exists() {
        return Ok(BTreeMap::new());
    }
    let text = std::fs::read_to_string(&path).map_err(Error::io("read", path))?;
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    Ok(pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect())
}

/// Writes the server's files for the users whose NKeys these are.
pub(super) fn write(
    dir: &Dir,
    facts: &Facts,
    sync: &str,
    nkeys: &[(&str, String)],
    made: &mut Made,
) -> Result<(), Error> {
    let folder = dir.nats();
    refresh(&folder.join("nats.conf"), NATS_CONF, made)?;
    refresh(&folder.join("permissions.conf"), PERMISSIONS_CONF, made)?;
    let root = match facts.containers {
        Some(_) => PathBuf::from(containers::INSIDE),
        None => dir
            .path()
            .canonicalize()
            .map_err(Error::io("find", dir.path()))?,
    };
    let quoted = |path: PathBuf| format!("\"{}\"", path.display());
    let known = known(dir)?;
    let mut local = format!(
        "# What is this deployment's own. Written by `contractual init`; holds no secret.\n\
         BUS_LISTEN: \"{}\"\nBUS_STORE: {}\nBUS_CERT: {}\nBUS_KEY: {}\nBUS_CA: {}\n{SYNC}: {}\n",
        facts.bus,
        quoted(root.join("nats/data")),
        quoted(root.join("nats/cert.pem")),
        quoted(root.join("nats/key.pem")),
        quoted(root.join("ca/ca.pem")),
        known.get(SYNC).map_or(sync, String::as_str),
    );
    for (user, key) in nkeys {
        local.push_str(&format!("{}: {key}\n", permission::nkey_variable(user)));
    }
    if facts.containers.is_some() {
        local.push_str(containers::MONITOR);
    }
    refresh(&folder.join("local.conf"), &local, made)
}

/// The server's files that are not those of this version.
pub(crate) fn outdated(dir: &Dir) -> Vec<PathBuf> {
    let shipped = [
        ("nats.conf", NATS_CONF),
        ("permissions.conf", PERMISSIONS_CONF),
    ];
    let found = shipped.map(|(name, text)| (dir.nats().join(name), text));
    let others = found.into_iter().filter(|(path, text)| {
        files::read_public(path).map_or(true, |found| found != text.as_bytes())
    });
    others.map(|(path, _)| path).collect()
}

/// A context of the `nats` command line.
pub(super) fn context(dir: &Dir, user: &str, facts: &Facts, made: &mut Made) -> Result<(), Error> {
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
        "description": format!("Contractual: {user}"),
        "url": match facts.containers {
            Some(_) => containers::RELAYED_URL.to_owned(),
            None => facts.url(),
        },
        "nkey": identity.join("user.nk"),
        "cert": identity.join("cert.pem"),
        "key": identity.join("key.pem"),
        "ca": root.join("ca/ca.pem"),
        "inbox_prefix": format!("_INBOX.{user}"),
    });
    keep(
        &folder.join(format!("{user}.json")),
        &format!("{context:#}\n"),
        made,
    )
}
