//! The data of one rendering, and the readings of contents that several pages share.

use std::sync::Arc;

use bus_schema::{AuthorId, Content, Time};
use contract::Catalogue;
use serde_json::Value;

use crate::{
    contents::{Contents, Found},
    documents::Documents,
    record::{Record, TaskKind, TaskRecord},
};

/// Most bytes of each content in a list, from the usual number down: a page that is too long is rendered again with less.
pub(crate) const CUTS: [usize; 4] = [8 << 10, 1 << 10, 128, 0];
/// Most characters of a title that a person wrote.
const TITLE_CHARS_MAX: usize = 140;

/// The data of one rendering.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View<'a> {
    pub(crate) record: &'a Record,
    pub(crate) contents: &'a Contents,
    pub(crate) documents: &'a Documents,
    pub(crate) now: Time,
    /// The origin on which a person answers questions; none without one.
    pub(crate) signer: Option<&'a str>,
    /// Most bytes of each content that a list shows.
    pub(crate) cut: usize,
}

/// A refusal in words.
#[derive(Debug, Clone, Default)]
pub(crate) struct Why {
    /// The reason.
    pub(crate) why: String,
    /// The smallest change of the contract that would allow it.
    pub(crate) fix: Option<String>,
}

impl<'a> View<'a> {
    /// Returns true until the page turned out to be too long.
    pub(crate) const fn is_first(&self) -> bool {
        let [first, ..] = CUTS;
        self.cut == first
    }

    /// Returns the newest catalogue, if it is there.
    pub(crate) fn catalogue(&self) -> Option<Arc<Catalogue>> {
        let signed = self.record.catalogue.as_ref()?;
        match self.contents.get(AuthorId::Owner, signed.document) {
            Found::Bytes(bytes) => self.documents.catalogue(signed.document.digest(), bytes),
            Found::Erased | Found::Awaited => None,
        }
    }

    /// Returns the title of a task in the words of the person who wrote it; none if they are not there.
    pub(crate) fn title(&self, task: &TaskRecord) -> Option<String> {
        let (by, content) = task.text?;
        let text = self.contents.text(by, content)?;
        let purpose = || {
            let playbook: toml::Table = toml::from_str(text).ok()?;
            Some(playbook.get("purpose")?.as_str()?.to_owned())
        };
        let words = match task.kind {
            TaskKind::Session | TaskKind::Dialogue => Some(text.to_owned()),
            TaskKind::Playbook => purpose(),
        }?;
        let line = words.trim().lines().next().unwrap_or_default().to_owned();
        let short: String = line.chars().take(TITLE_CHARS_MAX).collect();
        match short.len() < line.len() {
            true => Some(format!("{short}…")),
            false => (!short.is_empty()).then_some(short),
        }
    }

    /// Returns the reason of a refusal, as policy wrote it.
    pub(crate) fn why(&self, why: Option<Content>) -> Option<Why> {
        let text = self.contents.text(AuthorId::Policy, why?)?;
        let text_of = |value: &Value, key: &str| Some(value.get(key)?.as_str()?.to_owned());
        match serde_json::from_str::<Value>(text) {
            Ok(value @ Value::Object(_)) => Some(Why {
                why: text_of(&value, "why").unwrap_or_default(),
                fix: text_of(&value, "fix"),
            }),
            Ok(_) | Err(_) => Some(Why {
                why: text.to_owned(),
                fix: None,
            }),
        }
    }

    /// Returns the arguments of a call by name; none if they are not there.
    pub(crate) fn arguments(&self, by: AuthorId, args: Content) -> Option<Vec<(String, Value)>> {
        let text = self.contents.text(by, args)?;
        let map = serde_json::from_str::<serde_json::Map<String, Value>>(text).ok()?;
        Some(map.into_iter().collect())
    }

    /// Returns true if `at` is on the day of now, in UTC.
    pub(crate) fn is_today(&self, at: Time) -> bool {
        const DAY_NS: i64 = 86_400_000_000_000;
        at.ns().div_euclid(DAY_NS) == self.now.ns().div_euclid(DAY_NS)
    }
}
