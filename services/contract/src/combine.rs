//! Weighs what the rules say of a valid call against each other, the flow of the task, and the limits.

use std::cmp::Reverse;

use bus_schema::{ContractName, Counts};

use crate::bound::matching::{CallContext, Match};
use crate::catalogue::{Effect, Tool};
use crate::contract::Header;
use crate::json;
use crate::labels::{FlowAction, Integrity, Secrecy};
use crate::limits::{CALL_OUTPUT_BYTES_MAX, CALL_WALL_MS_MAX, LimitExceeded, LimitKind, Limits};
use crate::name::rule_id;
use crate::question;
use crate::quota::QuotaExceeded;
use crate::record::View;
use crate::rule::{Question, Rule, RuleKind};
use crate::usage::{Allowance, Period};
use crate::verdict::{Code, Exceeded, Refusal};

/// What a person is told when a call would let something leave after the task has seen untrusted things.
const UNTRUSTED: &str =
    "the task has read what anybody may have written, and this call lets something leave";
/// The same when it has seen a secret.
const SECRET: &str = "the task has seen a secret, and this call lets something leave";

/// A call of a tool, with valid arguments.
pub(crate) struct ValidCall<'a> {
    pub(crate) tool: &'a Tool,
    pub(crate) around: CallContext<'a>,
    /// Whether it lets something leave.
    pub(crate) outward: bool,
}

impl<'a> ValidCall<'a> {
    pub(crate) fn new(tool: &'a Tool, around: CallContext<'a>) -> Self {
        let outward = tool.effect_of(&around) == Effect::Outward;
        Self {
            tool,
            around,
            outward,
        }
    }
}

/// Rules about one tool, each with what it says of one call.
pub(crate) type RuleMatches<'r> = Vec<(&'r Rule, Match)>;

/// A call that is permitted.
pub(crate) struct Permission<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) reserve: Allowance,
    /// Who has to say yes.
    pub(crate) question: Option<Question>,
}

impl Header {
    /// Checks what has to hold before any rule is asked.
    pub(crate) fn open(&self, view: &View<'_>, name: &ContractName) -> Result<(), Refusal> {
        if self
            .starts_ms
            .is_some_and(|starts_ms| view.now_ms < starts_ms)
        {
            let why = format!("the contract `{name}` is not in force yet");
            return Err(Refusal::new("starts", Code::NotStarted, why));
        }
        if view.now_ms >= self.expires_ms {
            let why = format!("the contract `{name}` has expired");
            return Err(Refusal::new("expired", Code::Expired, why));
        }
        let who = view.record.principal();
        let kind = who.split_once(':').map_or(who, |(kind, _)| kind);
        if self.principals.iter().any(|one| one == who || one == kind) {
            return Ok(());
        }
        let shown: String = who.chars().take(80).collect();
        let why = format!(
            "the contract `{name}` is for {}, not for {shown:?}",
            self.principals.join(" and ")
        );
        Err(Refusal::new("principal", Code::Principal, why))
    }
}

/// What one rule makes of a call that it describes.
pub(crate) struct Candidate<'r> {
    rule: &'r Rule,
    passage: FlowAction,
    /// Calls that the rule has left.
    left: u64,
    reserve: Allowance,
}

/// Weighs a call whose arguments are valid.
pub(crate) fn combine<'r>(
    limits: &Limits,
    judged: &RuleMatches<'r>,
    case: &ValidCall<'_>,
) -> Result<Permission<'r>, Refusal> {
    let those = |kind: fn(&RuleKind) -> bool, judgement: Match| {
        let each = judged.iter().filter(move |(rule, _)| kind(&rule.kind));
        each.filter(move |(_, found)| *found == judgement)
            .map(|(rule, _)| *rule)
    };
    let allow = |kind: &RuleKind| matches!(kind, RuleKind::Allow);
    let ask = |kind: &RuleKind| matches!(kind, RuleKind::Ask(_));
    let deny = |kind: &RuleKind| matches!(kind, RuleKind::Deny);
    if let Some(rule) = those(deny, Match::Yes).next() {
        let why = format!("`{}` denies this call of `{}`", rule.id, case.around.tool);
        return Err(Refusal::by(rule, Code::Denied, why));
    }
    if let Some(rule) = those(deny, Match::Unknown).next() {
        return Err(undecidable(rule, case));
    }
    let unsure = || those(ask, Match::Unknown);
    let asked = asked(those(ask, Match::Yes), case)?;
    if let Some((rule, question)) = asked {
        // A spent ask is not replaced by a weaker one: none but the strictest is held against its quotas.
        let offer = candidate(rule, limits, case)?;
        let whole = question::merge_questions(those(ask, Match::Yes).chain(unsure()));
        let same = |(_, whole): &(_, Question)| question::is_no_stricter(whole, &question);
        let told = matches!(&whole, Ok(Some(whole)) if same(whole));
        if let Some(unsure) = unsure().next().filter(|_| !told) {
            return Err(undecidable(unsure, case));
        }
        return Ok(permitted(
            offer.reserved(limits, case)?,
            Some(question),
            case,
        ));
    }
    let allows = those(allow, Match::Yes);
    if let Some(best) = best(allows, limits, case) {
        let best = best?;
        if let Some(unsure) = unsure().next() {
            return Err(undecidable(unsure, case));
        }
        return Ok(permitted(best, None, case));
    }
    Err(not_allowed(judged, case))
}

fn asked<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    case: &ValidCall<'_>,
) -> Result<Option<(&'r Rule, Question)>, Refusal> {
    question::merge_questions(rules).map_err(|(one, other)| {
        let why = format!(
            "`{}` and `{}` ask different people about this call of `{}`; let only one of them describe it",
            one.id, other.id, case.around.tool
        );
        Refusal::by(one, Code::Conflict, why)
    })
}

/// The best offer of allows that describe the call, with what it takes of the limits, or why none of them permits it;
/// `None` if there is none. What decides between them says nothing of where they stand in the file.
fn best<'r>(
    allows: impl Iterator<Item = &'r Rule>,
    limits: &Limits,
    case: &ValidCall<'_>,
) -> Option<Result<Candidate<'r>, Refusal>> {
    let mut best: Option<Result<Candidate<'r>, Refusal>> = None;
    let key =
        |offer: &Candidate<'r>| (offer.passage, offer.left, Reverse(offer.rule.secrets.len()));
    let better = |one: &Candidate<'r>, other: &Candidate<'r>| {
        let order = key(one).cmp(&key(other));
        order
            .then_with(|| question::same_rank(other.rule, one.rule))
            .is_gt()
    };
    for rule in allows {
        let offer = candidate(rule, limits, case);
        // A rule that has some left and meets the limits says more than one that is spent.
        let has_left = offer.is_ok();
        let offer = offer.and_then(|offer| offer.reserved(limits, case));
        best = Some(match (best, offer) {
            (None, offer) => offer,
            (Some(Err(_)), offer) if has_left => offer,
            (Some(Ok(best)), Ok(offer)) if better(&offer, &best) => Ok(offer),
            (Some(best), _) => best,
        });
    }
    best
}

/// What a rule that describes the call makes of it.
pub(crate) fn candidate<'r>(
    rule: &'r Rule,
    limits: &Limits,
    case: &ValidCall<'_>,
) -> Result<Candidate<'r>, Refusal> {
    let reserve = charge(rule, limits, case)?;
    let view = &case.around.view;
    let mut left = u64::MAX;
    for period in Period::ALL {
        let quota = rule.quotas.of(period);
        let used = view.used(period);
        match quota.room(used.rule(&rule.id), &reserve.counts) {
            Ok(room) => left = left.min(room),
            Err(lack) => return Err(spent(rule, period, lack)),
        }
    }
    let passage = passage(rule, case)?;
    Ok(Candidate {
        rule,
        passage,
        left,
        reserve,
    })
}

/// What the call takes from the limits, before it is lowered to what is left of them.
fn charge(rule: &Rule, limits: &Limits, case: &ValidCall<'_>) -> Result<Allowance, Refusal> {
    let args = case.around.args;
    let uncounted = |name: &str| {
        let why = format!(
            "`{}` cannot tell how much this call of `{}` counts: `{name}` is missing, negative, or finer than is counted",
            rule.id, case.around.tool
        );
        Refusal::by(rule, Code::Undecidable, why)
    };
    let spend = match &rule.spend {
        Some(spend) => Some(
            spend
                .money(args)
                .ok_or_else(|| uncounted(&spend.argument))?,
        ),
        None => None,
    };
    let sums = rule.quotas.sums(args).map_err(uncounted)?;
    let bytes_out = if case.outward && limits.count_bytes() {
        u64::try_from(json::canonical(&args.clone().into()).len()).unwrap_or(u64::MAX)
    } else {
        0
    };
    Ok(Allowance {
        wall_ms: CALL_WALL_MS_MAX,
        output_bytes: CALL_OUTPUT_BYTES_MAX,
        counts: Counts {
            tokens: rule.tokens,
            bytes_out,
            outward: case.outward,
            spend,
            sums,
        },
    })
}

/// What becomes of a call that a rule permits, after what the task has seen.
fn passage(rule: &Rule, case: &ValidCall<'_>) -> Result<FlowAction, Refusal> {
    if !case.outward {
        return Ok(FlowAction::Allow);
    }
    let labels = case.around.view.record.labels();
    let refuse = |check: &str, code, reason: &str, key: &str| {
        let why = format!(
            "{reason}; `{}` does not say what then (`{key} = \"ask\"`)",
            rule.id
        );
        Err(Refusal {
            rule: rule_id(check),
            exceeded: Some(Exceeded::Flow(rule.id.clone())),
            ..Refusal::by(rule, code, why)
        })
    };
    let mut passage = FlowAction::Allow;
    if labels.secrecy == Secrecy::Secret {
        passage = rule.secret.unwrap_or(FlowAction::Refuse);
        if passage == FlowAction::Refuse {
            return refuse("flow.secret", Code::Secret, SECRET, "secret");
        }
    }
    if labels.integrity == Integrity::Untrusted {
        let after = rule.untrusted.unwrap_or_else(|| {
            if rule.determines(case.tool.arguments(), &case.around) {
                FlowAction::Allow
            } else {
                FlowAction::Ask
            }
        });
        passage = passage.min(after);
        if passage == FlowAction::Refuse {
            return refuse("flow.untrusted", Code::Untrusted, UNTRUSTED, "untrusted");
        }
    }
    Ok(passage)
}

impl Candidate<'_> {
    /// Takes the call from what is left of the limits, and lowers what it may use to that.
    fn reserved(mut self, limits: &Limits, case: &ValidCall<'_>) -> Result<Self, Refusal> {
        for period in Period::ALL {
            let used = case.around.view.used(period);
            let taken = limits.of(period).reserve(period, used, &mut self.reserve);
            taken.map_err(exceeds)?;
        }
        Ok(self)
    }
}

/// What an offer that was taken permits.
fn permitted<'r>(
    offer: Candidate<'r>,
    question: Option<Question>,
    case: &ValidCall<'_>,
) -> Permission<'r> {
    let Candidate {
        rule,
        passage,
        left: _,
        reserve,
    } = offer;
    let view = &case.around.view;
    let after_seen = || {
        let secret = view.record.labels().secrecy == Secrecy::Secret;
        let secret = secret && rule.secret == Some(FlowAction::Ask);
        Question::to_owner(if secret { SECRET } else { UNTRUSTED })
    };
    let question = question.or_else(|| (passage != FlowAction::Allow).then(after_seen));
    Permission {
        rule,
        reserve,
        question,
    }
}

/// The refusal of a call that does not fit into a limit.
fn exceeds(full: LimitExceeded) -> Refusal {
    Refusal {
        exceeded: Some(Exceeded::Limit(full)),
        ..Refusal::new(&full.check(), code_of(full.kind), full.why())
    }
}

const fn code_of(kind: LimitKind) -> Code {
    match kind {
        LimitKind::Calls => Code::Calls,
        LimitKind::WallTime => Code::WallTime,
        LimitKind::OutputBytes => Code::OutputBytes,
        LimitKind::Tokens => Code::Tokens,
        LimitKind::BytesOut => Code::BytesOut,
        LimitKind::Messages => Code::Messages,
        LimitKind::Spend(_) => Code::Spend,
    }
}

fn undecidable(rule: &Rule, case: &ValidCall<'_>) -> Refusal {
    let unsure = match rule.failing(&case.around)[..] {
        [] => {
            "what it asks of earlier calls or of the arguments together cannot be told".to_owned()
        }
        ref names => format!(
            "`{}` is missing or not of the form that the rule judges",
            names.join("`, `")
        ),
    };
    let why = format!(
        "`{}` cannot tell whether it describes this call of `{}`: {unsure}",
        rule.id, case.around.tool
    );
    Refusal::by(rule, Code::Undecidable, why)
}

fn spent(rule: &Rule, period: Period, lack: QuotaExceeded) -> Refusal {
    let within = match period {
        Period::Task => "in this task".to_owned(),
        Period::Hour | Period::Day => format!("in this {}", period.word()),
        Period::Contract => "under this contract".to_owned(),
    };
    let (what, code) = match &lack {
        QuotaExceeded::Calls => ("no calls left".to_owned(), Code::RuleCalls),
        QuotaExceeded::Sum(name) => (format!("too little left of `{name}`"), Code::RuleSum),
        QuotaExceeded::Spend(currency) => (format!("too little {currency} left"), Code::RuleSpend),
    };
    let why = format!("`{}` has {what} {within}", rule.id);
    Refusal {
        exceeded: Some(Exceeded::Quota(period, lack)),
        ..Refusal::by(rule, code, why)
    }
}

fn not_allowed(judged: &RuleMatches<'_>, case: &ValidCall<'_>) -> Refusal {
    let permits = |kind: &RuleKind| !matches!(kind, RuleKind::Deny);
    let near = judged.iter().find(|(rule, _)| permits(&rule.kind));
    let near = near.map_or_else(String::new, |(rule, _)| {
        let failing = match rule.failing(&case.around)[..] {
            [] => rule.lacks(&case.around),
            ref names => format!("with this `{}`", names.join("`, `")),
        };
        format!("; `{}` is about this tool, but not {failing}", rule.id)
    });
    let why = format!("no rule permits this call of `{}`{near}", case.around.tool);
    Refusal::new("default", Code::NotAllowed, why)
}
