//! Tests of pairings at the gateway: the owner announces each, one device offers itself, and nothing is decided here.

use std::{collections::BTreeSet, time::Duration};

use bus_schema::{
    AuthorId, Challenge, Deployment, DeviceEndorsed, DeviceId, DeviceKey, DeviceRole, Draft, Owner,
    PairingId, PairingStatement, PublicKey, Signed, Statement, Time, public_key, verify,
};
use gateway::api::{
    AnnouncePairing, AskChallenge, OfferDevice, OwnerWord, PairingShown, PairingState,
    QuestionShown, SessionChallenge, SessionShown,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::world::{Answer, World, deployment, key, owner};

fn id(n: u8) -> PairingId {
    PairingId::new([n; 16])
}

async fn announce(world: &World, n: u8, until: Time, by: AuthorId) -> Answer {
    let said = PairingStatement {
        deployment: deployment(),
        pairing: id(n),
        until,
    };
    let signed = Signed::new(&Statement::Pairing(said), &key(by));
    let body = serde_json::to_string(&AnnouncePairing { signed }).unwrap();
    world.post("/v1/pairings", &body).await
}

/// Opens a pairing for ten minutes.
async fn open(world: &World, n: u8) -> Answer {
    let until = world.clock.wall().plus_ms(600_000);
    announce(world, n, until, AuthorId::Owner).await
}

async fn offer(world: &World, n: u8, key: PublicKey) -> Answer {
    let offered = OfferDevice {
        key: DeviceKey::Ed25519(key),
    };
    let body = serde_json::to_string(&offered).unwrap();
    let path = format!("/v1/pairings/{}/device", id(n));
    world.post(&path, &body).await
}

async fn shown(world: &World, n: u8) -> PairingShown {
    let path = format!("GET /v1/pairings/{}", id(n));
    let answer = world.ask(&path, &[], "").await;
    serde_json::from_str(&answer.body).unwrap_or_else(|_| panic!("{answer:?}"))
}

fn phone() -> PublicKey {
    public_key(&key(AuthorId::Scheduler))
}

#[tokio::test]
async fn one_device_offers_itself_and_sees_the_owners_endorsement() {
    let world = World::start().await;
    assert_eq!(open(&world, 1).await.status, 202);
    assert_eq!(shown(&world, 1).await.state, PairingState::Open);
    assert_eq!(offer(&world, 1, phone()).await.status, 202);
    // The page may be loaded again.
    assert_eq!(offer(&world, 1, phone()).await.status, 202);
    assert_eq!(offer(&world, 1, owner()).await.problem(), "used");
    let offered = shown(&world, 1).await;
    assert_eq!(offered.state, PairingState::Offered);
    assert_eq!(offered.key, Some(DeviceKey::Ed25519(phone())));
    let fact = DeviceEndorsed {
        deployment: deployment(),
        device: DeviceId::new(Uuid::from_u128(77)),
        key: DeviceKey::Ed25519(phone()),
        role: DeviceRole::Approver,
        name: "Phone".parse().unwrap(),
        expires: world.clock.wall().plus_ms(600_000),
    };
    world.append(Draft::<Owner>::of(Deployment, fact));
    let paired = shown(&world, 1).await;
    assert_eq!(paired.state, PairingState::Paired);
    let word = paired.endorsement.unwrap();
    let body = data_encoding::BASE64.decode(word.body.as_bytes()).unwrap();
    assert!(verify(&owner(), &body, &word.signature.parse().unwrap()));
}

#[tokio::test]
async fn only_the_owner_announces_and_ends_pairings() {
    let world = World::start().await;
    let until = world.clock.wall().plus_ms(600_000);
    let stranger = announce(&world, 1, until, AuthorId::Worker).await;
    assert_eq!(stranger.problem(), "not-signed");
    assert_eq!(offer(&world, 1, phone()).await.problem(), "no-pairing");
    let long = world.clock.wall().plus_ms(3_600_000);
    let long = announce(&world, 1, long, AuthorId::Owner).await;
    assert_eq!(long.problem(), "malformed");
    open(&world, 1).await;
    announce(&world, 1, Time::default(), AuthorId::Owner).await;
    assert_eq!(shown(&world, 1).await.state, PairingState::Ended);
    // The announcement of before does not open it again.
    announce(&world, 1, until, AuthorId::Owner).await;
    assert_eq!(offer(&world, 1, phone()).await.problem(), "no-pairing");
}

#[tokio::test]
async fn pairings_end_by_themselves_and_five_are_open_at_a_time() {
    let world = World::start().await;
    for n in 1..=5 {
        assert_eq!(open(&world, n).await.status, 202);
    }
    assert_eq!(open(&world, 6).await.problem(), "busy");
    world.clock.advance(Duration::from_secs(601));
    assert_eq!(shown(&world, 1).await.state, PairingState::Ended);
    assert_eq!(offer(&world, 1, phone()).await.problem(), "no-pairing");
    assert_eq!(open(&world, 6).await.status, 202);
}

#[test]
fn the_document_names_the_fields_of_the_types() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let document: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let device = DeviceId::new(Uuid::nil());
    let word = OwnerWord {
        body: String::new(),
        signature: String::new(),
    };
    let said = PairingStatement {
        deployment: deployment(),
        pairing: id(1),
        until: Time::default(),
    };
    let signed = Signed::new(&Statement::Pairing(said), &key(AuthorId::Owner));
    let until = Time::default();
    let values = [
        ("AnnouncePairing", json!(AnnouncePairing { signed })),
        ("AskChallenge", json!(AskChallenge { device })),
        ("OwnerWord", json!(word)),
        (
            "OfferDevice",
            json!(OfferDevice {
                key: DeviceKey::Ed25519(phone())
            }),
        ),
        ("PlainKey", json!(DeviceKey::Ed25519(phone()))),
        ("PasskeyName", json!(DeviceKey::Passkey(phone()))),
        (
            "PairingShown",
            json!(PairingShown {
                state: PairingState::Open,
                key: None,
                endorsement: None,
            }),
        ),
        (
            "SessionChallenge",
            json!(SessionChallenge {
                challenge: Challenge::new([1; 32]),
                until,
            }),
        ),
        (
            "SessionShown",
            json!(SessionShown {
                device,
                name: "Phone".parse().unwrap(),
                role: DeviceRole::Viewer,
                until,
            }),
        ),
        (
            "QuestionShown",
            json!(QuestionShown {
                draft: String::new(),
                contract: Some(word),
                owner: owner(),
            }),
        ),
    ];
    for (name, value) in values {
        let fields: BTreeSet<_> = value.as_object().unwrap().keys().cloned().collect();
        let schema = &document["components"]["schemas"][name];
        let named = schema["properties"].as_object().unwrap().keys().cloned();
        assert_eq!(named.collect::<BTreeSet<_>>(), fields, "{name}");
        let required = schema["required"].as_array().unwrap().iter();
        let required = required.map(|field| field.as_str().unwrap().to_owned());
        assert_eq!(required.collect::<BTreeSet<_>>(), fields, "{name}");
    }
}
