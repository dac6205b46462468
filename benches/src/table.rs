//! The output of a benchmark: percentiles, a table for people, and one line of JSON.

use std::io::Write as _;

use serde::Serialize;

use crate::runtime::Error;

/// One line of the result: a measurement, and the time of the bus alone.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// The name of the measurement, with its unit.
    pub(crate) case: String,
    /// The value of the system.
    pub(crate) ours: f64,
    /// The value of the bus alone, or the goal; none without a comparison.
    pub(crate) floor: Option<f64>,
    /// `ours` divided by `floor`.
    pub(crate) ratio: Option<f64>,
}

impl Row {
    /// Makes a row that compares two values.
    pub(crate) fn new(case: impl Into<String>, ours: f64, floor: Option<f64>) -> Self {
        Self {
            case: case.into(),
            ours: round(ours),
            floor: floor.map(round),
            ratio: floor
                .filter(|floor| *floor > 0.0)
                .map(|floor| round(ours / floor)),
        }
    }
}

#[derive(Serialize)]
struct Report<'a> {
    bench: &'a str,
    rows: &'a [Row],
}

/// Prints the table and the line of JSON.
pub(crate) fn finish(bench: &str, rows: &[Row]) {
    line(&format!(
        "\n{:<64} {:>12} {:>12} {:>8}",
        "case", "ours", "floor", "ratio"
    ));
    for row in rows {
        let number = |value: Option<f64>| value.map_or_else(|| "-".into(), |v| format!("{v}"));
        line(&format!(
            "{:<64} {:>12} {:>12} {:>8}",
            row.case,
            row.ours,
            number(row.floor),
            number(row.ratio)
        ));
    }
    line(&serde_json::to_string(&Report { bench, rows }).unwrap_or_default());
}

/// The number that follows `name` among the arguments.
pub(crate) fn option(arguments: &[String], name: &str) -> Result<Option<usize>, Error> {
    let mut rest = arguments.iter().skip_while(|said| *said != name);
    if rest.next().is_none() {
        return Ok(None);
    }
    let number = rest.next().and_then(|text| text.parse().ok());
    let number = number.ok_or_else(|| format!("{name} needs a number, such as {name} 10"))?;
    Ok(Some(number))
}

/// Prints a line; ignores a closed pipe.
pub(crate) fn line(text: &str) {
    writeln!(std::io::stdout(), "{text}").ok();
}

/// Prints an error.
pub(crate) fn error(text: &str) {
    writeln!(std::io::stderr(), "error: {text}").ok();
}

/// The machine's load average over one minute: timings of a busy machine mean little.
pub(crate) fn load() -> String {
    let text = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
    text.split_whitespace().next().unwrap_or("?").to_owned()
}

fn round(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// Durations in milliseconds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Times(Vec<f64>);

impl Times {
    /// Adds a duration.
    pub(crate) fn push(&mut self, ms: f64) {
        self.0.push(ms);
    }

    /// Adds all durations of another list.
    pub(crate) fn append(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// The nearest-rank percentile; 0 if it is empty.
    pub(crate) fn percentile(&self, percent: usize) -> f64 {
        let mut sorted = self.0.clone();
        sorted.sort_by(f64::total_cmp);
        let rank = (sorted.len() * percent).div_ceil(100).max(1) - 1;
        sorted.get(rank).copied().unwrap_or(0.0)
    }

    /// `p50 / p99` for people.
    pub(crate) fn text(&self) -> String {
        format!(
            "p50 {:.3} ms, p99 {:.3} ms",
            self.percentile(50),
            self.percentile(99)
        )
    }
}

/// Milliseconds between two moments of bus time.
pub(crate) fn ms(from: bus_schema::Time, to: bus_schema::Time) -> f64 {
    let ns = i32::try_from((to.ns() - from.ns()).clamp(-2_000_000_000, 2_000_000_000));
    ns.map_or(0.0, f64::from) / 1_000_000.0
}
