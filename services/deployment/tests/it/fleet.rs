//! Tests of a process that cannot start for a moment.

use std::path::Path;

use deployment::{Dir, fleet::Fleet};
use tokio::sync::mpsc;

#[test]
fn a_start_that_fails_is_tried_again() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let parent = tempfile::tempdir().unwrap();
    // A process cannot start in a missing folder.
    let folder = parent.path().join("state");
    let said = runtime.block_on(async {
        let (lines, mut logged) = mpsc::unbounded_channel();
        let dir = Dir::new(folder.clone());
        let mut fleet = Fleet::new(dir, Path::new("/bin/true").to_owned(), Some(lines));
        let watching = async {
            let first = logged.recv().await.unwrap().text;
            std::fs::create_dir(&folder).unwrap();
            loop {
                let next = logged.recv().await.unwrap().text;
                if next.starts_with("ended with") {
                    return first;
                }
            }
        };
        tokio::select! {
            started = fleet.start_nats() => panic!("{started:?}"),
            first = watching => first,
        }
    });
    assert!(said.starts_with("cannot start /bin/true: "), "{said}");
}
