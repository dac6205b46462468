//! Tests of devices: which of them counts, and for whom.

use bus_schema::{
    AuthorId, DeviceEndorsed, DeviceKey, DeviceRefused, DeviceRole, Devices, DraftGrant, Grant,
    NotSigned, OutsideEnvelope, Signed, Signers, Statement, Time, public_key, wire,
};
use ed25519_dalek::SigningKey;

use crate::{
    example::{approval, draft, endorsed, envelope, revoked, second, signed},
    fixture::{T0, deployment, id, name, new_key, owner},
};

/// The key of the device of the examples.
fn phone() -> SigningKey {
    new_key(AuthorId::Audit)
}

fn devices(change: impl Fn(&mut DeviceEndorsed)) -> Devices {
    let mut endorsed = endorsed();
    change(&mut endorsed);
    let mut devices = Devices::default();
    devices.endorse(Some(deployment()), T0, endorsed);
    devices
}

fn signers(devices: &Devices) -> Signers<'_> {
    Signers {
        owner: owner(),
        devices,
    }
}

fn approved_by(draft: DraftGrant, keys: &[SigningKey]) -> Grant {
    let said = Statement::Approval(approval(&draft));
    let approvals = keys.iter().map(|key| Signed::new(&said, key)).collect();
    Grant { draft, approvals }
}

/// Checks a grant that the phone approved, as the executor does.
fn checked(devices: &Devices, stored: Time) -> Result<(), OutsideEnvelope> {
    let grant = approved_by(draft(), &[phone()]);
    grant.check_envelope(&envelope(), &signers(devices), 0, stored)
}

#[test]
fn a_device_approves_in_the_owners_place_until_its_end() {
    use DeviceRefused as No;
    let phone = devices(|_| ());
    let asked = draft().asked.expect("it asks");
    assert_eq!(checked(&phone, T0), Ok(()));
    let at = |expires| devices(move |device| device.expires = expires);
    let end = asked.until;
    assert_eq!(checked(&at(Time::from_ns(end.ns() + 1)), end), Ok(()));
    assert_eq!(checked(&at(end), end), Err(No::Expired.into()));
    let mut gone = phone;
    gone.revoke(&revoked());
    assert_eq!(checked(&gone, T0), Err(No::Revoked.into()));
    let viewer = devices(|device| device.role = DeviceRole::Viewer);
    assert_eq!(checked(&viewer, T0), Err(No::Role.into()));
    let owners = devices(|device| device.role = DeviceRole::Owner);
    assert_eq!(checked(&owners, T0), Ok(()));
}

#[test]
fn a_device_of_another_deployment_is_a_stranger() {
    let unknown = Err(OutsideEnvelope::Approval(NotSigned::UnknownKey));
    assert_eq!(checked(&Devices::default(), T0), unknown);
    let elsewhere = devices(|device| device.deployment = id(99));
    assert!(elsewhere.is_empty());
    assert_eq!(checked(&elsewhere, T0), unknown);
    let mut early = Devices::default();
    assert!(!early.endorse(None, T0, endorsed()));
}

#[test]
fn a_device_and_the_owner_are_one_person() {
    let devices = devices(|_| ());
    let mut draft = draft();
    draft.asked.as_mut().expect("it asks").quorum = 2;
    let check = |keys: &[SigningKey]| {
        let grant = approved_by(draft.clone(), keys);
        grant.check_envelope(&envelope(), &signers(&devices), 0, T0)
    };
    let owners = crate::fixture::key_of(AuthorId::Owner);
    let twice = check(&[owners, phone()]);
    assert_eq!(twice, Err(OutsideEnvelope::ApprovalDiffers));
    let two = check(&[phone(), new_key(AuthorId::Runner)]);
    assert_eq!(two, Ok(()));
}

#[test]
fn a_device_does_not_answer_for_anybody_else() {
    let devices = devices(|_| ());
    let mut draft = draft();
    let asked = draft.asked.as_mut().expect("it asks");
    (asked.approvers, asked.escalation) = (vec![second()], None);
    let grant = approved_by(draft, &[phone()]);
    let found = grant.check_envelope(&envelope(), &signers(&devices), 0, T0);
    let unknown = OutsideEnvelope::Approval(NotSigned::UnknownKey);
    assert_eq!(found, Err(unknown));
}

#[test]
fn a_contract_that_names_the_key_of_a_revoked_device_does_not_bring_it_back() {
    let mut devices = devices(|_| ());
    devices.revoke(&revoked());
    let key = public_key(&phone());
    let mut draft = draft();
    draft.asked.as_mut().expect("it asks").approvers = vec![key];
    let mut envelope = envelope();
    envelope.approvers.push(key);
    let grant = approved_by(draft, &[phone()]);
    let check = |of: &Devices| grant.check_envelope(&envelope, &signers(of), 0, T0);
    assert_eq!(check(&Devices::default()), Ok(()));
    assert_eq!(check(&devices), Err(DeviceRefused::Revoked.into()));
}

#[test]
fn no_device_comes_back_under_its_id_or_its_key() {
    let mut devices = devices(|_| ());
    devices.revoke(&revoked());
    let endorse =
        |devices: &mut Devices, endorsed| devices.endorse(Some(deployment()), T0, endorsed);
    assert!(!endorse(&mut devices, endorsed()));
    let renamed = DeviceEndorsed {
        device: id(31),
        name: name("Tablet"),
        ..endorsed()
    };
    assert!(!endorse(&mut devices, renamed.clone()));
    let rekeyed = DeviceEndorsed {
        key: DeviceKey::Ed25519(second()),
        ..endorsed()
    };
    assert!(!endorse(&mut devices, rekeyed));
    let another = DeviceEndorsed {
        key: DeviceKey::Ed25519(second()),
        ..renamed
    };
    assert!(endorse(&mut devices, another));
    assert_eq!(checked(&devices, T0), Err(DeviceRefused::Revoked.into()));
    let kept = wire::encode(&devices);
    assert_eq!(wire::decode::<Devices>(&kept), Ok(devices));
}

#[test]
fn the_owners_own_key_does_not_end_as_a_device_does() {
    let mut devices = devices(|device| device.key = DeviceKey::Ed25519(owner()));
    devices.revoke(&revoked());
    let said = signed(Statement::Approval(approval(&draft())));
    let found = draft().answer(&said, &signers(&devices), T0);
    assert_eq!(found.map(|answer| answer.by), Ok(owner()));
}
