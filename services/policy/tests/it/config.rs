//! Checks the sample configuration, and the error of a configuration that still names a catalogue.

use std::path::Path;

use policy::Config;

#[test]
fn sample_is_a_valid_configuration() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (_, config) = actor::config::read::<Config>(&root.join("policy.toml")).unwrap();
    assert_eq!(config, Config {});
}

#[test]
fn a_catalogue_is_no_part_of_the_configuration() {
    let error = toml::from_str::<Config>("catalogue = \"tools.json\"").unwrap_err();
    assert!(error.to_string().contains("`catalogue`"), "{error}");
}
