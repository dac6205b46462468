//! Writes the next version of a contract with a change that permits a refused call.

use contract::{Change, Fix, Period};
use toml_edit::{DocumentMut, Item, Table, value};

/// The next version of a contract.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Amended {
    pub(crate) text: String,
    /// The rest that a person has to write; none if nothing is left open.
    pub(crate) to_do: Option<String>,
}

/// Applies a change to the text of a contract, and raises its version. What cannot be written without a person stays to do.
pub(crate) fn amended(text: &str, fix: &Fix) -> Option<Amended> {
    let mut document: DocumentMut = text.parse().ok()?;
    let version = document.get_mut("version")?;
    *version = value(version.as_integer()?.checked_add(1)?);
    let snippet: Option<DocumentMut> = fix.toml().parse().ok();
    let applied = match (fix.change(), &snippet) {
        (Change::AddRule, _) => {
            let text = format!(
                "{}\n{}\n",
                document.to_string().trim_end(),
                fix.toml().trim_end()
            );
            let to_do = open(fix);
            return Some(Amended { text, to_do });
        }
        (_, None) | (Change::Narrow { .. }, _) => false,
        (Change::ChangeRule { rule }, Some(snippet)) => rule_of(&mut document, rule.as_str())
            .map(|of| merge(of, snippet))
            .is_some(),
        (Change::ChangeHead, Some(snippet)) => {
            merge(document.as_table_mut(), snippet);
            true
        }
        (Change::RaiseLimit { period }, Some(snippet)) => limits(&mut document, *period)
            .map(|of| merge(of, snippet))
            .is_some(),
    };
    let to_do = if applied {
        open(fix)
    } else {
        Some(fix.to_string())
    };
    let text = document.to_string();
    Some(Amended { text, to_do })
}

/// The places that a person has to fill.
fn open(fix: &Fix) -> Option<String> {
    let names: Vec<String> = fix.open().iter().map(|name| format!("`{name}`")).collect();
    (!names.is_empty()).then(|| {
        let names = names.join(", ");
        format!("write the value of {names}: no word of yours and no trusted result names it")
    })
}

/// Puts the lines of a snippet into a table.
fn merge(into: &mut Table, from: &Table) {
    for (key, item) in from {
        let both = into
            .get_mut(key)
            .and_then(Item::as_table_mut)
            .zip(item.as_table());
        match both {
            Some((into, from)) => merge(into, from),
            None => {
                into.insert(key, item.clone());
            }
        }
    }
}

/// The table of a rule, by its name or by its kind and place.
fn rule_of<'d>(document: &'d mut DocumentMut, rule: &str) -> Option<&'d mut Table> {
    for kind in ["allow", "ask", "deny"] {
        let tables = document.get(kind).and_then(Item::as_array_of_tables);
        let Some(tables) = tables else {
            continue;
        };
        let is_it = |(place, table): &(usize, &Table)| match table.get("name") {
            Some(name) => name.as_str() == Some(rule),
            None => rule == format!("{kind}.{}", place + 1),
        };
        let place = tables
            .iter()
            .enumerate()
            .find(is_it)
            .map(|(place, _)| place);
        if let Some(place) = place {
            let tables = document.get_mut(kind)?.as_array_of_tables_mut()?;
            return tables.get_mut(place);
        }
    }
    None
}

/// The table of the limits of a period.
fn limits(document: &mut DocumentMut, period: Period) -> Option<&mut Table> {
    let limits = document.get_mut("limits")?.as_table_mut()?;
    match period {
        Period::Task => Some(limits),
        Period::Hour | Period::Day | Period::Contract => {
            limits.get_mut(period.word())?.as_table_mut()
        }
    }
}
