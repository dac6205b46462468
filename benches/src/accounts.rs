//! Variants of accounts that are not shipped: more readers, one account for all, and the former subjects.

use std::path::PathBuf;

use actor::{BusClient, Clock, files, nkey::UserKey};
use bus_schema::{
    AUDIT, AuthorId,
    account::{self, BUS, Form, Import, User},
    stream,
};
use deployment::Dir;
use serde_json::json;

use crate::{port::free_port, runtime::Error};

/// Gateways beside the deployment's own.
const READERS: [&str; 15] = [
    "reader-1",
    "reader-2",
    "reader-3",
    "reader-4",
    "reader-5",
    "reader-6",
    "reader-7",
    "reader-8",
    "reader-9",
    "reader-10",
    "reader-11",
    "reader-12",
    "reader-13",
    "reader-14",
    "reader-15",
];

/// The accounts of the identities, and the subjects of policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Accounts {
    /// One account for each identity.
    Own,
    /// One account for all identities.
    One,
    /// One account for each identity; policy may name the task in a subject, as it did before.
    TaskInSubject,
}

/// The names of so many extra readers.
pub(crate) fn readers(count: usize) -> Result<&'static [&'static str], Error> {
    let most = READERS.len();
    READERS
        .get(..count)
        .ok_or_else(|| format!("there are {most} more readers at most, not {count}").into())
}

/// A reader's configuration file.
pub(crate) fn config(dir: &Dir, name: &str) -> PathBuf {
    dir.of(name).join("config.toml")
}

/// Writes the server's accounts over the shipped ones, and makes the identities of `readers`.
pub(crate) fn write(dir: &Dir, accounts: Accounts, readers: &[&'static str]) -> Result<(), Error> {
    let mut users = account::users();
    match accounts {
        Accounts::Own if readers.is_empty() => return Ok(()),
        Accounts::Own => {}
        Accounts::One => {
            let text = account::one_account_conf(account::rights_in_one_account);
            return Ok(std::fs::write(dir.nats().join("accounts.conf"), text)?);
        }
        Accounts::TaskInSubject => {
            let family = "event.policy.*.*.*".to_owned();
            for user in users.iter_mut().filter(|user| user.name == "policy") {
                user.publish.push(family.clone());
                user.imports.push(Import {
                    from: BUS.to_owned(),
                    form: Form::Answer,
                    subject: family.clone(),
                    to: family.clone(),
                });
            }
        }
    }
    let gateway = users.iter().find(|user| user.name == "gateway").cloned();
    let gateway = gateway.ok_or("there is no gateway")?;
    let local = dir.nats().join("local.conf");
    let mut known = std::fs::read_to_string(&local)?;
    for name in readers {
        users.push(reader(&gateway, name));
        let key = identity(dir, name)?;
        known.push_str(&format!("{}: {key}\n", account::nkey_variable(name)));
    }
    std::fs::write(local, known)?;
    let text = account::accounts_conf_of(&users);
    Ok(std::fs::write(dir.nats().join("accounts.conf"), text)?)
}

/// The account of a reader: the gateway's, with a consumer of its own under the gateway's name.
fn reader(gateway: &User, name: &'static str) -> User {
    let mut user = User {
        name,
        ..gateway.clone()
    };
    let (theirs, own) = (format!(".{AUDIT}.gateway"), format!(".{AUDIT}.{name}"));
    let mut answered = Vec::new();
    for import in &mut user.imports {
        if import.subject.ends_with(&theirs) {
            import.subject = import.subject.replace(&theirs, &own);
            // The server's answer has the consumer's real name, which later requests use.
            let to = import.to.replace(&theirs, &own);
            user.publish.push(to.clone());
            answered.push(Import {
                to,
                ..import.clone()
            });
        }
    }
    user.imports.extend(answered);
    user
}

/// A reader's NKey and configuration: the gateway's, with a state, an NKey and a port of its own.
fn identity(dir: &Dir, name: &str) -> Result<String, Error> {
    let folder = dir.of(name);
    files::private_dir(&folder)?;
    let (key, _) = UserKey::create(&folder.join("user.nk"))?;
    let mut text = std::fs::read_to_string(dir.config(AuthorId::Gateway))?;
    for file in ["cert.pem", "key.pem", "signing.pem"] {
        text = text.replace(&format!("\"{file}\""), &format!("\"../gateway/{file}\""));
    }
    let own = text.lines().map(|line| match line.split_once(" = ") {
        Some(("listen", _)) => Ok(format!("listen = \"{}\"\n", free_port()?)),
        _ => Ok(format!("{line}\n")),
    });
    let own = own.collect::<Result<String, Error>>()?;
    std::fs::write(config(dir, name), own)?;
    Ok(key.public().to_owned())
}

/// Makes the consumers of `readers`.
pub(crate) async fn provision(
    dir: &Dir,
    url: &str,
    clock: &Clock,
    readers: &[&str],
) -> Result<(), Error> {
    if readers.is_empty() {
        return Ok(());
    }
    let bus = BusClient::connect(&dir.access("provision", url), clock.clone()).await?;
    for name in readers {
        let mut config = stream::consumer(AuthorId::Gateway);
        for field in ["name", "durable_name"] {
            if let Some(field) = config.get_mut(field) {
                *field = json!(name);
            }
        }
        let question = json!({"stream_name": AUDIT, "config": config});
        bus.api(&format!("CONSUMER.CREATE.{AUDIT}.{name}"), &question)
            .await?;
    }
    Ok(())
}
