//! The comparison of the live stream with a checked log.

use bus_schema::Raw;

use super::Checked;
use crate::layout::{BUNDLE_BYTES_MAX, TILE_HEIGHT, bundle, full_count, path, split_entry};
use crate::verify::read_file;
use crate::{Bad, Entry, Places, Problem};

/// The relation of a message in the stream to the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Agreement {
    /// The log holds the same message.
    Same,
    /// The log does not reach that far yet.
    Ahead,
}

/// A comparison of the stream, from its first message on, with the log. Keeps one bundle in memory.
#[derive(Debug)]
pub struct StreamComparison<'a> {
    places: &'a Places,
    checked: &'a Checked,
    next: u64,
    bundle: Option<(u64, Vec<Vec<u8>>)>,
}

impl<'a> StreamComparison<'a> {
    /// Starts a comparison before the first message.
    #[must_use]
    pub fn new(places: &'a Places, checked: &'a Checked) -> Self {
        Self {
            places,
            checked,
            next: 1,
            bundle: None,
        }
    }

    /// Compares the next message: sequence, subject, signature, body and stored time.
    ///
    /// # Errors
    ///
    /// [`Bad`] with the first log entry that the stream lacks or that differs.
    pub fn message(&mut self, raw: &Raw<'_>) -> Result<Agreement, Bad> {
        if raw.seq != self.next {
            return Err(Bad::entry(self.next, Problem::NotInStream));
        }
        self.next += 1;
        if raw.seq >= self.checked.checkpoint.size() {
            return Ok(Agreement::Ahead);
        }
        let differs = || Bad::entry(raw.seq, Problem::StreamDiffers);
        let n = raw.seq >> TILE_HEIGHT;
        if self.bundle.as_ref().is_none_or(|(at, _)| *at != n) {
            self.bundle = Some((n, self.read(n)?));
        }
        let entries = self.bundle.as_ref().map_or(&[][..], |(_, entries)| entries);
        let nth = usize::try_from(raw.seq - (n << TILE_HEIGHT)).unwrap_or(usize::MAX);
        let kept = entries.get(nth).ok_or_else(differs)?;
        let verdict = Entry::decode(kept).map_err(|_| differs())?.verdict;
        if Entry::of(raw, verdict).encode() == *kept {
            Ok(Agreement::Same)
        } else {
            Err(differs())
        }
    }

    /// Ends the comparison after the stream's last message; returns the number of messages ahead of the log.
    ///
    /// # Errors
    ///
    /// [`Bad`] with the first log entry after the stream's end.
    pub fn end(self) -> Result<u64, Bad> {
        let size = self.checked.checkpoint.size();
        self.next
            .checked_sub(size)
            .ok_or_else(|| Bad::entry(self.next, Problem::NotInStream))
    }

    fn read(&self, n: u64) -> Result<Vec<Vec<u8>>, Bad> {
        if n == full_count(0, self.checked.checkpoint.size()) {
            return Ok(self.checked.rest.clone());
        }
        let file = self.places.log.join(path(&bundle(n, 1 << TILE_HEIGHT)));
        let bytes = read_file(&file, BUNDLE_BYTES_MAX)?;
        let mut rest = bytes.as_slice();
        let mut entries = Vec::new();
        while let Some((entry, after)) = split_entry(rest) {
            entries.push(entry.to_vec());
            rest = after;
        }
        Ok(entries)
    }
}
