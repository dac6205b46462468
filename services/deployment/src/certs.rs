//! `certs`: shows certificates and their expiry, renews them, and replaces the authority.

use std::{
    fmt,
    fs::File,
    net::IpAddr,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use actor::files;
use bus_schema::{Time, account};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use crate::{
    DeploymentFile, Dir, Error, containers,
    file::reached,
    pki::{self, Ca, Leaf, Side},
};

/// The default validity of a certificate in days.
pub const LEAF_DAYS: u32 = 30;
/// The time before its expiry from which a certificate is due for renewal, or the last third of its life if that is
/// shorter.
pub const SOON: Duration = Duration::from_secs(30 * 86_400);
/// The server's name among the owners of certificates.
const NATS: &str = "nats";

/// The state of a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is valid for long enough.
    Good,
    /// It expires soon.
    Soon,
    /// It has expired, or is not yet valid.
    Expired,
    /// It was signed by an authority that no longer signs.
    OtherAuthority,
    /// It is missing, unreadable, or does not belong to its key.
    Broken,
}

/// The status of a certificate on disk.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// The owner's name.
    pub name: &'static str,
    /// The expiry; the Unix epoch if it cannot be read.
    pub until: Time,
    /// The number of whole days left.
    pub days_left: u64,
    /// The state.
    pub state: State,
    /// The problem, if there is one.
    pub wrong: Option<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match (&self.wrong, self.state) {
            (Some(wrong), _) => write!(f, "{name}: {wrong}"),
            (None, State::Soon) => write!(f, "{name} expires in {} days", self.days_left),
            (None, _) => write!(f, "{name} is valid until {}", self.until),
        }
    }
}

/// The renewed certificates.
#[derive(Debug, Serialize)]
pub struct Renewed {
    /// The owners' names.
    pub names: Vec<&'static str>,
    /// The expiry.
    pub until: Time,
}

impl Renewed {
    /// The result as text.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let mut text = format!("{} are valid until {}", self.names.join(", "), self.until);
        text.push_str("\nservices load theirs within seconds");
        if self.names.contains(&NATS) {
            text.push_str(&format!("; for nats-server: {}", tell(dir)));
        }
        text
    }
}

/// The result of a change of the authority.
#[derive(Debug, Serialize)]
pub struct Authorities {
    /// The number of trusted authorities.
    pub trusted: usize,
}

impl Authorities {
    /// The result as text.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let (tell, dir) = (tell(dir), dir.path().display());
        if self.trusted == 1 {
            return format!("one authority is trusted; reload nats-server: {tell}");
        }
        format!(
            "{} authorities are trusted and the newest signs; next, each after the one before:\n  {tell}\n  \
             contractual certs renew --dir {dir}\n  {tell}\n  contractual certs authority --retire --dir {dir}\n  {tell}",
            self.trusted
        )
    }
}

/// The command that reloads nats-server's certificates.
fn tell(dir: &Dir) -> String {
    let containers = DeploymentFile::read(dir)
        .ok()
        .and_then(|facts| facts.containers);
    match containers {
        Some(of) => format!("docker kill --signal HUP {}", of.container(NATS)),
        None => "send it SIGHUP, which `contractual up` does by itself".to_owned(),
    }
}

/// The names of all owners of certificates: the users of the bus, and the server.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let users = account::users().into_iter().map(|user| user.name);
    users.chain([NATS]).collect()
}

/// Loads the signing authority.
///
/// # Errors
/// [`Error`] if its key is offline or its files are invalid.
pub fn authority(dir: &Dir, now: SystemTime) -> Result<Ca, Error> {
    let path = dir.ca_key();
    if !path.exists() && dir.ca().exists() {
        let path = path.display();
        return Err(Error::Refused(format!(
            "the authority's key is offline: bring {path} back"
        )));
    }
    let key = files::read_secret(&path)?;
    let certificate = files::read_public(&dir.ca())?;
    Ok(Ca::load(
        &String::from_utf8_lossy(&key),
        &String::from_utf8_lossy(&certificate),
        now,
    )?)
}

/// Issues a new key and certificate to one of [`names`]; the server's names `bus`, its address, as well.
///
/// # Errors
/// As [`Ca::issue`].
pub fn issue(
    ca: &Ca,
    name: &str,
    bus: IpAddr,
    days: u32,
    now: SystemTime,
) -> Result<Leaf, pki::Error> {
    if name != NATS {
        return ca.issue(name, &[name], Side::Client, days, now);
    }
    let bus = reached(bus).to_string();
    ca.issue(name, &[name, &bus], Side::Server, days, now)
}

/// Replaces the key and certificate of `only`, or of every user with a folder.
///
/// # Errors
/// [`Error::Document`] for an unknown name; other errors for files that could not be read, created or written.
pub fn renew(dir: &Dir, only: Option<&str>, days: u32, now: SystemTime) -> Result<Renewed, Error> {
    let _alone = alone(dir)?;
    let ca = authority(dir, now)?;
    let bus = DeploymentFile::read(dir)?.bus.ip();
    let mut names = names();
    names.retain(|name| only.map_or_else(|| dir.of(name).is_dir(), |only| only == *name));
    if names.is_empty() {
        return Err(Error::Document(format!(
            "{:?} has no certificate; see the names with `contractual certs show`",
            only.unwrap_or_default()
        )));
    }
    for name in &names {
        let leaf = issue(&ca, name, bus, days, now)?;
        let (certificate, key) = paths(dir, name);
        files::replace(&key, leaf.key_pem.as_bytes())?;
        files::replace(&certificate, leaf.cert_pem.as_bytes())?;
    }
    let until = now + Duration::from_secs(u64::from(days) * 86_400);
    Ok(Renewed {
        names,
        until: time(until),
    })
}

/// Renews certificates that expire soon or are invalid; returns their names.
///
/// # Errors
/// As [`renew`].
pub fn renew_due(dir: &Dir, now: SystemTime) -> Result<Vec<&'static str>, Error> {
    let mut due = show(dir, now)?;
    due.retain(|one| one.state != State::Good);
    for one in &due {
        renew(dir, Some(one.name), LEAF_DAYS, now)?;
    }
    Ok(due.into_iter().map(|one| one.name).collect())
}

/// The status of the certificates of all users with a folder. Needs no key of the authority.
///
/// # Errors
/// [`Error`] if the authority's certificate cannot be read.
pub fn show(dir: &Dir, now: SystemTime) -> Result<Vec<Shown>, Error> {
    let trusted = files::read_public(&dir.ca())?;
    let trusted = String::from_utf8_lossy(&trusted);
    // The newest authority is the first.
    let ca = pki::certificates(&trusted).next().unwrap_or_default();
    let mut names = names();
    names.retain(|name| dir.of(name).is_dir());
    Ok(names
        .into_iter()
        .map(|name| look(ca, dir, name, now))
        .collect())
}

/// Formats statuses as a table.
#[must_use]
pub fn table(all: &[Shown]) -> String {
    let line = |one: &Shown| {
        let (name, until, days) = (one.name, one.until, one.days_left);
        let note = match (one.state, &one.wrong) {
            (_, Some(wrong)) => wrong.as_str(),
            (State::Good, None) => "good",
            (_, None) => "renew it: contractual certs renew",
        };
        format!("{name:<13} {until}  {days:>3} days  {note}")
    };
    all.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn look(ca: &str, dir: &Dir, name: &'static str, now: SystemTime) -> Shown {
    let mut shown = Shown {
        name,
        until: Time::default(),
        days_left: 0,
        state: State::Broken,
        wrong: None,
    };
    let (certificate, key) = paths(dir, name);
    let read = files::read_public(&certificate)
        .and_then(|certificate| Ok((certificate, files::read_secret(&key)?)));
    let (certificate, key) = match read {
        Ok(read) => read,
        Err(error) => {
            shown.wrong = Some(error.to_string());
            return shown;
        }
    };
    let (certificate, key) = (
        String::from_utf8_lossy(&certificate),
        String::from_utf8_lossy(&key),
    );
    if let Ok((from, until)) = pki::validity(&certificate) {
        let left = until.duration_since(now).unwrap_or_default();
        let life = until.duration_since(from).unwrap_or_default();
        shown.until = time(until);
        shown.days_left = left.as_secs() / 86_400;
        shown.state = if left < SOON.min(life / 3) {
            State::Soon
        } else {
            State::Good
        };
    }
    if let Err(error) = pki::check(ca, &key, &certificate, now) {
        shown.state = if matches!(error, pki::Error::NotValidNow) {
            State::Expired
        } else if matches!(error, pki::Error::NotSignedHere) {
            State::OtherAuthority
        } else {
            State::Broken
        };
        shown.wrong = Some(error.to_string());
    }
    shown
}

/// Creates a new authority that signs from now on; the old one stays trusted.
///
/// # Errors
/// [`Error::Refused`] while two are trusted; other errors for files that could not be read, created or written.
pub fn new_authority(dir: &Dir, now: SystemTime) -> Result<Authorities, Error> {
    let _alone = alone(dir)?;
    let before = authority(dir, now)?;
    let bundle = files::read_public(&dir.ca())?;
    if pki::certificates(&String::from_utf8_lossy(&bundle)).count() > 1 {
        let refused = "two authorities are trusted already; finish that change with `contractual certs authority --retire`";
        return Err(Error::Refused(refused.to_owned()));
    }
    let next = Ca::create(now)?;
    // Trusted before it signs, so that the key on disk always belongs to a trusted certificate.
    let (old, new) = (before.cert_pem().trim_end(), next.cert_pem().trim_end());
    files::replace(&dir.ca(), format!("{new}\n{old}\n").as_bytes())?;
    containers::publish(dir)?;
    files::replace(&dir.ca_key(), next.key_pem().as_bytes())?;
    Ok(Authorities { trusted: 2 })
}

/// Trusts only the newest authority.
///
/// # Errors
/// [`Error::Refused`] while another authority's certificate is in use; other errors for unusable files.
pub fn retire_authority(dir: &Dir, now: SystemTime) -> Result<Authorities, Error> {
    let _alone = alone(dir)?;
    let ca = authority(dir, now)?;
    let others = show(dir, now)?;
    let mut others = others
        .iter()
        .filter(|one| one.state == State::OtherAuthority);
    if let Some(one) = others.next() {
        return Err(Error::Refused(format!(
            "{} has a certificate of the previous authority; run `contractual certs renew` first",
            one.name
        )));
    }
    let own = format!("{}\n", ca.cert_pem().trim_end());
    files::replace(&dir.ca(), own.as_bytes())?;
    containers::publish(dir)?;
    Ok(Authorities { trusted: 1 })
}

/// Locks the authority's folder: two concurrent renewals would mix their keys.
fn alone(dir: &Dir) -> Result<File, Error> {
    let path = dir.ca_key();
    let folder = path.parent().unwrap_or(Path::new("."));
    let file = File::open(folder).map_err(|_| Error::NoDeployment(dir.path().to_owned()))?;
    flock(&file, FlockOperation::LockExclusive)
        .map_err(|error| Error::io("lock", folder)(error.into()))?;
    Ok(file)
}

fn paths(dir: &Dir, name: &str) -> (PathBuf, PathBuf) {
    let folder = dir.of(name);
    (folder.join("cert.pem"), folder.join("key.pem"))
}

fn time(at: SystemTime) -> Time {
    let since = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    Time::from_ns(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}
