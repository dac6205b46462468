//! `init`: creates the identities and configurations of a deployment, or upgrades them to this version. Keeps existing
//! keys and edited configurations, and does not need keys that are offline.

mod address;
mod named;
mod roster;
mod sealing;
mod server;

use std::{
    net::{IpAddr, SocketAddr},
    path::{Path, PathBuf},
    time::SystemTime,
};

use actor::{Clock, files, nkey::UserKey, signing_key};
use bus_schema::{ACTORS, AuthorId, AuthorKey, DeploymentId, PublicKey, account, public_key};
use ed25519_dalek::SigningKey;

use crate::{
    DeploymentFile, Dir, Error, InitReport, Sync, certs,
    containers::{self, Fresh},
    layout,
    owner::{owner, read_owner},
    pki::{self, Ca},
    report::{keep, refresh},
};

pub use roster::{first as first_roster, wanted as wanted_roster};
pub use server::{outdated, wanted_sync};

/// The user's choices.
#[derive(Debug, Clone)]
pub struct Choices {
    /// The server's listen address.
    pub bus: SocketAddr,
    /// The gateway's listen address.
    pub gateway: SocketAddr,
    /// The signer's listen address; none for a deployment without a signer.
    pub signer: Option<SocketAddr>,
    /// The workspace of the tools.
    pub workspace: PathBuf,
    /// The tool catalogue's text.
    pub catalogue: String,
    /// The server's sync to disk: `always`, or an interval such as `2m`.
    pub sync: String,
    /// True if the server keeps a copy of the record for the `nats` command line.
    pub copy: bool,
    /// The choices for containers, if it runs in them; `bus` and `gateway` are then ignored.
    pub containers: Option<containers::ContainerChoices>,
}

/// Creates a deployment in `dir`, completes it, or upgrades it to this version.
///
/// # Errors
/// [`Error`] for a file that could not be created or read.
pub fn init(
    dir: &Dir,
    choices: &Choices,
    clock: &Clock,
    now: SystemTime,
) -> Result<InitReport, Error> {
    let mut made = InitReport::default();
    if choices.containers.is_some() {
        containers::may_give_away()?;
    }
    server::check_folder(dir.path())?;
    let is_new = !dir.deployment().exists();
    if is_new {
        choices.sync.parse::<Sync>()?;
        if choices.containers.is_none() {
            address::check(choices.bus, choices.gateway)?;
        }
    }
    let makes_workspace = is_new && !choices.workspace.exists();
    if let Some(parent) = dir.path().parent() {
        std::fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
    }
    files::private_dir(dir.path())?;
    let mut file = deployment_file(dir, choices, clock, &mut made)?;
    keep(&dir.catalogue(), &choices.catalogue, &mut made)?;
    let authority = Authority::open(dir, file.bus.ip(), now, &mut made)?;
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
        let text = configuration(*author, &file, owner);
        keep(&dir.config(*author), &text, &mut made)?;
        without_catalogue(&dir.config(*author), &mut made)?;
    }
    let name = choices
        .containers
        .as_ref()
        .and_then(|set| set.name.as_deref());
    let gateway = |file: &DeploymentFile| configuration(AuthorId::Gateway, file, owner);
    named::keep(dir, &mut file, name, &gateway, &mut made)?;
    let sealing = sealing::keep(dir, clock, &mut made)?;
    roster::keep(
        dir,
        &file,
        signer.as_ref(),
        (keys, sealing),
        clock,
        &mut made,
    )?;
    files::private_dir(&dir.nats())?;
    leaf(&dir.nats(), "nats", &authority, &mut made)?;
    server::write(dir, &file, &choices.sync, &nkeys, &mut made)?;
    server::contexts(dir, &file, &mut made)?;
    if let Some(choices) = &choices.containers {
        let fresh = Fresh {
            deployment: is_new,
            workspace: makes_workspace,
        };
        containers::set_owners(dir, &file, choices, fresh, &mut made)?;
    }
    Ok(made)
}

/// The deployment's description.
fn deployment_file(
    dir: &Dir,
    choices: &Choices,
    clock: &Clock,
    made: &mut InitReport,
) -> Result<DeploymentFile, Error> {
    if dir.deployment().exists() {
        made.kept.push(dir.deployment());
        let file = DeploymentFile::read(dir)?;
        if file.containers.is_some() != choices.containers.is_some() {
            let path = dir.path().display();
            return Err(Error::Refused(format!(
                "{path} was made with the opposite choice of --containers; name another folder with --dir"
            )));
        }
        return Ok(file);
    }
    let workspace = &choices.workspace;
    std::fs::create_dir_all(workspace).map_err(Error::io("create", workspace))?;
    let workspace = workspace
        .canonicalize()
        .map_err(Error::io("find", workspace))?;
    let file = DeploymentFile {
        deployment: DeploymentId::new(clock.uuid()),
        bus: choices
            .containers
            .as_ref()
            .map_or(choices.bus, |_| layout::BUS),
        gateway: choices
            .containers
            .as_ref()
            .map_or(choices.gateway, |_| layout::GATEWAY),
        signer: choices.signer.filter(|_| choices.containers.is_none()),
        workspace,
        copy: choices.copy,
        containers: choices
            .containers
            .as_ref()
            .map(containers::ContainerChoices::found_by),
        route: None,
    };
    let text = toml::to_string(&file).map_err(|error| Error::Document(error.to_string()))?;
    keep(&dir.deployment(), &text, made)?;
    Ok(file)
}

/// The certificate authority; `ca` is none if its key is offline.
struct Authority<'a> {
    dir: &'a Dir,
    /// The server's address, which its certificate names.
    bus: IpAddr,
    ca: Option<Ca>,
    now: SystemTime,
}

impl<'a> Authority<'a> {
    /// Opens the authority, or creates one for a deployment without.
    fn open(
        dir: &'a Dir,
        bus: IpAddr,
        now: SystemTime,
        made: &mut InitReport,
    ) -> Result<Self, Error> {
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
                    "{} is missing: bring it back, because every service trusts it; only its key may be offline",
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
        Ok(Self { dir, bus, ca, now })
    }

    /// Issues a certificate to one of [`certs::names`].
    fn issue(&self, name: &str) -> Result<pki::Leaf, Error> {
        let ca = self.ca.as_ref().ok_or_else(|| {
            Error::Refused(format!(
                "{name} needs a certificate: bring {} back and run this again",
                self.dir.ca_key().display()
            ))
        })?;
        let days = certs::LEAF_DAYS;
        Ok(certs::issue(ca, name, self.bus, days, self.now)?)
    }
}

/// Creates or keeps a user's NKey and certificate; returns the public NKey. `known` is the NKey in the server's file.
fn identity(
    dir: &Dir,
    user: &str,
    known: Option<&String>,
    authority: &Authority<'_>,
    made: &mut InitReport,
) -> Result<String, Error> {
    let folder = dir.of(user);
    let path = folder.join("user.nk");
    let is_actor = ACTORS.iter().any(|author| author.name() == user);
    if let (false, false, Some(known)) = (is_actor, path.exists(), known) {
        // The identity is offline.
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
    made: &mut InitReport,
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

/// The owner's public key, and the signing key unless it is offline; creates both for a deployment without.
fn make_owner(dir: &Dir, made: &mut InitReport) -> Result<(PublicKey, Option<SigningKey>), Error> {
    let (path, shown) = (dir.owner_key(), dir.owner_public());
    if !path.exists() && dir.roster().exists() {
        let owner = owner(dir)?;
        refresh(&shown, &format!("{owner}\n"), made)?;
        return Ok((owner, None));
    }
    let (key, written) = signing_key::create(&path)?;
    made.note(&path, written);
    let owner = public_key(&key);
    if shown.exists() && read_owner(&shown)? != owner {
        return Err(Error::Refused(format!(
            "{} belongs to another owner: bring the key back that belongs to {}",
            path.display(),
            shown.display()
        )));
    }
    keep(&shown, &format!("{owner}\n"), made)?;
    Ok((owner, Some(key)))
}

/// Removes the line with which older versions named the catalogue, which the owner signs now.
fn without_catalogue(path: &Path, made: &mut InitReport) -> Result<(), Error> {
    const LINE: &str = "catalogue = \"../tools.json\"\n";
    let found = files::read_public(path)?;
    match String::from_utf8(found) {
        Ok(text) if text.contains(LINE) => refresh(path, &text.replace(LINE, ""), made),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// An actor's initial configuration.
fn configuration(author: AuthorId, file: &DeploymentFile, owner: PublicKey) -> String {
    let service = match author {
        AuthorId::Gateway => {
            let edge = file.containers.as_ref().map_or("", |_| layout::EDGE);
            let (hosts, signers) = (
                named::list("hosts", file.name().map(str::to_owned)),
                named::list("signers", named::signers(file)),
            );
            format!("listen = \"{}\"\n{hosts}{signers}{edge}", file.gateway)
        }
        AuthorId::Runner => {
            let (workspace, scratch) = match file.containers {
                Some(_) => (layout::WORKSPACE.to_owned(), layout::SCRATCH),
                None => (file.workspace.display().to_string(), ""),
            };
            let workspace = toml::Value::from(workspace);
            format!("workspace = {workspace}\n{scratch}")
        }
        AuthorId::Audit => format!(
            "deployment = \"{}\"\nsigning_key = \"signing.pem\"\nlog = \"log\"\nanchor = \"anchor\"\n",
            file.deployment
        ),
        AuthorId::Broker
        | AuthorId::Egress
        | AuthorId::Engine
        | AuthorId::Policy
        | AuthorId::Scheduler
        | AuthorId::Ui
        | AuthorId::Worker
        | AuthorId::Owner => String::new(),
    };
    let hardening = match file.containers {
        Some(_) => layout::HARDENING,
        None => "",
    };
    format!(
        "[bus]\nurl = \"{}\"\nca = \"../ca/ca.pem\"\ncertificate = \"cert.pem\"\nkey = \"key.pem\"\n\
         nkey = \"user.nk\"\nsigning_key = \"signing.pem\"\nowner = \"{owner}\"\nstate = \"state\"\n\n\
         {hardening}[service]\n{service}",
        file.service_url(),
    )
}
