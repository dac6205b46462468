//! Keeps what the tracer of a trial saw, in memory that the supervisor reads once every process has ended.
//!
//! The supervisor kills the tracer together with the program, so the tracer could not report at its end.

use std::fs::File;
use std::io;
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::fs::FileExt;

use rustix::fs::{MemfdFlags, memfd_create};

use crate::asked::AskedCall;
use crate::wire::{Observed, Outcome};

/// Bytes of the head: the kind of the end, its value, the tracer's processor time, and whether a signal was lost and the
/// program was traced.
const HEAD_BYTES: u64 = 24;
/// Bytes of a call: its number, its error, and how often.
const CALL_BYTES: u64 = 16;
/// Most different calls; the tables of the kernel have fewer.
const CALLS_MAX: usize = 1024;
const EXITED: u32 = 1;
const KILLED: u32 = 2;

/// The supervisor's end.
#[derive(Debug)]
pub(crate) struct Ledger(File);

/// The content of a ledger.
#[derive(Debug)]
pub(crate) struct Told {
    /// The end of the program; none if the tracer was ended before it.
    pub(crate) outcome: Option<Outcome>,
    /// The tracer's own processor time.
    pub(crate) tracer_cpu_ms: u64,
    /// None if the program was not traced.
    pub(crate) observed: Option<Observed>,
}

impl Ledger {
    /// Creates one that the next child inherits.
    pub(crate) fn create() -> io::Result<Self> {
        let file = memfd_create("trial", MemfdFlags::NOEXEC_SEAL)?;
        Ok(Self(File::from(file)))
    }

    /// Returns the number of its descriptor, for the child.
    pub(crate) fn number(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Reads it, after the tracer has ended.
    pub(crate) fn read(&self) -> io::Result<Told> {
        let mut head = [0_u8; 24];
        read(&self.0, &mut head, 0)?;
        let word = |at: usize| u32::from_le_bytes(part(&head, at));
        let (kind, value) = (word(0), i32::from_le_bytes(part(&head, 4)));
        let outcome = match (kind, value) {
            (EXITED, 0) => Some(Outcome::Succeeded),
            (EXITED, code) => Some(Outcome::Failed { code }),
            (KILLED, signal) => Some(Outcome::Killed { signal }),
            _ => None,
        };
        let mut calls = Vec::new();
        for slot in 0..CALLS_MAX {
            let mut call = [0_u8; 16];
            read(&self.0, &mut call, place(slot))?;
            let call = AskedCall {
                number: u32::from_le_bytes(part(&call, 0)),
                errno: i32::from_le_bytes(part(&call, 4)),
                times: u64::from_le_bytes(part(&call, 8)),
            };
            if call.times == 0 {
                break;
            }
            calls.push(call);
        }
        calls.retain(|call| !call.is_passed_over());
        Ok(Told {
            outcome,
            tracer_cpu_ms: u64::from_le_bytes(part(&head, 8)),
            observed: (word(20) != 0).then(|| Observed {
                calls,
                lost_signal: word(16) != 0,
            }),
        })
    }
}

/// The tracer's end.
#[derive(Debug)]
pub(crate) struct Pen {
    to: File,
    calls: Vec<AskedCall>,
}

impl Pen {
    /// Opens the ledger that this process inherited under that number.
    pub(crate) fn inherited(number: &str) -> io::Result<Self> {
        let number: RawFd = number.parse().map_err(io::Error::other)?;
        let to = File::options()
            .read(true)
            .write(true)
            .open(format!("/proc/self/fd/{number}"))?;
        Ok(Self {
            to,
            calls: Vec::new(),
        })
    }

    /// Counts a call.
    pub(crate) fn call(&mut self, number: u32, errno: i32) -> io::Result<()> {
        let mut known = self.calls.iter();
        let slot = known.position(|call| (call.number, call.errno) == (number, errno));
        let slot = slot.unwrap_or(self.calls.len());
        if slot >= CALLS_MAX {
            return Ok(());
        }
        if slot == self.calls.len() {
            self.calls.push(AskedCall {
                number,
                errno,
                times: 0,
            });
        }
        let Some(call) = self.calls.get_mut(slot) else {
            return Ok(());
        };
        call.times = call.times.saturating_add(1);
        let mut bytes = [0_u8; 16];
        let fields = number.to_le_bytes().into_iter().chain(errno.to_le_bytes());
        for (to, from) in bytes.iter_mut().zip(fields.chain(call.times.to_le_bytes())) {
            *to = from;
        }
        self.to.write_all_at(&bytes, place(slot))
    }

    /// Notes that the program is traced.
    pub(crate) fn traced(&self) -> io::Result<()> {
        self.to.write_all_at(&1_u32.to_le_bytes(), 20)
    }

    /// Notes that a signal could not be delivered.
    pub(crate) fn lost_signal(&self) -> io::Result<()> {
        self.to.write_all_at(&1_u32.to_le_bytes(), 16)
    }

    /// Notes the end of the program: its exit code, or the signal that ended it.
    pub(crate) fn end(&self, end: Result<i32, i32>, tracer_cpu_ms: u64) -> io::Result<()> {
        let (kind, value) = match end {
            Ok(code) => (EXITED, code),
            Err(signal) => (KILLED, signal),
        };
        self.to.write_all_at(&tracer_cpu_ms.to_le_bytes(), 8)?;
        self.to.write_all_at(&value.to_le_bytes(), 4)?;
        self.to.write_all_at(&kind.to_le_bytes(), 0)
    }
}

fn place(slot: usize) -> u64 {
    HEAD_BYTES + u64::try_from(slot).unwrap_or(u64::MAX) * CALL_BYTES
}

/// Reads as much as there is; the rest stays 0.
fn read(from: &File, to: &mut [u8], at: u64) -> io::Result<()> {
    match from.read_exact_at(to, at) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(()),
        read => read,
    }
}

/// Copies a part of a record.
fn part<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    let mut part = [0; N];
    for (to, from) in part.iter_mut().zip(bytes.iter().skip(at)) {
        *to = *from;
    }
    part
}
