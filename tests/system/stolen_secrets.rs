//! Stolen keys of each part, and of each two of them: which sealed values they open, and who can ask for a release.

use std::fs;

use bus_schema::{AuthorId, Broker, Content, Draft, Sealed, SecretReleased, SecretRenewed};
use harness::Deployment;
use secret::{OuterSeal, Recipients, SealingKey, SecretValue, seal};
use zeroize::Zeroizing;

use crate::{
    egress::failure,
    secret_calls::{echo, set, with_tool},
};

/// The parts of SECURITY.md, "Secrets, by stolen keys".
const PARTS: [AuthorId; 8] = [
    AuthorId::Gateway,
    AuthorId::Worker,
    AuthorId::Engine,
    AuthorId::Policy,
    AuthorId::Runner,
    AuthorId::Scheduler,
    AuthorId::Egress,
    AuthorId::Broker,
];
const VALUE: &str = "a value that nobody was granted";

/// The private keys for seals among everything that a part has.
fn sealing_key(deployment: &Deployment, part: AuthorId) -> Option<SealingKey> {
    let folder = deployment.dir().of(part.name());
    let files = fs::read_dir(folder).unwrap();
    let mut keys = files.filter_map(|file| {
        let path = file.unwrap().path();
        SealingKey::read(&fs::read(path).ok()?).ok()
    });
    keys.next()
}

/// Reads the sealed bytes that the owner signed first.
async fn stored(deployment: &Deployment) -> OuterSeal {
    let record = deployment.record().await;
    let signed = record.of("secret.signed").next().unwrap();
    let sealed: Content = serde_json::from_value(signed.fact["sealed"].clone()).unwrap();
    let operator = deployment.operator("owner").await;
    let stored = operator.get(AuthorId::Owner, &sealed).await.unwrap();
    OuterSeal::read(&stored.unwrap()).unwrap()
}

/// Opens the stored bytes with keys, in any order.
fn opened(stored: &OuterSeal, keys: &[SealingKey]) -> Option<String> {
    let mut inner = keys.iter().filter_map(|key| stored.open_outer(key).ok());
    inner.find_map(|inner| {
        let mut values = keys.iter().filter_map(|key| inner.open_inner(key).ok());
        values.next().map(|(_, value)| value.expose().to_owned())
    })
}

#[tokio::test]
async fn only_the_keys_of_egress_and_broker_together_open_what_nobody_claimed() {
    let deployment = Deployment::running().await;
    set(&deployment, "api.example.com", VALUE);
    // The thief has the stored bytes, whatever it stole.
    let stored = stored(&deployment).await;

    for one in PARTS {
        for two in PARTS {
            let keys: Vec<SealingKey> = [one, two]
                .iter()
                .filter_map(|part| sealing_key(&deployment, *part))
                .collect();
            let both =
                [one, two].contains(&AuthorId::Egress) && [one, two].contains(&AuthorId::Broker);
            let expected = both.then(|| VALUE.to_owned());
            assert_eq!(opened(&stored, &keys), expected, "{one} and {two}");
        }
    }
    // Only egress can ask: the connection of everybody else is refused, whoever signs.
    for part in PARTS {
        let client = deployment.client(part.name()).await;
        let subject = "call.broker.egress.release".to_owned();
        client.nats.publish(subject, "".into()).await.unwrap();
        let refused = client.refused().await;
        assert_eq!(
            refused.is_empty(),
            part == AuthorId::Egress,
            "{part}: {refused:?}"
        );
    }
}

#[tokio::test]
async fn a_stolen_broker_puts_no_value_of_its_own_in_the_place_of_a_secret() {
    let Some((deployment, world)) = with_tool().await else {
        return;
    };
    set(&deployment, &world.endpoint(), VALUE);
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");
    let record = deployment.record().await;
    let released = record.of("secret.released").next().unwrap();
    let released: SecretReleased = serde_json::from_value(released.fact.clone()).unwrap();
    // The terms stand in the open, and so do both keys that values are sealed to.
    let terms = stored(&deployment).await.terms().unwrap();
    let public = |part| sealing_key(&deployment, part).unwrap().public();
    let to = Recipients {
        egress: public(AuthorId::Egress),
        broker: public(AuthorId::Broker),
    };
    let text = Zeroizing::new(b"an account of the thief".to_vec());
    let value = SecretValue::new(text).unwrap();
    let (forged, _) = seal(&terms, &value, &to, &Zeroizing::new([7; 32])).unwrap();
    let inner = forged.open_outer(&sealing_key(&deployment, AuthorId::Broker).unwrap());
    let opened = inner
        .unwrap()
        .open_inner(&sealing_key(&deployment, AuthorId::Egress).unwrap());
    assert_eq!(opened.unwrap().1.expose(), value.expose());

    deployment.stop(AuthorId::Broker).await;
    let sealed = Sealed::new(deployment.clock().salt(), &forged.bytes()).unwrap();
    let fact = SecretRenewed {
        action: released.action,
        name: released.name,
        version: released.version,
        sealed: sealed.content(),
    };
    let draft = Draft::of(ran.task, fact).with(sealed);
    deployment.steal::<Broker>().await.say(&draft).await;
    deployment.start(AuthorId::Broker).await;
    let before = world.requests().len();
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcomes(), ["failed"]);
    assert_eq!(world.requests().len(), before);
    let error = failure(&deployment, &ran);
    assert!(
        error.contains("neither the owner nor egress sealed this value"),
        "{error}"
    );
    // A newer version of the owner is the owner's.
    set(&deployment, &world.endpoint(), VALUE);
    let ran = echo(&deployment, &world, "all").await;
    assert_eq!(ran.outcome(), "succeeded");
}
