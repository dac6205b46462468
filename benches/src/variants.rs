//! Variants of the system that are not shipped, in turns with the shipped one: more readers, no copy, one account.

use bus_schema::Digest;

use crate::{
    accounts::Accounts,
    deployment::{Deployment, Shape},
    runtime::Error,
    system::{Pair, TASKS, all, compare, system},
    table::Row,
};

/// The readers of the shipped configuration: every actor.
const ACTORS: usize = bus_schema::ACTORS.len();
/// The name of the variant that the accounts are compared with.
const NO_COPY: &str = "no copy of the record";
/// All identities in one account; there is no copy, because it needs its own account.
const ONE_ACCOUNT: &str = "everybody in one account";

struct Variant {
    name: String,
    deployment: Deployment,
    contract: Option<Digest>,
    rounds: Vec<Pair>,
}

/// All variants; empty if only the shipped one is measured.
#[derive(Default)]
pub(crate) struct Variants(Vec<Variant>);

impl Variants {
    /// Makes the variants; one of them has so many `readers`.
    pub(crate) fn create(sync: &str, readers: usize) -> Result<Self, Error> {
        let shipped = Shape::shipped(sync);
        let mut shapes = vec![
            (
                NO_COPY.to_owned(),
                Shape {
                    copy: false,
                    ..shipped
                },
            ),
            (
                ONE_ACCOUNT.to_owned(),
                Shape {
                    copy: false,
                    accounts: Accounts::One,
                    ..shipped
                },
            ),
        ];
        let more = readers.saturating_sub(ACTORS);
        if more > 0 {
            let name = format!("{readers} readers");
            shapes.push((
                name,
                Shape {
                    readers: more,
                    ..shipped
                },
            ));
        }
        let made = shapes.into_iter().map(|(name, shape)| {
            Ok(Variant {
                name,
                deployment: Deployment::shaped(&shape)?,
                contract: None,
                rounds: Vec::new(),
            })
        });
        made.collect::<Result<_, Error>>().map(Self)
    }

    /// Runs each variant once.
    pub(crate) fn round(&mut self) -> Result<(), Error> {
        for one in &mut self.0 {
            let measured = system(&one.deployment, &mut one.contract)?;
            one.rounds.push(measured.pair(&one.name));
        }
        Ok(())
    }

    /// The costs of the copy, of the accounts, and of more readers.
    pub(crate) fn rows(self, sync: &str, shipped: &Pair) -> Vec<Row> {
        let mut rows = Vec::new();
        let mut without_copy: Option<Pair> = None;
        for Variant { name, rounds, .. } in self.0 {
            let found = all(&name, rounds);
            let (what, one, other) = match name.as_str() {
                NO_COPY => (
                    "a copy of the record beside none".to_owned(),
                    shipped,
                    &found,
                ),
                ONE_ACCOUNT => {
                    let what = "an account for each beside one for all, no copy".to_owned();
                    (what, without_copy.as_ref().unwrap_or(shipped), &found)
                }
                _ => (format!("{name} beside {ACTORS}"), &found, shipped),
            };
            rows.extend(compare(sync, "1 in flight", &what, &one.0, &other.0));
            let flight = format!("{TASKS} in flight");
            rows.extend(compare(sync, &flight, &what, &one.1, &other.1));
            if name == NO_COPY {
                without_copy = Some(found);
            }
        }
        rows
    }
}
