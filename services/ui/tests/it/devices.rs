//! Tests of the page of devices: their end, their last answer, and what ended them.

use bus_schema::{
    ApprovalCarried, ApprovalStatement, AuthorId, Deployment, DeviceEndorsed, DeviceId, DeviceKey,
    DeviceRevoked, DeviceRole, Gateway, Owner, Signed, Statement, Time, public_key, testing::key,
};
use uuid::Uuid;

use crate::world::{T0, World, action, deployment, digest, task};

/// The author whose key is that of the device.
const PHONE: AuthorId = AuthorId::Audit;
const DAY_MS: u64 = 86_400_000;

fn endorsed(expires: Time) -> DeviceEndorsed {
    DeviceEndorsed {
        deployment: deployment(),
        device: DeviceId::new(Uuid::from_u128(9)),
        key: DeviceKey::Ed25519(public_key(&key(PHONE))),
        role: DeviceRole::Approver,
        name: "Phone".parse().unwrap(),
        expires,
    }
}

fn with(expires: Time) -> World {
    let mut world = World::new();
    world.say::<Owner, _>(Deployment, endorsed(expires));
    world
}

/// An answer that the gateway says it carried, under the key of one author and with the signature of another.
fn carry(world: &mut World, signer: AuthorId) {
    let said = Statement::Approval(ApprovalStatement {
        deployment: deployment(),
        task: task(1),
        action: action(1),
        contract: digest("contract"),
        draft: digest("draft"),
        approve: true,
        at: T0,
    });
    let mut statement = serde_json::to_value(Signed::new(&said, &key(signer))).unwrap();
    statement["by"] = serde_json::json!(public_key(&key(PHONE)));
    let fact = ApprovalCarried {
        action: action(1),
        statement: serde_json::from_value(statement).unwrap(),
    };
    world.say::<Gateway, _>(task(1), fact);
}

#[test]
fn a_device_is_shown_with_its_end_and_its_last_answer() {
    let mut world = with(T0.plus_ms(180 * DAY_MS));
    // What the device did not sign is no answer of it.
    carry(&mut world, AuthorId::Gateway);
    let page = world.page("/devices");
    for words in [
        "Phone",
        "approver",
        "valid",
        "none yet",
        "contractual device revoke",
    ] {
        assert!(page.contains(words), "{words}: {page}");
    }
    carry(&mut world, PHONE);
    let page = world.page("/devices");
    assert!(!page.contains("none yet"), "{page}");
}

#[test]
fn a_device_that_ends_soon_or_has_ended_says_so() {
    let soon = with(T0.plus_ms(3 * DAY_MS)).page("/devices");
    assert!(soon.contains("ends soon"), "{soon}");
    let over = with(T0.plus_ms(1)).page("/devices");
    assert!(
        over.contains("expired") && !over.contains("device revoke"),
        "{over}"
    );
    let mut world = with(T0.plus_ms(180 * DAY_MS));
    let device = DeviceId::new(Uuid::from_u128(9));
    world.say::<Owner, _>(Deployment, DeviceRevoked { device });
    let gone = world.page("/devices");
    assert!(
        gone.contains("revoked") && !gone.contains("device revoke"),
        "{gone}"
    );
}
