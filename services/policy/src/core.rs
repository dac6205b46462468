//! Implements policy's core without I/O: its state, its fetched bytes, and its next fetches and verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};

use ::job::Job;
use actor::{Core, Key, Outbox};
use bus_schema::{
    ActionId, AuthorId, Content, Digest, Policy as Me, PolicyFact, PublicKey, RefusalCode, Seen,
    TaskId, ToolName,
};
use contract::{ARGUMENTS_BYTES_MAX, Catalogue, Contract, HistoryNeeds, UNREAD, envelope};

use crate::decision_time::DecisionTime;
use crate::document::{Document, read_job};
use crate::fetch::{Fetch, Fetched, Place};
use crate::history::HistoryCache;
use crate::state::{ActiveContract, Answer, PendingContract, Proposal, State};
use crate::tools::{NoTools, ReadCatalogues};

/// Largest number of proposals, and of answered questions, handled in one turn: bounds the cost of a turn and
/// the arguments in memory.
pub(crate) const WINDOW: usize = 64;

/// Policy without its I/O.
#[derive(Debug)]
pub struct PolicyCore {
    pub(crate) owner: PublicKey,
    pub(crate) state: State,
    pub(crate) catalogues: ReadCatalogues,
    /// The catalogue to decide with while the owner has signed none, for replay.
    pub(crate) before_first: Option<Content>,
    pub(crate) documents: BTreeMap<Place, Document>,
    /// The signed tools of contracts that are not read as they were signed, by content. None: the bytes were erased.
    pub(crate) signed_tools: BTreeMap<Content, Option<Vec<u8>>>,
    /// The documents of jobs. None: the bytes were erased, or are no job.
    pub(crate) jobs: BTreeMap<Content, Option<Job>>,
    /// None: the bytes were erased.
    pub(crate) arguments: BTreeMap<ActionId, Option<Vec<u8>>>,
    pub(crate) histories: HistoryCache,
    no_grants: AtomicBool,
    halt_logged: AtomicBool,
}

impl PolicyCore {
    /// Creates an empty core: only statements of `owner` count.
    #[must_use]
    pub fn new(owner: PublicKey) -> Self {
        Self {
            owner,
            state: State::default(),
            catalogues: ReadCatalogues::default(),
            before_first: None,
            documents: BTreeMap::new(),
            signed_tools: BTreeMap::new(),
            jobs: BTreeMap::new(),
            arguments: BTreeMap::new(),
            histories: HistoryCache::default(),
            no_grants: AtomicBool::new(true),
            halt_logged: AtomicBool::new(false),
        }
    }

    /// Returns the bytes that the next verdicts still need, each with its name.
    #[must_use]
    pub fn fetches(&self) -> Vec<(Key, Fetch)> {
        let mut wanted = Vec::new();
        match (self.tools(), self.newest()) {
            (Ok(_), _) => {}
            // Everything else is read with it.
            (Err(NoTools::Unread), Some(content)) => {
                let key = Key::Digest("catalogue", *content.digest());
                return vec![(key, Fetch::Catalogue { content })];
            }
            (Err(NoTools::Unread | NoTools::Unusable(_)), _) => return wanted,
        }
        for pending in self.state.signed.values() {
            self.want_document(&pending.contract, &pending.active, &mut wanted);
        }
        // A run that waits for its time, or for the end of another, keeps no later submission from its bytes.
        let mut unread = 0;
        for one in self.state.submitted.values() {
            let before = wanted.len();
            if let Ok(said) = one.said
                && self.has_slots(&said.contract)
            {
                let slots = (one.contents_by(), said.slots);
                self.histories.want_slots(one.task, slots, &mut wanted);
            }
            self.want_job(one, &mut wanted);
            unread += usize::from(wanted.len() > before);
            if unread == WINDOW {
                break;
            }
        }
        self.want_jobs_of_runs(&mut wanted);
        // Changed tools must be detected without a proposal.
        for (contract, active) in self
            .state
            .contracts
            .iter()
            .filter(|(_, one)| !one.suspended)
        {
            self.want_document(contract, active, &mut wanted);
            self.want_tools(contract, active, &mut wanted);
        }
        for proposal in self.state.proposed.values().take(WINDOW) {
            let active = self.active(proposal);
            if let (Some((contract, active)), false) = (active, proposal.revoked) {
                self.want_document(contract, active, &mut wanted);
                self.want_arguments(proposal.action, proposal.by, proposal.args, &mut wanted);
                self.want_parts(proposal, &mut wanted);
                self.want_past(proposal.task, &proposal.tool, &mut wanted);
            }
        }
        for (_, task, action) in self.state.answered.iter().take(WINDOW) {
            let Some(question) = self.state.question(*task, *action) else {
                continue;
            };
            let draft = &question.draft;
            let active = self.state.contracts.get(&draft.contract);
            if let (Some(active), Some(Answer::Yes(_))) = (active, &question.answer) {
                self.want_document(&draft.contract, active, &mut wanted);
                self.want_arguments(*action, draft.args_by, draft.args, &mut wanted);
                self.want_past(*task, &draft.tool, &mut wanted);
            }
        }
        let mut named = BTreeSet::new();
        wanted.retain(|(key, _)| named.insert(*key));
        wanted
    }

    /// Returns the document of the newest catalogue that the owner signed.
    fn newest(&self) -> Option<Content> {
        let signed = self.state.catalogue.as_ref();
        signed.map(|signed| signed.document).or(self.before_first)
    }

    /// Returns the catalogue to decide with.
    pub(crate) fn tools(&self) -> Result<&Catalogue, NoTools<'_>> {
        self.catalogues.at(self.newest().as_ref())
    }

    fn want_past(&self, id: TaskId, tool: &ToolName, to: &mut Vec<(Key, Fetch)>) {
        let Some(task) = self.state.tasks.get(&id) else {
            return;
        };
        if let Some(Document::Contract(contract, _)) = self.document_of(&task.contract) {
            let needs = HistoryNeeds::of(contract, tool.as_str());
            self.histories.want(id, task, &needs, to);
        }
    }

    /// Returns true if a contract in force was read and has slots.
    pub(crate) fn has_slots(&self, contract: &Digest) -> bool {
        let document = self.document_of(contract);
        document
            .and_then(Document::contract)
            .is_some_and(|contract| contract.slots().next().is_some())
    }

    /// Returns the fetched document of a contract in force.
    pub(crate) fn document_of(&self, contract: &Digest) -> Option<&Document> {
        self.read_document(contract, self.state.contracts.get(contract)?)
    }

    /// Returns the fetched document of a contract, as it is read with the newest catalogue.
    pub(crate) fn read_document(
        &self,
        contract: &Digest,
        active: &ActiveContract,
    ) -> Option<&Document> {
        self.documents.get(&self.place(contract, active)?)
    }

    pub(crate) fn place(&self, contract: &Digest, active: &ActiveContract) -> Option<Place> {
        Some(Place {
            catalogue: self.newest()?,
            contract: *contract,
            document: active.document,
        })
    }

    /// Returns the contract in force of a proposal.
    pub(crate) fn active(&self, proposal: &Proposal) -> Option<(&Digest, &ActiveContract)> {
        let task = self.state.tasks.get(&proposal.task)?;
        self.state.contracts.get_key_value(&task.contract)
    }

    fn want_document(
        &self,
        contract: &Digest,
        active: &ActiveContract,
        to: &mut Vec<(Key, Fetch)>,
    ) {
        let place = self.place(contract, active);
        if let Some(place) = place.filter(|place| !self.documents.contains_key(place)) {
            let key = Key::Digest("document", *active.document.digest());
            to.push((key, Fetch::Document { place }));
        }
    }

    fn want_tools(&self, contract: &Digest, active: &ActiveContract, to: &mut Vec<(Key, Fetch)>) {
        let content = active.pins.tools;
        let document = self.read_document(contract, active);
        let differs = document.is_some_and(|found| !active.is_read_as_signed(found));
        if differs && !self.signed_tools.contains_key(&content) {
            to.push((
                Key::Digest("tools", *content.digest()),
                Fetch::Tools { content },
            ));
        }
    }

    fn want_arguments(
        &self,
        action: ActionId,
        by: AuthorId,
        content: Content,
        to: &mut Vec<(Key, Fetch)>,
    ) {
        if !is_too_long(&content) && !self.arguments.contains_key(&action) {
            let fetch = Fetch::Arguments {
                action,
                by,
                content,
            };
            to.push((Key::Action("arguments", action), fetch));
        }
    }

    /// Drops the arguments that a fact makes unnecessary.
    fn forget(&mut self, fact: &PolicyFact) {
        if let PolicyFact::ActionGranted(_, fact) = fact {
            self.arguments.remove(&fact.grant.draft.action);
        } else if let PolicyFact::ActionRefused(_, fact) = fact
            && fact.code != RefusalCode::Reused
        {
            self.arguments.remove(&fact.action);
        } else if let PolicyFact::ApprovalRequested(_, fact) = fact {
            self.arguments.remove(&fact.draft.action);
        } else if let PolicyFact::TaskRejected(task, _) = fact
            && !self.state.tasks.contains_key(task)
        {
            self.histories.forget(task);
        } else if let PolicyFact::TaskAdmitted(task, admitted) = fact
            && admitted.of_message
        {
            // The values of its slots are others than those that the owner signed.
            self.histories.forget(task);
        } else if let PolicyFact::TaskFinished(task, _) = fact {
            self.histories.forget(task);
            if let Some(of) = self.state.tasks.get(task) {
                self.arguments.retain(|id, _| !of.actions.contains_key(id));
            }
        }
    }

    /// Returns the oldest offered contract that can get its verdict, with its document if it was read.
    pub(crate) fn due(&self) -> Option<(&PendingContract, Option<&Document>)> {
        let unusable = matches!(self.tools(), Err(NoTools::Unusable(_)));
        let mut each = self.state.signed.values();
        each.find_map(|pending| {
            let document = self.read_document(&pending.contract, &pending.active);
            let due = pending.revoked || unusable || document.is_some();
            due.then_some((pending, document))
        })
    }

    fn log_halt(&self) {
        let halted = self.state.halted;
        if self.halt_logged.swap(halted, Ordering::Relaxed) != halted {
            if halted {
                tracing::warn!("the owner ordered a halt: no grants until it is lifted");
            } else {
                tracing::info!("the halt is lifted");
            }
        }
    }
}

/// Reads a contract with a catalogue.
fn document(contract: Digest, bytes: Option<Vec<u8>>, catalogue: &Catalogue) -> Document {
    let Some(bytes) = bytes else {
        return Document::Unusable("the contract's document was erased".to_owned());
    };
    if Digest::of(&[&bytes]) != contract {
        let why = "the document is not the one that the owner signed";
        return Document::Unusable(why.to_owned());
    }
    let Ok(text) = String::from_utf8(bytes) else {
        return Document::Unusable("the contract's document is not UTF-8".to_owned());
    };
    match Contract::parse("contract.toml", &text, catalogue) {
        Ok(contract) => {
            let envelope = envelope(&contract, catalogue);
            Document::Contract(Box::new(contract), envelope)
        }
        Err(found) => Document::Unusable(found.to_string()),
    }
}

/// Returns true if the arguments are too long to be judged.
pub(crate) fn is_too_long(args: &Content) -> bool {
    args.len() as usize > ARGUMENTS_BYTES_MAX
}

impl Core for PolicyCore {
    type Me = Me;
    type Fact = PolicyFact;
    type State = State;
    type Effect = Fetch;
    type Input = Fetched;

    fn state(&self) -> &State {
        &self.state
    }

    fn restore(&mut self, state: State) {
        self.state = state;
        self.catalogues.clear();
        self.documents.clear();
        self.signed_tools.clear();
        self.jobs.clear();
        self.arguments.clear();
        self.histories.clear();
    }

    fn fold(&mut self, fact: Seen<PolicyFact>) {
        let (meta, fact) = fact.into_parts();
        self.forget(&fact);
        let of_contract = meta.task.is_none();
        let before = self.newest();
        self.state.fold(&meta, fact, &self.owner);
        if self.newest() != before {
            self.catalogues.clear();
            self.documents.clear();
        }
        if of_contract {
            let state = &self.state;
            self.documents
                .retain(|place, _| state.needs_document(&place.contract, &place.document));
            self.signed_tools
                .retain(|content, _| state.needs_tools(content));
            self.jobs.retain(|content, _| state.needs_job(content));
        }
    }

    fn input(&mut self, input: Fetched) {
        match input {
            Fetched::Catalogue(content, bytes) => {
                self.catalogues.take(content, bytes.as_deref());
            }
            Fetched::Document(place, bytes) => {
                let needed = (self.state).needs_document(&place.contract, &place.document);
                if let (true, Ok(tools)) = (needed, self.catalogues.at(Some(&place.catalogue))) {
                    let document = document(place.contract, bytes, tools);
                    self.documents.insert(place, document);
                }
            }
            Fetched::Tools(content, bytes) => {
                if self.state.needs_tools(&content) {
                    self.signed_tools.insert(content, bytes);
                }
            }
            Fetched::Job(content, bytes) => {
                if self.state.needs_job(&content) {
                    self.jobs.insert(content, read_job(bytes));
                }
            }
            Fetched::Arguments(action, bytes) => {
                let wanted = Key::Action("arguments", action);
                if self.fetches().iter().any(|(key, _)| *key == wanted) {
                    self.arguments.insert(action, bytes);
                }
            }
            Fetched::Body(task, bytes) => {
                if self.state.runs.get(task).is_some() {
                    self.histories.take_body(task, bytes);
                }
            }
            Fetched::Words(task, bytes) => {
                if self.state.tasks.contains_key(&task) {
                    self.histories.take_words(task, bytes);
                }
            }
            Fetched::Said(task, number, bytes) => {
                if self.state.tasks.contains_key(&task) {
                    self.histories.take_said(task, number, bytes);
                }
            }
            Fetched::Slots(task, bytes) => {
                if self.state.is_known(task) {
                    self.histories.take_slots(task, bytes);
                }
            }
            Fetched::Earlier(task, action, part, bytes) => {
                if self.state.tasks.contains_key(&task) {
                    self.histories.take(task, action, part, bytes);
                }
            }
            Fetched::Unreachable => {}
        }
    }

    fn next(&self, out: &mut Outbox<'_, Self>) {
        self.log_halt();
        let moment = DecisionTime::of(out, self.state.now);
        self.no_grants
            .store(!self.grants_possible(&moment), Ordering::Relaxed);
        for (key, fetch) in self.fetches() {
            out.effect(key, || fetch);
        }
        if let Some((until, _, _)) = self.state.asks.first() {
            out.wake(*until);
        }
        if let Some(moment) = self.first_run_moment(moment.now) {
            out.wake(moment);
        }
        if !out.idle(None) {
            return;
        }
        out.append_all(self.verdicts(out, &moment));
    }

    fn trouble(&self) -> Option<&str> {
        match self.tools() {
            Ok(_) => {}
            Err(NoTools::Unread) => return Some(UNREAD),
            Err(NoTools::Unusable(why)) => return Some(why),
        }
        let no_grants = self.no_grants.load(Ordering::Relaxed);
        no_grants.then_some("audit's log is not up to date: no grants")
    }
}
