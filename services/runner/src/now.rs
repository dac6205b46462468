//! `time.now`: the time of the runner's clock in a zone.

use bus_schema::Time;
use jiff::{Timestamp, tz::TimeZone};
use serde::{Deserialize, Serialize};

/// The name of the tool.
pub(crate) const NOW: &str = "time.now";

/// Arguments of `time.now`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NowArgs {
    /// A name of the IANA database, such as `Europe/Berlin`; UTC if left out.
    #[serde(default)]
    zone: Option<String>,
}

/// Output of `time.now`.
#[derive(Debug, Serialize)]
struct Now {
    /// RFC 3339, with the zone's offset.
    time: String,
    /// The date there.
    date: String,
    /// The day of the week, such as `monday`.
    weekday: String,
    /// The zone as it was named.
    zone: String,
    /// Seconds since the Unix epoch.
    unix: i64,
}

/// The reason that `time.now` failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NowError {
    /// The arguments do not decode.
    #[error("the arguments do not fit the tool; compare them with its schema")]
    Args(#[source] serde_json::Error),
    /// No zone has that name.
    #[error("no time zone has this name; write one of the IANA database, such as `Europe/Berlin`")]
    Zone(#[source] jiff::Error),
    /// The clock shows no time of the calendar.
    #[error("the clock of the runner is wrong; set it")]
    Clock(#[source] jiff::Error),
}

/// Returns the output for the arguments (JSON) at a moment.
pub(crate) fn now(args: &[u8], at: Time) -> Result<Vec<u8>, NowError> {
    let NowArgs { zone } = serde_json::from_slice(args).map_err(NowError::Args)?;
    let name = zone.unwrap_or_else(|| "UTC".to_owned());
    let zone = TimeZone::get(&name).map_err(NowError::Zone)?;
    let seconds = at.ns().div_euclid(1_000_000_000);
    let there = Timestamp::from_second(seconds).map_err(NowError::Clock)?;
    let there = there.to_zoned_datetime(zone);
    let now = Now {
        time: there.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
        date: there.date().to_string(),
        weekday: there.strftime("%A").to_string().to_lowercase(),
        zone: name,
        unix: seconds,
    };
    serde_json::to_vec(&now).map_err(NowError::Args)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn at(args: &Value) -> Result<Value, NowError> {
        let moment = "2026-03-29T00:59:59.999Z".parse().unwrap();
        now(args.to_string().as_bytes(), moment).map(|said| serde_json::from_slice(&said).unwrap())
    }

    #[test]
    fn time_is_that_of_the_zone() {
        let utc = json!({"time": "2026-03-29T00:59:59+00:00", "date": "2026-03-29", "weekday": "sunday",
            "zone": "UTC", "unix": 1_774_745_999});
        assert_eq!(at(&json!({})).unwrap(), utc);
        for (zone, time, weekday) in [
            ("Europe/Berlin", "2026-03-29T01:59:59+01:00", "sunday"),
            ("America/New_York", "2026-03-28T20:59:59-04:00", "saturday"),
            ("Asia/Kolkata", "2026-03-29T06:29:59+05:30", "sunday"),
        ] {
            let said = at(&json!({ "zone": zone })).unwrap();
            assert_eq!(
                (&said["time"], &said["weekday"]),
                (&json!(time), &json!(weekday))
            );
        }
    }

    #[test]
    fn what_is_no_zone_is_refused() {
        for zone in [
            "",
            "Berlin",
            "../../etc/localtime",
            "/etc/localtime",
            "Europe/Berlin\0",
        ] {
            let refused = at(&json!({ "zone": zone }));
            assert!(matches!(refused, Err(NowError::Zone(_))), "{zone}");
        }
        let refused = at(&json!({"zone": "UTC", "more": 1}));
        assert!(matches!(refused, Err(NowError::Args(_))));
    }
}
