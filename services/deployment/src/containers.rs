//! What a deployment in containers has of its own: where things lie inside, and who owns each file outside.

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
    read_text,
    report::{keep, refresh},
};

/// The values that the compose file takes from a deployment.
const ENVIRONMENT: &str = "compose.env";
/// The line in it with the name under which the sidecar joins the tailnet: the first label of the gateway's.
const HOSTNAME: &str = "CONTRACTUAL_HOSTNAME=";
/// The user and group id of each container.
const NATS_UID: u32 = 10_012;
const TAILSCALE_UID: u32 = 10_010;
/// Modes: of files that only one container reads, of public ones, and of the folders.
const SECRET: u32 = 0o400;
const PUBLIC: u32 = 0o444;
const FOLDER: u32 = 0o500;
const VOLUME: u32 = 0o700;
const READABLE: u32 = 0o755;
/// A workspace that was made here: the person's group shares it.
const SHARED: u32 = 0o2770;

/// What the person can choose about containers.
#[derive(Debug, Clone)]
pub struct Choices {
    /// Whose everything is that no container has.
    pub person: Person,
    /// A file with the auth key for the tailnet.
    pub authkey: Option<PathBuf>,
    /// The gateway's name in the tailnet.
    pub name: Option<String>,
}

impl Choices {
    /// How the containers will be found.
    #[must_use]
    pub fn found_by(&self) -> Containers {
        Containers {
            project: "contractual".to_owned(),
            name: self.name.clone(),
        }
    }
}

/// A person of this machine: whom the owner's key and all that is not mounted belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// The user id.
    pub uid: u32,
    /// The group id.
    pub gid: u32,
}

/// What one container has of the deployment's folder.
#[derive(Debug, Clone)]
pub struct Share {
    /// The service, which is also the folder's name.
    pub service: &'static str,
    /// Its user and group id.
    pub uid: u32,
    /// Files that it alone reads.
    pub files: &'static [&'static str],
    /// Folders that it writes.
    pub volumes: &'static [&'static str],
}

/// What each container has.
#[must_use]
pub fn shares() -> Vec<Share> {
    let actors = ACTORS.iter().map(|author| Share {
        service: author.name(),
        uid: author.uid(),
        files: &[
            "cert.pem",
            "key.pem",
            "user.nk",
            "signing.pem",
            "config.toml",
        ],
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
            service: "tailscale",
            uid: TAILSCALE_UID,
            files: &["authkey"],
            volumes: &["state"],
        },
    ];
    actors.chain(others).collect()
}

/// Refuses whoever cannot give files away.
///
/// # Errors
/// [`Error::Refused`] with what to do instead.
pub(crate) fn may_give_away() -> Result<(), Error> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Error::Refused(
        "each container's files must belong to its own user id, which only root can arrange: \
         run it with sudo; what is yours stays yours"
            .to_owned(),
    ))
}

/// What was made just now.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fresh {
    /// The deployment.
    pub(crate) deployment: bool,
    /// The workspace.
    pub(crate) workspace: bool,
}

/// Gives every file of the deployment to whom it belongs: to a container's user, or to its person.
///
/// # Errors
/// What could not be changed.
pub(crate) fn set_owners(
    dir: &Dir,
    facts: &DeploymentFile,
    choices: &Choices,
    fresh: Fresh,
    made: &mut InitReport,
) -> Result<(), Error> {
    let person = person(dir, choices, fresh)?;
    environment(dir, facts, choices, made)?;
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
    for path in [&dir.ca(), &trusted, &dir.catalogue()] {
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
        give(&facts.workspace, runner, SHARED)?;
    }
    made.next = Some(format!("deploy/stack start {}", dir.path().display()));
    Ok(())
}

/// What compose puts in its variables' places. Of a file that is there only the machine's name changes: the rest may be a
/// person's.
fn environment(
    dir: &Dir,
    facts: &DeploymentFile,
    choices: &Choices,
    made: &mut InitReport,
) -> Result<(), Error> {
    let path = dir.path().join(ENVIRONMENT);
    let (folder, workspace) = (plain(dir.path())?, plain(&facts.workspace)?);
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

/// Whose the rest is: a deployment stays whose it is, whoever runs this again.
fn person(dir: &Dir, choices: &Choices, fresh: Fresh) -> Result<Person, Error> {
    let found = fs::metadata(dir.path()).map_err(Error::io("look at", dir.path()))?;
    if fresh.deployment || found.uid() == 0 {
        return Ok(choices.person);
    }
    Ok(Person {
        uid: found.uid(),
        gid: found.gid(),
    })
}

/// Puts what every service trusts where containers see it, if this deployment runs in any.
///
/// # Errors
/// What could not be read or written.
pub(crate) fn publish(dir: &Dir) -> Result<(), Error> {
    if DeploymentFile::read(dir)?.containers.is_none() {
        return Ok(());
    }
    let (path, bytes) = (dir.trusted(), files::read_public(&dir.ca())?);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    // Services take a file that is written anew for another one.
    if fs::read(&path).is_ok_and(|found| found == bytes) {
        return Ok(());
    }
    Ok(files::replace(&path, &bytes)?)
}

/// A path that stands in the environment file as it is.
fn plain(path: &Path) -> Result<&str, Error> {
    let said = path.to_str().filter(|text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"/._-+@".contains(&b))
    });
    said.ok_or_else(|| {
        Error::Document(format!(
            "{} cannot stand in a compose file: use letters, digits and /._-+@",
            path.display()
        ))
    })
}

/// Gives `folder` and what lies in it to the person, but not what `except` says is somebody else's.
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
        // The key for the tailnet comes from a person, later.
        if path.exists() {
            give(&path, user, SECRET)?;
        }
    }
    give(&folder, user, FOLDER)
}

/// Sets owner and mode of the file or folder itself: never of what a link points to.
fn give(path: &Path, to: Person, mode: u32) -> Result<(), Error> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened: Result<File, _> = OpenOptions::new()
        .read(true)
        .custom_flags(i32::try_from(flags.bits()).unwrap_or_default())
        .open(path);
    let file = opened.map_err(Error::io("open", path))?;
    // The mode last: a change of owner takes bits away.
    fchown(&file, Some(to.uid), Some(to.gid)).map_err(Error::io("give away", path))?;
    file.set_permissions(Permissions::from_mode(mode))
        .map_err(Error::io("set the mode of", path))
}

/// What is wrong with owners and modes, and the fix.
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
        // Its folder belongs to another user: only root sees into it.
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

/// Whether the user may write to a folder, by owner and mode.
pub fn can_write(found: &fs::Metadata, user: u32) -> bool {
    let (owner, group, others) = (0o300, 0o030, 0o003);
    let mode = found.mode();
    (found.uid() == user && mode & owner == owner)
        || (found.gid() == user && mode & group == group)
        || mode & others == others
}
