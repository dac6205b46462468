//! Tests approvals of devices at the executor: policy's grant with one is checked against what the owner endorsed.

use bus_schema::{
    AuthorId, Deployment, DeploymentId, DeviceEndorsed, DeviceId, DeviceKey, DeviceRevoked,
    DeviceRole, DraftGrant, Owner, RefusalCode, Signed, public_key,
    testing::{key, owner},
};
use uuid::Uuid;

use crate::core::{claimed, declined};
use crate::stream::{START, Stream, approval, approval_by, deployment, draft};

/// The author whose key the device has.
const PHONE: AuthorId = AuthorId::Scheduler;

fn phone() -> DeviceId {
    DeviceId::new(Uuid::from_u128(77))
}

fn endorse(stream: &mut Stream, role: DeviceRole, deployment: DeploymentId, ms: u64) {
    let fact = DeviceEndorsed {
        deployment,
        device: phone(),
        key: DeviceKey::Ed25519(public_key(&key(PHONE))),
        role,
        name: "Phone".parse().unwrap(),
        expires: START.plus_ms(ms),
    };
    assert!(stream.say::<Owner, _>(Deployment, fact));
}

fn question() -> DraftGrant {
    let mut draft = draft(1, "file.read");
    draft.asked = Some(crate::stream::asked(vec![owner()]));
    draft
}

/// Returns the requests of the runner after a grant that this statement approved.
fn granted(before: impl Fn(&mut Stream), statement: Signed) -> crate::stream::Wants {
    let mut stream = Stream::new();
    before(&mut stream);
    let draft = question();
    let action = draft.action;
    assert!(stream.grant_with(draft, Some(statement)));
    stream.bring(action);
    stream.wants()
}

/// The same, with an approval of the device.
fn by_phone(before: impl Fn(&mut Stream)) -> crate::stream::Wants {
    granted(before, approval_by(PHONE, &question()))
}

#[test]
fn a_grant_that_a_device_of_the_owner_approved_is_claimed() {
    let wants = by_phone(|stream| endorse(stream, DeviceRole::Approver, deployment(), 60_000));
    assert_eq!(wants, claimed(1));
    assert_eq!(granted(|_| (), approval(&question(), true)), claimed(1));
}

#[test]
fn a_grant_that_another_device_approved_is_declined() {
    let outside = declined(1, RefusalCode::OutsideEnvelope);
    let nobody = by_phone(|_| ());
    assert_eq!(nobody, outside);
    let elsewhere = DeploymentId::new(Uuid::from_u128(78));
    let of_another = by_phone(|stream| endorse(stream, DeviceRole::Approver, elsewhere, 60_000));
    assert_eq!(of_another, outside);
    let viewer = by_phone(|stream| endorse(stream, DeviceRole::Viewer, deployment(), 60_000));
    assert_eq!(viewer, outside);
    let expired = by_phone(|stream| endorse(stream, DeviceRole::Approver, deployment(), 1));
    assert_eq!(expired, outside);
    let revoked = by_phone(|stream| {
        endorse(stream, DeviceRole::Approver, deployment(), 60_000);
        assert!(stream.say::<Owner, _>(Deployment, DeviceRevoked { device: phone() }));
        endorse(stream, DeviceRole::Approver, deployment(), 60_000);
    });
    assert_eq!(revoked, outside);
}

#[test]
fn a_device_that_is_revoked_after_the_grant_has_approved_nothing() {
    let mut stream = Stream::new();
    endorse(&mut stream, DeviceRole::Approver, deployment(), 60_000);
    let draft = question();
    let action = draft.action;
    let statement = approval_by(PHONE, &draft);
    assert!(stream.grant_with(draft, Some(statement)));
    assert!(stream.say::<Owner, _>(Deployment, DeviceRevoked { device: phone() }));
    stream.bring(action);
    assert_eq!(stream.wants(), declined(1, RefusalCode::OutsideEnvelope));
}
