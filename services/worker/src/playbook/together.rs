//! Reads which steps run together: beside one another, or repeated as a block.

use std::ops::Range;

use diagnostic::nearest;
use toml::Spanned;
use toml::de::DeTable;

use super::Step;
use super::reader::Reader;
use super::roots::{Heading, heading};

/// Most steps that run beside one another.
const BESIDE_MAX: usize = 16;
/// The keys that a step of a block may have.
const BLOCK_KEYS: &[&str] = &[
    "id",
    "tool",
    "args",
    "repeat",
    "on_refusal",
    "on_failure",
    "on_unknown",
];

/// A table of a step with its place.
type Table<'t, 'i> = (&'t DeTable<'i>, Range<usize>);

/// Reads the headers of all steps.
pub(super) fn headings(tables: &[Table<'_, '_>]) -> Vec<Heading> {
    let mut found: Vec<Heading> = Vec::with_capacity(tables.len());
    for (at, (table, _)) in tables.iter().enumerate() {
        let own = heading(table);
        let text = |key: &str| table.get(key).and_then(|value| value.get_ref().as_str());
        let before = found.last().map(|before| before.group);
        let leads = |group: &usize| found.get(*group).map(|first| first.id.as_str());
        let group =
            before.filter(|group| text("beside").is_some() && leads(group) == text("beside"));
        let first = begins(table).and_then(|id| found.iter().position(|step| step.id == id));
        let is_list = table.contains_key("repeat") && own.is_list;
        found.push(Heading {
            group: group.unwrap_or(at),
            ..own
        });
        for step in found.iter_mut().skip(first.unwrap_or(usize::MAX)) {
            step.block = step.block.or(Some(at));
            step.is_list = is_list;
        }
    }
    found
}

/// The id at the beginning of the block that a step ends.
fn begins<'t>(table: &'t DeTable<'_>) -> Option<&'t str> {
    let repeat = table.get("repeat")?.get_ref().as_table()?;
    repeat.get("from")?.get_ref().as_str()
}

impl Reader<'_> {
    /// Reads `from` of a repetition: the position of the first step of the block. `None` inside: it repeats its own step.
    pub(super) fn block(&mut self, repeat: &DeTable<'_>) -> Option<Option<u16>> {
        let Some(value) = repeat.get("from") else {
            return Some(None);
        };
        let id = self.string(value, "from")?;
        if let Some(first) = self.earlier.iter().position(|step| step.id == id) {
            let own = self.earlier.len();
            let mut block = self.earlier.iter().skip(first);
            let taken = block.find(|step| step.block != Some(own));
            if let Some(taken) = taken {
                let problem = format!("`{}` is in another block already", taken.id);
                let fix = "let the blocks follow one another";
                return self.wrong(value.span(), problem, fix);
            }
            return Some(u16::try_from(first).ok());
        }
        let known = self.earlier.iter().map(|step| step.id.as_str());
        let fix = match nearest(&id, known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => "name the first step that is repeated; this one is the last".to_owned(),
        };
        self.wrong(
            value.span(),
            format!("no earlier step has the id `{id}`"),
            fix,
        )
    }

    /// Reads `beside`: the step at the beginning of those that run at the same time.
    pub(super) fn beside(&mut self, table: &DeTable<'_>) -> Option<bool> {
        let Some(value) = table.get("beside") else {
            return Some(false);
        };
        let id = self.string(value, "beside")?;
        let before = self.earlier.last();
        let leader = before.and_then(|before| self.earlier.get(before.group));
        let Some(leader) = leader.cloned() else {
            let fix = "remove it from the first step";
            return self.wrong(value.span(), "no step comes before this one", fix);
        };
        let group = self.earlier.len() - self.later.last().map_or(0, |own| own.group);
        if leader.id == id && leader.is_wait {
            let problem = format!("`{id}` waits, and nothing runs beside a wait");
            return self.wrong(value.span(), problem, "move this step before it");
        }
        if leader.id == id && group >= BESIDE_MAX {
            let problem = format!("more than {BESIDE_MAX} steps run beside one another");
            return self.wrong(value.span(), problem, "let some of them follow");
        }
        if leader.id == id {
            return Some(true);
        }
        let known = self.earlier.iter().map(|step| step.id.as_str());
        let problem = format!("this step does not follow the steps beside `{id}`");
        let fix = match nearest(&id, known) {
            Some(near) if near != id => format!("did you mean `{near}`?"),
            Some(_) | None => format!("write `beside = \"{}\"`, or move this step", leader.id),
        };
        self.wrong(value.span(), problem, fix)
    }

    /// Notes what steps that run together cannot have, and tells them their block.
    pub(super) fn together(&mut self, steps: &mut [Step], tables: &[Table<'_, '_>]) {
        let headings = self.earlier.clone();
        for (at, heading) in headings.iter().enumerate() {
            let Some((table, span)) = tables.get(at) else {
                continue;
            };
            if let Some(last) = heading.block {
                let first = headings.iter().position(|one| one.block == Some(last));
                let places = (u16::try_from(first.unwrap_or(at)), u16::try_from(last));
                if let (Some(step), (Ok(first), Ok(last))) = (steps.get_mut(at), places) {
                    step.block = Some((first, last));
                }
                self.in_block(table, span, at == last);
            }
            let group: Vec<_> = headings
                .iter()
                .filter(|one| one.group == heading.group)
                .collect();
            if group.len() > 1 {
                self.in_group((table, span), heading, &group);
                let last = heading.group + group.len() - 1;
                let branches = steps.get(at).map_or(&[][..], Step::branches);
                if branches.iter().any(|branch| usize::from(*branch) <= last) {
                    let place = table.get("otherwise").map_or(span.clone(), Spanned::span);
                    let problem = "a step under `otherwise` runs beside this one";
                    self.wrong::<()>(place, problem, "name a step that comes after them");
                }
            }
        }
    }

    fn in_block(&mut self, table: &DeTable<'_>, span: &Range<usize>, is_last: bool) {
        for key in table.keys() {
            let name = key.get_ref().as_ref();
            if BLOCK_KEYS.contains(&name) && (name != "repeat" || is_last) {
                continue;
            }
            let problem = format!("a step of a block has no `{name}`");
            let fix = "remove it, or begin the block after this step";
            self.wrong::<()>(key.span(), problem, fix);
        }
        if !table.contains_key("tool") {
            let fix = "use `pause` of the repetition";
            self.wrong::<()>(span.clone(), "a step of a block has a tool", fix);
        }
    }

    fn in_group(
        &mut self,
        (table, span): (&DeTable<'_>, &Range<usize>),
        heading: &Heading,
        group: &[&Heading],
    ) {
        let repeat = table.get("repeat");
        let pause = repeat.and_then(|repeat| repeat.get_ref().as_table()?.get("pause"));
        if let Some(pause) = pause {
            let problem = "a repetition with a pause runs beside no other step";
            self.wrong::<()>(pause.span(), problem, "remove `pause`, or `beside`");
        }
        if heading.block.is_some() || group.iter().any(|one| one.block.is_some()) {
            let problem = "a step of a block runs beside no other step";
            self.wrong::<()>(span.clone(), problem, "remove `beside`");
        }
    }
}
