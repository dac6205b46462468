//! What every benchmark runs on.

/// Whatever stopped a benchmark, with its own words.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// Runs one benchmark on a runtime of one thread.
pub(crate) fn block_on<F: Future>(future: F) -> Result<F::Output, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    Ok(runtime.block_on(future))
}
