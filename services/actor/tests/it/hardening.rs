//! Tests of hardening: each property that can be weaker than in the shipped container, and the configuration.

use actor::{
    config,
    hardening::{self, Shipped},
};
use bus_schema::{AuthorId, Capabilities, Hardening, Profile, Property};

/// The hardening of the shipped container.
fn shipped() -> Hardening {
    Hardening {
        profile: Profile::Container,
        waived: Vec::new(),
        uid: 10_008,
        gid: 10_008,
        other_groups: 0,
        capabilities: Capabilities::default(),
        no_new_privileges: true,
        seccomp: 2,
        read_only_root: true,
        landlock_abi: 7,
        dumpable: false,
        core_bytes_max: 0,
        writable: Vec::new(),
    }
}

/// The shipped container.
fn container(service: AuthorId, id: u32) -> Shipped {
    Shipped {
        service,
        uid: id,
        gid: id,
    }
}

fn missing(change: impl Fn(&mut Hardening)) -> Vec<Property> {
    let mut found = shipped();
    change(&mut found);
    let missing = hardening::weaker(&found, &found, false, &container(AuthorId::Worker, 10_008));
    missing.into_iter().map(|one| one.property).collect()
}

/// The engine's own filter counts as a missing filter.
#[test]
fn another_filter_than_the_shipped_one_is_none_and_the_line_is_named() {
    let here = container(AuthorId::Worker, 10_008);
    let missing = hardening::weaker(&shipped(), &shipped(), true, &here);
    let [one] = missing.as_slice() else {
        panic!("{missing:?}");
    };
    assert_eq!(one.property, Property::Seccomp);
    assert!(one.text.contains("another filter"), "{}", one.text);
    assert!(
        one.text.contains("`seccomp=./seccomp/worker.json`"),
        "{}",
        one.text
    );
}

#[test]
fn only_the_runner_cannot_do_without_landlock() {
    let bare = Hardening {
        landlock_abi: 0,
        ..shipped()
    };
    let missing = |service| hardening::weaker(&bare, &bare, false, &container(service, 10_008));
    assert_eq!(missing(AuthorId::Worker), []);
    let [one] = missing(AuthorId::Runner).try_into().unwrap();
    assert_eq!(one.property, Property::Landlock);
    assert!(one.text.contains("lsm="), "{}", one.text);
}

#[test]
fn each_weakness_is_found_and_nothing_else() {
    assert_eq!(missing(|_| {}), []);
    let user: [fn(&mut Hardening); 4] = [
        |found| found.uid = 0,
        |found| found.uid = 10_007,
        |found| found.gid = 0,
        |found| found.other_groups = 1,
    ];
    for change in user {
        assert_eq!(missing(change), [Property::OwnUser]);
    }
    let sets: [fn(&mut Capabilities) -> &mut u64; 5] = [
        |sets| &mut sets.effective,
        |sets| &mut sets.permitted,
        |sets| &mut sets.inheritable,
        |sets| &mut sets.bounding,
        |sets| &mut sets.ambient,
    ];
    for set in sets {
        let found = missing(|found| *set(&mut found.capabilities) = 1 << 10);
        assert_eq!(found, [Property::Capabilities]);
    }
    for mode in [0, 1] {
        assert_eq!(missing(|found| found.seccomp = mode), [Property::Seccomp]);
    }
    assert_eq!(
        missing(|found| found.no_new_privileges = false),
        [Property::NoNewPrivileges]
    );
    assert_eq!(
        missing(|found| found.read_only_root = false),
        [Property::ReadOnlyRoot]
    );
    assert_eq!(missing(|found| found.core_bytes_max = 1), [Property::Core]);
    assert_eq!(missing(|found| found.dumpable = true), [Property::Dumpable]);
}

/// Root is refused, even if the configuration expects it.
#[test]
fn root_is_never_the_expected_user() {
    let root = Hardening {
        uid: 0,
        gid: 0,
        ..shipped()
    };
    let missing = hardening::weaker(&root, &root, false, &container(AuthorId::Worker, 0));
    assert!(missing.iter().any(|one| one.property == Property::OwnUser));
}

/// Settings of the process itself do not excuse the container.
#[test]
fn what_the_process_sets_itself_is_missed_in_the_container_all_the_same() {
    let bare = Hardening {
        no_new_privileges: false,
        core_bytes_max: u64::MAX,
        ..shipped()
    };
    let missing = hardening::weaker(
        &bare,
        &shipped(),
        false,
        &container(AuthorId::Worker, 10_008),
    );
    let missing: Vec<_> = missing.into_iter().map(|one| one.property).collect();
    assert_eq!(missing, [Property::NoNewPrivileges, Property::Core]);
}

#[test]
fn the_table_is_optional_and_strict() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    let owner = "0".repeat(64);
    let bus = format!(
        "[bus]\nurl = \"tls://nats:4222\"\nca = \"a\"\ncertificate = \"b\"\nkey = \"c\"\nnkey = \"d\"\n\
         signing_key = \"e\"\nowner = \"{owner}\"\nstate = \"s\"\n"
    );
    let read = |table: &str| {
        std::fs::write(&path, format!("{bus}{table}\n[service]\n")).unwrap();
        let read = config::read::<std::collections::BTreeMap<String, String>>(&path);
        read.map(|(bus, _)| bus.hardening)
            .map_err(|error| actor::chain(&error))
    };
    assert_eq!(read("").unwrap().profile, Profile::Host);
    let table = "[hardening]\nprofile = \"container\"\nuid = 7\nexception = \"x.json\"";
    let read_back = read(table).unwrap();
    assert_eq!(
        (read_back.profile, read_back.uid),
        (Profile::Container, Some(7))
    );
    assert_eq!(read_back.exception, Some(dir.path().join("x.json")));
    for wrong in ["profile = \"docker\"", "profil = \"container\"", "uid = -1"] {
        let said = read(&format!("[hardening]\n{wrong}")).unwrap_err();
        assert!(said.contains("line"), "{said}");
    }
}

#[test]
fn every_service_has_an_account_of_its_own() {
    let mut uids: Vec<_> = bus_schema::ACTORS
        .iter()
        .map(|author| author.uid())
        .collect();
    uids.sort_unstable();
    uids.dedup();
    assert_eq!(uids.len(), bus_schema::ACTORS.len());
    assert!(uids.iter().all(|uid| (10_001..10_015).contains(uid)));
    assert_eq!(AuthorId::Gateway.uid(), 10_001);
}
