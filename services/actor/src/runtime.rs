//! The runtime of a process: one thread for everything but what blocks, and no waiting for what blocks for ever.

use std::time::Duration;

/// How long what blocks, such as a file operation, may take to end once all else has.
const BLOCKED_GRACE: Duration = Duration::from_millis(250);

/// Runs `work` to its end. What it has started on threads of its own and not waited for, such as a file operation
/// that hangs, is left behind after a quarter of a second.
///
/// # Errors
/// If the system gives no runtime.
pub fn run<F: Future>(work: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(BLOCKED_GRACE);
    Ok(done)
}
