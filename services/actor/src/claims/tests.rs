//! Tests of claims that are read back: late, lost, barred and unrecorded ones are not acted on.

use bus_schema::{
    ActionId, AuthorId, Counts, DeploymentId, Digest, DraftGrant, Runner, Salt, Sealed, TaskId,
    Time,
};
use tempfile::TempDir;
use uuid::Uuid;

use super::*;

/// The time from the grant to the last claim.
const TTL_MS: u32 = 1_000;
/// The grant's place in the stream.
const SEQ: u64 = 7;

fn granted(n: u128) -> EventId {
    EventId::new(Uuid::from_u128(n))
}

fn stored() -> Time {
    Time::default().plus_ms(1_000_000)
}

fn permit(n: u128) -> Permit<Runner> {
    let draft = DraftGrant {
        deployment: DeploymentId::new(Uuid::nil()),
        task: TaskId::new(Uuid::nil()),
        action: ActionId::new(Uuid::from_u128(n)),
        contract: Digest::ZERO,
        rule: "allow.1".parse().unwrap(),
        tool: "file.read".parse().unwrap(),
        tool_digest: Digest::ZERO,
        args: Sealed::new(Salt::new([0; 32]), b"{}").unwrap().content(),
        args_by: AuthorId::Worker,
        audience: AuthorId::Runner,
        ttl_ms: TTL_MS,
        wall_ms: 1_000,
        output_bytes_max: 1_000,
        secrets: Vec::new(),
        counts: Counts::default(),
        determined: false,
        asked: None,
    };
    Permit::unchecked(draft, granted(n), SEQ, stored())
}

/// The message of the claim, stored this long after the grant.
fn message(after_ms: u64) -> Meta {
    Meta {
        by: AuthorId::Runner,
        task: Some(TaskId::new(Uuid::nil())),
        id: granted(99),
        cause: None,
        seq: SEQ + 1,
        stored: stored().plus_ms(after_ms),
        at: stored(),
    }
}

/// The claims of a runner in a folder of its own.
struct World {
    claims: Claims<Runner, ()>,
    projection: Projection,
    folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let projection = Projection::open(&folder.path().join("projection"), Digest::ZERO).unwrap();
        let claims = Claims::open(folder.path(), &projection).unwrap().unwrap();
        let mut world = Self {
            claims,
            projection,
            folder,
        };
        world.record(Duration::ZERO);
        world
    }

    fn read_back(&mut self, n: u128, after_ms: u64) -> Result<bool, NoAction> {
        let read = self
            .claims
            .read_back(permit(n), |_| (), &message(after_ms), Duration::ZERO);
        read.map(|held| held.is_some())
    }

    /// Performs the waiting writes, which end at `now`; returns the claims that can be acted on.
    fn record(&mut self, now: Duration) -> Vec<ActionId> {
        let mut ready = Vec::new();
        while let Some(write) = self.claims.ledger.next_write() {
            perform(self.folder.path(), &write).unwrap();
            ready.extend(self.claims.on_written(&write, Ok(()), now));
        }
        ready.iter().map(|held| held.claim.draft().action).collect()
    }
}

#[test]
fn claim_is_acted_on_once_its_record_is_durable() {
    let mut world = World::new();
    world.claims.take(granted(1));
    assert_eq!(world.read_back(1, 0), Ok(false));
    assert_eq!(world.record(HELD_MAX), [permit(1).draft().action]);
    world.claims.take(granted(2));
    assert_eq!(world.record(Duration::ZERO), []);
    assert_eq!(world.read_back(2, 0), Ok(true));
}

#[test]
fn claim_that_is_stored_after_its_deadline_is_not_acted_on() {
    let mut world = World::new();
    for (n, after_ms, expected) in [
        (1, TTL_MS, Ok(true)),
        (2, TTL_MS + 1, Err(NoAction::TooLate)),
    ] {
        world.claims.take(granted(n));
        world.record(Duration::ZERO);
        assert_eq!(
            world.read_back(n, u64::from(after_ms)),
            expected,
            "{after_ms}"
        );
    }
}

#[test]
fn claim_that_this_process_did_not_send_is_not_acted_on() {
    let mut world = World::new();
    assert_eq!(world.read_back(1, 0), Err(NoAction::Invalid));
    world.claims.take(granted(2));
    world.claims.give_back(granted(2));
    assert_eq!(world.read_back(2, 0), Err(NoAction::Invalid));
}

#[test]
fn claim_is_acted_on_once() {
    let mut world = World::new();
    world.claims.take(granted(1));
    world.record(Duration::ZERO);
    assert_eq!(world.read_back(1, 0), Ok(true));
    assert_eq!(world.read_back(1, 0), Err(NoAction::Invalid));
}

#[test]
fn claim_whose_record_takes_too_long_is_not_acted_on() {
    let mut world = World::new();
    world.claims.take(granted(1));
    assert_eq!(world.read_back(1, 0), Ok(false));
    assert_eq!(world.record(HELD_MAX + Duration::from_millis(1)), []);
}

#[test]
fn nothing_is_acted_on_after_a_failed_write_until_the_ledger_is_written_again() {
    let mut world = World::new();
    world.claims.take(granted(1));
    world.claims.take(granted(2));
    assert_eq!(world.read_back(1, 0), Ok(false));
    let write = world.claims.ledger.next_write().unwrap();
    let full = Err(io::Error::from(io::ErrorKind::StorageFull));
    assert!(
        world
            .claims
            .on_written(&write, full, Duration::ZERO)
            .is_empty()
    );
    assert!(world.claims.trouble().is_some());
    assert_eq!(world.read_back(2, 0), Err(NoAction::Invalid));
    let again = world.claims.ledger.replacement();
    perform(world.folder.path(), &again).unwrap();
    assert!(
        world
            .claims
            .on_written(&again, Ok(()), Duration::ZERO)
            .is_empty()
    );
    assert_eq!(world.claims.trouble(), None);
    world.claims.take(granted(3));
    world.record(Duration::ZERO);
    assert_eq!(world.read_back(3, 0), Ok(true));
}

#[test]
fn claims_of_another_stream_are_not_acted_on() {
    let mut world = World::new();
    world.claims.take(granted(1));
    world.claims.take(granted(2));
    assert_eq!(world.read_back(1, 0), Ok(false));
    let World {
        claims, projection, ..
    } = &mut world;
    let position = Position {
        seq: SEQ,
        digest: Digest::ZERO,
    };
    claims.lose(position, projection).unwrap();
    assert_eq!(world.record(Duration::ZERO), []);
    assert_eq!(world.read_back(2, 0), Err(NoAction::Invalid));
    world.claims.take(granted(3));
    world.record(Duration::ZERO);
    assert_eq!(world.read_back(3, 0), Err(NoAction::Invalid));
}
