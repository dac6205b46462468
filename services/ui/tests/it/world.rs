//! A stream of really signed events, the contents beside it, and a ui that has read all of it.

use std::collections::BTreeSet;

use actor::{Clock, Core as _, Outbox};
use bus_schema::testing::{TestLog, key, owner};
use bus_schema::{
    ActionId, Author, AuthorId, CanPublish, ChainScope, Content, Deployment, DeploymentId, Digest,
    Draft, Event, Owner, Read, ShowPage, ShownPage, Signed, Statement, TaskId, Time, UiFact,
    Verifier,
};
use tokio::sync::watch;
use ui::{Contents, Rendered, UiCore};
use uuid::Uuid;

/// The time at which every stream here begins: 2027-01-15T08:00:00Z.
pub(crate) const T0: Time = Time::from_ns(1_800_000_000_000_000_000);

pub(crate) fn deployment() -> DeploymentId {
    DeploymentId::new(Uuid::from_u128(7))
}

pub(crate) fn task(n: u128) -> TaskId {
    TaskId::new(Uuid::from_u128(n))
}

pub(crate) fn action(n: u128) -> ActionId {
    ActionId::new(Uuid::from_u128(0x1000 + n))
}

/// The stream and the ui.
pub(crate) struct World {
    pub(crate) log: TestLog,
    pub(crate) core: UiCore,
    verifier: Verifier,
    read: usize,
}

impl World {
    pub(crate) fn new() -> Self {
        let log = TestLog::new(T0);
        let roster = log.roster(deployment());
        let mut world = Self {
            log,
            core: UiCore::new(watch::Sender::new(0)),
            verifier: Verifier::new(owner(), ChainScope::Own(AuthorId::Ui)),
            read: 0,
        };
        world.say::<Owner, _>(Deployment, roster);
        world.catch_up();
        world
    }

    /// Tells the core that the stream was read to its end, as the loop does.
    pub(crate) fn catch_up(&self) {
        let (busy, running, clock) = (BTreeSet::new(), BTreeSet::new(), Clock::fake(T0));
        let mut out = Outbox::new(self.log.now, None, &busy, &running, &clock);
        self.core.next(&mut out);
    }

    /// Stores a fact, a second after the one before, and folds it.
    pub(crate) fn say<A: Author + CanPublish<E>, E: Event>(&mut self, scope: E::Scope, fact: E) {
        self.log.now = self.log.now.plus_ms(1_000);
        self.log.append(&Draft::<A>::of(scope, fact));
        for message in self.log.messages.iter().skip(self.read) {
            let raw = message.raw();
            let Ok(Read::Fact(seen)) = self.verifier.read::<UiFact>(&raw) else {
                panic!("{} is not read as a fact", raw.subject);
            };
            let meta = *seen.meta();
            self.core.observe(&raw, Ok(&meta));
            self.core.fold(seen);
        }
        self.read = self.log.messages.len();
    }

    pub(crate) fn put(&mut self, by: AuthorId, text: &str) -> Content {
        self.log.put(by, text.as_bytes())
    }

    /// Asks for a page with the path and the query of an address.
    pub(crate) fn ask(&self, address: &str, known: Option<&str>) -> ShownPage {
        let (path, query) = address.split_once('?').unwrap_or((address, ""));
        let asked = ShowPage {
            signer: None,
            path: path.to_owned(),
            query: query.to_owned(),
            known: known.map(str::to_owned),
        };
        let mut contents = Contents::default();
        for round in 0..4 {
            match self.core.render(&asked, contents, self.log.now, round == 3) {
                Rendered::Page(page) => return page,
                Rendered::Lacks(there, lacking) => {
                    contents = there;
                    for (by, content) in lacking {
                        contents.insert(by, content, self.log.get(by, content));
                    }
                }
                Rendered::NotReady => panic!("the stream was read to its end"),
            }
        }
        panic!("the last round has a page");
    }

    /// The HTML of a page that exists.
    pub(crate) fn page(&self, address: &str) -> String {
        let page = self.ask(address, None);
        let html = String::from_utf8(page.body).unwrap();
        assert_eq!(page.status, 200, "{address}: {html}");
        html
    }
}

pub(crate) fn signed(statement: &Statement) -> Signed {
    Signed::new(statement, &key(AuthorId::Owner))
}

pub(crate) fn digest(text: &str) -> Digest {
    Digest::of(&[text.as_bytes()])
}
