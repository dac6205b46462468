//! Checks a call against the earlier calls of its rule in the task.

use crate::bound::matching::CallContext;
use crate::repeat::Misfit;
use crate::rule::Rule;
use crate::verdict::{Code, Refusal};

impl Rule {
    /// Checks that the values of the call fit to those of the earlier calls that count under the rule in this task,
    /// running and failed ones too.
    pub(crate) fn fits_earlier(&self, context: &CallContext<'_>) -> Result<(), Refusal> {
        if self.repeats.is_empty() {
            return Ok(());
        }
        let record = context.view.record;
        let earlier = record.taken(&self.id);
        let counted = record.used.rule(&self.id).map_or(0, |used| used.calls);
        let all_known = u64::try_from(earlier.len()).is_ok_and(|known| known >= counted);
        let fit = self.repeats.fit(context.args, earlier);
        let (code, why) = match fit {
            Ok(()) if all_known => return Ok(()),
            Ok(()) => (
                Code::Undecidable,
                format!(
                    "`{}` cannot tell the arguments of its earlier calls",
                    self.id
                ),
            ),
            Err(Misfit::Unknown(name)) => (
                Code::Undecidable,
                format!(
                    "`{}` cannot compare `{name}` with its earlier calls: it is missing",
                    self.id
                ),
            ),
            Err(Misfit::Used(name, most)) => {
                let times = if most == 1 {
                    "once".to_owned()
                } else {
                    format!("{most} times")
                };
                let why = format!(
                    "`{}` takes each value of `{name}` {times} in a task, and this one was used",
                    self.id
                );
                (Code::RuleValues, why)
            }
            Err(Misfit::Differs(name)) => (
                Code::RuleValues,
                format!(
                    "`{}` takes one value of `{name}` in a task, and its earlier calls had another",
                    self.id
                ),
            ),
        };
        Err(Refusal::by(self, code, why))
    }
}
