//! Checks the values with which a submission fills the slots of its contract.

use std::collections::BTreeMap;

use actor::Outbox;
use bus_schema::{Draft, Policy as Me, SLOTS_BYTES_MAX, Sealed, TaskAdmitted, TaskId};
use contract::{Contract, SlotValues};

use crate::core::PolicyCore;
use crate::state::{Submission, Submitted};

impl PolicyCore {
    /// Returns true if the values of a submission have to be read first.
    pub(crate) fn awaits_slots(&self, task: TaskId, said: Submitted) -> bool {
        let readable = said
            .slots
            .is_some_and(|slots| slots.len() as usize <= SLOTS_BYTES_MAX);
        readable && self.has_slots(&said.contract) && self.histories.slots(task).is_none()
    }

    /// Checks that a submission fills the slots of its contract, and no others, and returns the values. `mapped` are the
    /// texts that a message fills in: no slot that the owner filled in.
    ///
    /// # Errors
    /// The reason for a person.
    pub(crate) fn fills(
        &self,
        task: TaskId,
        said: Submitted,
        (contract, now_ms): (&Contract, i64),
        mapped: &BTreeMap<String, String>,
    ) -> Result<SlotValues, String> {
        let read = self.histories.slots(task).flatten();
        let mut values = match said.slots {
            None => SlotValues::default(),
            Some(_) if contract.slots().next().is_none() => {
                let why = "the contract has no slots; submit the task without values of slots";
                return Err(why.to_owned());
            }
            Some(_) => read.cloned().ok_or_else(|| {
                format!(
                    "the values of the slots were erased, are longer than {SLOTS_BYTES_MAX} bytes, or are no canonical JSON \
                     object of texts and numbers; submit the task again"
                )
            })?,
        };
        for (name, text) in mapped {
            let value = contract.typed(name, text, now_ms);
            let value = value.map_err(|error| format!("the message does not fit: {error}"))?;
            if values.insert(name.clone(), value).is_some() {
                return Err(format!(
                    "the owner filled in the slot `{name}`, and a message cannot change it"
                ));
            }
        }
        let filled = contract.check_slots(&values, now_ms);
        filled.map_err(|error| error.to_string())?;
        Ok(values)
    }
}

/// The admission of a task. `values` are those of its slots, if a message filled in some of them.
pub(crate) fn admitted(
    out: &Outbox<'_, PolicyCore>,
    one: &Submission,
    said: Submitted,
    values: Option<&SlotValues>,
) -> Option<Draft<Me>> {
    let sealed = match values {
        Some(values) => Some(out.seal(&values.encode()).ok()?),
        None => None,
    };
    let fact = TaskAdmitted {
        contract: said.contract,
        playbook: said.playbook,
        slots: sealed.as_ref().map(Sealed::content).or(said.slots),
        session: said.session,
        dialogue: said.dialogue,
        job: one.run.as_ref().map(|run| run.job.clone()),
        of_message: sealed.is_some(),
    };
    Some(with(Draft::of(one.task, fact), sealed))
}

/// Stores a content with a draft, if there is one.
pub(crate) fn with(draft: Draft<Me>, content: Option<Sealed>) -> Draft<Me> {
    match content {
        Some(content) => draft.with(content),
        None => draft,
    }
}
