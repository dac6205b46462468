//! Tests the sample configuration.

use std::path::Path;

use ui::Config;

#[test]
fn the_sample_configuration_is_valid() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("ui.toml");
    let (bus, Config {}) = actor::config::read::<Config>(&sample).unwrap();
    assert_eq!(bus.url, "tls://nats:4222");
}
