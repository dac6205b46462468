//! The core: folds the stream, and renders pages from it when the shell asks.

use std::{cell::Cell, collections::BTreeSet, convert::Infallible};

use actor::{Core, Outbox};
use bus_schema::{Junk, Meta, Raw, Seen, ShowPage, ShownPage, Subject, Time, UiFact};
use tokio::sync::{oneshot, watch};

use crate::{
    contents::{Contents, Named},
    documents::Documents,
    pages,
    record::Record,
};

/// A request of the shell.
#[derive(Debug)]
pub enum Input {
    /// Render a page.
    Render(Box<Rendering>),
}

/// A page that is to be rendered.
#[derive(Debug)]
pub struct Rendering {
    /// The request.
    pub asked: ShowPage,
    /// The contents that were fetched for it.
    pub contents: Contents,
    /// The moment, for what expires.
    pub now: Time,
    /// True if it has to be rendered with the contents that are there.
    pub is_last: bool,
    /// The channel for the result.
    pub reply: oneshot::Sender<Rendered>,
}

/// The result of a rendering.
#[derive(Debug)]
pub enum Rendered {
    /// The page.
    Page(ShownPage),
    /// It needs these contents first.
    Lacks(Contents, BTreeSet<Named>),
    /// The stream is still being read.
    NotReady,
}

/// The core of the ui.
#[derive(Debug)]
pub struct UiCore {
    record: Record,
    documents: Documents,
    kind: Option<(u64, String)>,
    /// True once the stream was read to its end.
    is_ready: Cell<bool>,
    newest: watch::Sender<u64>,
}

impl UiCore {
    /// A core that tells the place of the last fact to `newest`.
    #[must_use]
    pub fn new(newest: watch::Sender<u64>) -> Self {
        Self {
            record: Record::default(),
            documents: Documents::default(),
            kind: None,
            is_ready: Cell::new(false),
            newest,
        }
    }

    /// Renders a page, or returns the contents that it needs first.
    pub fn render(
        &self,
        asked: &ShowPage,
        contents: Contents,
        now: Time,
        is_last: bool,
    ) -> Rendered {
        if !self.is_ready.get() {
            return Rendered::NotReady;
        }
        let now = now.max(self.record.now);
        let page = pages::render(&self.record, &contents, &self.documents, now, asked);
        let lacking = contents.take_lacking();
        if is_last || lacking.is_empty() {
            Rendered::Page(page)
        } else {
            Rendered::Lacks(contents, lacking)
        }
    }
}

impl Core for UiCore {
    type Me = bus_schema::Ui;
    type Fact = UiFact;
    type State = Record;
    type Effect = Infallible;
    type Input = Input;

    fn state(&self) -> &Record {
        &self.record
    }

    fn restore(&mut self, state: Record) {
        self.is_ready.set(false);
        self.newest.send_replace(state.seq);
        self.record = state;
    }

    fn observe(&mut self, raw: &Raw<'_>, verdict: Result<&Meta, Junk>) {
        let subject = verdict.ok().and_then(|_| Subject::parse(raw.subject));
        self.kind = subject.map(|subject| (raw.seq, subject.kind.to_owned()));
    }

    fn fold(&mut self, seen: Seen<UiFact>) {
        let (meta, fact) = seen.into_parts();
        let kind = self.kind.take().filter(|(seq, _)| *seq == meta.seq);
        let kind = kind.map(|(_, kind)| kind).unwrap_or_default();
        self.record.fold(&meta, &kind, fact);
        self.newest.send_replace(meta.seq);
    }

    fn input(&mut self, input: Input) {
        let Input::Render(rendering) = input;
        let Rendering {
            asked,
            contents,
            now,
            is_last,
            reply,
        } = *rendering;
        // The shell may have given up.
        drop(reply.send(self.render(&asked, contents, now, is_last)));
    }

    fn next(&self, _out: &mut Outbox<'_, Self>) {
        // The first call comes after the stream was read to its end.
        self.is_ready.set(true);
    }
}
