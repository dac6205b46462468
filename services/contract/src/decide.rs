//! Judges one call of one task: the same inputs always give the same verdict.
//!
//! Deny wins over ask, ask over allow; what nothing permits is refused. A rule whose bounds
//! cannot tell (a missing argument, a value of another kind, a path that is not normalised)
//! never permits and always restricts: as a deny it refuses the call, as an ask it refuses what
//! an allow would permit.

use serde_json::{Map, Value};

use crate::bound::matching::CallContext;
use crate::catalogue::{Catalogue, Tool};
use crate::combine::{Permission, RuleMatches, ValidCall, combine};
use crate::contract::Contract;
use crate::fix;
use crate::json;
use crate::record::View;
use crate::verdict::{Call, Code, Fix, Refusal, Verdict};

/// Longest arguments of a call, in bytes.
pub const ARGUMENTS_BYTES_MAX: usize = 64 << 10;

/// Decides a call: the contract in force, then the arguments against the schema of the tool,
/// then the rules, then the limits.
#[must_use]
pub fn decide(
    contract: &Contract,
    catalogue: &Catalogue,
    view: &View<'_>,
    call: &Call<'_>,
) -> Verdict {
    decide_with(contract, catalogue, view, call).0
}

/// A tool and arguments that its schema takes.
pub(crate) type Valid<'c> = (&'c Tool, Map<String, Value>);

/// The same, with the arguments as they were read if they are valid, and the tool.
pub(crate) fn decide_with<'c>(
    contract: &Contract,
    catalogue: &'c Catalogue,
    view: &View<'_>,
    call: &Call<'_>,
) -> (Verdict, Option<Valid<'c>>) {
    let (tool, args) = match arguments(catalogue, call) {
        Ok(valid) => valid,
        Err(refusal) => {
            let first = contract.head.open(view, &contract.name).err();
            return (refused(first.unwrap_or(refusal), None), None);
        }
    };
    let case = ValidCall::new(
        tool,
        CallContext {
            tool: tool.name().as_str(),
            args: &args,
            view: *view,
        },
    );
    let verdict = judge(contract, &case);
    (verdict, Some((tool, args)))
}

fn judge(contract: &Contract, case: &ValidCall<'_>) -> Verdict {
    let tool = case.tool;
    let about = contract.about(case.around.tool);
    let judged: RuleMatches<'_> = about.map(|rule| (rule, rule.judge(&case.around))).collect();
    let open = contract.head.open(&case.around.view, &contract.name);
    let weighed = open.and_then(|()| combine(&contract.head.limits, &judged, case));
    match weighed {
        // What the tool itself ends after need not be reserved, nor waited for when nobody tells the outcome.
        Ok(weighed) => weighed.verdict(contract, case, tool.wall_ms_max()),
        Err(refusal) => {
            let fix = fix::find(contract, &judged, case, &refusal);
            refused(refusal, fix)
        }
    }
}

impl Permission<'_> {
    fn verdict(self, contract: &Contract, case: &ValidCall<'_>, wall_ms_max: u64) -> Verdict {
        let Self {
            rule,
            mut reserve,
            question,
        } = self;
        reserve.wall_ms = reserve.wall_ms.min(wall_ms_max);
        let (id, secrets, tool) = (rule.id.clone(), rule.secrets.clone(), case.around.tool);
        let Some(mut question) = question else {
            return Verdict::Granted {
                why: format!("`{id}` allows this call of `{tool}`"),
                rule: id,
                reserve,
                secrets,
            };
        };
        let left_ms = contract.head.expires_ms.abs_diff(case.around.view.now_ms);
        question.expires_ms = question.expires_ms.min(left_ms);
        Verdict::Ask {
            why: format!(
                "`{id}` allows this call of `{tool}` only with a yes: {}",
                question.reason
            ),
            rule: id,
            question,
            reserve,
            secrets,
        }
    }
}

fn refused(refusal: Refusal, fix: Option<Fix>) -> Verdict {
    let Refusal {
        rule, code, why, ..
    } = refusal;
    Verdict::Refused {
        rule,
        code,
        why,
        fix,
    }
}

/// The tool of a call and its arguments, valid against the schema.
pub(crate) fn arguments<'c>(
    catalogue: &'c Catalogue,
    call: &Call<'_>,
) -> Result<(&'c Tool, Map<String, Value>), Refusal> {
    let tool = catalogue.get(call.tool).ok_or_else(|| {
        let shown: String = call.tool.chars().take(60).collect();
        let why = format!("the catalogue has no tool {shown:?}; tool names are exact");
        Refusal::new("catalogue", Code::UnknownTool, why)
    })?;
    let args = json::parse(call.args, ARGUMENTS_BYTES_MAX)
        .map_err(|error| Refusal::new("arguments", Code::Arguments, error.to_string()))?;
    let valid = tool.arguments().validate(&args);
    match (args, valid) {
        (Value::Object(map), Ok(())) => Ok((tool, map)),
        (Value::Object(_), Err(problem)) => {
            let why = format!(
                "the arguments break the schema of `{}` {problem}",
                tool.name()
            );
            Err(Refusal::new("schema", Code::Schema, why))
        }
        (
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_),
            _,
        ) => {
            let why = "the arguments are not a JSON object; write one";
            Err(Refusal::new("arguments", Code::Arguments, why))
        }
    }
}
