//! Says when a model that did not answer is asked again: by the host's code, the number of failures, and bus time.

use bus_schema::Time;
use serde_json::Value;

/// Most times that a request is made again.
pub const RETRIES_MAX: usize = 4;
/// The pause after the first failure; each further one doubles it.
const PAUSE_MS: u64 = 1_000;
/// The longest pause, also if the host says a longer one.
const PAUSE_MS_MAX: u64 = 300_000;

/// Returns the time of the next attempt after the `failures`th failure, at `at`; `said` is the output of egress: the error,
/// and the host's code and pause, if it answered, or that the way to the host was not there.
///
/// # Errors
/// The reason that there is no next attempt.
pub(super) fn again(said: Option<&[u8]>, failures: usize, at: Time) -> Result<Time, String> {
    let said: Option<Value> = said.and_then(|said| serde_json::from_slice(said).ok());
    let of = |name: &str| said.as_ref()?.get(name)?.as_u64();
    let error = said.as_ref().and_then(|said| said.get("error")?.as_str());
    let error = error.unwrap_or("nobody knows what became of the request");
    let passes = match (&said, of("code")) {
        (None, _) => true,
        (Some(_), Some(code)) => code == 408 || code == 429 || code >= 500,
        // Without a code the host did not answer, or nothing could be made of its answer.
        (Some(said), None) => said.get("passes") == Some(&Value::Bool(true)),
    };
    if !passes {
        return Err(format!("The model did not answer: {error}"));
    }
    if failures > RETRIES_MAX {
        return Err(format!(
            "The model did not answer, and was asked {failures} times: {error}"
        ));
    }
    let doubled = PAUSE_MS << failures.saturating_sub(1).min(RETRIES_MAX);
    let pause = of("retry_after_s").map_or(doubled, |seconds| seconds.saturating_mul(1_000));
    Ok(at.plus_ms(pause.min(PAUSE_MS_MAX)))
}
