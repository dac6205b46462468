//! Changes of the rules about a tool that permit a refused call.

use std::collections::BTreeMap;

use bus_schema::RuleId;

use super::open::question as place_of;
use super::refused::{Changed, Place, Refused, Try, changed_rule};
use super::widen;
use crate::bound::kind::Inner as _;
use crate::bound::matching::{Match, lookup};
use crate::catalogue::Risk;
use crate::labels::FlowAction;
use crate::matcher::Matcher;
use crate::name::rule_id;
use crate::question;
use crate::rule::{Question, Rule, RuleKind};
use crate::toml_text::key;
use crate::verdict::{Change, Code, Fix};

impl Refused<'_> {
    /// Widens the failing bound of each rule that permits the tool and fails in one bound, ask rules
    /// first, to the value of the call.
    pub(super) fn widened(&self) -> impl Iterator<Item = Try> {
        let rules = || self.misses.iter();
        let asks = rules().filter(|(rule, _)| matches!(rule.kind, RuleKind::Ask(_)));
        let freely = self.careful().is_none();
        let allows = rules().filter(move |(rule, _)| freely && rule.kind == RuleKind::Allow);
        let context = &self.case.context;
        asks.chain(allows).filter_map(move |(rule, failing)| {
            let [argument] = failing[..] else {
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
            let old = rule.bounds.get(argument)?;
            let bound = old.widen(value, context)?;
            let open = value.map(|value| (argument, value));
            let open = open.filter(|(name, value)| self.sources.is_open(name, value));
            let place_key = format!("where.{}", key(argument));
            let place = self.written(&place_key, (bound.to_string(), old.to_string()), open)?;
            let mut changed = (*rule).clone();
            changed.bounds.insert(argument.to_owned(), bound);
            Some(changed_rule(changed, place))
        })
    }

    /// The kind of an added rule: ask for tools that have an ask already and for calls that a person has to see;
    /// otherwise allow.
    pub(super) fn kind(&self) -> RuleKind {
        let asks = self.judged.iter().map(|(rule, _)| *rule);
        let asks = asks.filter(|rule| matches!(rule.kind, RuleKind::Ask(_)));
        if let Some(strictest) = asks.min_by(|one, other| question::strictest_first(one, other)) {
            return strictest.kind.clone();
        }
        let Some(reason) = self.careful() else {
            return RuleKind::Allow;
        };
        RuleKind::Ask(Question::to_owner(reason))
    }

    /// Creates a rule for exactly this call; `None` if bounds cannot describe an argument.
    pub(super) fn added(&self, kind: RuleKind, secret: Option<FlowAction>) -> Option<Try> {
        let args = self.case.context.args;
        let declared = self.case.tool.arguments();
        // A name that the tool does not declare may be the attacker's.
        if self.sources.tainted()
            && !args
                .keys()
                .all(|name| declared.names().any(|one| one == name))
        {
            return None;
        }
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
            only: declared.others(args),
            secret,
            spend,
            moves_nothing,
            tokens,
            secrets: self.case.tool.secret().into_iter().cloned().collect(),
            ..Rule::about(rule_id(&format!("{word}.{place}")), kind, tool)
        };
        let Place { toml, open } = self.with_open_places(&rule);
        let change = Change::AddRule;
        Some((Changed::Further(rule), Fix { change, toml, open }))
    }

    /// Writes an added rule with a question in the place of each argument that has to be left open.
    fn with_open_places(&self, rule: &Rule) -> Place {
        let args = self.case.context.args.iter();
        let open: Vec<_> = args
            .filter(|(name, value)| self.sources.is_open(name, value))
            .collect();
        let mut toml = String::new();
        for line in rule.to_string().lines() {
            let at = |name: &str| format!("where.{} = ", key(name));
            let place = open.iter().find(|(name, _)| line.starts_with(&at(name)));
            toml.push_str(&place.map_or_else(
                || line.to_owned(),
                |(name, value)| {
                    let line = format!("{}{}", at(name), place_of(name, value));
                    self.sources.line(&line)
                },
            ));
            toml.push('\n');
        }
        let mut open: Vec<String> = open.iter().map(|(name, _)| (*name).clone()).collect();
        open.sort();
        Place { toml, open }
    }

    /// Creates an ask for exactly this call, with the question of the ask `id`.
    pub(super) fn asked(&self, id: &RuleId) -> Option<Try> {
        let rule = self.rule(id)?;
        match &rule.kind {
            RuleKind::Ask(_) => self.added(rule.kind.clone(), None),
            RuleKind::Allow | RuleKind::Deny => None,
        }
    }

    /// Removes the denies that match the call or are unknown.
    pub(super) fn narrowed(&self) -> Option<Try> {
        let each = self.judged.iter();
        let hit = each.filter(|(rule, found)| rule.kind == RuleKind::Deny && *found != Match::No);
        let rules: Vec<RuleId> = hit.map(|(rule, _)| rule.id.clone()).collect();
        // What a deny stops after untrusted data may be an attack.
        let attack = self.sources.any_open() && self.careful().is_some();
        let some = !rules.is_empty() && !attack;
        let change = Change::Narrow { rules };
        some.then_some((
            Changed::FewerDenies,
            Fix {
                change,
                toml: String::new(),
                open: Vec::new(),
            },
        ))
    }

    /// Changes the flow action of the rule to ask.
    pub(super) fn asked_first(&self, id: &RuleId, code: Code) -> Option<Try> {
        let mut rule = self.rule(id)?.clone();
        let (key, passage) = if code == Code::Secret {
            ("secret", &mut rule.secret)
        } else {
            ("untrusted", &mut rule.untrusted)
        };
        *passage = Some(FlowAction::Ask);
        let toml = format!("{key} = \"ask\"");
        let open = Vec::new();
        Some(changed_rule(rule, Place { toml, open }))
    }
}
