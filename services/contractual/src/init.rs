//! `init`: makes the identities and configurations of a deployment, or brings one to this version. Keeps what exists:
//! neither a key nor an edited configuration is made anew, and what was taken offline is not missed.

mod roster;
mod server;

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
use bus_schema::{ACTORS, AuthorId, AuthorKey, DeploymentId, PublicKey, account, public_key};
use ed25519_dalek::SigningKey;
use serde::{Deserialize, Serialize};

use crate::{
    Dir, Error, certs,
    containers::{self, Containers, Fresh},
    dir::Route,
    pki::{self, Ca},
};

pub(crate) use roster::{first as first_roster, wanted as wanted_roster};
pub(crate) use server::outdated;

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
    /// Whether the server keeps a copy of the record for the `nats` command line.
    #[serde(default = "yes")]
    pub copy: bool,
    /// What it runs in, if that is not this machine itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub containers: Option<Containers>,
    #[serde(skip)]
    route: Option<Route>,
}

const fn yes() -> bool {
    true
}

impl Facts {
    /// Reads the deployment in `dir`.
    ///
    /// # Errors
    /// [`Error::NoDeployment`] if there is none, [`Error::Refused`] if it is of a version whose record this one cannot
    /// read.
    pub fn read(dir: &Dir) -> Result<Self, Error> {
        // What that version had instead of accounts.
        if dir.nats().join("permissions.conf").exists() {
            return Err(Error::Refused(format!(
                "{} was made by an earlier version, whose record this one cannot read: run it with that version, or make \
                 a new deployment with --dir",
                dir.path().display()
            )));
        }
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
    /// Whether the server keeps a copy of the record for the `nats` command line.
    pub copy: bool,
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
    /// Files that say something else now: what ships with the program, and what was asked for.
    pub replaced: Vec<PathBuf>,
    /// What to do next, if that is not `contractual up`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl Made {
    /// For people.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let (created, kept) = (self.created.len(), self.kept.len());
        let replaced: String = self
            .replaced
            .iter()
            .map(|path| format!("\nreplaced: {}", path.display()))
            .collect();
        let path = dir.path().display();
        let next = match &self.next {
            Some(next) => next.clone(),
            None => format!("contractual up --dir {path}"),
        };
        format!("{path}: {created} files made, {kept} kept{replaced}\nnext: {next}")
    }

    fn note(&mut self, path: &Path, written: Written) {
        match written {
            Written::Created => self.created.push(path.to_owned()),
            Written::Kept => self.kept.push(path.to_owned()),
        }
    }
}

/// Makes a deployment in `dir`, completes it, or brings it to this version.
///
/// # Errors
/// What could not be made or read, and what to do about it.
pub fn init(dir: &Dir, choices: &Choices, clock: &Clock, now: SystemTime) -> Result<Made, Error> {
    let mut made = Made::default();
    if choices.containers.is_some() {
        containers::may_give_away()?;
    }
    let is_new = !dir.deployment().exists();
    let makes_workspace = is_new && !choices.workspace.exists();
    if let Some(parent) = dir.path().parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    files::private_dir(dir.path())?;
    let mut facts = facts(dir, choices, clock, &mut made)?;
    keep(&dir.catalogue(), &choices.catalogue, &mut made)?;
    let authority = Authority::open(dir, now, &mut made)?;
    let known = server::known(dir)?;
    let mut nkeys = Vec::new();
    let users = account::users().into_iter().map(|user| user.name);
    for user in users {
        let known = known.get(&account::nkey_variable(user));
        let key = identity(dir, user, known, &authority, &mut made)?;
        nkeys.push((user, key));
    }
    let (owner, signer) = make_owner(dir, &mut made)?;
    let mut keys = Vec::new();
    for author in ACTORS {
        let path = dir.of(author.name()).join("signing.pem");
        let (key, written) = signing_key::create(&path)?;
        made.note(&path, written);
        keys.push(AuthorKey {
            author: *author,
            key: public_key(&key),
        });
        let text = configuration(*author, &facts, owner);
        keep(&dir.config(*author), &text, &mut made)?;
    }
    if let Some(name) = choices
        .containers
        .as_ref()
        .and_then(|set| set.name.as_ref())
    {
        rename(dir, &mut facts, name, owner, &mut made)?;
    }
    roster::keep(dir, &facts, signer.as_ref(), keys, clock, &mut made)?;
    files::private_dir(&dir.nats())?;
    leaf(&dir.nats(), "nats", &authority, &mut made)?;
    server::write(dir, &facts, &choices.sync, &nkeys, &mut made)?;
    server::contexts(dir, &facts, &mut made)?;
    if let Some(choices) = &choices.containers {
        let fresh = Fresh {
            deployment: is_new,
            workspace: makes_workspace,
        };
        containers::settle(dir, &facts, choices, fresh, &mut made)?;
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
        copy: choices.copy,
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

/// Writes what is not the person's to edit: an old one would lack what this version needs.
pub(crate) fn refresh(path: &Path, text: &str, made: &mut Made) -> Result<(), Error> {
    if !path.exists() {
        return keep(path, text, made);
    }
    if files::read_public(path)? == text.as_bytes() {
        made.kept.push(path.to_owned());
        return Ok(());
    }
    files::replace(path, text.as_bytes())?;
    made.replaced.push(path.to_owned());
    Ok(())
}

/// The authority: its key is offline, or signs.
struct Authority<'a> {
    dir: &'a Dir,
    ca: Option<Ca>,
    now: SystemTime,
}

impl<'a> Authority<'a> {
    /// Makes one for a deployment that has none.
    fn open(dir: &'a Dir, now: SystemTime, made: &mut Made) -> Result<Self, Error> {
        let (certificate, key) = (dir.ca(), dir.ca_key());
        if let Some(folder) = key.parent() {
            files::private_dir(folder)?;
        }
        let ca = match (certificate.exists(), key.exists()) {
            (true, true) => {
                made.kept.extend([key, certificate]);
                Some(certs::authority(dir, now)?)
            }
            (true, false) => {
                made.kept.push(certificate);
                None
            }
            (false, _) if dir.roster().exists() => {
                return Err(Error::Refused(format!(
                    "bring {} back: every service trusts that certificate; only its key may be elsewhere",
                    certificate.display()
                )));
            }
            (false, _) => {
                let ca = Ca::create(now)?;
                files::write_new(&key, ca.key_pem().as_bytes())?;
                files::write_new(&certificate, ca.cert_pem().as_bytes())?;
                made.created.extend([key, certificate]);
                Some(ca)
            }
        };
        Ok(Self { dir, ca, now })
    }

    /// A certificate for one of [`certs::names`].
    fn issue(&self, name: &str) -> Result<pki::Leaf, Error> {
        let ca = self.ca.as_ref().ok_or_else(|| {
            Error::Refused(format!(
                "bring {} back and run this again: {name} needs a certificate",
                self.dir.ca_key().display()
            ))
        })?;
        Ok(certs::issue(ca, name, certs::LEAF_DAYS, self.now)?)
    }
}

/// The NKey and certificate of a user whose NKey the server may have `known` before; returns the NKey's public half.
fn identity(
    dir: &Dir,
    user: &str,
    known: Option<&String>,
    authority: &Authority<'_>,
    made: &mut Made,
) -> Result<String, Error> {
    let folder = dir.of(user);
    let path = folder.join("user.nk");
    let is_actor = ACTORS.iter().any(|author| author.name() == user);
    if let (false, false, Some(known)) = (is_actor, path.exists(), known) {
        // It was taken offline.
        return Ok(known.clone());
    }
    files::private_dir(&folder)?;
    let (nkey, written) = UserKey::create(&path)?;
    made.note(&path, written);
    leaf(&folder, user, authority, made)?;
    Ok(nkey.public().to_owned())
}

fn leaf(
    folder: &Path,
    name: &str,
    authority: &Authority<'_>,
    made: &mut Made,
) -> Result<(), Error> {
    let (certificate, key) = (folder.join("cert.pem"), folder.join("key.pem"));
    if key.exists() && certificate.exists() {
        made.kept.extend([key, certificate]);
        return Ok(());
    }
    let leaf = authority.issue(name)?;
    files::replace(&key, leaf.key_pem.as_bytes())?;
    files::replace(&certificate, leaf.cert_pem.as_bytes())?;
    made.created.extend([key, certificate]);
    Ok(())
}

/// The owner's public key, and the key itself unless it is offline; made for a deployment that has none.
fn make_owner(dir: &Dir, made: &mut Made) -> Result<(PublicKey, Option<SigningKey>), Error> {
    let (path, shown) = (dir.owner_key(), dir.owner_public());
    if !path.exists() && dir.roster().exists() {
        let owner = owner(dir)?;
        refresh(&shown, &format!("{owner}\n"), made)?;
        return Ok((owner, None));
    }
    let (key, written) = signing_key::create(&path)?;
    made.note(&path, written);
    let owner = public_key(&key);
    if shown.exists() && self::read_owner(&shown)? != owner {
        return Err(Error::Refused(format!(
            "{} is another owner's: bring the key back that belongs to {}",
            path.display(),
            shown.display()
        )));
    }
    keep(&shown, &format!("{owner}\n"), made)?;
    Ok((owner, Some(key)))
}

/// The owner's public key, whether the key itself is there or not.
///
/// # Errors
/// If nothing tells it.
pub(crate) fn owner(dir: &Dir) -> Result<PublicKey, Error> {
    if dir.owner_key().exists() {
        return Ok(public_key(&signing_key::load(&dir.owner_key())?));
    }
    if dir.owner_public().exists() {
        return read_owner(&dir.owner_public());
    }
    // Deployments of before that file.
    let read = actor::config::read::<toml::Table>(&dir.config(AuthorId::Policy));
    Ok(read?.0.owner)
}

fn read_owner(path: &Path) -> Result<PublicKey, Error> {
    let bytes = files::read_public(path)?;
    let text = String::from_utf8_lossy(&bytes);
    text.trim()
        .parse()
        .map_err(|_| Error::Document(format!("{} is not the owner's public key", path.display())))
}

/// Gives the gateway its name in the tailnet, if the files still say what was written at first.
fn rename(
    dir: &Dir,
    facts: &mut Facts,
    name: &str,
    owner: PublicKey,
    made: &mut Made,
) -> Result<(), Error> {
    let before = facts
        .containers
        .as_ref()
        .and_then(|set| set.name.as_deref());
    if before == Some(name) {
        return Ok(());
    }
    let path = dir.config(AuthorId::Gateway);
    let found = files::read_public(&path)?;
    let was = configuration(AuthorId::Gateway, facts, owner);
    if let Some(containers) = &mut facts.containers {
        containers.name = Some(name.to_owned());
    }
    let text = configuration(AuthorId::Gateway, facts, owner);
    if found != was.as_bytes() && found != text.as_bytes() {
        return Err(Error::Refused(format!(
            "{} was edited and is not overwritten: put `hosts = [{name:?}]` there yourself",
            path.display()
        )));
    }
    refresh(&path, &text, made)?;
    let text = toml::to_string(facts).map_err(|error| Error::Document(error.to_string()))?;
    refresh(&dir.deployment(), &text, made)
}

/// An actor's configuration, as it is made.
fn configuration(author: AuthorId, facts: &Facts, owner: PublicKey) -> String {
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
    format!(
        "[bus]\nurl = \"{}\"\nca = \"../ca/ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
         nkey = \"user.nk\"\nsigning_key = \"signing.pem\"\nowner = \"{owner}\"\nstate = \"state\"\n\n\
         {hardening}[service]\n{service}",
        facts.service_url(),
    )
}
