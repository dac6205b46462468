//! Arguments in parts: `$after` names the arguments of an earlier call, and each list of theirs comes before the own one.

use std::{collections::BTreeSet, future::Future};

use bus_schema::{AFTER, CONTENT_BYTES_MAX, Content, json};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::body;
use super::entry::HttpTool;

/// Most earlier calls whose arguments come before those of one call.
pub const PARTS_MAX: usize = 512;
/// Most bytes of the arguments of all of them.
pub const PARTS_BYTES_MAX: usize = CONTENT_BYTES_MAX;

/// The reason that arguments in parts make no whole.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PartsError {
    /// `$after` names no content.
    #[error(
        "`{AFTER}` does not have the digest and the length of arguments, as the proposal of the earlier call does; send the \
         arguments whole"
    )]
    Name,
    /// The tool takes whole arguments only.
    #[error(
        "the tool has no `$json` in its body, so that no part of its arguments can stand in earlier ones; send them whole, \
         without `{AFTER}`"
    )]
    NoList,
    /// An argument that is no list.
    #[error(
        "the argument `{0}` is no JSON list, so nothing can come before it; send the arguments whole"
    )]
    NotList(String),
    /// Too many parts.
    #[error("the arguments have more than {PARTS_MAX} parts; send them whole")]
    Many,
    /// Too many bytes.
    #[error("the parts of the arguments have more than {PARTS_BYTES_MAX} bytes; send less")]
    Large,
}

/// The reason that arguments in parts cannot be joined.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoWhole {
    /// The parts make no whole.
    #[error(transparent)]
    Parts(#[from] PartsError),
    /// An earlier part is not there.
    #[error("an earlier part of the arguments {0}")]
    Part(String),
}

/// The way from the arguments of a call back to the first of its parts.
#[derive(Debug, Clone, Copy, Default)]
pub struct PartsWalk {
    parts: usize,
    bytes: usize,
}

impl PartsWalk {
    /// Returns the content of the arguments that come before these; none if they begin here.
    ///
    /// # Errors
    /// [`PartsError::Name`], and [`PartsError::Many`] or [`PartsError::Large`] before more of them are read.
    pub fn before(&mut self, args: &Map<String, Value>) -> Result<Option<Content>, PartsError> {
        let Some(named) = args.get(AFTER) else {
            return Ok(None);
        };
        let content = Content::deserialize(named).map_err(|_| PartsError::Name)?;
        self.parts += 1;
        self.bytes += content.len() as usize;
        if self.parts > PARTS_MAX {
            return Err(PartsError::Many);
        }
        if self.bytes > PARTS_BYTES_MAX {
            return Err(PartsError::Large);
        }
        Ok(Some(content))
    }
}

impl HttpTool {
    /// The arguments that the body has as JSON alone: lists in them can be in parts.
    fn lists(&self) -> BTreeSet<&str> {
        self.body.iter().flat_map(body::jsons).collect()
    }

    /// Returns the whole arguments of a call with those that come before them, the newest first. All but lists stand in the
    /// own ones alone.
    ///
    /// # Errors
    /// [`PartsError::NoList`], [`PartsError::NotList`]
    pub fn whole(
        &self,
        own: &Map<String, Value>,
        before: &[&Map<String, Value>],
    ) -> Result<Map<String, Value>, PartsError> {
        let lists = self.lists();
        if lists.is_empty() {
            return Err(PartsError::NoList);
        }
        let mut whole = own.clone();
        whole.remove(AFTER);
        for name in lists {
            let parts = before.iter().rev().copied().chain([own]);
            let parts: Vec<&Value> = parts.filter_map(|part| part.get(name)).collect();
            if parts.is_empty() {
                continue;
            }
            let mut items = Vec::new();
            for part in parts {
                items.extend(list(part).ok_or_else(|| PartsError::NotList(name.to_owned()))?);
            }
            whole.insert(name.to_owned(), Value::Array(items).to_string().into());
        }
        Ok(whole)
    }
}

impl HttpTool {
    /// Reads the parts of a call's own arguments, the newest first, and returns the whole. `read` returns the bytes of a content
    /// of the author of all parts, none if they were erased, or a text that goes on from "an earlier part".
    ///
    /// # Errors
    /// See [`NoWhole`].
    pub async fn joined<F>(
        &self,
        own: Map<String, Value>,
        read: impl Fn(Content) -> F + Send,
    ) -> Result<Map<String, Value>, NoWhole>
    where
        F: Future<Output = Result<Option<Vec<u8>>, String>> + Send,
    {
        let (mut walk, mut before) = (PartsWalk::default(), Vec::<Map<String, Value>>::new());
        while let Some(content) = walk.before(before.last().unwrap_or(&own))? {
            let no = |why: &str| NoWhole::Part(why.to_owned());
            let bytes = read(content).await.map_err(NoWhole::Part)?;
            let bytes = bytes.ok_or_else(|| no("was erased"))?;
            let Ok(Value::Object(part)) = json::parse(&bytes, CONTENT_BYTES_MAX) else {
                return Err(no("is no JSON object"));
            };
            before.push(part);
        }
        if before.is_empty() {
            return Ok(own);
        }
        let before: Vec<&Map<String, Value>> = before.iter().collect();
        Ok(self.whole(&own, &before)?)
    }
}

/// Reads the text of a list.
fn list(text: &Value) -> Option<Vec<Value>> {
    match json::parse(text.as_str()?.as_bytes(), CONTENT_BYTES_MAX) {
        Ok(Value::Array(items)) => Some(items),
        Ok(_) | Err(_) => None,
    }
}
