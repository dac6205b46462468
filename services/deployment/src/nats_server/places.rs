//! The search paths of nats-server and the fetching tools, and the environment variables of those tools.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The variables for every tool.
const BASIC: &[&str] = &["HOME", "LANG", "LC_ALL", "TMPDIR"];
/// The variables with proxies and trusted certificates, for tools that download.
const NETWORK: &[&str] = &[
    "HTTPS_PROXY",
    "HTTP_PROXY",
    "NO_PROXY",
    "ALL_PROXY",
    "https_proxy",
    "http_proxy",
    "no_proxy",
    "all_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CURL_CA_BUNDLE",
    "REQUESTS_CA_BUNDLE",
];
const PIP: &[&str] = &[
    "PIP_CERT",
    "PIP_CONFIG_FILE",
    "PIP_INDEX_URL",
    "PIP_FIND_LINKS",
    "PIP_PROXY",
];
const GO: &[&str] = &[
    "GOPROXY",
    "GOPATH",
    "GOMODCACHE",
    "GOCACHE",
    "GOROOT",
    "GOTOOLCHAIN",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_HOME",
];

/// The part of the environment that determines the nats-server.
#[derive(Clone, Debug)]
pub struct Places {
    /// `$NATS_SERVER`.
    chosen: Option<PathBuf>,
    /// `$PATH`.
    path: OsString,
    /// The cache folder of Contractual, if the environment names a place for it.
    pub(super) cache: Option<PathBuf>,
    handed_down: BTreeMap<&'static str, OsString>,
}

/// The kind of a tool, which determines its variables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tool {
    Local,
    Http,
    Pip,
    Go,
}

impl Tool {
    fn variables(self) -> impl Iterator<Item = &'static str> {
        let (network, own): (&[_], &[_]) = match self {
            Self::Local => (&[], &[]),
            Self::Http => (NETWORK, &[]),
            Self::Pip => (NETWORK, PIP),
            Self::Go => (NETWORK, GO),
        };
        BASIC.iter().chain(network).chain(own).copied()
    }
}

impl Places {
    /// Reads the places from this process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self::from_variables(|name| std::env::var_os(name))
    }

    /// Reads the places from `variable`, which returns the value of a variable.
    ///
    /// Empty variables count as unset. A variable whose value is an address with a user name or
    /// password is not passed to any tool.
    #[must_use]
    pub fn from_variables(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let get = |name: &str| variable(name).filter(|value| !value.is_empty());
        let absolute = |name: &str| {
            get(name)
                .map(PathBuf::from)
                .filter(|path| path.is_absolute())
        };
        let cache = absolute("XDG_CACHE_HOME")
            .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
            .map(|home| home.join("contractual"));
        let handed_down = [BASIC, NETWORK, PIP, GO]
            .into_iter()
            .flatten()
            .filter_map(|name| get(name).map(|value| (*name, value)))
            .filter(|(_name, value)| !holds_credentials(value))
            .collect();
        Self {
            chosen: get("NATS_SERVER").map(PathBuf::from),
            path: get("PATH").unwrap_or_default(),
            cache,
            handed_down,
        }
    }

    /// The path in `$NATS_SERVER`.
    pub(super) fn chosen(&self) -> Option<&Path> {
        self.chosen.as_deref()
    }

    /// The executables `name` on `PATH`, in order; skips relative entries.
    pub(super) fn on_path(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        std::env::split_paths(&self.path)
            .filter(|dir| dir.is_absolute())
            .map(move |dir| dir.join(name))
            .filter(|file| is_executable(file))
    }

    /// A command for the tool `name`, working in `dir`, with only the variables for its kind.
    pub(super) fn command(&self, name: &str, kind: Tool, dir: &Path) -> Option<Command> {
        let mut command = Command::new(self.on_path(name).next()?);
        command.env_clear().env("PATH", &self.path).current_dir(dir);
        for name in kind.variables() {
            if let Some(value) = self.handed_down.get(name) {
                command.env(name, value);
            }
        }
        Some(command)
    }
}

/// Returns true if `path` is a file that this process may execute.
pub(super) fn is_executable(path: &Path) -> bool {
    path.is_file() && rustix::fs::access(path, rustix::fs::Access::EXEC_OK).is_ok()
}

fn holds_credentials(value: &OsStr) -> bool {
    value.to_string_lossy().split("://").skip(1).any(|rest| {
        rest.split(['/', ',', '|', ' '])
            .next()
            .is_some_and(|host| host.contains('@'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(variables: &[(&str, &str)]) -> Places {
        Places::from_variables(|name| {
            variables
                .iter()
                .find(|(key, _)| *key == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    fn seen(places: &Places, kind: Tool) -> Vec<String> {
        let command = places.command("sh", kind, Path::new("/")).unwrap();
        command
            .get_envs()
            .map(|(name, _)| name.to_string_lossy().into_owned())
            .collect()
    }

    #[test]
    fn tools_see_only_the_variables_of_their_kind() {
        let places = places(&[
            ("PATH", "/usr/bin:/bin"),
            ("HOME", "/home/u"),
            ("GOPROXY", "https://go.example"),
            ("GONOSUMDB", "*"),
            ("GOFLAGS", "-insecure"),
            ("PIP_CERT", "/ca.pem"),
            ("AWS_SECRET_ACCESS_KEY", "x"),
        ]);
        assert_eq!(seen(&places, Tool::Local), ["HOME", "PATH"]);
        assert_eq!(seen(&places, Tool::Go), ["GOPROXY", "HOME", "PATH"]);
        assert_eq!(seen(&places, Tool::Pip), ["HOME", "PATH", "PIP_CERT"]);
    }

    #[test]
    fn addresses_with_credentials_are_not_handed_down() {
        let with = places(&[
            ("PATH", "/usr/bin:/bin"),
            ("HTTPS_PROXY", "http://u:p@proxy.example:3128"),
        ]);
        let without = places(&[
            ("PATH", "/usr/bin:/bin"),
            ("HTTPS_PROXY", "http://proxy.example:3128/@"),
        ]);
        assert_eq!(seen(&with, Tool::Http), ["PATH"]);
        assert_eq!(seen(&without, Tool::Http), ["HTTPS_PROXY", "PATH"]);
    }

    #[test]
    fn relative_cache_homes_and_path_entries_are_ignored() {
        let places = places(&[
            ("PATH", ".:bin"),
            ("XDG_CACHE_HOME", "cache"),
            ("HOME", "/home/u"),
        ]);
        assert_eq!(
            places.cache.as_deref(),
            Some(Path::new("/home/u/.cache/contractual"))
        );
        assert_eq!(places.on_path("sh").count(), 0);
    }
}
