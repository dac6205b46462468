//! Tests of identity files: written once, privately, and read only if private.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use actor::files::{self, Error, Written};

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn new_files_and_folders_are_private_and_nothing_else_stays_behind() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("keys");
    assert_eq!(files::private_dir(&inner).unwrap(), Written::Created);
    files::write_new(&inner.join("a"), b"secret").unwrap();
    assert_eq!((mode(&inner), mode(&inner.join("a"))), (0o700, 0o600));
    assert_eq!(fs::read_dir(&inner).unwrap().count(), 1);
    assert_eq!(**files::read_secret(&inner.join("a")).unwrap(), *b"secret");
}

#[test]
fn existing_file_is_never_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    files::write_new(&path, b"first").unwrap();
    assert!(matches!(
        files::write_new(&path, b"second"),
        Err(Error::Exists { .. })
    ));
    assert_eq!(fs::read(&path).unwrap(), b"first");
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
}

#[test]
fn replaced_file_is_another_one_with_the_same_owner_and_mode() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    files::replace(&path, b"first").unwrap();
    assert_eq!(mode(&path), 0o600);
    chmod(&path, 0o400);
    // Only the superuser can give files away.
    let given = std::os::unix::fs::chown(&path, Some(10_008), Some(10_008)).is_ok();
    let before = fs::metadata(&path).unwrap();
    files::replace(&path, b"second").unwrap();
    let after = fs::metadata(&path).unwrap();
    assert_eq!(fs::read(&path).unwrap(), b"second");
    assert_ne!(before.ino(), after.ino());
    assert_eq!((after.mode() & 0o7777, after.uid()), (0o400, before.uid()));
    assert!(!given || after.uid() == 10_008);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    let folder = dir.path().join("folder");
    fs::create_dir(&folder).unwrap();
    let given = std::os::unix::fs::chown(&folder, Some(10_008), Some(10_008)).is_ok();
    files::replace(&folder.join("b"), b"new").unwrap();
    let new = fs::metadata(folder.join("b")).unwrap();
    assert!(!given || new.uid() == 10_008);
    symlink(&path, dir.path().join("link")).unwrap();
    assert!(matches!(
        files::replace(&dir.path().join("link"), b"x"),
        Err(Error::Symlink { .. })
    ));
}

#[test]
fn dangling_link_in_place_of_a_new_file_is_not_followed() {
    let dir = tempfile::tempdir().unwrap();
    symlink(dir.path().join("target"), dir.path().join("a")).unwrap();
    assert!(matches!(
        files::write_new(&dir.path().join("a"), b"x"),
        Err(Error::Exists { .. })
    ));
    assert!(!dir.path().join("target").exists());
}

#[test]
fn one_of_many_concurrent_creators_wins_and_all_read_its_bytes() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a");
    let create = |who: u8| {
        files::keep_or_create(&path, files::read_secret, || Ok(vec![who; 32].into())).unwrap()
    };
    let answers: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|who| scope.spawn(move || create(who))).collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert_eq!(
        answers
            .iter()
            .filter(|(_, written)| *written == Written::Created)
            .count(),
        1
    );
    assert!(
        answers
            .iter()
            .all(|(bytes, _)| **bytes == *fs::read(&path).unwrap())
    );
}

#[test]
fn secret_that_others_can_use_is_refused_with_the_command_that_fixes_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("it's a key");
    files::write_new(&path, b"x").unwrap();
    for exposed in [0o640, 0o620, 0o604, 0o601] {
        chmod(&path, exposed);
        let error = files::read_secret(&path).unwrap_err();
        assert!(matches!(error, Error::Exposed { .. }), "{exposed:o}");
        let text = error.to_string();
        assert!(text.contains(&path.display().to_string()), "{text}");
        let fix = text.split('`').nth(1).unwrap();
        assert!(fix.starts_with("chmod 600 "), "{text}");
        assert!(
            std::process::Command::new("/bin/sh")
                .args(["-c", fix])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(mode(&path), 0o600);
        assert!(files::read_secret(&path).is_ok());
    }
}

#[test]
fn exposed_or_linked_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let inner = dir.path().join("keys");
    files::private_dir(&inner).unwrap();
    assert_eq!(files::private_dir(&inner).unwrap(), Written::Kept);
    symlink(&inner, dir.path().join("link")).unwrap();
    let link = files::private_dir(&dir.path().join("link"));
    assert!(matches!(link, Err(Error::Symlink { .. })));
    chmod(&inner, 0o750);
    assert!(
        files::private_dir(&inner)
            .unwrap_err()
            .to_string()
            .contains("chmod 700")
    );
}

#[test]
fn link_pipe_folder_missing_and_oversize_secrets_are_told_apart() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    files::write_new(&at("a"), b"x").unwrap();
    symlink(at("a"), at("link")).unwrap();
    rustix::fs::mkfifoat(
        rustix::fs::CWD,
        at("pipe"),
        rustix::fs::Mode::from_raw_mode(0o600),
    )
    .unwrap();
    fs::write(at("big"), vec![0; files::FILE_BYTES_MAX as usize + 1]).unwrap();
    fs::write(at("full"), vec![0; files::FILE_BYTES_MAX as usize]).unwrap();
    chmod(&at("big"), 0o600);
    chmod(&at("full"), 0o600);
    assert!(matches!(
        files::read_secret(&at("link")),
        Err(Error::Symlink { .. })
    ));
    assert!(matches!(
        files::read_secret(&at("pipe")),
        Err(Error::WrongKind { .. })
    ));
    assert!(matches!(
        files::read_secret(dir.path()),
        Err(Error::WrongKind { .. })
    ));
    assert!(matches!(
        files::read_secret(&at("none")),
        Err(Error::Missing { .. })
    ));
    assert!(matches!(
        files::read_secret(&at("big")),
        Err(Error::TooLarge { .. })
    ));
    assert_eq!(
        files::read_secret(&at("full")).unwrap().len() as u64,
        files::FILE_BYTES_MAX
    );
}
