//! `csv.query`: the rows of a CSV file in which columns have given values.

use std::collections::{BTreeMap, BTreeSet};

use csv::{ReaderBuilder, StringRecord};
use diagnostic::escaped;
use serde::{Deserialize, Serialize};

use crate::file_error::FileError;
use crate::path::WorkspacePath;
use crate::workspace::Workspace;

/// Largest file that is read, in bytes.
const FILE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Most rows that one query returns.
const ROWS_MAX: usize = 10_000;
/// Rows that are returned if nothing is said.
const ROWS: usize = 1_000;
/// Most bytes of names and values that one query returns.
const TEXT_BYTES_MAX: usize = 1024 * 1024;
/// Most columns.
const COLUMNS_MAX: usize = 1_000;
/// Most characters that an error shows of a file.
const SHOWN_CHARS_MAX: usize = 200;

/// Arguments of `csv.query`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableArgs {
    /// The file; its first row has the names of the columns.
    pub path: WorkspacePath,
    /// The columns of the result; all if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<String>>,
    /// The values that a row must have, by column; compared as texts.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub equals: BTreeMap<String, String>,
    /// Most rows of the result, at most 10,000; 1,000 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rows_max: Option<usize>,
    /// One ASCII character between two values; a comma if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub separator: Option<char>,
}

/// Output of `csv.query`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// The names of all columns of the file.
    pub columns: Vec<String>,
    /// The rows, as values by column.
    pub rows: Vec<BTreeMap<String, String>>,
    /// The number of rows that have the values, also of those beyond the bounds of the result.
    pub matched: usize,
}

impl Workspace {
    /// Reads rows out of a CSV file (RFC 4180) in UTF-8.
    ///
    /// # Errors
    /// As [`Workspace::read`]; rows of different lengths, a column twice, a column that the file lacks.
    pub fn query_table(&self, args: &TableArgs) -> Result<Table, FileError> {
        let unfit = |problem: String, fix| FileError::unfit(&args.path, problem, fix);
        let rows_max = args.rows_max.unwrap_or(ROWS);
        if rows_max > ROWS_MAX {
            return Err(FileError::TooLarge {
                what: "`rows_max`",
                max: ROWS_MAX,
            });
        }
        let separator = args.separator.unwrap_or(',');
        let separator = u8::try_from(separator).ok().filter(|byte| {
            byte.is_ascii() && !byte.is_ascii_alphanumeric() && !b"\"\r\n".contains(byte)
        });
        let separator = separator.ok_or_else(|| {
            let fix = "write one character such as `;` or a tab";
            unfit("was not read, because `separator` is none".to_owned(), fix)
        })?;
        self.is_in_place()?;
        let (bytes, _) = self.bytes(&args.path, FILE_BYTES_MAX)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let mut reader = ReaderBuilder::new().delimiter(separator).from_reader(bytes);
        let wrong = |error: csv::Error| {
            let fix = "correct the file, or name its `separator`";
            unfit(format!("is no table ({})", shown(&error.to_string())), fix)
        };
        let names = reader.headers().map_err(wrong)?.clone();
        let columns = Columns::of(&names, args).map_err(|problem| {
            unfit(
                problem,
                "name columns of its first row, each of them once there",
            )
        })?;
        let (mut rows, mut matched, mut left) = (Vec::new(), 0, TEXT_BYTES_MAX);
        let mut is_full = false;
        for row in reader.records() {
            let row = row.map_err(wrong)?;
            if !columns.fit(&row) {
                continue;
            }
            matched += 1;
            let (row, bytes) = columns.select(&row);
            is_full |= rows.len() >= rows_max || bytes > left;
            if !is_full {
                left -= bytes;
                rows.push(row);
            }
        }
        Ok(Table {
            columns: names.iter().map(str::to_owned).collect(),
            rows,
            matched,
        })
    }
}

/// The places of the named columns.
struct Columns<'a> {
    selected: Vec<(usize, &'a str)>,
    wanted: Vec<(usize, &'a str)>,
}

impl<'a> Columns<'a> {
    /// Finds the columns in the first row; the error says what is wrong with it.
    fn of(names: &'a StringRecord, args: &'a TableArgs) -> Result<Self, String> {
        if names.len() > COLUMNS_MAX {
            return Err(format!("has more than {COLUMNS_MAX} columns"));
        }
        let mut places = BTreeMap::new();
        let mut twice = BTreeSet::new();
        for (place, name) in names.iter().enumerate() {
            if places.insert(name, place).is_some() {
                twice.insert(name);
            }
        }
        let place = |name: &'a str| match places.get(name) {
            Some(_) if twice.contains(name) => {
                Err(format!("has several columns `{}`", shown(name)))
            }
            Some(place) => Ok(*place),
            None => {
                let all = names.iter().collect::<Vec<_>>().join(", ");
                Err(format!(
                    "has no column `{}`, but {}",
                    shown(name),
                    shown(&all)
                ))
            }
        };
        let select = |name: &'a str| place(name).map(|place| (place, name));
        let selected: Result<Vec<_>, String> = match &args.columns {
            Some(selected) => selected.iter().map(|name| select(name)).collect(),
            None => names.iter().map(select).collect(),
        };
        let wanted = args.equals.iter();
        let wanted = wanted.map(|(name, value)| Ok((place(name)?, value.as_str())));
        let wanted: Result<Vec<_>, String> = wanted.collect();
        Ok(Self {
            selected: selected?,
            wanted: wanted?,
        })
    }

    /// Returns true if the row has the wanted values.
    fn fit(&self, row: &StringRecord) -> bool {
        let mut wanted = self.wanted.iter();
        wanted.all(|(place, value)| row.get(*place) == Some(*value))
    }

    /// Returns the selected values and their size with their names.
    fn select(&self, row: &StringRecord) -> (BTreeMap<String, String>, usize) {
        let (mut values, mut bytes) = (BTreeMap::new(), 0);
        for (place, name) in &self.selected {
            let value = row.get(*place).unwrap_or_default();
            bytes += name.len() + value.len();
            values.insert((*name).to_owned(), value.to_owned());
        }
        (values, bytes)
    }
}

/// Returns the beginning of a text of a file on one line.
fn shown(text: &str) -> String {
    let text: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    escaped(&text)
}
