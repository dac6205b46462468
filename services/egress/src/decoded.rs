//! Decodes the body of an answer, up to a number of bytes.

use std::io::Write as _;

use flate2::write::{GzDecoder, ZlibDecoder};

use crate::fault::Fault;

/// Bytes that are written to a decoder at once, so that little is decoded beyond the bound.
const STEP_BYTES: usize = 1024;

/// A body that is being read.
#[derive(Debug)]
pub(crate) struct Decoded {
    coding: Coding,
    bytes_max: u64,
    /// Bytes as sent.
    read: u64,
    /// Bytes as decoded that were taken out.
    taken: u64,
}

#[derive(Debug)]
enum Coding {
    None(Vec<u8>),
    Gzip(GzDecoder<Vec<u8>>),
    Deflate(ZlibDecoder<Vec<u8>>),
}

impl Decoded {
    /// Makes an empty one of at most `bytes_max` bytes, as sent and as decoded.
    ///
    /// # Errors
    /// [`Fault::Encoding`] for an encoding that is not decoded.
    pub(crate) fn new(encoding: Option<&str>, bytes_max: u64) -> Result<Self, Fault> {
        let coding = match encoding {
            None | Some("identity") => Coding::None(Vec::new()),
            Some("gzip" | "x-gzip") => Coding::Gzip(GzDecoder::new(Vec::new())),
            Some("deflate") => Coding::Deflate(ZlibDecoder::new(Vec::new())),
            // A name of the host's own may repeat the secret.
            Some(other) => {
                return Err(Fault::Encoding(match other {
                    "br" => "\"br\"",
                    "zstd" => "\"zstd\"",
                    "compress" | "x-compress" => "\"compress\"",
                    _ => "something else",
                }));
            }
        };
        Ok(Self {
            coding,
            bytes_max,
            read: 0,
            taken: 0,
        })
    }

    /// Adds bytes as they were sent.
    ///
    /// # Errors
    /// [`Fault`] if they are too many, or not of the encoding.
    pub(crate) fn add(&mut self, bytes: &[u8]) -> Result<(), Fault> {
        self.read = self.read.saturating_add(bytes.len() as u64);
        if self.read > self.bytes_max {
            return Err(Fault::Large(self.bytes_max));
        }
        for step in bytes.chunks(STEP_BYTES) {
            let (written, len) = match &mut self.coding {
                Coding::None(all) => {
                    all.extend_from_slice(step);
                    (Ok(()), all.len())
                }
                Coding::Gzip(gzip) => (gzip.write_all(step), gzip.get_ref().len()),
                Coding::Deflate(deflate) => (deflate.write_all(step), deflate.get_ref().len()),
            };
            written.map_err(|_| Fault::Decode)?;
            self.check(len)?;
        }
        Ok(())
    }

    /// Takes out the bytes that are decoded so far.
    pub(crate) fn take(&mut self) -> Vec<u8> {
        let decoded = std::mem::take(match &mut self.coding {
            Coding::None(all) => all,
            Coding::Gzip(gzip) => gzip.get_mut(),
            Coding::Deflate(deflate) => deflate.get_mut(),
        });
        self.taken += decoded.len() as u64;
        decoded
    }

    /// The bytes so far, as sent or as decoded: the larger number.
    pub(crate) fn bytes(&self) -> u64 {
        self.read.max(self.taken)
    }

    /// Refuses more bytes than allowed, of which `len` were not taken out.
    fn check(&self, len: usize) -> Result<(), Fault> {
        if self.taken.saturating_add(len as u64) > self.bytes_max {
            return Err(Fault::Large(self.bytes_max));
        }
        Ok(())
    }

    /// Returns the decoded bytes that were not taken out.
    ///
    /// # Errors
    /// [`Fault`] if the body ended too early, or is too large.
    pub(crate) fn end(&mut self) -> Result<Vec<u8>, Fault> {
        let ended = match &mut self.coding {
            Coding::None(_) => Ok(()),
            Coding::Gzip(gzip) => gzip.try_finish(),
            Coding::Deflate(deflate) => deflate.try_finish(),
        };
        ended.map_err(|_| Fault::Decode)?;
        let bytes = self.take();
        self.check(0)?;
        Ok(bytes)
    }
}
