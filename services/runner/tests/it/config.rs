//! Tests that the sample configuration is valid.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

#[test]
fn the_sample_configuration_is_read() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("runner.toml");
    let (_, config) = actor::config::read::<runner::Config>(&sample).unwrap();
    let wanted = runner::Config {
        workspace: PathBuf::from("workspace"),
        workspaces: BTreeMap::new(),
        folders: BTreeMap::new(),
        launcher: PathBuf::from("/proc/self/exe"),
        scratch: None,
        programs: 8,
    };
    assert_eq!(config, wanted);
}
