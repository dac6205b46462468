//! Decides one call of one task: the same inputs always give the same verdict.
//!
//! Deny wins over ask, ask over allow; a call that no rule permits is refused. A rule with an
//! unknown match (a missing argument, a value of another kind, a path that is not normalised)
//! never permits and always restricts: a deny refuses the call, an ask refuses a call that an
//! allow would permit.

use serde_json::{Map, Value};

use crate::bound::matching::CallContext;
use crate::catalogue::{Catalogue, Tool};
use crate::combine::{Permission, RuleMatches, combine};
use crate::contract::Contract;
use crate::fix;
use crate::record::View;
use crate::rule::RuleKind;
use crate::valid_call::ValidCall;
use crate::verdict::{Call, Code, Fix, Refusal, Verdict};
use crate::why::{self, Misses};
use bus_schema::json;

/// Maximum length of the arguments of a call, in bytes.
pub const ARGUMENTS_BYTES_MAX: usize = 64 << 10;

/// Decides a call: checks the validity period, then the arguments against the schema of the tool,
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

/// A tool and valid arguments.
pub(crate) type Valid<'c> = (&'c Tool, Map<String, Value>);

/// Decides as [`decide`] does, and also returns the tool and its arguments if these are valid.
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
            schema: tool.arguments(),
            view: *view,
            zone: &contract.head.zone,
        },
    );
    let verdict = judge(contract, &case);
    (verdict, Some((tool, args)))
}

fn judge(contract: &Contract, case: &ValidCall<'_>) -> Verdict {
    let tool = case.tool;
    let about = contract.about(case.context.tool);
    let judged: RuleMatches<'_> = about
        .map(|rule| (rule, rule.judge(&case.context)))
        .collect();
    let open = contract.head.open(&case.context.view, &contract.name);
    let weighed = open.and_then(|()| combine(&contract.head.limits, &judged, case));
    match weighed {
        // No more time than the tool's own timeout is reserved, or waited for if the outcome stays unknown.
        Ok(weighed) => weighed.verdict(contract, case, tool.wall_ms_max()),
        Err(mut refusal) => {
            let misses = if refusal.code == Code::NotAllowed {
                misses(&judged, case)
            } else {
                Vec::new()
            };
            let fix = fix::find(contract, (&judged, &misses), case, &refusal);
            refusal.why.push_str(&why::nearest(&misses, case));
            refused(refusal, fix)
        }
    }
}

fn misses<'r>(judged: &RuleMatches<'r>, case: &ValidCall<'_>) -> Misses<'r> {
    let rules = judged.iter().map(|(rule, _)| *rule);
    let permit = rules.filter(|rule| rule.kind != RuleKind::Deny);
    permit
        .map(|rule| (rule, rule.failing(&case.context)))
        .collect()
}

impl Permission<'_> {
    fn verdict(self, contract: &Contract, case: &ValidCall<'_>, wall_ms_max: u64) -> Verdict {
        let Self {
            rule,
            mut reserve,
            question,
            determined,
        } = self;
        reserve.wall_ms = reserve.wall_ms.min(wall_ms_max);
        let (id, secrets, tool) = (rule.id.clone(), rule.secrets.clone(), case.context.tool);
        let Some(mut question) = question else {
            return Verdict::Granted {
                why: format!("`{id}` allows this call of `{tool}`"),
                rule: id,
                reserve,
                secrets,
                determined,
            };
        };
        let left_ms = contract.head.expires_ms.abs_diff(case.context.view.now_ms);
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
            determined,
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

/// Returns the tool of a call and its arguments, validated against the schema.
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
