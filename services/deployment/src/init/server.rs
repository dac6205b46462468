//! The server's files: shipped files, the deployment's own file, and contexts of the `nats` command line.

use std::{collections::BTreeMap, path::PathBuf};

use actor::files;
use bus_schema::{account, stream::COPIER};

use crate::{
    DeploymentFile, Dir, Error, InitReport, layout,
    report::{keep, refresh},
};

/// The server's shipped configuration.
const NATS_CONF: &str = include_str!("../../../../nats/nats.conf");
const ACCOUNTS_CONF: &str = include_str!("../../../../nats/accounts.conf");
/// The variable of the sync interval, which the user may have edited.
const SYNC: &str = "BUS_SYNC";

/// The variables in `local.conf`; empty if there is none.
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
    let known = known(dir)?;
    let mut local = format!(
        "# The values of this deployment. Written by `contractual init`; holds no secret.\n\
         BUS_LISTEN: {}\nBUS_STORE: {}\nBUS_CERT: {}\nBUS_KEY: {}\nBUS_CA: {}\n{SYNC}: {}\n",
        quoted(&file.bus.to_string()),
        path("nats/data"),
        path("nats/cert.pem"),
        path("nats/key.pem"),
        path("ca/ca.pem"),
        known.get(SYNC).cloned().unwrap_or_else(|| quoted(sync)),
    );
    for (user, key) in nkeys {
        local.push_str(&format!("{}: {key}\n", account::nkey_variable(user)));
    }
    if file.containers.is_some() {
        local.push_str(layout::MONITOR);
    }
    refresh(&folder.join("local.conf"), &local, made)
}

/// A quoted string of the server's configuration. Without quotes `2m` is a number there: two million.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
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
