//! `certs`: who has a certificate and until when, new ones in place of the old, and a new authority beside the old.

use std::{
    fmt,
    fs::File,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use actor::files;
use bus_schema::{Time, account};
use rustix::fs::{FlockOperation, flock};
use serde::Serialize;

use crate::{
    DeploymentFile, Dir, Error, containers,
    pki::{self, Ca, Leaf, Side},
};

/// How long a certificate is valid, unless it is said otherwise.
pub const LEAF_DAYS: u32 = 30;
/// A certificate is to be renewed from this long before its end on, or in the last third of its life if that is
/// shorter.
pub const SOON: Duration = Duration::from_secs(30 * 86_400);
/// The server's name among those who have a certificate.
const NATS: &str = "nats";

/// How a certificate stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It holds for long enough.
    Good,
    /// It nears its end.
    Soon,
    /// It is over, or not yet valid.
    Expired,
    /// The authority that signed it signs no more.
    OtherAuthority,
    /// It is missing, unreadable, or does not belong to its key.
    Broken,
}

/// A certificate as it lies there.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    /// Whose.
    pub name: &'static str,
    /// Until when; the beginning of time if it cannot be read.
    pub until: Time,
    /// How many whole days are left.
    pub days_left: u64,
    /// How it stands.
    pub state: State,
    /// What is wrong with it.
    pub wrong: Option<String>,
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name;
        match (&self.wrong, self.state) {
            (Some(wrong), _) => write!(f, "{name}: {wrong}"),
            (None, State::Soon) => write!(f, "{name} expires in {} days", self.days_left),
            (None, _) => write!(f, "{name} holds until {}", self.until),
        }
    }
}

/// What was renewed.
#[derive(Debug, Serialize)]
pub struct Renewed {
    /// Whose certificates.
    pub names: Vec<&'static str>,
    /// Until when they hold.
    pub until: Time,
}

impl Renewed {
    /// For people.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let mut text = format!("{} hold until {}", self.names.join(", "), self.until);
        text.push_str("\nservices take theirs up within seconds");
        if self.names.contains(&NATS) {
            text.push_str(&format!("; nats-server when it is told to: {}", tell(dir)));
        }
        text
    }
}

/// What became of the authority.
#[derive(Debug, Serialize)]
pub struct Authorities {
    /// How many are trusted.
    pub trusted: usize,
}

impl Authorities {
    /// For people.
    #[must_use]
    pub fn text(&self, dir: &Dir) -> String {
        let (tell, dir) = (tell(dir), dir.path().display());
        if self.trusted == 1 {
            return format!("one authority is trusted; tell nats-server: {tell}");
        }
        format!(
            "{} authorities are trusted and the newest signs; next, each after the one before:\n  {tell}\n  \
             contractual certs renew --dir {dir}\n  {tell}\n  contractual certs authority --retire --dir {dir}\n  {tell}",
            self.trusted
        )
    }
}

/// What has nats-server read its certificates again.
fn tell(dir: &Dir) -> String {
    let containers = DeploymentFile::read(dir)
        .ok()
        .and_then(|facts| facts.containers);
    match containers {
        Some(of) => format!("docker kill --signal HUP {}", of.container(NATS)),
        None => "send it SIGHUP, which `contractual up` does by itself".to_owned(),
    }
}

/// Everybody who can have a certificate: the users of the bus, and the server.
#[must_use]
pub fn names() -> Vec<&'static str> {
    let users = account::users().into_iter().map(|user| user.name);
    users.chain([NATS]).collect()
}

/// The authority that signs.
///
/// # Errors
/// If its files cannot be used.
pub fn authority(dir: &Dir, now: SystemTime) -> Result<Ca, Error> {
    let path = dir.ca_key();
    if !path.exists() && dir.ca().exists() {
        let path = path.display();
        return Err(Error::Refused(format!(
            "the authority's key is offline: bring {path} back for this"
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

/// Issues a new key and certificate to one of [`names`].
///
/// # Errors
/// As [`Ca::issue`].
pub fn issue(ca: &Ca, name: &str, days: u32, now: SystemTime) -> Result<Leaf, pki::Error> {
    let side = if name == NATS {
        Side::Server
    } else {
        Side::Client
    };
    ca.issue(name, &[name], side, days, now)
}

/// Replaces the key and certificate of `only`, or of everybody who has a folder.
///
/// # Errors
/// [`Error::Document`] for a name that has none; what could not be read, made or written.
pub fn renew(dir: &Dir, only: Option<&str>, days: u32, now: SystemTime) -> Result<Renewed, Error> {
    let _alone = alone(dir)?;
    let ca = authority(dir, now)?;
    let mut names = names();
    names.retain(|name| only.map_or_else(|| dir.of(name).is_dir(), |only| only == *name));
    if names.is_empty() {
        return Err(Error::Document(format!(
            "{:?} has no certificate; `contractual certs show` lists who has",
            only.unwrap_or_default()
        )));
    }
    for name in &names {
        let leaf = issue(&ca, name, days, now)?;
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

/// Renews what nears its end or is not good any more; none if there is nothing to do.
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

/// How every certificate stands, of those who have a folder. Needs no key of the authority.
///
/// # Errors
/// If the authority's certificate cannot be read.
pub fn show(dir: &Dir, now: SystemTime) -> Result<Vec<Shown>, Error> {
    let trusted = files::read_public(&dir.ca())?;
    let trusted = String::from_utf8_lossy(&trusted);
    // The newest authority stands first.
    let ca = pki::certificates(&trusted).next().unwrap_or_default();
    let mut names = names();
    names.retain(|name| dir.of(name).is_dir());
    Ok(names
        .into_iter()
        .map(|name| look(ca, dir, name, now))
        .collect())
}

/// The same as a table.
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

/// Makes a new authority that signs from now on, and trusts the ones before beside it.
///
/// # Errors
/// [`Error::Refused`] while two are trusted already; what could not be read, made or written.
pub fn new_authority(dir: &Dir, now: SystemTime) -> Result<Authorities, Error> {
    let _alone = alone(dir)?;
    let before = authority(dir, now)?;
    let bundle = files::read_public(&dir.ca())?;
    if pki::certificates(&String::from_utf8_lossy(&bundle)).count() > 1 {
        let refused = "two authorities are trusted already; finish that change with `contractual certs authority --retire`";
        return Err(Error::Refused(refused.to_owned()));
    }
    let next = Ca::create(now)?;
    // Trusted before it signs: at any moment the key that lies there belongs to a certificate that is trusted.
    let (old, new) = (before.cert_pem().trim_end(), next.cert_pem().trim_end());
    files::replace(&dir.ca(), format!("{new}\n{old}\n").as_bytes())?;
    containers::publish(dir)?;
    files::replace(&dir.ca_key(), next.key_pem().as_bytes())?;
    Ok(Authorities { trusted: 2 })
}

/// Trusts the newest authority alone.
///
/// # Errors
/// [`Error::Refused`] while a certificate is signed by another; what could not be read or written.
pub fn retire_authority(dir: &Dir, now: SystemTime) -> Result<Authorities, Error> {
    let _alone = alone(dir)?;
    let ca = authority(dir, now)?;
    let others = show(dir, now)?;
    let mut others = others
        .iter()
        .filter(|one| one.state == State::OtherAuthority);
    if let Some(one) = others.next() {
        return Err(Error::Refused(format!(
            "{} has a certificate of the authority before; run `contractual certs renew` first",
            one.name
        )));
    }
    let own = format!("{}\n", ca.cert_pem().trim_end());
    files::replace(&dir.ca(), own.as_bytes())?;
    containers::publish(dir)?;
    Ok(Authorities { trusted: 1 })
}

/// The folder of the authority, locked: two who renew at once would mix their keys.
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
