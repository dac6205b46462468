//! The core: folds the events that the gateway shows. It has no effects; requests append the gateway's events.

use std::{convert::Infallible, sync::Arc};

use actor::Outbox;
use bus_schema::{GatewayFact, Junk, Meta, Raw, Seen, Spec, Subject};

use crate::{
    api::Event,
    owner_words::SignedBody,
    record::{Line, Record},
    shared_record::SharedRecord,
};

/// The projection, and the copy of it that requests read.
#[derive(Debug)]
pub struct Core {
    record: Record,
    shared_record: Arc<SharedRecord>,
    observed: Option<Line>,
    /// The bytes of an event of the owner that devices check.
    word: Option<SignedBody>,
}

impl Core {
    /// An empty core that copies each folded event to `shared_record`.
    #[must_use]
    pub fn new(shared_record: Arc<SharedRecord>) -> Self {
        Self {
            record: Record::default(),
            shared_record,
            observed: None,
            word: None,
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
        self.shared_record.replace(state.clone());
        self.record = state;
    }

    fn observe(&mut self, raw: &Raw<'_>, verdict: Result<&Meta, Junk>) {
        self.word = verdict.ok().and_then(|_| SignedBody::of(raw));
        self.observed = verdict.ok().and_then(|meta| line(raw, meta));
    }

    fn fold(&mut self, seen: Seen<GatewayFact>) {
        let line = self
            .observed
            .take()
            .filter(|line| line.seq == seen.meta().seq);
        if let Some(word) = self.word.take() {
            let (seq, fact) = (seen.meta().seq, seen.fact());
            self.shared_record.keep(seq, fact, word.clone());
            self.record.words.keep(seq, fact, word);
        }
        self.shared_record
            .take(seen.meta(), seen.fact(), line.clone());
        self.record.take(seen.meta(), seen.fact(), line);
    }

    fn hurries(&self) -> bool {
        self.record.is_waited_for()
    }

    fn input(&mut self, input: Infallible) {
        match input {}
    }

    fn next(&self, _out: &mut Outbox<'_, Self>) {
        // The first call comes after the stream was read to its end.
        self.shared_record.catch_up();
    }
}

/// The line that shows a genuine event about a task.
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
