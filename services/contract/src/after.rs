//! The earlier call that must have succeeded in the task before a rule matches.

use std::collections::BTreeMap;
use std::fmt;

use crate::bound::matching::{CallContext, Match, lookup};
use crate::catalogue::Tool;
use crate::dead::possible::{Around, Reason};
use crate::record::Stage;
use crate::show::words::joined;
use crate::toml_text::{key, quoted};

/// A required earlier call of the task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct After {
    /// The tool.
    pub tool: String,
    /// The arguments that must be equal: names in this call to names in the earlier call.
    pub equal: BTreeMap<String, String>,
}

impl After {
    /// Matches if such a call succeeded; `Unknown` while one is running, or if this call lacks an argument
    /// that must be equal.
    pub(crate) fn judge(&self, context: &CallContext<'_>) -> Match {
        let own: Option<Vec<_>> = self
            .equal
            .iter()
            .map(|(own, other)| Some((lookup(context.args, own)?, other)))
            .collect();
        let outcomes = context.view.record.outcomes(&self.tool);
        let Some(own) = own else {
            return Match::Unknown;
        };
        Match::any(outcomes.iter().map(|outcome| {
            let same = own
                .iter()
                .all(|(value, other)| lookup(&outcome.args, other) == Some(*value));
            match (same, &outcome.stage) {
                (false, _) | (true, Stage::Failed) => Match::No,
                (true, Stage::Running) => Match::Unknown,
                (true, Stage::Succeeded(_)) => Match::Yes,
            }
        }))
    }
}

impl After {
    /// Describes the earlier call: `` `mail.read` has succeeded in this task with the same `id` ``.
    pub(crate) fn say(&self) -> String {
        let tool = &self.tool;
        let each = self.equal.iter().map(|(own, other)| {
            if own == other {
                format!("the same `{own}`")
            } else {
                format!("this `{own}` as its `{other}`")
            }
        });
        let with = joined(each.collect(), "and");
        let with = if with.is_empty() {
            with
        } else {
            format!(" with {with}")
        };
        format!("`{tool}` has succeeded before in this task{with}")
    }

    /// Returns why no such call can have succeeded; `None` if one may have.
    pub(crate) fn dead(&self, around: Around<'_>) -> Option<Reason> {
        let tool = match around.earlier(&self.tool) {
            Ok(tool) => tool,
            Err(reason) => return Some(reason),
        };
        self.equal.iter().find_map(|(own, other)| {
            let types = |of: &Tool, name: &str| of.arguments().place(name).0.types();
            let (one, two) = (types(around.tool, own), types(tool, other));
            one.and(two).is_empty().then(|| {
                let problem = format!(
                    "`{own}` is {}, and `{other}` of `{}` is {}, so they are never equal",
                    one.words(),
                    self.tool,
                    two.words()
                );
                Reason::new(problem, "name arguments of the same type")
            })
        })
    }
}

impl fmt::Display for After {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.equal.is_empty() {
            return f.write_str(&quoted(&self.tool));
        }
        let each = self.equal.iter();
        let each = each.map(|(own, other)| format!("{} = {}", key(own), quoted(other)));
        let equal = each.collect::<Vec<_>>().join(", ");
        write!(
            f,
            "{{ tool = {}, equal = {{ {equal} }} }}",
            quoted(&self.tool)
        )
    }
}
