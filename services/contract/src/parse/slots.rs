//! Parses `[slots]`, the values that a person fills in with each task, and the values of a test.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

use diagnostic::nearest;
use toml::Spanned;

use super::fits::speaks_of;
use super::source::{Node, Source, Table};
use super::tools::About;
use crate::bound::Bound;
use crate::bound::kind::Inner as _;
use crate::bound::scalar;
use crate::catalogue::Catalogue;
use crate::contract::Contract;
use crate::known::KnownSets;
use crate::name::is_name;
use crate::slot::{KINDS, Slot, Slots, kind_word};
use crate::slot_rule::{SlotRule, SlotRules};
use crate::slot_values::SlotValues;
use crate::words::WordKind;

/// Maximum number of slots.
const SLOTS_MAX: usize = 32;
/// Maximum length of the word of a kind, in characters.
const KIND_CHARS_MAX: usize = 40;
const KEYS: [&str; 3] = ["kind", "is", "optional"];

/// Reads `[slots]`: the slots whose name and kind are readable, and all of them with their bounds.
pub(super) fn read<'t>(
    source: &mut Source<'t>,
    node: Option<&'t Node<'t>>,
    (catalogue, known): (&Catalogue, &KnownSets),
) -> (Slots, Option<SlotRules>) {
    let mut slots = Slots::new();
    let mut rules = Some(SlotRules::new());
    let Some(node) = node else {
        return (slots, rules);
    };
    let Some(table) = node.get_ref().as_table() else {
        let wanted = "`[slots]` with `<name> = \"email\"`, or `[slots.<name>]`";
        source.mistyped(node, "`slots`", wanted);
        return (slots, None);
    };
    if table.len() > SLOTS_MAX {
        let problem = format!("the contract has more than {SLOTS_MAX} slots");
        source.report(node.span(), problem, "remove some");
        return (slots, None);
    }
    let nothing = Slots::new();
    let about = About {
        catalogue,
        known,
        slots: &nothing,
        matched: Vec::new(),
        argument: None,
    };
    for (key, node) in table {
        let slot = slot(source, key, node).map(Arc::new);
        let is = slot.as_ref().and_then(|slot| {
            slots.insert(slot.name.clone(), Arc::clone(slot));
            let is = node.get_ref().as_table().and_then(|of| of.get("is"));
            is.map_or(Some(None), |node| {
                bound(source, node, slot, &about).map(Some)
            })
        });
        rules = rules.zip(slot.zip(is)).map(|(mut rules, (slot, is))| {
            rules.insert(slot.name.clone(), SlotRule { slot, is });
            rules
        });
    }
    (slots, rules)
}

/// Reads `name = "kind"`, or a table.
fn slot<'t>(
    source: &mut Source<'t>,
    key: &Spanned<Cow<'t, str>>,
    node: &'t Node<'t>,
) -> Option<Slot> {
    let name = key.get_ref().to_string();
    if !is_name(&name) {
        let problem = format!("{name:?} is no name for a slot");
        let fix = "use lower-case letters, digits and `-`, such as `[slots.recipient]`";
        source.report(key.span(), problem, fix);
        return None;
    }
    if node.get_ref().as_str().is_some() {
        let kind = kind(source, node)?;
        let optional = false;
        return Some(Slot {
            name,
            kind,
            optional,
        });
    }
    let of = source.table(node, "a slot", &KEYS)?;
    let kind = source
        .required(&of, "kind")
        .and_then(|node| kind(source, node));
    let optional = match of.table.get("optional") {
        Some(node) => source.boolean(node, "`optional`")?,
        None => false,
    };
    let kind = kind?;
    Some(Slot {
        name,
        kind,
        optional,
    })
}

fn kind(source: &mut Source<'_>, node: &Node<'_>) -> Option<WordKind> {
    let text = source.text(node, "`kind`", KIND_CHARS_MAX)?;
    let found = KINDS.into_iter().find(|kind| kind_word(*kind) == text);
    if found.is_none() {
        let names = KINDS.map(kind_word);
        let fix = nearest(&text, names).map_or_else(
            || format!("use one of: {}", names.join(", ")),
            |near| format!("did you mean {near:?}?"),
        );
        source.report(node.span(), format!("{text:?} is no kind of slot"), fix);
    }
    found
}

/// Reads the bound on the value of a slot.
fn bound<'t>(
    source: &mut Source<'t>,
    node: &'t Node<'t>,
    slot: &Slot,
    about: &About<'_>,
) -> Option<Bound> {
    let bound = Bound::read(source, node, 0, about)?;
    if bound.is_about_more() {
        let problem = "the bound of a slot is about its value alone";
        let fix = "write a bound such as { like = \"*@x.example\" }, and the rest in a rule";
        source.report(node.span(), problem, fix);
        return None;
    }
    if !speaks_of(&bound, slot.own_types()) {
        let types = slot.own_types().join(" or ");
        let problem = format!(
            "the slot holds {}, and the bound is for another type",
            slot.said()
        );
        source.report(node.span(), problem, format!("write a bound for {types}"));
        return None;
    }
    Some(bound)
}

/// Reports slots that no rule reads.
pub(super) fn used(source: &mut Source<'_>, of: &Table<'_>, contract: &Contract) {
    let table = of.table.get("slots");
    let Some(table) = table.and_then(|node| node.get_ref().as_table()) else {
        return;
    };
    for key in table.keys() {
        let name = key.get_ref().as_ref();
        if !contract.rules().any(|rule| rule.slots().contains(name)) {
            let problem = format!("no rule uses the slot `{name}`");
            let fix = format!(
                "bound an argument by it: where.<argument> = {{ from = {{ slot = {name:?} }} }}, or remove it"
            );
            source.report(key.span(), problem, fix);
        }
    }
}

/// Reads the slots of a test, beside those of the test that it is like.
pub(super) fn of_test<'t>(
    source: &mut Source<'t>,
    node: Option<&'t Node<'t>>,
    (contract, at_ms): (&Contract, i64),
    like: SlotValues,
) -> Option<SlotValues> {
    let mut values = like;
    let Some(node) = node else {
        return Some(values);
    };
    let Some(table) = node.get_ref().as_table() else {
        source.mistyped(node, "`slots`", "a table of `<slot> = <value>`");
        return None;
    };
    for (key, node) in table {
        let name = key.get_ref().as_ref();
        let value = scalar::read(source, node)?.value();
        if let Err(error) = contract.check_slot(name, &value, at_ms) {
            source.report(node.span(), error.problem, error.fix);
            return None;
        }
        values.insert(name, value);
    }
    Some(values)
}

/// Reports a slot that a task has to fill in, that rules about these tools read, and that a test leaves empty.
pub(super) fn needed<'n>(
    source: &mut Source<'_>,
    span: &Range<usize>,
    (contract, values): (&Contract, &SlotValues),
    tools: impl Iterator<Item = &'n str> + Clone,
) -> Option<()> {
    let mut about = contract
        .rules()
        .filter(|rule| tools.clone().any(|tool| rule.tool.matches(tool)));
    let lacking = about.find_map(|rule| {
        let read = rule.slots();
        let mut unfilled = contract.unfilled(values);
        let slot = unfilled.find(|slot| read.contains(slot.name.as_str()))?;
        Some((rule, slot))
    });
    let Some((rule, Slot { name, .. })) = lacking else {
        return Some(());
    };
    let problem = format!(
        "a task fills in the slot `{name}`, which `{}` reads, and the test does not",
        rule.id
    );
    let fix = format!("write `slots = {{ {name} = … }}` in the test");
    source.report(span.clone(), problem, fix);
    None
}
