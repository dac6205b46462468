//! Arguments in parts: the earlier calls of a task whose arguments come before those of a call, and the whole that is judged.

use actor::Key;
use bus_schema::{AFTER, AuthorId, Digest, TaskId, ToolName, json};
use contract::{ARGUMENTS_BYTES_MAX, Catalogue, HistoryNeeds, PartsError, PartsWalk, Tool};
use serde_json::{Map, Value};

use crate::core::PolicyCore;
use crate::fetch::{CallPart, Fetch};
use crate::history::{HistoryCache, granted, recalled};
use crate::state::{CountedCall, Proposal, StartedCall, Task};

/// A call whose arguments may be in parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct InParts<'a> {
    pub(crate) task: TaskId,
    pub(crate) tool: &'a ToolName,
    /// The digest of the tool.
    pub(crate) digest: Digest,
    /// The author of all parts.
    pub(crate) by: AuthorId,
    /// Its own arguments.
    pub(crate) own: &'a Map<String, Value>,
}

/// The arguments that come before those of a call.
pub(crate) enum Before<'a> {
    /// These have not been read.
    Unread(&'a StartedCall),
    /// There are none.
    Lacks(String),
    /// All of them, the newest first; empty if the own ones are the whole.
    All(Vec<&'a Map<String, Value>>),
}

/// The whole arguments of a call.
pub(crate) enum Whole {
    Unread,
    Refused(String),
    /// The own ones, as they are.
    Own,
    Joined(Vec<u8>),
}

/// Reads the members of arguments in parts; none if they are whole.
fn members(args: &[u8]) -> Option<Map<String, Value>> {
    // Most arguments do not have the name at all, and are not read twice.
    let text = std::str::from_utf8(args).ok();
    text.filter(|text| text.contains(AFTER))?;
    match json::parse(args, ARGUMENTS_BYTES_MAX) {
        Ok(Value::Object(members)) => Some(members).filter(|all| all.contains_key(AFTER)),
        Ok(_) | Err(_) => None,
    }
}

impl HistoryCache {
    /// Follows the parts of a call back. Each has to be the arguments of an earlier call of the same tool in the same task that
    /// was granted and started, so that they were judged before.
    pub(crate) fn before<'a>(&'a self, task: &'a Task, call: InParts<'a>) -> Before<'a> {
        let (mut walk, mut before) = (PartsWalk::default(), Vec::<&Map<String, Value>>::new());
        loop {
            let content = match walk.before(before.last().copied().unwrap_or(call.own)) {
                Ok(Some(content)) => content,
                Ok(None) => return Before::All(before),
                Err(error) => return Before::Lacks(error.to_string()),
            };
            let calls = task.calls.get(call.tool).map(|calls| &*calls.each);
            let mut calls = calls.unwrap_or_default().iter();
            let earlier = calls.find(|earlier| {
                earlier.args == content
                    && (earlier.args_by, earlier.digest) == (call.by, call.digest)
            });
            let Some(earlier) = earlier else {
                let why = format!(
                    "`{AFTER}` names no arguments of an earlier call of this tool in this task; send the arguments whole"
                );
                return Before::Lacks(why);
            };
            match self.earlier(call.task, earlier.action, CallPart::Arguments) {
                None => return Before::Unread(earlier),
                Some(Some(Value::Object(args))) => before.push(args),
                Some(_) => {
                    let why =
                        "an earlier part of the arguments was erased; send the arguments whole";
                    return Before::Lacks(why.to_owned());
                }
            }
        }
    }

    /// Returns the whole arguments of an earlier call. None inside if they are not known; none while a part is unread.
    pub(crate) fn arguments_of(
        &self,
        id: TaskId,
        task: &Task,
        call: CountedCall<'_>,
        catalogue: &Catalogue,
    ) -> Option<Option<Map<String, Value>>> {
        let Some(Value::Object(own)) = self.earlier(id, call.action, CallPart::Arguments)? else {
            return Some(None);
        };
        match self.before(task, call.in_parts(id, own)) {
            Before::Unread(_) => None,
            Before::Lacks(_) => Some(None),
            Before::All(before) if before.is_empty() => Some(Some(own.clone())),
            Before::All(before) => {
                let tool = granted(catalogue.get(call.tool.as_str()), &call.digest);
                Some(tool.and_then(|tool| joined(tool, own, &before).ok()))
            }
        }
    }

    /// Adds the next parts that must be read of the arguments of earlier calls that rules read.
    pub(crate) fn want_parts_of_calls(
        &self,
        id: TaskId,
        task: &Task,
        needs: &HistoryNeeds<'_>,
        to: &mut Vec<(Key, Fetch)>,
    ) {
        let counted = task.counted();
        let counted = counted.filter(|call| needs.rules.contains(call.rule));
        let recalled = recalled(task, needs).filter(|(_, _, need)| need.args);
        let recalled = recalled.map(|(tool, call, _)| call.of(tool));
        for call in counted.chain(recalled) {
            if let Some(Some(Value::Object(own))) =
                self.earlier(id, call.action, CallPart::Arguments)
                && let Before::Unread(earlier) = self.before(task, call.in_parts(id, own))
            {
                to.push(fetch_of(id, earlier));
            }
        }
    }
}

fn joined(
    tool: &Tool,
    own: &Map<String, Value>,
    before: &[&Map<String, Value>],
) -> Result<Map<String, Value>, PartsError> {
    let http = tool.http().ok_or(PartsError::NoList)?;
    http.whole(own, before)
}

/// The fetch of the arguments of an earlier call.
pub(crate) fn fetch_of(task: TaskId, call: &StartedCall) -> (Key, Fetch) {
    let fetch = Fetch::Earlier {
        task,
        action: call.action,
        part: CallPart::Arguments,
        by: call.args_by,
        content: call.args,
    };
    (Key::Action("earlier arguments", call.action), fetch)
}

impl PolicyCore {
    /// Adds the next part that must be read of the arguments of a proposal, if they are in parts.
    pub(crate) fn want_parts(&self, call: &Proposal, to: &mut Vec<(Key, Fetch)>) {
        let args = self.arguments.get(&call.action).and_then(Option::as_deref);
        let (Some(own), Some(task)) = (args.and_then(members), self.state.tasks.get(&call.task))
        else {
            return;
        };
        let tools = self.tools().ok();
        if let Some(tool) = tools.and_then(|tools| tools.get(call.tool.as_str()))
            && let Before::Unread(earlier) = self
                .histories
                .before(task, of(tool, (call.task, call.by), &own))
        {
            to.push(fetch_of(call.task, earlier));
        }
    }

    /// Returns the arguments of a call as they are judged and sent: whole.
    pub(crate) fn whole(
        &self,
        (id, task): (TaskId, &Task),
        tool: Option<&Tool>,
        (by, args): (AuthorId, &[u8]),
    ) -> Whole {
        let (Some(own), Some(tool)) = (members(args), tool) else {
            return Whole::Own;
        };
        let before = match self.histories.before(task, of(tool, (id, by), &own)) {
            Before::Unread(_) => return Whole::Unread,
            Before::Lacks(why) => return Whole::Refused(why),
            Before::All(before) => before,
        };
        match joined(tool, &own, &before) {
            Ok(whole) => Whole::Joined(json::canonical(&Value::Object(whole))),
            Err(error) => Whole::Refused(error.to_string()),
        }
    }
}

impl<'t> CountedCall<'t> {
    const fn in_parts(self, task: TaskId, own: &'t Map<String, Value>) -> InParts<'t> {
        InParts {
            task,
            tool: self.tool,
            digest: self.digest,
            by: self.args_by,
            own,
        }
    }
}

fn of<'a>(
    tool: &'a Tool,
    (task, by): (TaskId, AuthorId),
    own: &'a Map<String, Value>,
) -> InParts<'a> {
    InParts {
        task,
        tool: tool.name(),
        digest: tool.digest(),
        by,
        own,
    }
}
