//! Tests that the sample configuration is valid.

use broker::Config;

#[test]
fn sample_is_valid() {
    let sample: toml::Table = toml::from_str(include_str!("../../broker.toml")).unwrap();
    let config: Config = sample["service"].clone().try_into().unwrap();
    assert_eq!(config.sealing_key, Some("sealing.key".into()));
    assert_eq!(config.secret_files, Some("secrets".into()));
    assert!(toml::from_str::<Config>("store = \"secrets\"").is_err());
}
