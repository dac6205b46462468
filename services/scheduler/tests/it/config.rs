//! Tests the sample configuration.

use std::path::Path;

use scheduler::Config;

#[test]
fn the_sample_configuration_is_valid() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("scheduler.toml");
    let (bus, Config {}) = actor::config::read::<Config>(&sample).unwrap();
    assert_eq!(bus.url, "tls://nats:4222");
}
