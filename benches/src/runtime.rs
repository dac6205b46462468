//! The runtime and the error of all benchmarks.

/// Any error that stopped a benchmark.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs one benchmark on a runtime of one thread.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}
