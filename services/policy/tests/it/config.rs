//! Checks the sample configuration and the error of an invalid catalogue.

use std::path::Path;

use actor::{Clock, Context, Service as _};
use policy::{Config, Policy};

use crate::world::{START, owner};

fn open(folder: &Path, catalogue: &str) -> Result<(), String> {
    let (_stopper, stop) = tokio::sync::watch::channel(false);
    let context = Context {
        owner: owner(),
        key: owner(),
        state: folder.to_owned(),
        folder: folder.to_owned(),
        clock: Clock::fake(START),
        stop,
    };
    let config = Config {
        catalogue: catalogue.into(),
    };
    Policy::open(config, &context)
        .map(drop)
        .map_err(|error| error.to_string())
}

#[test]
fn sample_is_a_valid_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (_, config) = actor::config::read::<Config>(&root.join("policy.toml")).unwrap();
    assert_eq!(config.catalogue, Path::new("tools.json"));
}

#[test]
fn catalogue_is_read_beside_the_configuration() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contract/tests");
    assert_eq!(open(&tests, "conformance/tools.json"), Ok(()));
    let error = open(&tests, "errors/golden.txt").unwrap_err();
    assert!(
        error.contains("golden.txt") && error.contains("line 1"),
        "{error}"
    );
    assert!(open(&tests, "none.json").unwrap_err().contains("none.json"));
}
