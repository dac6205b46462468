//! The broker without its I/O: answers each request once what it depends on is folded, after the release is on record.

use std::collections::BTreeMap;
use std::sync::Arc;

use actor::{Core, Key, Outbox};
use bus_schema::{
    ActionId, Broker, Content, Draft, ExecutorFact, NotReleased, PublicKey, SecretName,
    SecretReleased, SecretRenewed, Seen,
};
use contract::HttpTool;
use executor::Installed;

use crate::asked::{Asked, AskedRenewal};
use crate::effect::{Effect, Input};
use crate::judge::{judge, renewable};
use crate::sealed::{SealedSecret, Stored};
use crate::state::State;

/// Largest number of requests at once; egress runs no more actions.
const ASKED_MAX: usize = 64;
/// Most sealed secrets that are kept after they were fetched; each has at most 32 KiB.
const FETCHED_MAX: usize = 64;

/// The broker without its I/O.
#[derive(Debug)]
pub struct BrokerCore {
    owner: PublicKey,
    state: State,
    /// The tools of a signed catalogue, which is at this content.
    tools: Option<(Content, Installed<HttpTool>)>,
    asked: BTreeMap<ActionId, Asked>,
    /// Sealed secrets of the record that were fetched before, by name.
    fetched: BTreeMap<SecretName, (Content, Arc<SealedSecret>)>,
    renewals: BTreeMap<ActionId, AskedRenewal>,
}

impl BrokerCore {
    /// Makes one at the start of the stream.
    #[must_use]
    pub fn new(owner: PublicKey) -> Self {
        Self {
            owner,
            state: State::default(),
            tools: None,
            asked: BTreeMap::new(),
            fetched: BTreeMap::new(),
            renewals: BTreeMap::new(),
        }
    }

    /// Returns the tools of the newest catalogue that the owner signed, once they were read.
    fn tools(&self) -> Option<&Installed<HttpTool>> {
        let (content, tools) = self.tools.as_ref()?;
        let newest = self.state.acts.catalogue()?;
        (newest.document == *content).then_some(tools)
    }

    /// Returns a sealed secret of the record that was fetched before.
    fn fetched(&self, name: &SecretName, content: &Content) -> Option<&Arc<SealedSecret>> {
        let (of, fetched) = self.fetched.get(name)?;
        (of == content).then_some(fetched)
    }

    /// Keeps a sealed secret of the record; one in a file is read each time, because removing the file withdraws it.
    fn keep(&mut self, content: Content, stored: &Stored) {
        let Ok(sealed) = stored else { return };
        if sealed.is_in_file {
            return;
        }
        if self.fetched.len() >= FETCHED_MAX {
            self.fetched.clear();
        }
        let name = sealed.terms.name().clone();
        self.fetched.insert(name, (content, Arc::clone(sealed)));
    }

    /// Says what is next for a request; none if something is still to be read.
    fn step(&self, asked: &Asked, out: &mut Outbox<'_, Self>) -> Option<NotReleased> {
        let release = &asked.release;
        let action = release.action;
        // Without a claim there is nothing to judge: it may not be folded yet.
        self.state.claim(action)?;
        let tools = self.tools()?;
        let releasable = match judge(&self.state, release, tools, &self.owner, out.now()) {
            Ok(releasable) => releasable,
            Err(why) => return Some(why),
        };
        let (author, content) = releasable.newest.sealed();
        let stored = match self.fetched(&release.secret, &content) {
            Some(fetched) => Some(Ok(fetched)),
            None => asked.stored(&content).map(Result::as_ref),
        };
        let stored = match stored {
            None => {
                let key = Key::Action("fetch", action);
                out.effect(key, || Effect::Fetch(action, author, content));
                return None;
            }
            Some(Err(why)) => return Some(*why),
            Some(Ok(stored)) => stored,
        };
        if let Err(why) = releasable.fits(&stored.terms) {
            return Some(why);
        }
        let version = releasable.newest.signed.version;
        if releasable.claim.released.is_some() {
            // It was read back: from here on, everybody can see it.
            let stored = Arc::clone(stored);
            let key = Key::Action("open", action);
            out.effect(key, || Effect::Open(action, version, stored));
            return None;
        }
        let started = &releasable.claim.started;
        let fact = SecretReleased {
            action,
            name: release.secret.clone(),
            version,
        };
        let draft = Draft::<Broker>::of(started.draft().task, fact);
        out.append(draft.because(started.id));
        None
    }

    /// Says what became of a renewal; none if something is still to be read.
    fn step_renewal(
        &self,
        asked: &AskedRenewal,
        out: &mut Outbox<'_, Self>,
    ) -> Option<Result<(), NotReleased>> {
        let release = &asked.release;
        self.state.release(release.action)?;
        let terms = &asked.renewal.terms;
        let (released, newest) = match renewable(&self.state, release, asked.version, terms) {
            Ok(found) => found,
            Err(why) => return Some(Err(why)),
        };
        let sealed = asked.renewal.sealed.content();
        if newest.renewed == Some(sealed) {
            return Some(Ok(()));
        }
        let fact = SecretRenewed {
            action: release.action,
            name: release.secret.clone(),
            version: asked.version,
            sealed,
        };
        let draft = Draft::<Broker>::of(released.task, fact).because(released.claim);
        out.append(draft.with(asked.renewal.sealed.clone()));
        None
    }
}

impl Core for BrokerCore {
    type Me = Broker;
    type Fact = ExecutorFact;
    type State = State;
    type Effect = Effect;
    type Input = Input;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, state: State) {
        self.state = state;
    }

    fn fold(&mut self, fact: Seen<ExecutorFact>) {
        let (meta, fact) = fact.into_parts();
        self.state.fold(&meta, fact, &self.owner);
    }

    fn input(&mut self, input: Input) {
        match input {
            Input::Asked(release, reply) => {
                let action = release.action;
                let is_full = self.asked.len() >= ASKED_MAX && !self.asked.contains_key(&action);
                let asked = Asked::new(release, reply);
                if is_full {
                    asked.answer(Err(NotReleased::Unread));
                } else {
                    // An earlier request for the same action has an impatient caller, and ends without an answer.
                    self.asked.insert(action, asked);
                }
            }
            Input::Renew(handed, reply) => {
                let (renew, renewal) = *handed;
                let action = renew.action;
                let is_full =
                    self.renewals.len() >= ASKED_MAX && !self.renewals.contains_key(&action);
                let asked = AskedRenewal::new(renew, renewal, reply);
                if is_full {
                    asked.answer(Err(NotReleased::Unread));
                } else {
                    self.renewals.insert(action, asked);
                }
            }
            Input::Renewed(action, reply) => {
                if let Some(asked) = self.renewals.remove(&action) {
                    asked.answer(reply);
                }
            }
            Input::Late(action) => {
                if let Some(asked) = self.asked.get_mut(&action) {
                    asked.is_late = true;
                }
                if let Some(asked) = self.renewals.get_mut(&action) {
                    asked.is_late = true;
                }
            }
            Input::Tools(content, tools) => self.tools = Some((content, tools)),
            Input::Stored(action, content, stored) => {
                self.keep(content, &stored);
                if let Some(asked) = self.asked.get_mut(&action) {
                    asked.stored = Some((content, stored));
                }
            }
            Input::Answer(action, reply) => {
                if let Some(asked) = self.asked.remove(&action) {
                    asked.answer(reply);
                }
            }
            Input::Unanswered => {}
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        let newest = self.state.acts.catalogue();
        if let Some(document) = newest.map(|signed| signed.document)
            && self.tools().is_none()
        {
            let key = Key::Digest("catalogue", *document.digest());
            out.effect(key, || Effect::Read(document));
        }
        for (action, asked) in &self.asked {
            let why = self.step(asked, out);
            let late = || match self.state.claim(*action) {
                Some(_) => NotReleased::Unread,
                None => NotReleased::NotClaimed,
            };
            if let Some(why) = why.or_else(|| asked.is_late.then(late)) {
                let key = Key::Action("refuse", *action);
                out.effect(key, || Effect::Refuse(*action, why));
            }
        }
        for (action, asked) in &self.renewals {
            let reply = self.step_renewal(asked, out);
            let late = || Err(NotReleased::Unread);
            if let Some(reply) = reply.or_else(|| asked.is_late.then(late)) {
                let key = Key::Action("renewed", *action);
                out.effect(key, || Effect::Renewed(*action, reply));
            }
        }
    }

    fn hurries(&self) -> bool {
        !self.asked.is_empty() || !self.renewals.is_empty() || self.state.awaits_secret()
    }
}
