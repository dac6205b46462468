//! The calls that an allow with `otherwise = "ask"` asks about: those that only its bounds leave out.

use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::matching::{CallContext, Match};
use crate::rule::Rule;
use crate::show::words::joined;

impl Rule {
    /// Returns true if the rule asks about this call: it describes the call but for its bounds and `only`, and no bound
    /// is unknown.
    pub(crate) fn asks_about(&self, context: &CallContext<'_>) -> bool {
        let judged = |(name, bound): (&String, &Bound)| bound.judge_at(context.args, name, context);
        let bounds = || self.bounds.iter().map(judged);
        self.otherwise
            && self.conditions_hold(context)
            && bounds().all(|found| found != Match::Unknown)
            && (bounds().any(|found| found == Match::No) || self.has_more(context))
    }

    /// The reason of the question about a call that the rule asks about: the arguments that do not fit.
    pub(crate) fn outside(&self, context: &CallContext<'_>) -> String {
        let failing = self.failing(context).into_iter();
        let mut outside: Vec<String> = failing.map(|name| format!("this `{name}`")).collect();
        if self.has_more(context) {
            outside.push("a further argument".to_owned());
        }
        let verb = if outside.len() > 1 { "are" } else { "is" };
        let outside = joined(outside, "and");
        format!(
            "{outside} {verb} outside of what `{}` allows by itself",
            self.id
        )
    }

    /// Returns true if a call has an argument that `only` excludes.
    fn has_more(&self, context: &CallContext<'_>) -> bool {
        self.only && !self.bounds_all(context)
    }
}
