//! Runs the other tests as a uid without privileges.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::call::Ground;

#[tokio::test]
async fn all_of_it_holds_without_privileges() {
    if !rustix::process::geteuid().is_root() {
        let probed = Ground::new().cage().probe().await.unwrap();
        assert!(probed.open.is_empty(), "{probed:?}");
        return;
    }
    let again = Command::new(std::env::current_exe().unwrap())
        .args(["--skip", "cost::", "--test-threads", "2"])
        .current_dir("/")
        // Tests that need privileges have already run in this process.
        .env_remove("CONTRACTUAL_TESTS_MANDATORY")
        .uid(10_004)
        .gid(10_004)
        .output()
        .unwrap();
    assert!(
        again.status.success(),
        "{}",
        String::from_utf8_lossy(&again.stdout)
    );
}
