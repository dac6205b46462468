//! The keys that secrets are sealed to: egress's inside, the broker's outside.

use std::path::Path;

use actor::{Clock, files};
use bus_schema::{AuthorId, AuthorSealingKey};
use secret::SealingKey;
use zeroize::Zeroizing;

use crate::{Dir, Error, InitReport, layout};

/// The authors that open seals.
const OPENERS: [AuthorId; 2] = [AuthorId::Broker, AuthorId::Egress];

/// Keeps or makes the private keys, and returns the public ones.
///
/// # Errors
/// [`Error::File`], and [`Error::Document`] for a file that holds no such key.
pub(super) fn keep(
    dir: &Dir,
    clock: &Clock,
    made: &mut InitReport,
) -> Result<Vec<AuthorSealingKey>, Error> {
    let mut keys = Vec::new();
    for author in OPENERS {
        let path = dir.of(author.name()).join(layout::SEALING_KEY);
        let new = || {
            let random = Zeroizing::new(*clock.salt().as_bytes());
            Ok(SealingKey::of(&random).text())
        };
        let (key, written) = files::keep_or_create(&path, load, new)?;
        made.note(&path, written);
        let key = key.public();
        keys.push(AuthorSealingKey { author, key });
    }
    Ok(keys)
}

fn load(path: &Path) -> Result<SealingKey, Error> {
    let text = files::read_secret(path)?;
    SealingKey::read(&text).map_err(|error| {
        let path = path.display();
        Error::Document(format!(
            "{path} cannot be used ({error}); bring it back, or move it away, run this again, and set each secret again"
        ))
    })
}
