//! Finds the smallest change of a contract that permits a refused call, and verifies
//! it by deciding again.

mod widen;

use std::collections::BTreeMap;

use bus_schema::RuleId;
use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::Offset;

use crate::bound::kind::Inner as _;
use crate::bound::matching::{Match, lookup};
use crate::catalogue::Risk;
use crate::combine::{RuleMatches, ValidCall, combine};
use crate::contract::{Contract, Header};
use crate::labels::FlowAction;
use crate::limits::{CALL_OUTPUT_BYTES_MAX, CALL_WALL_MS_MAX, LimitExceeded, LimitKind};
use crate::matcher::Matcher;
use crate::name::{is_principal, rule_id};
use crate::question;
use crate::quota::{Quota, QuotaExceeded, moneys};
use crate::rule::{Question, Rule, RuleKind};
use crate::toml_text::{key, quoted, quoted_list};
use crate::usage::Period;
use crate::verdict::{Change, Code, Exceeded, Fix, Refusal};

/// Maximum length of a change, in bytes; longer ones are not readable.
const FIX_BYTES_MAX: usize = 4096;

/// A candidate change of a contract.
enum Changed {
    /// Replaces the rule of the same id.
    Rule(Rule),
    /// Adds a rule.
    Further(Rule),
    /// Removes the denies that match or are unknown.
    FewerDenies,
    Header(Header),
}

type Try = (Changed, Fix);

/// The call that was refused.
struct Refused<'a> {
    contract: &'a Contract,
    judged: &'a RuleMatches<'a>,
    case: &'a ValidCall<'a>,
}

/// Finds the first change, smallest first, that permits the call.
pub(crate) fn find(
    contract: &Contract,
    judged: &RuleMatches<'_>,
    case: &ValidCall<'_>,
    refusal: &Refusal,
) -> Option<Fix> {
    let call = Refused {
        contract,
        judged,
        case,
    };
    let permits = |tried: Try| call.permits(tried);
    match refusal.code {
        Code::NotAllowed => {
            let found = call.widened().find_map(permits);
            let added = |secret| call.added(call.kind(), secret).and_then(permits);
            found
                .or_else(|| added(None))
                .or_else(|| added(Some(FlowAction::Ask)))
        }
        Code::Denied => call.narrowed().and_then(permits),
        Code::Undecidable => {
            let narrowed = call.narrowed().and_then(permits);
            narrowed.or_else(|| call.asked(&refusal.rule).and_then(permits))
        }
        Code::RuleCalls
        | Code::RuleSum
        | Code::RuleSpend
        | Code::Calls
        | Code::WallTime
        | Code::OutputBytes
        | Code::Tokens
        | Code::Spend
        | Code::BytesOut
        | Code::Messages
        | Code::Secret
        | Code::Untrusted => match refusal.exceeded.as_ref()? {
            Exceeded::Quota(period, lack) => {
                call.more(&refusal.rule, *period, lack).and_then(permits)
            }
            Exceeded::Limit(full) => call.raised(full).and_then(permits),
            Exceeded::Flow(rule) => call.asked_first(rule, refusal.code).and_then(permits),
        },
        Code::Expired => call.extended().and_then(permits),
        Code::NotStarted => call.begun().and_then(permits),
        Code::Principal => call.also_for().and_then(permits),
        Code::OtherTask | Code::UnknownTool | Code::Arguments | Code::Schema | Code::Conflict => {
            None
        }
    }
}

impl<'a> Refused<'a> {
    /// Decides again with the change. It reuses the matches of the other rules, which the change does not affect.
    fn permits(&self, (changed, fix): Try) -> Option<Fix> {
        let (contract, case) = (self.contract, self.case);
        let judge = |rule: &Rule| rule.judge(&case.context);
        let with = |head: &Header, judged: &RuleMatches<'_>| {
            head.open(&case.context.view, &contract.name).is_ok()
                && combine(&head.limits, judged, case).is_ok()
        };
        let found = fix.toml.len() <= FIX_BYTES_MAX
            && match &changed {
                Changed::Rule(rule) => {
                    let each = self.judged.iter();
                    let judged = each.map(|(own, found)| {
                        if own.id == rule.id {
                            (rule, judge(rule))
                        } else {
                            (*own, *found)
                        }
                    });
                    with(&contract.head, &judged.collect())
                }
                Changed::Further(rule) => {
                    let mut judged: RuleMatches<'_> = self.judged.clone();
                    judged.push((rule, judge(rule)));
                    with(&contract.head, &judged)
                }
                Changed::FewerDenies => {
                    let each = self
                        .judged
                        .iter()
                        .filter(|(rule, found)| rule.kind != RuleKind::Deny || *found == Match::No);
                    with(&contract.head, &each.copied().collect())
                }
                Changed::Header(head) => with(head, self.judged),
            };
        found.then_some(fix)
    }

    fn rule(&self, id: &RuleId) -> Option<&'a Rule> {
        let found = self.judged.iter().find(|(rule, _)| rule.id == *id);
        found.map(|(rule, _)| *rule)
    }

    /// Widens the failing bound of each rule that permits the tool and fails in one bound, ask rules
    /// first, to the value of the call.
    fn widened(&self) -> impl Iterator<Item = Try> {
        let rules = || self.judged.iter().map(|(rule, _)| *rule);
        let asks = rules().filter(|rule| matches!(rule.kind, RuleKind::Ask(_)));
        let allows = rules().filter(|rule| rule.kind == RuleKind::Allow);
        let context = &self.case.context;
        asks.chain(allows).filter_map(move |rule| {
            let [argument] = rule.failing(context)[..] else {
                return None;
            };
            if !rule.rest_holds(context) {
                return None;
            }
            let value = lookup(context.args, argument);
            let absent = value.is_none_or(serde_json::Value::is_null);
            // If the argument is optional, no bound of the rule restricts some calls.
            if absent && !rule.bounds_all(context) {
                return None;
            }
            let bound = rule.bounds.get(argument)?.widen(value, context)?;
            let toml = format!("where.{} = {bound}", key(argument));
            let mut changed = rule.clone();
            changed.bounds.insert(argument.to_owned(), bound);
            Some(changed_rule(changed, toml))
        })
    }

    /// The kind of an added rule: ask for outward calls, for tools of high risk, and for tools that have an ask
    /// already; otherwise allow.
    fn kind(&self) -> RuleKind {
        let asks = self.judged.iter().map(|(rule, _)| *rule);
        let asks = asks.filter(|rule| matches!(rule.kind, RuleKind::Ask(_)));
        if let Some(strictest) = asks.min_by(|one, other| question::strictest_first(one, other)) {
            return strictest.kind.clone();
        }
        let case = self.case;
        let reason = if case.outward {
            "this call lets something leave"
        } else if case.tool.risk() == Some(Risk::High) {
            "this call cannot be undone, or moves money"
        } else {
            return RuleKind::Allow;
        };
        RuleKind::Ask(Question::to_owner(reason))
    }

    /// Creates a rule for exactly this call; `None` if bounds cannot describe an argument.
    fn added(&self, kind: RuleKind, secret: Option<FlowAction>) -> Option<Try> {
        let args = self.case.context.args;
        let each = args.iter();
        let bounds: Option<BTreeMap<_, _>> = each
            .map(|(name, value)| Some((name.clone(), widen::exactly(value)?)))
            .collect();
        // All rules about one tool must agree on tokens and spend.
        let about = || self.judged.iter().map(|(rule, _)| *rule);
        let limits = &self.contract.head.limits;
        let tokens = about().map(|rule| rule.tokens).max().unwrap_or_default();
        let spend = about().find_map(|rule| rule.spend.clone());
        let said = spend.is_some() || about().any(|rule| rule.moves_nothing);
        let counts = limits.count_money() && self.case.tool.may_move_money() && !said;
        if (limits.count_tokens() && tokens == 0)
            || (counts && self.case.tool.risk() == Some(Risk::High))
        {
            return None;
        }
        let moves_nothing = spend.is_none() && (said || counts);
        let word = kind.word();
        let same = self.contract.rules();
        let place = same.filter(|rule| rule.kind.word() == word).count() + 1;
        let tool = Matcher::Exact(self.case.context.tool.to_owned());
        let rule = Rule {
            bounds: bounds?,
            only: self.case.tool.arguments().others(args),
            secret,
            spend,
            moves_nothing,
            tokens,
            ..Rule::about(rule_id(&format!("{word}.{place}")), kind, tool)
        };
        let toml = rule.to_string();
        let change = Change::AddRule;
        Some((Changed::Further(rule), Fix { change, toml }))
    }

    /// Creates an ask for exactly this call, with the question of the ask `id`.
    fn asked(&self, id: &RuleId) -> Option<Try> {
        let rule = self.rule(id)?;
        match &rule.kind {
            RuleKind::Ask(_) => self.added(rule.kind.clone(), None),
            RuleKind::Allow | RuleKind::Deny => None,
        }
    }

    /// Removes the denies that match the call or are unknown.
    fn narrowed(&self) -> Option<Try> {
        let each = self.judged.iter();
        let hit = each.filter(|(rule, found)| rule.kind == RuleKind::Deny && *found != Match::No);
        let rules: Vec<RuleId> = hit.map(|(rule, _)| rule.id.clone()).collect();
        let some = !rules.is_empty();
        let change = Change::Narrow { rules };
        let toml = String::new();
        some.then_some((Changed::FewerDenies, Fix { change, toml }))
    }

    /// Raises the quota of the rule by the amount that this call needs.
    fn more(&self, id: &RuleId, period: Period, lack: &QuotaExceeded) -> Option<Try> {
        let mut rule = self.rule(id)?.clone();
        let view = &self.case.context.view;
        let used = view.used(period);
        let used = used.rule(id).cloned().unwrap_or_default();
        let args = self.case.context.args;
        let quota = rule.quotas.of_mut(period);
        match lack {
            QuotaExceeded::Calls => quota.calls = Some(used.calls.checked_add(1)?),
            QuotaExceeded::Sum(name) => {
                let amount = lookup(args, name.as_str()).and_then(crate::money::ten_thousandths)?;
                let so_far = used.sums.get(name).copied().unwrap_or_default();
                quota.sums.insert(name.clone(), so_far.checked_add(amount)?);
            }
            QuotaExceeded::Spend(currency) => {
                let money = rule.spend.as_ref()?.money(args)?;
                let so_far = used.spend.get(currency).copied().unwrap_or_default();
                quota
                    .spend
                    .insert(*currency, so_far.checked_add(money.minor)?);
            }
        }
        let quota = rule.quotas.of(period);
        let toml = match (period, lack) {
            (Period::Task, QuotaExceeded::Calls) => format!("calls = {}", quota.calls?),
            (Period::Task, QuotaExceeded::Sum(_) | QuotaExceeded::Spend(_)) => {
                let calls = None;
                format!(
                    "per_task = {}",
                    Quota {
                        calls,
                        ..quota.clone()
                    }
                )
            }
            (period, _) => format!("per_{} = {quota}", period.word()),
        };
        Some(changed_rule(rule, toml))
    }

    /// Changes the flow action of the rule to ask.
    fn asked_first(&self, id: &RuleId, code: Code) -> Option<Try> {
        let mut rule = self.rule(id)?.clone();
        let (key, passage) = if code == Code::Secret {
            ("secret", &mut rule.secret)
        } else {
            ("untrusted", &mut rule.untrusted)
        };
        *passage = Some(FlowAction::Ask);
        Some(changed_rule(rule, format!("{key} = \"ask\"")))
    }

    /// Raises one limit by the amount that this call needs.
    fn raised(&self, full: &LimitExceeded) -> Option<Try> {
        let mut head = self.contract.head.clone();
        let needed = match full.kind {
            LimitKind::WallTime => CALL_WALL_MS_MAX,
            LimitKind::OutputBytes => CALL_OUTPUT_BYTES_MAX,
            LimitKind::Calls
            | LimitKind::Tokens
            | LimitKind::BytesOut
            | LimitKind::Messages
            | LimitKind::Spend(_) => full.needed,
        };
        let mut limit = full.used.checked_add(needed)?;
        if full.kind == LimitKind::WallTime {
            limit = limit.div_ceil(1000).checked_mul(1000)?;
        }
        let caps = head.limits.of_mut(full.period);
        caps.set(full.kind, limit);
        let key = full.kind.key();
        let toml = match full.kind {
            LimitKind::WallTime => format!("{key} = \"{}s\"", limit / 1000),
            LimitKind::Spend(_) => format!("{key} = {}", moneys(&caps.spend)),
            LimitKind::Calls
            | LimitKind::OutputBytes
            | LimitKind::Tokens
            | LimitKind::BytesOut
            | LimitKind::Messages => {
                format!("{key} = {limit}")
            }
        };
        let change = Change::RaiseLimit {
            period: full.period,
        };
        Some((Changed::Header(head), Fix { change, toml }))
    }

    /// Extends the contract to the end of the day.
    fn extended(&self) -> Option<Try> {
        let now = Timestamp::from_millisecond(self.case.context.view.now_ms).ok()?;
        let date = Offset::UTC.to_datetime(now).date();
        let midnight = date.tomorrow().ok()?.to_datetime(Time::midnight());
        let end = Offset::UTC.to_timestamp(midnight).ok()?;
        let expires_ms = end.as_millisecond();
        let head = Header {
            expires_ms,
            ..self.contract.head.clone()
        };
        Some(changed_head(head, format!("expires = {date}")))
    }

    /// Starts the contract at the start of the day.
    fn begun(&self) -> Option<Try> {
        let now = Timestamp::from_millisecond(self.case.context.view.now_ms).ok()?;
        let date = Offset::UTC.to_datetime(now).date();
        let start = Offset::UTC
            .to_timestamp(date.to_datetime(Time::midnight()))
            .ok()?;
        let head = Header {
            starts_ms: Some(start.as_millisecond()),
            ..self.contract.head.clone()
        };
        Some(changed_head(head, format!("starts = {date}")))
    }

    /// Adds this principal to the contract.
    fn also_for(&self) -> Option<Try> {
        let who = self.case.context.view.record.principal();
        let who = who
            .split_once(':')
            .filter(|(kind, _)| *kind == "session")
            .map_or(who, |(kind, _)| kind);
        if !is_principal(who) {
            return None;
        }
        let mut head = self.contract.head.clone();
        head.principals.push(who.to_owned());
        let toml = match head.principals.as_slice() {
            [one] => format!("principal = {}", quoted(one)),
            several => format!("principal = {}", quoted_list(several)),
        };
        Some(changed_head(head, toml))
    }
}

fn changed_rule(rule: Rule, toml: String) -> Try {
    let change = Change::ChangeRule {
        rule: rule.id.clone(),
    };
    (Changed::Rule(rule), Fix { change, toml })
}

fn changed_head(head: Header, toml: String) -> Try {
    let change = Change::ChangeHead;
    (Changed::Header(head), Fix { change, toml })
}
