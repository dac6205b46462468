//! The core: folds what the gateway shows. It wants nothing; what it says comes from requests.

use std::{convert::Infallible, sync::Arc};

use actor::Outbox;
use bus_schema::{GatewayFact, Junk, Meta, Raw, Seen, Spec, Subject};

use crate::{
    api::Event,
    record::{Line, Record},
    shared_record::SharedRecord,
};

/// The fold, and the copy of it that requests read.
#[derive(Debug)]
pub struct Core {
    record: Record,
    shelf: Arc<SharedRecord>,
    observed: Option<Line>,
}

impl Core {
    /// One that has folded nothing, and writes what it folds to `shelf` too.
    #[must_use]
    pub fn new(shelf: Arc<SharedRecord>) -> Self {
        Self {
            record: Record::default(),
            shelf,
            observed: None,
        }
    }
}

impl actor::Core for Core {
    type Me = bus_schema::Gateway;
    type Fact = GatewayFact;
    type State = Record;
    type Effect = Infallible;
    type Input = Infallible;

    fn state(&self) -> &Record {
        &self.record
    }

    fn restore(&mut self, state: Record) {
        self.shelf.replace(state.clone());
        self.record = state;
    }

    fn observe(&mut self, raw: &Raw<'_>, verdict: Result<&Meta, Junk>) {
        self.observed = verdict.ok().and_then(|meta| line(raw, meta));
    }

    fn fold(&mut self, seen: Seen<GatewayFact>) {
        let line = self
            .observed
            .take()
            .filter(|line| line.seq == seen.meta().seq);
        self.shelf.take(seen.meta(), seen.fact(), line.clone());
        self.record.take(seen.meta(), seen.fact(), line);
    }

    fn input(&mut self, input: Infallible) {
        match input {}
    }

    fn next(&self, _out: &mut Outbox<'_, Self>) {
        // Nothing is asked before the stream was read to its end.
        self.shelf.catch_up();
    }
}

/// How a genuine event about a task is shown.
fn line(raw: &Raw<'_>, meta: &Meta) -> Option<Line> {
    meta.task?;
    let subject = Subject::parse(raw.subject)?;
    let spec = Spec::of(subject.kind)?;
    let body = spec
        .json(subject, &format!("{}.v{}", spec.kind, spec.v), raw.body)
        .ok()?;
    let event = Event {
        seq: raw.seq,
        stored: raw.stored,
        kind: spec.kind.to_owned(),
        body,
    };
    let text = serde_json::to_string(&event).ok()?;
    Some(Line {
        seq: raw.seq,
        kind: spec.kind.to_owned().into(),
        text: text.into(),
    })
}
