//! Changes of an agent's settings, each at one place of a JSON or TOML file, and their way back.

use std::{
    fs,
    path::{Path, PathBuf},
};

use actor::files;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::toml_text;
use crate::Error;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Format {
    Json,
    Toml,
}

/// One change of a setting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setting {
    pub(crate) file: PathBuf,
    pub(crate) format: Format,
    /// The keys that lead to the value.
    pub(crate) keys: Vec<String>,
    pub(crate) change: SettingEdit,
}

/// The change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SettingEdit {
    /// The value becomes this one.
    Set(Value),
    /// The list gets these items, as far as it lacks them.
    Add(Vec<Value>),
}

/// A change that was made, and the value before it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Changed {
    pub(crate) setting: Setting,
    before: Option<Value>,
    /// True if the file did not exist.
    created: bool,
}

impl Setting {
    pub(crate) fn json(file: &Path, keys: &[&str], change: SettingEdit) -> Self {
        Self {
            file: file.into(),
            format: Format::Json,
            keys: keys.iter().map(|key| (*key).to_owned()).collect(),
            change,
        }
    }

    /// Makes the change. A file that does not exist is created, with its folder.
    ///
    /// # Errors
    /// [`Error::Document`] for a file that is not valid or has another kind of value at a key, and the error of a file
    /// operation.
    pub(crate) fn apply(&self) -> Result<Changed, Error> {
        let text = read(&self.file)?;
        let created = text.is_none();
        let text = text.unwrap_or_default();
        let before = self.get(&text)?;
        let after = match &self.change {
            SettingEdit::Set(value) => value.clone(),
            SettingEdit::Add(items) => {
                let mut list = self.list(before.clone())?;
                for item in items {
                    if !list.contains(item) {
                        list.push(item.clone());
                    }
                }
                Value::Array(list)
            }
        };
        write(&self.file, &self.with(&text, Some(&after))?)?;
        let setting = self.clone();
        Ok(Changed {
            setting,
            before,
            created,
        })
    }

    fn list(&self, value: Option<Value>) -> Result<Vec<Value>, Error> {
        match value {
            None => Ok(Vec::new()),
            Some(Value::Array(all)) => Ok(all),
            Some(_) => Err(self.invalid(&format!("`{}` is no list", self.keys.join(".")))),
        }
    }

    fn invalid(&self, problem: &str) -> Error {
        let file = self.file.display();
        Error::Document(format!(
            "{file}: {problem}; correct it, or move the file away and try again"
        ))
    }

    fn parse(&self, text: &str) -> Result<Value, Error> {
        if text.trim().is_empty() {
            return Ok(Value::Object(Map::new()));
        }
        let parsed = match self.format {
            Format::Json => serde_json::from_str(text).map_err(|error| error.to_string()),
            Format::Toml => toml::from_str(text).map_err(|error| error.to_string()),
        };
        parsed.map_err(|problem| self.invalid(&problem))
    }

    /// The value at the keys.
    fn get(&self, text: &str) -> Result<Option<Value>, Error> {
        let whole = self.parse(text)?;
        let mut at = Some(&whole);
        for key in &self.keys {
            at = match at {
                None => None,
                Some(Value::Object(map)) => map.get(key),
                Some(_) => return Err(self.invalid(&format!("`{key}` has no table around it"))),
            };
        }
        Ok(at.cloned())
    }

    /// The text with this value at the keys, or without one.
    fn with(&self, text: &str, value: Option<&Value>) -> Result<String, Error> {
        match self.format {
            Format::Json => {
                let mut whole = self.parse(text)?;
                put(&mut whole, &self.keys, value);
                let mut text = serde_json::to_string_pretty(&whole)
                    .map_err(|error| self.invalid(&error.to_string()))?;
                text.push('\n');
                Ok(text)
            }
            Format::Toml => {
                toml_text::with(text, &self.keys, value).map_err(|problem| self.invalid(&problem))
            }
        }
    }
}

impl Changed {
    /// Puts the value back that stood there before. False: somebody has changed it since, so it stays.
    ///
    /// # Errors
    /// As [`Setting::apply`].
    pub(crate) fn undo(&self) -> Result<bool, Error> {
        let setting = &self.setting;
        let Some(text) = read(&setting.file)? else {
            return Ok(true);
        };
        let now = setting.get(&text)?;
        let back = match &setting.change {
            SettingEdit::Set(value) if now.as_ref() == Some(value) => self.before.clone(),
            SettingEdit::Set(_) => return Ok(now == self.before),
            SettingEdit::Add(items) => {
                let had = setting.list(self.before.clone())?;
                let mut list = setting.list(now)?;
                list.retain(|item| had.contains(item) || !items.contains(item));
                let is_ours = list.is_empty() && self.before.is_none();
                (!is_ours).then_some(Value::Array(list))
            }
        };
        let text = setting.with(&text, back.as_ref())?;
        let is_empty = setting.parse(&text)? == Value::Object(Map::new());
        if self.created && is_empty {
            fs::remove_file(&setting.file).map_err(Error::io("remove", &setting.file))?;
        } else {
            write(&setting.file, &text)?;
        }
        Ok(true)
    }
}

/// Puts a value at the keys, or removes it with the tables that it leaves empty.
fn put(at: &mut Value, keys: &[String], value: Option<&Value>) {
    let Some((key, rest)) = keys.split_first() else {
        return;
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let Value::Object(map) = at else {
        return;
    };
    match (rest.is_empty(), value) {
        (true, Some(value)) => drop(map.insert(key.clone(), value.clone())),
        (true, None) => drop(map.remove(key)),
        (false, _) => {
            let inner = map
                .entry(key.clone())
                .or_insert_with(|| Value::Object(Map::new()));
            put(inner, rest, value);
            if value.is_none() && inner.as_object().is_some_and(Map::is_empty) {
                map.remove(key);
            }
        }
    }
}

fn read(file: &Path) -> Result<Option<String>, Error> {
    match files::read_public(file) {
        Ok(bytes) => match String::from_utf8(bytes) {
            Ok(text) => Ok(Some(text)),
            Err(_) => Err(Error::Document(format!(
                "{}: it is not UTF-8; correct it, or move the file away and try again",
                file.display()
            ))),
        },
        Err(files::Error::Missing { .. }) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn write(file: &Path, text: &str) -> Result<(), Error> {
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder).map_err(Error::io("create the folder", folder))?;
    }
    Ok(files::replace(file, text.as_bytes())?)
}

#[cfg(test)]
#[path = "settings/tests.rs"]
mod tests;
