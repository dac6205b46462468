//! `policy.hujson`: the permissions to reach the sidecar. Parses the required subset, refuses all else, runs its tests.
//!
//! Tailscale's own service evaluates more than this subset; its result is decisive.

use std::{collections::BTreeMap, net::IpAddr};

use jsonc_parser::{ParseOptions, parse_to_serde_value};
use serde::Deserialize;

use super::{Invalid, PORTS, TAG};

/// The options for HuJSON: JSON with comments and trailing commas.
const HUJSON: ParseOptions = ParseOptions {
    allow_comments: true,
    allow_trailing_commas: true,
    allow_loose_object_property_names: false,
    allow_missing_commas: false,
    allow_single_quoted_strings: false,
    allow_hexadecimal_numbers: false,
    allow_unary_plus_numbers: false,
    allow_bare_decimal_point_numbers: false,
    allow_non_finite_numbers: false,
    allow_extended_string_escapes: false,
};
/// The permitted owners of the sidecar's tag, besides logins: an owner can set the tag on another machine, which then
/// gets no access, but looks like the sidecar.
const TAG_OWNERS: [&str; 2] = ["autogroup:admin", "autogroup:owner"];
/// The IPv4 addresses that Tailscale assigns to nodes.
const CARRIER_GRADE: std::ops::RangeInclusive<u32> = 0x6440_0000..=0x647f_ffff;
const UNIQUE_LOCAL: [u16; 3] = [0xfd7a, 0x115c, 0xa1e0];

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PolicyFile {
    #[serde(default)]
    groups: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    hosts: BTreeMap<String, String>,
    tag_owners: BTreeMap<String, Vec<String>>,
    grants: Vec<Grant>,
    tests: Vec<Test>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Grant {
    src: Vec<String>,
    dst: Vec<String>,
    ip: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Test {
    src: String,
    #[serde(default)]
    accept: Vec<String>,
    #[serde(default)]
    deny: Vec<String>,
}

/// A source that may reach the sidecar's ports.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Source {
    /// A user, on all of their devices.
    Login(String),
    /// A device, with any user.
    Device(IpAddr),
}

/// A valid policy whose tests pass.
#[derive(Debug)]
pub struct Policy {
    sources: Vec<Source>,
    tests: usize,
}

impl Policy {
    /// Parses and checks a policy.
    ///
    /// # Errors
    /// [`Invalid`] if it contains more than the permissions to reach [`PORTS`] of [`TAG`], or a test fails.
    pub fn parse(text: &str) -> Result<Self, Invalid> {
        let file: PolicyFile = parse_to_serde_value(text, &HUJSON).map_err(|error| {
            Invalid(format!(
                "{error}; use only the fields of the shipped policy.hujson"
            ))
        })?;
        let sources = file.sources()?;
        file.check_tests(&sources)?;
        Ok(Self {
            sources,
            tests: file.tests.len(),
        })
    }

    /// The sources that may reach the sidecar.
    #[must_use]
    pub fn sources(&self) -> &[Source] {
        &self.sources
    }

    /// The number of passed tests.
    #[must_use]
    pub const fn tests(&self) -> usize {
        self.tests
    }
}

impl PolicyFile {
    fn sources(&self) -> Result<Vec<Source>, Invalid> {
        let owners = self
            .tag_owners
            .get(TAG)
            .filter(|_| self.tag_owners.len() == 1);
        let owners = owners.ok_or_else(|| wrong("tagOwners", "names another tag, or none"))?;
        let is_owner = |owner: &String| TAG_OWNERS.contains(&owner.as_str()) || is_login(owner);
        if !owners.iter().all(is_owner) || owners.is_empty() {
            return Err(wrong(
                "tagOwners",
                "lets others than admins and named users use the tag",
            ));
        }
        for (name, members) in &self.groups {
            if !name.starts_with("group:") || !members.iter().all(|member| is_login(member)) {
                return Err(wrong(
                    name,
                    "is not a group of logins such as alice@example.com",
                ));
            }
        }
        for name in self.hosts.keys() {
            self.device(name)?;
        }
        let mut sources = Vec::new();
        for grant in &self.grants {
            if grant.dst != [TAG] {
                return Err(wrong(
                    &grant.dst.join(", "),
                    &format!("is not exactly {TAG}"),
                ));
            }
            let ports = PORTS.map(|port| format!("tcp:{port}"));
            if grant.ip != ports {
                return Err(wrong(
                    &grant.ip.join(", "),
                    &format!("is not exactly {}", ports.join(", ")),
                ));
            }
            for source in &grant.src {
                sources.extend(self.resolve(source)?);
            }
        }
        sources.sort();
        sources.dedup();
        Ok(sources)
    }

    /// Resolves an entry of `src` to its sources.
    fn resolve(&self, source: &str) -> Result<Vec<Source>, Invalid> {
        if let Some(members) = self.groups.get(source) {
            return Ok(members.iter().cloned().map(Source::Login).collect());
        }
        if is_login(source) {
            return Ok(vec![Source::Login(source.to_owned())]);
        }
        self.device(source).map(|device| vec![device])
    }

    fn device(&self, name: &str) -> Result<Source, Invalid> {
        let address = self
            .hosts
            .get(name)
            .and_then(|address| address.parse().ok());
        let of_tailnet = |ip: &IpAddr| match ip {
            IpAddr::V4(ip) => CARRIER_GRADE.contains(&u32::from(*ip)),
            IpAddr::V6(ip) => ip.segments().starts_with(&UNIQUE_LOCAL),
        };
        let address = address.filter(of_tailnet);
        let is_plain = name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        match address.filter(|_| is_plain && !name.is_empty()) {
            Some(address) => Ok(Source::Device(address)),
            None => Err(wrong(
                name,
                "is neither a login, nor a group, nor a host with one device's address in the tailnet",
            )),
        }
    }

    fn check_tests(&self, sources: &[Source]) -> Result<(), Invalid> {
        let count = |of: fn(&Test) -> usize| self.tests.iter().map(of).sum::<usize>();
        if count(|test| test.accept.len()) == 0 || count(|test| test.deny.len()) == 0 {
            return Err(wrong("tests", "do not accept and deny anything"));
        }
        for test in &self.tests {
            let asks = if test.src.starts_with("tag:") {
                Vec::new()
            } else {
                self.resolve(&test.src)?
            };
            let may = !asks.is_empty() && asks.iter().all(|one| sources.contains(one));
            let may_some = asks.iter().any(|one| sources.contains(one));
            for (targets, accept) in [(&test.accept, true), (&test.deny, false)] {
                for target in targets {
                    let is_served = self.is_served(target)?;
                    let holds = if accept {
                        is_served && may
                    } else {
                        !is_served || !may_some
                    };
                    if !holds {
                        let (verb, is) = if accept {
                            ("reach", "does not")
                        } else {
                            ("not reach", "does")
                        };
                        return Err(wrong(
                            &test.src,
                            &format!("is to {verb} {target}, and {is}"),
                        ));
                    }
                }
            }
        }
        Ok(())
    }

    /// Returns true if a target of a test is one of the sidecar's ports.
    fn is_served(&self, target: &str) -> Result<bool, Invalid> {
        let split = target.rsplit_once(':');
        let (of, port) = split
            .and_then(|(of, port)| Some((of, port.parse::<u16>().ok()?)))
            .ok_or_else(|| wrong(target, "is not a target with a port"))?;
        if of != TAG {
            self.device(of)?;
        }
        Ok(of == TAG && PORTS.contains(&port))
    }
}

fn wrong(what: &str, is: &str) -> Invalid {
    Invalid(format!("{what:?} {is}; correct policy.hujson"))
}

/// Returns true for a user's login: neither a wildcard nor one of Tailscale's own groups.
fn is_login(text: &str) -> bool {
    let parts = text.split_once('@');
    let plain = |part: &str| {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-+".contains(&byte);
        !part.is_empty() && part.bytes().all(is_plain)
    };
    parts.is_some_and(|(name, domain)| plain(name) && plain(domain))
}
