//! Releases of nats-server and their order.

use std::fmt;

/// A release of nats-server; a pre-release is older than its release.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Version {
    major: u32,
    minor: u32,
    patch: u32,
    released: bool,
}

impl Version {
    /// The release `major.minor.patch`.
    #[must_use]
    pub const fn new(major: u32, minor: u32, patch: u32) -> Self {
        Self {
            major,
            minor,
            patch,
            released: true,
        }
    }

    /// Parses the output of `nats-server --version`: `nats-server: v2.15.1`, or `…v2.15.0-RC.1`.
    #[must_use]
    pub fn of_output(text: &str) -> Option<Self> {
        let line = text.lines().next()?;
        Self::parse(line.trim().strip_prefix("nats-server: v")?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (numbers, released) = match text.split_once('-') {
            Some((numbers, _label)) => (numbers, false),
            // Build metadata after a plus sign does not affect the order.
            None => (
                text.split_once('+')
                    .map_or(text, |(numbers, _build)| numbers),
                true,
            ),
        };
        let mut parts = numbers.split('.').map(|part| {
            part.bytes()
                .all(|b| b.is_ascii_digit())
                .then(|| part.parse::<u32>().ok())
                .flatten()
        });
        let (major, minor, patch) = (parts.next()??, parts.next()??, parts.next()??);
        parts.next().is_none().then_some(Self {
            major,
            minor,
            patch,
            released,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let label = if self.released { "" } else { " (pre-release)" };
        write!(out, "{}.{}.{}{label}", self.major, self.minor, self.patch)
    }
}

#[cfg(test)]
mod tests {
    use super::Version;

    #[test]
    fn version_line_of_the_server_is_read() {
        assert_eq!(
            Version::of_output("nats-server: v2.15.1\n"),
            Some(Version::new(2, 15, 1))
        );
    }

    #[test]
    fn pre_release_is_older_than_its_release() {
        let candidate = Version::of_output("nats-server: v2.14.5-RC.1").unwrap();
        assert!(candidate < Version::new(2, 14, 5));
        assert!(candidate > Version::new(2, 14, 4));
    }

    #[test]
    fn two_digit_parts_compare_as_numbers() {
        assert!(Version::new(2, 9, 99) < Version::new(2, 14, 5));
    }

    #[test]
    fn other_text_is_not_a_version() {
        for text in [
            "",
            "nats-server: v2.15",
            "nats-server: v2.15.1.1",
            "nats-server: v+2.15.1",
            "nats: v2.15.1",
            "nats-server: v2.15.99999999999",
        ] {
            assert_eq!(Version::of_output(text), None, "{text}");
        }
    }
}
