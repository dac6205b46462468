//! Stolen keys of each part, and of each two of them: which sealed values they open, and who can ask for a release.

use std::fs;

use bus_schema::{AuthorId, Content};
use harness::Deployment;
use secret::{OuterSeal, SealingKey};

use crate::secret_calls::set;

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
    let record = deployment.record().await;
    let signed = record.of("secret.signed").next().unwrap();
    let sealed: Content = serde_json::from_value(signed.fact["sealed"].clone()).unwrap();
    // The thief has the stored bytes, whatever it stole.
    let operator = deployment.operator("owner").await;
    let stored = operator.get(AuthorId::Owner, &sealed).await.unwrap();
    let stored = OuterSeal::read(&stored.unwrap()).unwrap();

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
