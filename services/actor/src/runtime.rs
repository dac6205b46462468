//! The runtime of a process: one thread for asynchronous work, and a bounded wait for blocking work at the end.

use std::time::Duration;

/// The time that blocking work, such as a file operation, may take to end after everything else.
const BLOCKED_GRACE: Duration = Duration::from_millis(250);

/// Runs `work` to its end. Blocking work that it has started and not waited for, such as a file operation that hangs,
/// is abandoned after a quarter of a second.
///
/// # Errors
/// Fails if the system gives no runtime.
pub fn run<F: Future>(work: F) -> std::io::Result<F::Output> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let done = runtime.block_on(work);
    runtime.shutdown_timeout(BLOCKED_GRACE);
    Ok(done)
}
