//! Checks the answers of devices: each counts for the owner, as long as the owner's endorsement holds.

use bus_schema::{
    ActionId, AuthorId, Deployment, DeploymentId, DeviceEndorsed, DeviceId, DeviceKey,
    DeviceRevoked, DeviceRole, DraftGrant, Owner, TaskId, public_key, testing::key,
};
use uuid::Uuid;

use crate::world::{World, answer, answer_by, asked, deployment, granted, words};

const RULES: &str = "
[[ask]]
tool = \"t.any\"
calls = 2
reason = \"because\"
expires = \"3s\"
";

/// The author whose key the device has: one that is no actor's of the test.
const PHONE: AuthorId = AuthorId::Scheduler;

fn phone() -> DeviceId {
    DeviceId::new(Uuid::from_u128(77))
}

fn endorse(world: &mut World, role: DeviceRole, deployment: DeploymentId, ms: u64) {
    let fact = DeviceEndorsed {
        deployment,
        device: phone(),
        key: DeviceKey::Ed25519(public_key(&key(PHONE))),
        role,
        name: "Phone".parse().unwrap(),
        expires: world.log.now.plus_ms(ms),
    };
    world.say::<Owner, _>(Deployment, fact);
}

fn revoke(world: &mut World) {
    world.say::<Owner, _>(Deployment, DeviceRevoked { device: phone() });
}

/// Returns a world with an open question and without devices.
fn open() -> (World, TaskId, ActionId, DraftGrant) {
    let (mut world, _, task) = World::with_task(RULES);
    let action = world.propose(task, 2);
    let facts = world.turn();
    assert_eq!(words(&facts), ["asked"]);
    (world, task, action, asked(&facts))
}

#[test]
fn a_device_answers_for_the_owner() {
    for role in [DeviceRole::Approver, DeviceRole::Owner] {
        let (mut world, task, action, draft) = open();
        endorse(&mut world, role, deployment(), 60_000);
        let yes = answer_by(PHONE, &draft, true);
        world.carry(task, action, &yes);
        world.restart();
        let facts = world.turn();
        assert_eq!(granted(&facts)[0].grant.approvals, [yes]);
        world.rebuild();
    }
    let (mut world, task, action, draft) = open();
    endorse(&mut world, DeviceRole::Approver, deployment(), 60_000);
    world.carry(task, action, &answer_by(PHONE, &draft, false));
    assert_eq!(words(&world.turn()), ["SaidNo"]);
}

/// The facts before the answer of the device.
type Before = fn(&mut World);

#[test]
fn the_answer_of_a_device_that_may_not_give_it_is_refused() {
    let ways: [(&str, Before); 5] = [
        ("ApproverUnknown", |_| ()),
        ("ApproverUnknown", |world| {
            let other = DeploymentId::new(Uuid::from_u128(78));
            endorse(world, DeviceRole::Approver, other, 60_000);
        }),
        ("DeviceRole", |world| {
            endorse(world, DeviceRole::Viewer, deployment(), 60_000);
        }),
        ("DeviceExpired", |world| {
            endorse(world, DeviceRole::Approver, deployment(), 1_000);
            world.pass_ms(1_000);
        }),
        ("DeviceRevoked", |world| {
            endorse(world, DeviceRole::Approver, deployment(), 60_000);
            revoke(world);
            // A second endorsement does not bring it back.
            endorse(world, DeviceRole::Approver, deployment(), 60_000);
        }),
    ];
    for (code, before) in ways {
        let (mut world, task, action, draft) = open();
        before(&mut world);
        world.carry(task, action, &answer_by(PHONE, &draft, true));
        assert_eq!(words(&world.turn()), [format!("not taken: {code}")]);
        // The question stays open.
        world.carry(task, action, &answer(&draft, true));
        assert_eq!(words(&world.turn()), ["granted"]);
        world.rebuild();
    }
}

#[test]
fn a_revocation_takes_back_the_approval_that_is_not_granted_yet() {
    let (mut world, task, action, draft) = open();
    endorse(&mut world, DeviceRole::Approver, deployment(), 60_000);
    // Without audit's head nothing is granted.
    let head = world.head.take();
    world.carry(task, action, &answer_by(PHONE, &draft, true));
    assert_eq!(words(&world.turn()), [""; 0]);
    revoke(&mut world);
    world.head = head;
    assert_eq!(words(&world.turn()), [""; 0]);
    world.carry(task, action, &answer(&draft, true));
    let facts = world.turn();
    assert_eq!(granted(&facts)[0].grant.approvals, [answer(&draft, true)]);
    world.rebuild();
}

#[test]
fn the_owner_and_a_device_of_the_owner_are_not_two_people() {
    let (mut world, _, task) = World::with_task(RULES);
    endorse(&mut world, DeviceRole::Approver, deployment(), 60_000);
    let action = world.propose(task, 2);
    let draft = asked(&world.turn());
    let head = world.head.take();
    world.carry(task, action, &answer(&draft, true));
    world.carry(task, action, &answer_by(PHONE, &draft, true));
    assert_eq!(words(&world.turn()), ["not taken: ApprovalUsed"]);
    world.head = head;
    assert_eq!(words(&world.turn()), ["granted"]);
}

#[test]
fn a_device_that_expires_between_its_yes_and_the_grant_has_approved_nothing() {
    let (mut world, task, action, draft) = open();
    endorse(&mut world, DeviceRole::Approver, deployment(), 1_000);
    let head = world.head.take();
    world.carry(task, action, &answer_by(PHONE, &draft, true));
    assert_eq!(words(&world.turn()), [""; 0]);
    world.pass_ms(1_000);
    world.head = head;
    assert_eq!(words(&world.turn()), ["DeviceExpired"]);
    world.rebuild();
}
