//! The log of one process in the state directory: `logs/NAME.log`, and the part before it in `logs/NAME.log.1`.

use std::{
    fs::{self, File},
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use actor::files;

use crate::Dir;

/// The size at which a file becomes the old one: 8 MiB, so that a process has at most 16 MiB of logs.
const FILE_BYTES_MAX: u64 = 8 << 20;
/// Most bytes of a line.
const LINE_BYTES_MAX: usize = 16 << 10;
/// The part at the end of a file in which errors are looked for.
const LOOKED_AT_BYTES: u64 = 256 << 10;

/// The log file of one process, in mode 0600.
#[derive(Debug)]
pub(crate) struct LogFile {
    path: PathBuf,
    open: Option<(File, u64)>,
    most: u64,
}

impl LogFile {
    /// The log file of the process `name`; makes nothing yet.
    pub(crate) fn new(dir: &Dir, name: &str) -> Self {
        Self {
            path: dir.log(name),
            open: None,
            most: FILE_BYTES_MAX,
        }
    }

    /// Appends a line. A line that cannot be written, as on a full disk, is missing: the process goes on.
    pub(crate) fn write(&mut self, line: &str) {
        if self.append(line).is_err() {
            // The next line tries again.
            self.open = None;
        }
    }

    fn append(&mut self, line: &str) -> io::Result<()> {
        let mut end = LINE_BYTES_MAX.min(line.len());
        while !line.is_char_boundary(end) {
            end -= 1;
        }
        let line = format!("{}\n", line.get(..end).unwrap_or_default());
        let bytes = line.len() as u64;
        if let Some((_, size)) = &self.open
            && size + bytes > self.most
        {
            self.open = None;
            fs::rename(&self.path, old(&self.path))?;
        }
        let (file, size) = match &mut self.open {
            Some(open) => open,
            None => self.open.insert(open(&self.path)?),
        };
        file.write_all(line.as_bytes())?;
        *size += bytes;
        Ok(())
    }
}

/// Opens a file to append to it, and makes its folder; returns its size too.
fn open(path: &Path) -> io::Result<(File, u64)> {
    if let Some(folder) = path.parent() {
        files::private_dir(folder).map_err(io::Error::other)?;
    }
    let mut options = File::options();
    let file = options.append(true).create(true).mode(0o600).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn old(path: &Path) -> PathBuf {
    let mut path = path.as_os_str().to_owned();
    path.push(".1");
    path.into()
}

/// The last error that the process `name` logged, on one line with its time; none if its log has none.
#[must_use]
pub fn last_error(dir: &Dir, name: &str) -> Option<String> {
    let path = dir.log(name);
    let newest = tail(&path).unwrap_or_default();
    let found = find_error(&newest).map(str::to_owned);
    found.or_else(|| find_error(&tail(&old(&path)).ok()?).map(str::to_owned))
}

fn tail(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    file.seek(SeekFrom::Start(size.saturating_sub(LOOKED_AT_BYTES)))?;
    let mut bytes = Vec::new();
    file.take(LOOKED_AT_BYTES).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// The last line that is an error of a service, of nats-server, or of a start.
fn find_error(text: &str) -> Option<&str> {
    let is_error = |line: &&str| {
        line.contains("\"level\":\"ERROR\"")
            || line.contains(" [ERR] ")
            || line.contains(" [FTL] ")
            || line.starts_with("cannot start ")
            || line.contains("panicked at ")
    };
    text.lines().rev().find(is_error)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn dir() -> (tempfile::TempDir, Dir) {
        let folder = tempfile::tempdir().unwrap();
        let dir = Dir::new(folder.path().to_owned());
        (folder, dir)
    }

    #[test]
    fn two_files_of_bounded_size_are_kept_and_only_their_owner_reads_them() {
        let (_folder, dir) = dir();
        let mut log = LogFile::new(&dir, "worker");
        log.most = 100;
        for n in 0..50 {
            log.write(&format!("line {n:>3} {}", "x".repeat(20)));
        }
        let path = dir.log("worker");
        for path in [&path, &old(&path)] {
            let found = fs::metadata(path).unwrap();
            assert!(found.len() <= 100, "{}", found.len());
            assert_eq!(found.permissions().mode() & 0o777, 0o600);
        }
        assert!(tail(&path).unwrap().contains("line  49"));
        log.write(&"ä".repeat(LINE_BYTES_MAX));
        assert!(fs::metadata(&path).unwrap().len() <= LINE_BYTES_MAX as u64 + 1);
        // A second process continues the file.
        let mut again = LogFile::new(&dir, "worker");
        again.write("again");
        assert!(tail(&path).unwrap().ends_with("ä\nagain\n"));
    }

    #[test]
    fn last_error_is_found_behind_other_lines() {
        let (_folder, dir) = dir();
        assert_eq!(last_error(&dir, "nats"), None);
        let mut log = LogFile::new(&dir, "nats");
        log.write("[1] 2026/11/29 [ERR] first");
        log.write("[1] 2026/11/29 [FTL] second");
        log.write("ended with exit status: 1");
        let found = last_error(&dir, "nats");
        assert_eq!(found.as_deref(), Some("[1] 2026/11/29 [FTL] second"));
    }
}
