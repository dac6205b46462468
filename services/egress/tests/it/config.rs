//! Tests that the sample configuration is valid.

use std::path::{Path, PathBuf};

#[test]
fn the_sample_configuration_is_read() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("egress.toml");
    let (_, config) = actor::config::read::<egress::Config>(&sample).unwrap();
    let wanted = egress::Config {
        nameservers: Some(vec!["10.0.0.2:53".parse().unwrap()]),
        authorities: None,
        further_authorities: vec![PathBuf::from("authority.pem")],
        sealing_key: Some(PathBuf::from("sealing.key")),
    };
    assert_eq!(config, wanted);
}
