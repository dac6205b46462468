//! Decides what becomes of a call after the task has read untrusted data or a secret.

use crate::catalogue::Effect;
use crate::determined::{OTHERS, OpenArgument, Openings, Openness};
use crate::labels::{FlowAction, Labels};
use crate::name::rule_id;
use crate::rule::{Question, Rule};
use crate::seen;
use crate::show::words::joined;
use crate::valid_call::ValidCall;
use crate::verdict::{Code, Exceeded, Refusal};

/// Maximum number of arguments and tools that a reason names.
const NAMED_MAX: usize = 5;

/// Returns the action on a permitted call, or its refusal.
pub(crate) fn action(rule: &Rule, case: &ValidCall<'_>) -> Result<FlowAction, Refusal> {
    let labels = case.context.view.record.labels();
    let mut action = FlowAction::Allow;
    if case.outward && labels.is_secret() {
        action = rule.secret.unwrap_or(FlowAction::Refuse);
        if action == FlowAction::Refuse {
            return Err(refused(rule, case, Code::Secret));
        }
    }
    if is_guarded(rule, case) && labels.is_untrusted() {
        let after = rule
            .untrusted
            .unwrap_or_else(|| match openings(rule, case) {
                Openings::None => FlowAction::Allow,
                Openings::NoArguments | Openings::Arguments(_) => FlowAction::Ask,
            });
        action = action.min(after);
        if action == FlowAction::Refuse {
            return Err(refused(rule, case, Code::Untrusted));
        }
    }
    Ok(action)
}

/// Returns true if contract, owner's words and trusted results determine every argument, or if the task has read only
/// trusted data.
pub(crate) fn is_determined(rule: &Rule, case: &ValidCall<'_>) -> bool {
    let labels = case.context.view.record.labels();
    let arguments = case.tool.arguments();
    !labels.is_untrusted() || rule.open_arguments(arguments, &case.context).is_empty()
}

/// Returns the reason of a question about a call that no ask describes.
pub(crate) fn reason(rule: &Rule, case: &ValidCall<'_>) -> String {
    let labels = case.context.view.record.labels();
    let secret = case.outward && labels.is_secret();
    let secret = secret && rule.secret == Some(FlowAction::Ask);
    let code = if secret {
        Code::Secret
    } else {
        Code::Untrusted
    };
    let open = open(rule, case, code);
    let open = open.map_or_else(String::new, |open| format!(": {open}"));
    let place = seen::note(rule, &case.context);
    format!("{}{open}{place}", describe(case, code))
}

/// Adds to the question of an ask what is open in the call after the task has read untrusted data.
pub(crate) fn noted(mut question: Question, rule: &Rule, case: &ValidCall<'_>) -> Question {
    let labels = case.context.view.record.labels();
    if is_guarded(rule, case) && labels.is_untrusted() {
        let note = open(rule, case, Code::Untrusted).map(|open| {
            let reason = question.reason.trim_end_matches('.');
            let place = seen::note(rule, &case.context);
            format!("{reason}; the task has read untrusted data, and {open}{place}")
        });
        question.reason = note.unwrap_or(question.reason);
    }
    question
}

/// Returns true if the call may need a question after untrusted data. A call that only tells does if its rule says so.
fn is_guarded(rule: &Rule, case: &ValidCall<'_>) -> bool {
    case.guarded || (case.effect == Effect::Tell && rule.untrusted.is_some())
}

fn openings(rule: &Rule, case: &ValidCall<'_>) -> Openings {
    rule.openings(case.tool.arguments(), &case.context)
}

fn refused(rule: &Rule, case: &ValidCall<'_>, code: Code) -> Refusal {
    let (check, key) = if code == Code::Secret {
        ("flow.secret", "secret")
    } else {
        ("flow.untrusted", "untrusted")
    };
    let why = format!(
        "{}; `{}` does not say what then (`{key} = \"ask\"`)",
        describe(case, code),
        rule.id
    );
    Refusal {
        rule: rule_id(check),
        exceeded: Some(Exceeded::Flow(rule.id.clone())),
        ..Refusal::by(rule, code, why)
    }
}

/// Describes what the task has read, and the effect of the call.
fn describe(case: &ValidCall<'_>, code: Code) -> String {
    let record = case.context.view.record;
    let (what, sources): (_, Vec<&str>) = if code == Code::Secret {
        ("a secret", record.sources(Labels::is_secret).collect())
    } else {
        (
            "untrusted data",
            record.sources(Labels::is_untrusted).collect(),
        )
    };
    let sources = named(&sources);
    let sources = if sources.is_empty() {
        sources
    } else {
        format!(" from {sources}")
    };
    let effect = if case.outward {
        "sends something out"
    } else {
        "is hard to undo"
    };
    format!("the task has read {what}{sources}, and this call {effect}")
}

/// Describes the open arguments of a call; `None` if there are none.
fn open(rule: &Rule, case: &ValidCall<'_>, code: Code) -> Option<String> {
    let open = match (openings(rule, case), code) {
        (Openings::None, _) | (Openings::NoArguments, Code::Secret) => return None,
        (Openings::NoArguments, _) => {
            return Some("it has no argument that the contract determines".to_owned());
        }
        (Openings::Arguments(open), _) => open,
    };
    if code == Code::Secret {
        let names: Vec<&str> = open.iter().map(|one| one.name.as_str()).collect();
        return Some(format!("{} could contain it", named(&names)));
    }
    let of = |wanted: fn(&Openness) -> bool| {
        let those = open.iter().filter(|one| wanted(&one.why));
        those.map(|one| one.name.as_str()).collect::<Vec<_>>()
    };
    let chosen = of(|why| matches!(why, Openness::Chosen));
    let absent = of(|why| matches!(why, Openness::Absent));
    let mut said = Vec::new();
    if !chosen.is_empty() {
        said.push(format!(
            "neither contract nor task text nor a trusted result determines {}",
            named(&chosen)
        ));
    }
    if !absent.is_empty() {
        said.push(format!("the rule does not exclude {}", named(&absent)));
    }
    let carries = open
        .iter()
        .filter_map(|OpenArgument { name, why }| match why {
            Openness::Carries(what) => Some(format!("`{name}` contains {what}")),
            Openness::Chosen | Openness::Absent => None,
        });
    said.extend(carries.take(NAMED_MAX));
    Some(joined(said, "and"))
}

/// Names arguments or tools; a long list is cut.
fn named(names: &[&str]) -> String {
    let mut each: Vec<String> = names
        .iter()
        .take(NAMED_MAX)
        .map(|name| match *name {
            OTHERS => "further arguments".to_owned(),
            name => format!("`{name}`"),
        })
        .collect();
    if let Some(more) = names.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
        each.push(format!("{more} more"));
    }
    joined(each, "and")
}
