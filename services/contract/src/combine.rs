//! Combines the matches of the rules for a valid call with the labels of the task and the limits.

use std::cmp::Reverse;

use bus_schema::{ContractName, Counts};

use crate::bound::matching::Match;
use crate::contract::Header;
use crate::flow;
use crate::labels::FlowAction;
use crate::limits::{CALL_WALL_MS_MAX, LimitExceeded, LimitKind, Limits};
use crate::question;
use crate::quota::QuotaExceeded;
use crate::record::View;
use crate::rule::{Question, Rule, RuleKind};
use crate::show::words::{counted, moment};
use crate::usage::{Allowance, Period};
use crate::valid_call::ValidCall;
use crate::verdict::{Code, Exceeded, Refusal};
use crate::why;
use bus_schema::json;

/// Rules about one tool, each with its match for one call.
pub(crate) type RuleMatches<'r> = Vec<(&'r Rule, Match)>;

/// A permitted call.
pub(crate) struct Permission<'r> {
    pub(crate) rule: &'r Rule,
    pub(crate) reserve: Allowance,
    /// The question, if an approval is needed.
    pub(crate) question: Option<Question>,
    /// True if contract, owner's words and trusted results determine the arguments.
    pub(crate) determined: bool,
}

impl Header {
    /// Checks the validity period, the principal and the task text, before the rules.
    pub(crate) fn open(&self, view: &View<'_>, name: &ContractName) -> Result<(), Refusal> {
        if self
            .starts_ms
            .is_some_and(|starts_ms| view.now_ms < starts_ms)
        {
            let from = self.starts_ms.unwrap_or_default();
            let why = format!(
                "the contract `{name}` is not in force before {}",
                moment(from, false)
            );
            return Err(Refusal::new("starts", Code::NotStarted, why));
        }
        if view.now_ms >= self.expires_ms {
            let until = moment(self.expires_ms, true);
            let why = format!("the contract `{name}` was in force until {until}, and has expired");
            return Err(Refusal::new("expired", Code::Expired, why));
        }
        let who = view.record.principal();
        let kind = who.split_once(':').map_or(who, |(kind, _)| kind);
        if self.principals.iter().any(|one| one == who || one == kind) {
            return self.fits_task(view, name);
        }
        let shown: String = who.chars().take(80).collect();
        let why = format!(
            "the contract `{name}` is for {}, not for {shown:?}",
            self.principals.join(" and ")
        );
        Err(Refusal::new("principal", Code::Principal, why))
    }

    /// Checks that a contract for one task text is used for a task of exactly this text.
    fn fits_task(&self, view: &View<'_>, name: &ContractName) -> Result<(), Refusal> {
        let Some(text) = self.task.as_deref() else {
            return Ok(());
        };
        let has = match view.record.text() {
            Some(own) if own == text => return Ok(()),
            Some(_) => "this task has another text",
            None => "this task has no text",
        };
        let shown: String = text.chars().take(80).collect();
        let why = format!(
            "the contract `{name}` is only for the task {shown:?}, and {has}; submit the task with exactly this text, or sign a \
             contract for the other text",
        );
        Err(Refusal::new("task.text", Code::OtherTask, why))
    }
}

/// The outcome of one matching rule.
pub(crate) struct Candidate<'r> {
    pub(crate) rule: &'r Rule,
    passage: FlowAction,
    /// The arguments that the task text only negates or quotes, each with the words around it.
    doubts: Vec<(&'r str, String)>,
    /// The calls that the rule has left.
    left: u64,
    reserve: Allowance,
}

/// Decides a call whose arguments are valid.
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
        let why = format!("`{}` denies this call of `{}`", rule.id, case.context.tool);
        return Err(Refusal::by(rule, Code::Denied, why));
    }
    if let Some(rule) = those(deny, Match::Unknown).next() {
        return Err(undecidable(rule, case));
    }
    let unsure = || those(ask, Match::Unknown);
    let asked = asked(those(ask, Match::Yes), case)?;
    if let Some((rule, question)) = asked {
        // A weaker ask never replaces a spent one: only the quotas of the strictest count.
        let candidate = candidate(rule, limits, case)?;
        let whole = question::merge_questions(those(ask, Match::Yes).chain(unsure()));
        let same = |(_, whole): &(_, Question)| question::is_no_stricter(whole, &question);
        let told = matches!(&whole, Ok(Some(whole)) if same(whole));
        if let Some(unsure) = unsure().next().filter(|_| !told) {
            return Err(undecidable(unsure, case));
        }
        return Ok(permitted(
            candidate.reserved(limits, case)?,
            Some(question),
            case,
        ));
    }
    let allows = those(allow, Match::Yes);
    let outside = those(allow, Match::No).filter(|rule| rule.asks_about(&case.context));
    // What an allow permits unasked is never asked about by the `otherwise` of another.
    let permits = best(allows, limits, case).map(|best| best.map(|best| (best, None)));
    let asks = || {
        let best = best(outside, limits, case)?;
        Some(best.map(|best| {
            let reason = best.rule.outside(&case.context);
            (best, Some(Question::to_owner(reason)))
        }))
    };
    let (best, question) = match permits {
        Some(Ok(permits)) => permits,
        // The refusal of a rule that only exceeds the limits is more useful, here too.
        Some(Err(refusal)) => match asks() {
            Some(Ok(asks)) => asks,
            Some(Err(full)) if full.is_of_limit() && !refusal.is_of_limit() => return Err(full),
            Some(Err(_)) | None => return Err(refusal),
        },
        None => asks().ok_or_else(|| not_allowed(case))??,
    };
    if let Some(unsure) = unsure().next() {
        return Err(undecidable(unsure, case));
    }
    Ok(permitted(best, question, case))
}

fn asked<'r>(
    rules: impl Iterator<Item = &'r Rule>,
    case: &ValidCall<'_>,
) -> Result<Option<(&'r Rule, Question)>, Refusal> {
    question::merge_questions(rules).map_err(|(one, other)| {
        let why = format!(
            "`{}` and `{}` ask different people about this call of `{}`; let only one of them describe it",
            one.id, other.id, case.context.tool
        );
        Refusal::by(one, Code::Conflict, why)
    })
}

/// Returns the best candidate of matching allows with its allowance, or the reason that none permits the call; `None`
/// without a matching allow. The choice does not depend on the order in the file.
fn best<'r>(
    allows: impl Iterator<Item = &'r Rule>,
    limits: &Limits,
    case: &ValidCall<'_>,
) -> Option<Result<Candidate<'r>, Refusal>> {
    let mut best: Option<Result<Candidate<'r>, Refusal>> = None;
    for rule in allows {
        let candidate = candidate(rule, limits, case);
        // The refusal of a rule that only exceeds the limits is more useful than that of a spent rule.
        let has_left = candidate.is_ok();
        let candidate = candidate.and_then(|candidate| candidate.reserved(limits, case));
        best = Some(match (best, candidate) {
            (None, candidate) => candidate,
            (Some(Err(_)), candidate) if has_left => candidate,
            (Some(Ok(best)), Ok(candidate)) if candidate.is_better(&best) => Ok(candidate),
            (Some(best), _) => best,
        });
    }
    best
}

/// Returns the candidate of a matching rule.
pub(crate) fn candidate<'r>(
    rule: &'r Rule,
    limits: &Limits,
    case: &ValidCall<'_>,
) -> Result<Candidate<'r>, Refusal> {
    let reserve = charge(rule, limits, case)?;
    let view = &case.context.view;
    let mut left = u64::MAX;
    for period in Period::ALL {
        let quota = rule.quotas.of(period);
        let used = view.used(period);
        match quota.room(used.rule(&rule.id), &reserve.counts) {
            Ok(room) => left = left.min(room),
            Err(lack) => return Err(spent(rule, period, lack)),
        }
    }
    rule.fits_earlier(&case.context)?;
    let passage = flow::action(rule, case)?;
    let doubts = if rule.kind == RuleKind::Allow {
        rule.doubts(&case.context)
    } else {
        Vec::new()
    };
    let asks = !doubts.is_empty();
    Ok(Candidate {
        rule,
        doubts,
        passage: if asks {
            passage.min(FlowAction::Ask)
        } else {
            passage
        },
        left,
        reserve,
    })
}

/// Returns the allowance of the call, before it is reduced to the remaining limits.
fn charge(rule: &Rule, limits: &Limits, case: &ValidCall<'_>) -> Result<Allowance, Refusal> {
    let args = case.context.args;
    let uncounted = |name: &str| {
        let why = format!(
            "`{}` cannot tell how much this call of `{}` counts: `{name}` is missing, negative, or finer than is counted",
            rule.id, case.context.tool
        );
        Refusal::by(rule, Code::Undecidable, why)
    };
    let spend = match &rule.spend {
        Some(spend) => Some(spend.money(args).map_err(uncounted)?),
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
        output_bytes: case.tool.output_bytes_max(),
        counts: Counts {
            tokens: rule.tokens,
            bytes_out,
            outward: case.outward,
            spend,
            sums,
        },
    })
}

impl Candidate<'_> {
    /// Returns true if this rule takes the call rather than the other.
    fn is_better(&self, other: &Self) -> bool {
        let key = |candidate: &Self| {
            (
                candidate.passage,
                candidate.left,
                Reverse(candidate.rule.secrets.len()),
            )
        };
        let order = key(self).cmp(&key(other));
        order
            .then_with(|| question::same_rank(other.rule, self.rule))
            .is_gt()
    }

    /// Returns the reason why the other rule, which takes the call, is better than this one.
    pub(crate) fn behind(&self, other: &Self) -> String {
        let left = |many: u64| match many {
            u64::MAX => "any number of calls".to_owned(),
            many => counted(many, "call", "calls"),
        };
        if self.passage != other.passage {
            "needs no question, and this rule needs one".to_owned()
        } else if self.left != other.left {
            let (own, others) = (left(self.left), left(other.left));
            format!("has {others} left, and this rule {own}")
        } else if self.rule.secrets.len() == other.rule.secrets.len() {
            "is as good, and its text comes first in the alphabet".to_owned()
        } else {
            "releases fewer secrets".to_owned()
        }
    }

    /// Checks the call against the limits and reduces its allowance to the remainder.
    fn reserved(mut self, limits: &Limits, case: &ValidCall<'_>) -> Result<Self, Refusal> {
        for period in Period::ALL {
            let used = case.context.view.used(period);
            let limits = limits.of(period);
            let call = (case.context.tool, &mut self.reserve);
            let taken = limits.reserve(period, used, call);
            taken.map_err(exceeds)?;
        }
        Ok(self)
    }
}

/// Converts the chosen candidate to a permission.
fn permitted<'r>(
    candidate: Candidate<'r>,
    question: Option<Question>,
    case: &ValidCall<'_>,
) -> Permission<'r> {
    let Candidate {
        rule,
        passage,
        doubts,
        left: _,
        reserve,
    } = candidate;
    let question = match question {
        Some(question) => Some(flow::noted(question, rule, case)),
        None if passage == FlowAction::Allow => None,
        None if !doubts.is_empty() => Some(Question::to_owner(doubtful(&doubts))),
        None => Some(Question::to_owner(flow::reason(rule, case))),
    };
    Permission {
        rule,
        reserve,
        question,
        determined: flow::is_determined(rule, case),
    }
}

/// Describes values that the task text only negates or quotes.
fn doubtful(doubts: &[(&str, String)]) -> String {
    let each = doubts.iter();
    let each = each.map(|(name, words)| format!("`{name}` stands in the task only as «{words}»"));
    let each: Vec<String> = each.collect();
    format!("{}; is it meant?", each.join(", "))
}

/// Creates the refusal of a call that exceeds a limit.
fn exceeds(full: LimitExceeded) -> Refusal {
    let (check, code, why) = (full.check(), code_of(&full.kind), full.why());
    Refusal {
        exceeded: Some(Exceeded::Limit(full)),
        ..Refusal::new(&check, code, why)
    }
}

const fn code_of(kind: &LimitKind) -> Code {
    match kind {
        LimitKind::Calls | LimitKind::Tools(_) => Code::Calls,
        LimitKind::WallTime => Code::WallTime,
        LimitKind::OutputBytes => Code::OutputBytes,
        LimitKind::Tokens => Code::Tokens,
        LimitKind::BytesOut => Code::BytesOut,
        LimitKind::Messages => Code::Messages,
        LimitKind::Spend(_) => Code::Spend,
    }
}

fn undecidable(rule: &Rule, case: &ValidCall<'_>) -> Refusal {
    let why = why::undecidable(rule, &case.context, case.tool.arguments());
    Refusal::by(rule, Code::Undecidable, why)
}

fn spent(rule: &Rule, period: Period, lack: QuotaExceeded) -> Refusal {
    let code = match &lack {
        QuotaExceeded::Calls => Code::RuleCalls,
        QuotaExceeded::Sum(_) => Code::RuleSum,
        QuotaExceeded::Spend(_) => Code::RuleSpend,
    };
    let why = why::spent(rule, period, &lack);
    Refusal {
        exceeded: Some(Exceeded::Quota(period, lack)),
        ..Refusal::by(rule, code, why)
    }
}

fn not_allowed(case: &ValidCall<'_>) -> Refusal {
    let why = format!("no rule permits this call of `{}`", case.context.tool);
    Refusal::new("default", Code::NotAllowed, why)
}
