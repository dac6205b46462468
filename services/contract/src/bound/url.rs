//! `url`: a URL with a scheme, hosts, a path and a port.

use std::fmt;

use serde_json::Value;

use super::host::{self, HostPattern};
use super::kind::{Kind, Reader, Unit};
use super::matching::{CallContext, Match};
use crate::dead::possible::Possible;
use crate::dead::text::Text;
use crate::parse::source::{Node, Source};
use crate::pattern::{PATTERN_BYTES_MAX, PathGlob};
use crate::toml_text::{quoted, quoted_list};

/// Maximum length of a URL, in bytes.
const URL_BYTES_MAX: usize = 8192;

/// The required parts of a URL.
#[derive(Debug, Clone, PartialEq)]
pub struct Url {
    /// The scheme; `https` by default.
    pub scheme: String,
    /// The permitted hosts; never empty.
    pub hosts: Vec<HostPattern>,
    /// The path; `None` permits any.
    pub path: Option<UrlPath>,
    /// The port; `None` means the default port of the scheme.
    pub port: Option<u16>,
}

/// A pattern on the path of a URL, which starts with `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlPath {
    /// `None` for the root alone.
    glob: Option<PathGlob>,
}

impl UrlPath {
    /// Parses a pattern such as `/v2/**`; `None` if invalid.
    #[must_use]
    pub fn new(text: &str) -> Option<Self> {
        let rest = text.strip_prefix('/')?;
        if rest.is_empty() {
            return Some(Self { glob: None });
        }
        let glob = Some(PathGlob::new(rest).ok()?);
        Some(Self { glob })
    }

    fn judge(&self, path: &str) -> Option<bool> {
        let names = path.strip_prefix('/').unwrap_or(path);
        let names = names.strip_suffix('/').unwrap_or(names);
        match (&self.glob, names) {
            (None, names) => Some(names.is_empty()),
            (Some(glob), "") => Some(glob.as_str() == "**"),
            (Some(glob), names) => glob.judge(names),
        }
    }
}

impl fmt::Display for UrlPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{}", self.glob.as_ref().map_or("", PathGlob::as_str))
    }
}

impl Url {
    /// Returns true if `text` is such a URL; `None` if parsers could disagree about it: user information, a
    /// host that is not canonical, a backslash, white space, `.` or `..`, an empty name in the path, or an
    /// escape of a plain character.
    fn takes_in(&self, text: &str) -> Option<bool> {
        let visible = text.bytes().all(|c| c.is_ascii_graphic());
        if text.len() > URL_BYTES_MAX
            || !visible
            || text.contains(['\\', '"', '<', '>', '`', '{', '}', '|', '^'])
        {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let word = |c: u8| c.is_ascii_alphanumeric() || b"+-.".contains(&c);
        if scheme.is_empty() || !scheme.bytes().all(word) {
            return None;
        }
        let scheme = scheme.to_ascii_lowercase();
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, rest) = rest.split_at_checked(end)?;
        let path = rest.split(['?', '#']).next().unwrap_or_default();
        if !unambiguous(path) {
            return None;
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(self::port(port)?)),
            None => (authority, None),
        };
        let host = host::judge(&self.hosts, host)?;
        let path = self
            .path
            .as_ref()
            .map_or(Some(true), |own| own.judge(path))?;
        let wanted = self.port.or_else(|| port_of(&self.scheme));
        let has = port.or_else(|| port_of(&scheme));
        Some(scheme == self.scheme && host && path && has.is_some() && has == wanted)
    }
}

fn port(text: &str) -> Option<u16> {
    let digits = !text.starts_with('0') && text.bytes().all(|c| c.is_ascii_digit());
    digits.then(|| text.parse().ok())?
}

/// The default port of a scheme.
fn port_of(scheme: &str) -> Option<u16> {
    match scheme {
        "https" | "wss" => Some(443),
        "http" | "ws" => Some(80),
        "ftp" => Some(21),
        _ => None,
    }
}

/// Returns true if the path has only one spelling.
fn unambiguous(path: &str) -> bool {
    let inner = path.strip_suffix('/').unwrap_or(path);
    let mut names = inner.split('/');
    // Skips the empty text before the first slash.
    names.next();
    if names.any(|name| matches!(name, "" | "." | "..")) {
        return false;
    }
    path.split('%').skip(1).all(|after| {
        let digits = after.get(..2).filter(|two| {
            two.bytes()
                .all(|c| c.is_ascii_digit() || (b'A'..=b'F').contains(&c))
        });
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        byte.is_some_and(|c| {
            let plain = c.is_ascii_alphanumeric() || b"-._~/\\%".contains(&c);
            !plain && !c.is_ascii_control()
        })
    })
}

impl Kind for Url {
    const KEYS: &'static [&'static str] = &["url"];

    fn read(reader: &mut Reader<'_, '_, '_>) -> Option<Vec<Self>> {
        reader.one("url", |reader, node| read(reader.source, node))
    }

    fn types(&self) -> &'static [&'static str] {
        &["string"]
    }

    fn judge(&self, value: &Value, _context: &CallContext<'_>) -> Match {
        Match::told(value.as_str().and_then(|text| self.takes_in(text)))
    }

    fn permits_links(&self) -> bool {
        true
    }

    fn narrow(&self, possible: &mut Possible<'_>) {
        let hosts = self.hosts.iter().map(ToString::to_string);
        possible.text(Text::Url(self.scheme.clone(), hosts.collect()));
        possible.keep(|value, context| self.judge(value, context));
    }

    fn say(&self, _unit: Unit) -> String {
        let path = self.path.as_ref();
        let path = path.map_or_else(String::new, |path| {
            format!(", with a path like {}", quoted(&path.to_string()))
        });
        let port = self.port;
        let port = port.map_or_else(String::new, |port| format!(", at port {port}"));
        let (scheme, hosts) = (&self.scheme, host::said(&self.hosts));
        format!("is a {scheme} address of {hosts}{port}{path}")
    }
}

fn read<'t>(source: &mut Source<'t>, node: &'t Node<'t>) -> Option<Url> {
    let of = source.table(node, "`url`", &["scheme", "host", "path", "port"])?;
    let scheme = match of.table.get("scheme") {
        Some(node) => source.text(node, "`scheme`", 16)?,
        None => "https".to_owned(),
    };
    let hosts = source.required(&of, "host")?;
    let hosts = host::read(source, hosts)?;
    let path = match of.table.get("path") {
        Some(node) => {
            let text = source.text(node, "`path`", PATTERN_BYTES_MAX)?;
            let path = UrlPath::new(&text);
            if path.is_none() {
                let problem = format!("{text:?} is no pattern on the path of a URL");
                let fix = "begin with `/`; `*` stands within one name, `**` for whole names";
                source.report(node.span(), problem, fix);
                return None;
            }
            path
        }
        None => None,
    };
    let port = match of.table.get("port") {
        Some(node) => u16::try_from(source.integer(node, "`port`", 1..=65_535)?).ok(),
        None => None,
    };
    let plain = scheme
        .bytes()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    if !plain || (port.is_none() && port_of(&scheme).is_none()) {
        let problem = format!("the scheme {scheme:?} has no port of its own");
        let fix = "write https, http, wss, ws or ftp, or add the port";
        source.report(of.span, problem, fix);
        return None;
    }
    Some(Url {
        scheme,
        hosts,
        path,
        port,
    })
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, hosts) = (quoted(&self.scheme), quoted_list(&self.hosts));
        write!(f, "url = {{ scheme = {scheme}, host = {hosts}")?;
        if let Some(path) = &self.path {
            write!(f, ", path = {}", quoted(&path.to_string()))?;
        }
        if let Some(port) = self.port {
            write!(f, ", port = {port}")?;
        }
        f.write_str(" }")
    }
}
