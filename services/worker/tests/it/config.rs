//! Tests the sample configuration and the bounds of the configuration.

use std::path::Path;
use worker::Config;

#[test]
fn the_sample_configuration_is_valid() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("worker.toml");
    let (bus, service) = actor::config::read::<Config>(&sample).unwrap();
    assert_eq!(bus.url, "tls://nats:4222");
    assert_eq!(service.tasks_max, Config::default().tasks_max);
}

#[test]
fn an_empty_table_is_enough_and_a_wrong_one_is_refused() {
    assert_eq!(
        toml::from_str::<Config>("").unwrap().tasks_max.get(),
        10_000
    );
    for wrong in [
        "tasks_max = 0",
        "tasks_max = 65_536",
        "tasks_max = \"1\"",
        "task_max = 1",
    ] {
        assert!(toml::from_str::<Config>(wrong).is_err(), "{wrong}");
    }
}
