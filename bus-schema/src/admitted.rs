//! The authors of the contents of an admitted task.

use crate::{AuthorId, TaskAdmitted};

impl TaskAdmitted {
    /// The author of its playbook.
    #[must_use]
    pub const fn contents_by(&self) -> AuthorId {
        match self.job {
            Some(_) => AuthorId::Owner,
            None => AuthorId::Gateway,
        }
    }

    /// The author of the values of its slots.
    #[must_use]
    pub const fn slots_by(&self) -> AuthorId {
        if self.of_message {
            AuthorId::Policy
        } else {
            self.contents_by()
        }
    }
}
