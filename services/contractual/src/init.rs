//! `init`: makes the identities and configurations of a deployment. Keeps what exists, overwrites nothing.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::SystemTime,
};

use actor::{
    Clock,
    files::{self, Written},
    nkey::UserKey,
    signing_key,
};
use bus_schema::{
    ACTORS, AuthorId, AuthorKey, Deployment, DeploymentId, Digest, Draft, EventId, Link, Owner,
    RosterChanged, Signature, SignedEvent, permission, public_key,
};
use serde::{Deserialize, Serialize};

use crate::{
    Dir, Error, certs,
    containers::{self, Containers},
    dir::Route,
    pki::Ca,
};

/// The server's configuration, as it is shipped.
const NATS_CONF: &str = include_str!("../../../nats/nats.conf");
const PERMISSIONS_CONF: &str = include_str!("../../../nats/permissions.conf");

/// What is the deployment's own: `deployment.toml`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Its id; stands in every signed statement.
    pub deployment: DeploymentId,
    /// Where the server listens.
    pub bus: SocketAddr,
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// The folder that tools work in.
    pub workspace: PathBuf,
    /// What it runs in, if that is not this machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<Containers>,
    #[serde(skip)]
    route: Option<Route>,
}

impl Facts {
    /// Reads the deployment in `dir`.
    ///
    /// # Errors
    /// [`Error::NoDeployment`] if there is none.
    pub fn read(dir: &Dir) -> Result<Self, Error> {
        let path = dir.deployment();
        let text = std::fs::read_to_string(&path)
            .map_err(|_| Error::NoDeployment(dir.path().to_owned()))?;
        let facts: Self = toml::from_str(&text)
            .map_err(|error| Error::Document(format!("{}: {error}", path.display())))?;
        Ok(Self {
            route: dir.route(),
            ..facts
        })
    }

    /// Where this process reaches server and gateway.
    #[must_use]
    pub fn reached(&self) -> Route {
        self.route.unwrap_or(Route {
            bus: self.bus,
            gateway: self.gateway,
        })
    }

    /// The server's address for this process.
    #[must_use]
    pub fn url(&self) -> String {
        format!("tls://{}", self.reached().bus)
    }

    /// The server's address for the services.
    fn service_url(&self) -> String {
        match self.containers {
            Some(_) => containers::BUS_URL.to_owned(),
            None => format!("tls://{}", self.bus),
        }
    }
}

/// What the person can choose.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Where the server listens.
    pub bus: SocketAddr,
    /// Where the gateway listens.
    pub gateway: SocketAddr,
    /// The folder that tools work in.
    pub workspace: PathBuf,
    /// The tool catalogue's text.
    pub catalogue: String,
    /// When the server syncs to disk: `always`, or an interval such as `2m`.
    pub sync: String,
    /// That it is to run in containers, and whose the rest is; `bus` and `gateway` do not count then.
    pub containers: Option<containers::Choices>,
}

/// What was made, and what was there.
#[derive(Debug, Default, Serialize)]
pub struct Made {
    /// Files that were made.
    pub created: Vec<PathBuf>,
    /// Files that were there and are good.
    pub kept: Vec<PathBuf>,
    /// What to do next, if that is not `contractual up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Made {
    /// For people.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let (created, kept) = (self.created.len(), self.kept.len());
        let path = dir.path().display();
        let next = match &self.next {
            Some(next) => next.clone(),
            None => format!("contractual up --dir {path}"),
        };
        format!("{path}: {created} files made, {kept} kept\nnext: {next}")
    }

    fn note(&mut self, path: &Path, written: Written) {
        match written {
            Written::Created => self.created.push(path.to_owned()),
            Written::Kept => self.kept.push(path.to_owned()),
        }
    }
}

/// Makes a deployment in `dir`, or completes it.
///
/// # Errors
/// What could not be made or read, and what to do about it.
pub fn init(dir: &Dir, choices: &Choices, clock: &Clock, now: SystemTime) -> Result<Made, Error> {
    let mut made = Made::default();
    if choices.containers.is_some() {
        containers::may_give_away()?;
    }
    let is_new = !dir.deployment().exists() && !choices.workspace.exists();
    if let Some(parent) = dir.path().parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    files::private_dir(dir.path())?;
    let facts = facts(dir, choices, clock, &mut made)?;
    keep(&dir.catalogue(), &choices.catalogue, &mut made)?;
    let ca = authority(dir, now, &mut made)?;
    let mut nkeys = Vec::new();
    for user in permission::users() {
        nkeys.push((user.name, identity(dir, user.name, &ca, now, &mut made)?));
    }
    nkeys.push(("sys", identity(dir, "sys", &ca, now, &mut made)?));
    let (owner, written) = signing_key::create(&dir.owner_key())?;
    made.note(&dir.owner_key(), written);
    let mut keys = Vec::new();
    for author in ACTORS {
        let path = dir.of(author.name()).join("signing.pem");
        let (key, written) = signing_key::create(&path)?;
        made.note(&path, written);
        keys.push(AuthorKey {
            author: *author,
            key: public_key(&key),
        });
        configuration(
            dir,
            *author,
            &facts,
            bus_schema::public_key(&owner),
            &mut made,
        )?;
    }
    roster(dir, &facts, &owner, keys, clock, &mut made)?;
    server(dir, &facts, choices, &ca, &nkeys, now, &mut made)?;
    for user in ["audit-reader", "trigger"] {
        context(dir, user, &facts, &mut made)?;
    }
    if let Some(choices) = &choices.containers {
        containers::settle(dir, &facts, choices, is_new, &mut made)?;
    }
    Ok(made)
}

fn facts(dir: &Dir, choices: &Choices, clock: &Clock, made: &mut Made) -> Result<Facts, Error> {
    if dir.deployment().exists() {
        made.kept.push(dir.deployment());
        let facts = Facts::read(dir)?;
        if facts.containers.is_some() != choices.containers.is_some() {
            let path = dir.path().display();
            return Err(Error::Refused(format!(
                "{path} was made the other way, with or without --containers; name another folder with --dir"
            )));
        }
        return Ok(facts);
    }
    let workspace = &choices.workspace;
    std::fs::create_dir_all(workspace).map_err(Error::io("create", workspace))?;
    let workspace = workspace
        .canonicalize()
        .map_err(Error::io("find", workspace))?;
    let facts = Facts {
        deployment: DeploymentId::new(clock.uuid()),
        bus: choices
            .containers
            .as_ref()
            .map_or(choices.bus, |_| containers::BUS),
        gateway: choices
            .containers
            .as_ref()
            .map_or(choices.gateway, |_| containers::GATEWAY),
        workspace,
        containers: choices
            .containers
            .as_ref()
            .map(containers::Choices::found_by),
        route: None,
    };
    let text = toml::to_string(&facts).map_err(|error| Error::Document(error.to_string()))?;
    keep(&dir.deployment(), &text, made)?;
    Ok(facts)
}

pub(crate) fn keep(path: &Path, text: &str, made: &mut Made) -> Result<(), Error> {
    if path.exists() {
        made.kept.push(path.to_owned());
    } else {
        files::write_new(path, text.as_bytes())?;
        made.created.push(path.to_owned());
    }
    Ok(())
}

/// Writes what ships with the program: it holds nothing of the deployment, and an old one would lack rights.
fn refresh(path: &Path, text: &str, made: &mut Made) -> Result<(), Error> {
    match std::fs::read_to_string(path) {
        Ok(found) if found == text => made.kept.push(path.to_owned()),
        Ok(_) => {
            std::fs::remove_file(path).map_err(Error::io("replace", path))?;
            return keep(path, text, made);
        }
        Err(_) => return keep(path, text, made),
    }
    Ok(())
}

fn authority(dir: &Dir, now: SystemTime, made: &mut Made) -> Result<Ca, Error> {
    let (certificate, key) = (dir.ca(), dir.ca_key());
    if let Some(folder) = key.parent() {
        files::private_dir(folder)?;
    }
    if key.exists() && certificate.exists() {
        made.kept.extend([key, certificate]);
        return certs::authority(dir, now);
    }
    let ca = Ca::create(now)?;
    files::write_new(&key, ca.key_pem().as_bytes())?;
    files::write_new(&certificate, ca.cert_pem().as_bytes())?;
    made.created.extend([key, certificate]);
    Ok(ca)
}

/// A user's NKey and certificate; returns the NKey's public half.
fn identity(
    dir: &Dir,
    user: &str,
    ca: &Ca,
    now: SystemTime,
    made: &mut Made,
) -> Result<String, Error> {
    let folder = dir.of(user);
    files::private_dir(&folder)?;
    let path = folder.join("user.nk");
    let (nkey, written) = UserKey::create(&path)?;
    made.note(&path, written);
    leaf(&folder, user, ca, now, made)?;
    Ok(nkey.public().to_owned())
}

fn leaf(folder: &Path, name: &str, ca: &Ca, now: SystemTime, made: &mut Made) -> Result<(), Error> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if key.exists() && certificate.exists() {
        made.kept.extend([key, certificate]);
        return Ok(());
    }
    let leaf = certs::issue(ca, name, certs::LEAF_DAYS, now)?;
    files::write_new(&key, leaf.key_pem.as_bytes())?;
    files::write_new(&certificate, leaf.cert_pem.as_bytes())?;
    made.created.extend([key, certificate]);
    Ok(())
}

fn configuration(
    dir: &Dir,
    author: AuthorId,
    facts: &Facts,
    owner: bus_schema::PublicKey,
    made: &mut Made,
) -> Result<(), Error> {
    let service = match author {
        AuthorId::Gateway => {
            let name = facts.containers.as_ref().and_then(|set| set.name.as_ref());
            let hosts = name.map_or_else(String::new, |name| format!("hosts = [{name:?}]\n"));
            let edge = facts.containers.as_ref().map_or("", |_| containers::EDGE);
            format!("listen = \"{}\"\n{hosts}{edge}", facts.gateway)
        }
        AuthorId::Policy => "catalogue = \"../tools.json\"\n".to_owned(),
        AuthorId::Runner => {
            let (workspace, scratch) = match facts.containers {
                Some(_) => (containers::WORKSPACE.to_owned(), containers::SCRATCH),
                None => (facts.workspace.display().to_string(), ""),
            };
            let workspace = toml::Value::from(workspace);
            format!("catalogue = \"../tools.json\"\nworkspace = {workspace}\n{scratch}")
        }
        AuthorId::Audit => format!(
            "deployment = \"{}\"\nsigning_key = \"signing.pem\"\nlog = \"log\"\nanchor = \"anchor\"\n",
            facts.deployment
        ),
        AuthorId::Worker | AuthorId::Owner => String::new(),
    };
    let hardening = match facts.containers {
        Some(_) => containers::HARDENING,
        None => "",
    };
    let text = format!(
        "[bus]\nurl = \"{}\"\nca = \"../ca/ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
         nkey = \"user.nk\"\nsigning_key = \"signing.pem\"\nowner = \"{owner}\"\nstate = \"state\"\n\n\
         {hardening}[service]\n{service}",
        facts.service_url(),
    );
    keep(&dir.config(author), &text, made)
}

/// An event that was signed before there was a bus.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Presigned {
    subject: String,
    schema: String,
    signature: Signature,
    id: EventId,
    body: String,
}

fn roster(
    dir: &Dir,
    facts: &Facts,
    owner: &ed25519_dalek::SigningKey,
    keys: Vec<AuthorKey>,
    clock: &Clock,
    made: &mut Made,
) -> Result<(), Error> {
    let fact = RosterChanged {
        deployment: facts.deployment,
        keys,
    };
    let id = EventId::new(clock.uuid());
    let link = Link {
        seq: 1,
        prev: Digest::ZERO,
        id,
        at: clock.wall(),
    };
    let event = Draft::<Owner>::of(Deployment, fact).sign(link, owner);
    let presigned = Presigned {
        subject: event.subject,
        schema: event.schema,
        signature: event.signature,
        id,
        body: event
            .body
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect(),
    };
    let text = serde_json::to_string_pretty(&presigned)
        .map_err(|error| Error::Document(error.to_string()))?;
    keep(&dir.roster(), &text, made)
}

/// The first roster, as `init` signed it.
///
/// # Errors
/// [`Error::Document`] if the file is not what `init` wrote.
pub(crate) fn first_roster(dir: &Dir) -> Result<SignedEvent, Error> {
    let path = dir.roster();
    let wrong = || {
        Error::Document(format!(
            "{} is not what `contractual init` writes",
            path.display()
        ))
    };
    let bytes = files::read_public(&path)?;
    let read: Presigned = serde_json::from_slice(&bytes).map_err(|_| wrong())?;
    let digits = read.body.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    let body: Option<Vec<u8>> = digits.map(byte).collect();
    Ok(SignedEvent {
        subject: read.subject,
        schema: read.schema,
        signature: read.signature,
        id: read.id,
        body: body.ok_or_else(wrong)?,
    })
}

fn server(
    dir: &Dir,
    facts: &Facts,
    choices: &Choices,
    ca: &Ca,
    nkeys: &[(&str, String)],
    now: SystemTime,
    made: &mut Made,
) -> Result<(), Error> {
    let folder = dir.nats();
    files::private_dir(&folder)?;
    leaf(&folder, "nats", ca, now, made)?;
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
    let mut local = format!(
        "# What is this deployment's own. Written by `contractual init`; holds no secret.\n\
         BUS_LISTEN: \"{}\"\nBUS_STORE: {}\nBUS_CERT: {}\nBUS_KEY: {}\nBUS_CA: {}\nBUS_SYNC: {}\n",
        facts.bus,
        quoted(root.join("nats/data")),
        quoted(root.join("nats/cert.pem")),
        quoted(root.join("nats/key.pem")),
        quoted(root.join("ca/ca.pem")),
        choices.sync,
    );
    for (user, key) in nkeys {
        local.push_str(&format!("{}: {key}\n", permission::nkey_variable(user)));
    }
    if facts.containers.is_some() {
        local.push_str(containers::MONITOR);
    }
    keep(&folder.join("local.conf"), &local, made)
}

/// A context of the `nats` command line.
fn context(dir: &Dir, user: &str, facts: &Facts, made: &mut Made) -> Result<(), Error> {
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
