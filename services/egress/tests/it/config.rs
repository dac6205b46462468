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
        proxy: None,
    };
    assert_eq!(config, wanted);
}

#[test]
fn a_proxy_is_a_table_of_its_own() {
    let text = "[proxy]\nurl = \"http://proxy.example:3128\"\nnetworks = [\"10.0.0.0/8\"]\n\
        credentials_file = \"proxy.credentials\"\nresolves = true\n";
    let read: egress::Config = toml::from_str(text).unwrap();
    let wanted = egress::ProxyConfig {
        url: "http://proxy.example:3128".to_owned(),
        networks: vec!["10.0.0.0/8".to_owned()],
        credentials_file: Some(PathBuf::from("proxy.credentials")),
        resolves: true,
    };
    assert_eq!(read.proxy, Some(wanted));
    for odd in ["", "url = \"x\"\nother = 1\n", "url = 1\n"] {
        let read = toml::from_str::<egress::Config>(&format!("[proxy]\n{odd}"));
        assert!(read.is_err(), "{odd:?}");
    }
}
