//! Replaces every version of a contract's name by one contract, while a record is decided again.

use std::collections::BTreeSet;

use bus_schema::ContractName;
use contract::{Catalogue, Contract, envelope, pins};
use diagnostic::Diagnostics;

use crate::core::PolicyCore;
use crate::document::Document;
use crate::fetch::Place;

/// The contract that replaces every version of its name.
#[derive(Debug)]
pub(super) struct Instead {
    name: ContractName,
    file: String,
    text: String,
    /// The documents that it replaced.
    places: BTreeSet<Place>,
}

impl Instead {
    /// Checks the text with these tools.
    pub(super) fn new(file: &str, text: &str, tools: &Catalogue) -> Result<Self, Diagnostics> {
        let contract = Contract::parse(file, text, tools)?;
        Ok(Self {
            name: contract.name().clone(),
            file: file.to_owned(),
            text: text.to_owned(),
            places: BTreeSet::new(),
        })
    }

    pub(super) const fn name(&self) -> &ContractName {
        &self.name
    }

    /// Replaces document, envelope and pins of each contract in force of that name, once the catalogue was read.
    pub(super) fn substitute(&mut self, core: &mut PolicyCore) {
        let named = core.state.contracts.iter();
        let named = named.filter(|(_, active)| active.name == self.name);
        let named: Vec<_> = named
            .filter_map(|(contract, active)| {
                Some((core.place(contract, active)?, active.pins.tools))
            })
            .collect();
        for (place, entries) in named {
            let Ok(tools) = core.tools() else {
                return;
            };
            let pinned = pins(tools, entries);
            if self.places.insert(place) {
                let document = self.document(&place, tools);
                core.documents.insert(place, document);
            }
            let document = core.documents.get(&place);
            let active = core.state.contracts.get_mut(&place.contract);
            if let (Some(Document::Contract(_, envelope)), Some(active)) = (document, active) {
                active.envelope = envelope.clone();
                active.pins = pinned;
            }
        }
    }

    /// Reads it with these tools, in place of the contract there.
    fn document(&self, place: &Place, tools: &Catalogue) -> Document {
        match Contract::parse(&self.file, &self.text, tools) {
            Ok(contract) => {
                let envelope = envelope(&contract, tools);
                Document::Contract(Box::new(contract.in_place_of(place.contract)), envelope)
            }
            Err(found) => Document::Unusable(found.to_string()),
        }
    }
}
