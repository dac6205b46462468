//! Starts the runner, or the stage that the first argument names.

use std::ffi::OsStr;
use std::path::Path;
use std::process::ExitCode;

use crate::cage::cage_main;
use crate::execution::Runner;
use crate::mcp::inspect_main;
use crate::pin::pin_main;
use crate::probe::probe_main;
use crate::supervisor::supervisor_main;
use crate::tracer::tracer_main;
use crate::{CAGE_STAGE, INSPECT_STAGE, PIN_STAGE, PROBE_STAGE, SUPERVISOR_STAGE, TRACER_STAGE};

/// Second argument of the stage that pins, to replace digests that are there.
const PIN_AGAIN: &str = "--again";

/// Runs the stage that the host binary's first argument names. `None` if it names no stage.
///
/// The host calls this before it starts a thread: the stages confine the calling thread and then execute.
pub fn stage(first_argument: &OsStr) -> Option<ExitCode> {
    match first_argument.to_str() {
        Some(SUPERVISOR_STAGE) => Some(supervisor_main()),
        Some(TRACER_STAGE) => Some(tracer_main()),
        Some(CAGE_STAGE) => Some(cage_main()),
        Some(PROBE_STAGE) => Some(probe_main()),
        _ => None,
    }
}

/// Runs a stage of the cage if the first argument names one, the actor otherwise: the service's whole `main`.
#[must_use]
pub fn main() -> ExitCode {
    let first = std::env::args_os().nth(1);
    if first.as_deref() == Some(OsStr::new(PIN_STAGE)) {
        let again = std::env::args_os().nth(2);
        return pin_main(again.as_deref() == Some(OsStr::new(PIN_AGAIN)));
    }
    if first.as_deref() == Some(OsStr::new(INSPECT_STAGE)) {
        let scratch = std::env::args_os().nth(2);
        return inspect_main(Path::new(&scratch.unwrap_or_default()));
    }
    first
        .and_then(|first| stage(&first))
        .unwrap_or_else(executor::main::<Runner>)
}
