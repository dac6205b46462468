//! The sample configuration.

use audit::Config;
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    bus: actor::Config,
    service: Config,
}

#[test]
fn the_sample_is_a_configuration() {
    let file: File = toml::from_str(include_str!("../../audit.toml")).unwrap();
    assert_eq!(file.bus.signing_key, file.service.signing_key);
    assert_ne!(file.service.log, file.service.anchor);
}
