//! Checks the values with which a submission fills the slots of its contract.

use bus_schema::{SLOTS_BYTES_MAX, TaskId};
use contract::{Contract, SlotValues};

use crate::core::PolicyCore;
use crate::state::Submitted;

impl PolicyCore {
    /// Returns true if the values of a submission have to be read first.
    pub(crate) fn awaits_slots(&self, task: TaskId, said: Submitted) -> bool {
        let readable = said
            .slots
            .is_some_and(|slots| slots.len() as usize <= SLOTS_BYTES_MAX);
        readable && self.has_slots(&said.contract) && self.histories.slots(task).is_none()
    }

    /// Checks that a submission fills the slots of its contract, and no others.
    ///
    /// # Errors
    /// The reason for a person.
    pub(crate) fn fills(
        &self,
        task: TaskId,
        said: Submitted,
        (contract, now_ms): (&Contract, i64),
    ) -> Result<(), String> {
        let nothing = SlotValues::default();
        let read = self.histories.slots(task).flatten();
        let values = match said.slots {
            None => &nothing,
            Some(_) if contract.slots().next().is_none() => {
                let why = "the contract has no slots; submit the task without values of slots";
                return Err(why.to_owned());
            }
            Some(_) => read.ok_or_else(|| {
                format!(
                    "the values of the slots were erased, are longer than {SLOTS_BYTES_MAX} bytes, or are no canonical JSON \
                     object of texts and numbers; submit the task again"
                )
            })?,
        };
        let filled = contract.check_slots(values, now_ms);
        filled.map_err(|error| error.to_string())
    }
}
