//! Writes the file that a call downloaded, from its parts.

use std::{
    fs::{self, File},
    io::Write as _,
    path::Path,
};

use actor::BusClient;
use bus_schema::{AuthorId, Download};
use serde::Deserialize;
use serde_json::json;

use super::file::created;
use crate::{Error, Output};

/// The output of a call that downloaded a file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    download: Download,
}

/// Returns the file that an output names; none if it names none.
pub(super) fn named(output: &[u8]) -> Option<Download> {
    let named: Named = serde_json::from_slice(output).ok()?;
    Some(named.download).filter(Download::is_whole)
}

/// Writes the parts into a new file of mode 0600, as a whole or not at all.
pub(super) async fn write(
    (bus, by): (&BusClient, AuthorId),
    download: &Download,
    file: &Path,
    out: &Output,
) -> Result<(), Error> {
    let opened = created(file)?;
    if let Err(error) = copied((bus, by), download, (file, opened)).await {
        fs::remove_file(file).ok();
        return Err(error);
    }
    let said = json!({"file": file, "bytes": download.bytes, "name": download.name, "media_type": download.media_type});
    out.print(&said, || {
        format!("{}: {} bytes written", file.display(), download.bytes)
    });
    Ok(())
}

/// Copies each part, which is the one that the verified record names, or nothing.
async fn copied(
    (bus, by): (&BusClient, AuthorId),
    download: &Download,
    (file, mut opened): (&Path, File),
) -> Result<(), Error> {
    for (nth, part) in (1..).zip(&download.parts) {
        let bytes = bus.get(by, part).await?;
        let bytes = bytes.ok_or_else(|| {
            Error::Refused(format!(
                "part {nth} of {} of the file is not stored any more, so nothing was written",
                download.parts.len()
            ))
        })?;
        opened.write_all(&bytes).map_err(Error::io("write", file))?;
    }
    opened.sync_all().map_err(Error::io("write", file))
}
