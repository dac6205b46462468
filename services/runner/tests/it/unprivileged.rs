//! Runs the other tests as a uid without privileges.

use std::os::unix::process::CommandExt;
use std::process::Command;

use crate::call::{AS_SERVERS, Ground};

/// The test of a fork bomb. It has every process that its uid may have until it is ended, so the programs of other
/// tests could start none meanwhile. Of root, the kernel does not count them.
pub(crate) const BOMB: &str = "a_fork_bomb";

#[tokio::test]
async fn all_of_it_holds_without_privileges() {
    if !rustix::process::geteuid().is_root() {
        let probed = Ground::new().cage().probe().await.unwrap();
        assert!(probed.open.is_empty(), "{probed:?}");
        return;
    }
    again(&["--skip", "cost::", "--skip", BOMB], false);
    again(&[BOMB], false);
    again(&[BOMB], true);
}

fn again(args: &[&str], as_servers: bool) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    if as_servers {
        command.env(AS_SERVERS, "1");
    }
    let again = command
        .args(args)
        .args(["--test-threads", "2"])
        .current_dir("/")
        // Tests that need privileges have already run in this process.
        .env_remove("CONTRACTUAL_TESTS_MANDATORY")
        .uid(10_004)
        .gid(10_004)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&again.stdout);
    assert!(again.status.success(), "{said}");
    assert!(!said.contains("running 0 tests"), "{said}");
}
