//! Deployments in containers: the shares of each container, and the owner and mode of each file.

use std::{
    fs::{self, File, OpenOptions, Permissions},
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, fchown},
    path::{Path, PathBuf},
};

use actor::files;
use bus_schema::{ACTORS, AuthorId};
use rustix::fs::OFlags;

use crate::{
    DeploymentFile, Dir, Error, InitReport,
    file::Containers,
    fleet::SIGNER,
    layout, read_text,
    report::{keep, refresh},
};

/// The file with the deployment's values for the compose file.
const ENVIRONMENT: &str = "compose.env";
/// The variable in it with the sidecar's host name in the tailnet: the first label of the gateway's name.
const HOSTNAME: &str = "CONTRACTUAL_HOSTNAME=";
/// The user and group ids of the other containers.
const NATS_UID: u32 = 10_012;
const TAILSCALE_UID: u32 = 10_010;
const SIGNER_UID: u32 = 10_014;
/// The modes of files for one container, of public files, and of folders.
const SECRET: u32 = 0o400;
const PUBLIC: u32 = 0o444;
const FOLDER: u32 = 0o500;
const VOLUME: u32 = 0o700;
const READABLE: u32 = 0o755;
/// The mode of a workspace that was created here: the person's group shares it.
const SHARED: u32 = 0o2770;

/// The user's choices about containers.
#[derive(Debug, Clone)]
pub struct ContainerChoices {
    /// The owner of all files that belong to no container.
    pub person: Person,
    /// A file with the auth key for the tailnet.
    pub authkey: Option<PathBuf>,
    /// The gateway's name in the tailnet.
    pub name: Option<String>,
}

impl ContainerChoices {
    /// The names by which the containers are found.
    #[must_use]
    pub fn found_by(&self) -> Containers {
        Containers {
            project: "contractual".to_owned(),
            name: self.name.clone(),
        }
    }
}

/// A user of this machine: the owner of the owner's key and of all files that are not mounted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// One container's share of the deployment's folder.
#[derive(Debug, Clone)]
pub struct Share {
    /// The service, which is also the folder's name.
    pub service: &'static str,
    /// Its user and group id.
    pub uid: u32,
    /// The files that only it reads.
    pub files: &'static [&'static str],
    /// The folders that it writes.
    pub volumes: &'static [&'static str],
}

/// The files of an actor; the last one is only that of an actor that opens secrets.
const FILES: [&str; 6] = [
    "cert.pem",
    "key.pem",
    "user.nk",
    "signing.pem",
    "config.toml",
    layout::SEALING_KEY,
];
/// The files of all other actors.
const WITHOUT_SEALING: &[&str] = FILES.split_at(5).0;

/// The shares of all containers.
#[must_use]
pub fn shares() -> Vec<Share> {
    let actors = ACTORS.iter().map(|author| Share {
        service: author.name(),
        uid: author.uid(),
        files: match author {
            AuthorId::Broker | AuthorId::Egress => &FILES,
            AuthorId::Owner
            | AuthorId::Gateway
            | AuthorId::Worker
            | AuthorId::Engine
            | AuthorId::Policy
            | AuthorId::Runner
            | AuthorId::Scheduler
            | AuthorId::Ui
            | AuthorId::Audit => WITHOUT_SEALING,
        },
        volumes: author.volumes(),
    });
    let others = [
        Share {
            service: "nats",
            uid: NATS_UID,
            files: &[
                "cert.pem",
                "key.pem",
                "nats.conf",
                "accounts.conf",
                "local.conf",
            ],
            volumes: &["data"],
        },
        Share {
            service: SIGNER,
            uid: SIGNER_UID,
            files: &["config.toml"],
            volumes: &[],
        },
        Share {
            service: "tailscale",
            uid: TAILSCALE_UID,
            files: &["authkey"],
            volumes: &["state"],
        },
    ];
    actors.chain(others).collect()
}

/// Refuses users that cannot change owners of files.
///
/// # Errors
/// [`Error::Refused`] for users other than root.
pub(crate) fn may_give_away() -> Result<(), Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::Refused(
        "each container's files must belong to its own user id, which needs root: \
         run it with sudo; your own files stay yours"
            .to_owned(),
    ))
}

/// The parts that were created in this run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    /// The deployment.
    pub(crate) deployment: bool,
    /// The workspace.
    pub(crate) workspace: bool,
}

/// Sets the owner of every file of the deployment: a container's user, or its person.
///
/// # Errors
/// [`Error::Io`] for a file that could not be changed.
pub(crate) fn set_owners(
    dir: &Dir,
    file: &DeploymentFile,
    choices: &ContainerChoices,
    fresh: Fresh,
    made: &mut InitReport,
) -> Result<(), Error> {
    let person = person(dir, choices, fresh)?;
    environment(dir, file, choices, made)?;
    let shares = shares();
    for share in &shares {
        files::private_dir(&dir.of(share.service))?;
    }
    if let Some(authkey) = &choices.authkey {
        let key = read_text(authkey)?;
        refresh(&dir.of("tailscale").join("authkey"), &key, made)?;
    }
    publish(dir)?;
    let is_shared = |path: &Path| {
        let name = path.file_name().and_then(|name| name.to_str());
        shares.iter().any(|share| name == Some(share.service))
    };
    keep_for(person, dir.path(), &is_shared)?;
    let trusted = dir.trusted();
    for path in [&dir.ca(), &trusted] {
        give(path, person, PUBLIC)?;
    }
    if let Some(folder) = trusted.parent() {
        give(folder, person, READABLE)?;
    }
    for share in &shares {
        hand_over(dir, share)?;
    }
    if fresh.workspace {
        let runner = Person {
            uid: AuthorId::Runner.uid(),
            gid: person.gid,
        };
        give(&file.workspace, runner, SHARED)?;
    }
    made.next = Some(format!("deploy/stack start {}", dir.path().display()));
    Ok(())
}

/// Writes the variables of the compose file. In an existing file only the host name changes, because a person may have
/// edited the rest.
fn environment(
    dir: &Dir,
    file: &DeploymentFile,
    choices: &ContainerChoices,
    made: &mut InitReport,
) -> Result<(), Error> {
    let path = dir.path().join(ENVIRONMENT);
    let (folder, workspace) = (plain(dir.path())?, plain(&file.workspace)?);
    let fresh = format!("CONTRACTUAL_DIR={folder}\nCONTRACTUAL_WORKSPACE={workspace}\n");
    let text = if path.exists() {
        read_text(&path)?
    } else {
        fresh
    };
    let Some(machine) = choices
        .name
        .as_deref()
        .and_then(|name| name.split('.').next())
    else {
        return keep(&path, &text, made);
    };
    let others = text.lines().filter(|line| !line.starts_with(HOSTNAME));
    let mut text: String = others.map(|line| format!("{line}\n")).collect();
    text.push_str(&format!("{HOSTNAME}{machine}\n"));
    refresh(&path, &text, made)
}

/// The owner of the remaining files; later runs by other users do not change it.
fn person(dir: &Dir, choices: &ContainerChoices, fresh: Fresh) -> Result<Person, Error> {
    let found = fs::metadata(dir.path()).map_err(Error::io("look at", dir.path()))?;
    if fresh.deployment || found.uid() == 0 {
        return Ok(choices.person);
    }
    Ok(Person {
        uid: found.uid(),
        gid: found.gid(),
    })
}

/// Copies the trusted certificates to the folder that containers mount, if this deployment runs in containers.
///
/// # Errors
/// [`Error`] for a file that could not be read or written.
pub(crate) fn publish(dir: &Dir) -> Result<(), Error> {
    if DeploymentFile::read(dir)?.containers.is_none() {
        return Ok(());
    }
    let (path, bytes) = (dir.trusted(), files::read_public(&dir.ca())?);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    // Services load every newly written file again.
    if fs::read(&path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    Ok(files::replace(&path, &bytes)?)
}

/// The text of a path that needs no quotes in the environment file.
fn plain(path: &Path) -> Result<&str, Error> {
    let said = path.to_str().filter(|text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-+@".contains(&b))
    });
    said.ok_or_else(|| {
        Error::Document(format!(
            "{} is not allowed in a compose file: use letters, digits and /._-+@",
            path.display()
        ))
    })
}

/// Makes the person the owner of `folder` and its content, except paths for which `except` returns true.
fn keep_for(person: Person, folder: &Path, except: &dyn Fn(&Path) -> bool) -> Result<(), Error> {
    let entries = fs::read_dir(folder).map_err(Error::io("read", folder))?;
    for entry in entries {
        let path = entry.map_err(Error::io("read", folder))?.path();
        let kind = fs::symlink_metadata(&path).map_err(Error::io("look at", &path))?;
        if kind.is_dir() {
            if !except(&path) {
                keep_for(person, &path, &|_| false)?;
            }
        } else {
            give(&path, person, kind.mode() & 0o7777)?;
        }
    }
    give(folder, person, VOLUME)
}

fn hand_over(dir: &Dir, share: &Share) -> Result<(), Error> {
    let user = Person {
        uid: share.uid,
        gid: share.uid,
    };
    let folder = dir.of(share.service);
    for name in share.volumes {
        let volume = folder.join(name);
        match fs::create_dir(&volume) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => {
                return Err(Error::io("create", volume)(error));
            }
            Ok(()) | Err(_) => give(&volume, user, VOLUME)?,
        }
    }
    for name in share.files {
        let path = folder.join(name);
        // A person adds the auth key for the tailnet later.
        if path.exists() {
            give(&path, user, SECRET)?;
        }
    }
    give(&folder, user, FOLDER)
}

/// Sets owner and mode of a file or folder; never follows a link.
fn give(path: &Path, to: Person, mode: u32) -> Result<(), Error> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened: Result<File, _> = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path);
    let file = opened.map_err(Error::io("open", path))?;
    // The mode comes last, because a change of owner clears bits.
    fchown(&file, Some(to.uid), Some(to.gid)).map_err(Error::io("give away", path))?;
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(Error::io("set the mode of", path))
}

/// The files with wrong owners or modes, one text each.
pub fn misplaced(dir: &Dir) -> Vec<String> {
    let mut wrong = Vec::new();
    for share in shares() {
        let folder = dir.of(share.service);
        let files = share.files.iter().map(|name| (folder.join(name), SECRET));
        let volumes = share.volumes.iter().map(|name| (folder.join(name), VOLUME));
        let of = std::iter::once((folder.clone(), FOLDER));
        for (path, mode) in of.chain(files).chain(volumes) {
            wrong.extend(misplaced_one(&path, share.uid, mode));
        }
    }
    wrong
}

fn misplaced_one(path: &PathBuf, uid: u32, mode: u32) -> Option<String> {
    let shown = path.display();
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        // Its folder belongs to another user, so only root can read it.
        Err(error) if error.kind() == std::io::ErrorKind::PermissionDenied => return None,
        Err(_) if path.ends_with("tailscale/authkey") => return None,
        Err(_) => {
            return Some(format!("{shown} is missing"));
        }
    };
    let is = (found.uid(), found.mode() & 0o7777);
    (is != (uid, mode)).then(|| {
        format!(
            "{shown} belongs to {} with mode {:04o} instead of {uid} with {mode:04o}",
            is.0, is.1
        )
    })
}

/// Returns true if the user may write to a folder, by owner and mode.
pub fn can_write(found: &fs::Metadata, user: u32) -> bool {
    let (owner, group, others) = (0o300, 0o030, 0o003);
    let mode = found.mode();
    (found.uid() == user && mode & owner == owner)
        || (found.gid() == user && mode & group == group)
        || mode & others == others
}
