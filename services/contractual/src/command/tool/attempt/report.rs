//! Shows what a tool did in a trial: how it ended, what it used, what it changed, and what was refused.

use contract::Tool;
use data_encoding::BASE64;
use runner::{Added, AskedCall, Finished, Limits, Observed, Outcome, ServerTrial, Trial};
use serde::Serialize;
use serde_json::{Value, json};

use super::copy::{ChangedFile, FileChanges};
use crate::{Error, Output, command::output::text};

/// Most files that are named.
const NAMED_MAX: usize = 50;
/// The reach of a program, for one whose error says that a file was refused.
const REACH: &str = "\"Permission denied\" may be a file that the cage refuses, and the cage does not say which: a program \
                     reads /usr, /bin, /lib, /lib64, its part of the workspace and $TMPDIR; it writes $TMPDIR, and the \
                     workspace if its entry says so";
const LOST_SIGNAL: &str =
    "a real-time signal was not delivered, because a trial cannot; a real call delivers it";
const UNTRACED: &str = "not known: this machine lets no process trace another (ptrace)";

/// A tool that ran.
pub(super) enum Ended {
    /// A program, and its limits.
    Program(Trial, Limits),
    /// An MCP server that was called once, and its limits.
    Server(ServerTrial, Limits),
    /// A built-in tool: its output, or its error.
    BuiltIn(Result<Vec<u8>, String>),
}

/// A trial that has ended.
pub(super) struct Attempt<'a> {
    pub(super) tool: &'a Tool,
    pub(super) args: &'a Value,
    pub(super) ended: Ended,
    pub(super) changes: FileChanges,
    /// Entries of the folder that were not copied.
    pub(super) left_out: usize,
}

/// The report as JSON.
#[derive(Debug, Serialize)]
struct AttemptReport<'a> {
    tool: &'a str,
    arguments: &'a Value,
    succeeded: bool,
    /// The end, in words.
    outcome: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wall_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cpu_ms: Option<u64>,
    /// True if the result fits the schema of the results; null without a schema or a result.
    result_fits: Option<bool>,
    /// The system calls that the cage did not make; null if they are not known.
    refused: Option<Vec<RefusedCall>>,
    files: &'a FileChanges,
    output: ShownBytes,
    stderr: ShownBytes,
    notes: Vec<String>,
}

/// A refused system call as JSON.
#[derive(Debug, Serialize)]
struct RefusedCall {
    call: String,
    times: u64,
    /// The error that the program got; null if it was told that the call had succeeded.
    error: Option<String>,
    text: String,
}

/// Bytes as JSON; `text` is null if they are binary, `base64` if they are not.
#[derive(Debug, Serialize)]
struct ShownBytes {
    bytes: usize,
    text: Option<String>,
    base64: Option<String>,
}

impl Attempt<'_> {
    /// Prints the report.
    pub(super) fn print(&self, out: &Output) {
        let report = AttemptReport {
            tool: self.tool.name().as_str(),
            arguments: self.args,
            succeeded: self.failure().is_none(),
            outcome: self.outcome(),
            wall_ms: self.finished().map(|(finished, _)| finished.wall_ms),
            cpu_ms: self.finished().map(|(finished, _)| finished.cpu_ms),
            result_fits: self.result().map(|result| result.is_ok()),
            refused: self
                .observed()
                .map(|observed| observed.calls.iter().map(RefusedCall::of).collect()),
            files: &self.changes,
            output: ShownBytes::of(self.output()),
            stderr: ShownBytes::of(self.stderr()),
            notes: self.notes(),
        };
        out.print(&report, || self.text(&report.notes));
    }

    /// Returns an error if the tool failed, or its result does not fit.
    ///
    /// # Errors
    /// [`Error::Found`].
    pub(super) fn verdict(&self) -> Result<(), Error> {
        let name = self.tool.name();
        if let Some(failure) = self.failure() {
            return Err(Error::Found(format!("`{name}` did not succeed: {failure}")));
        }
        match self.result() {
            Some(Err(problem)) => Err(Error::Found(format!(
                "the result of `{name}` does not fit its `output_schema` {problem}; correct the program, or the schema"
            ))),
            Some(Ok(())) | None => Ok(()),
        }
    }

    /// The end of the process, and its limits; none of a built-in tool, and of a server that did not start.
    fn finished(&self) -> Option<(&Finished, &Limits)> {
        match &self.ended {
            Ended::Program(trial, limits) => Some((&trial.finished, limits)),
            Ended::Server(trial, limits) => Some((trial.finished.as_ref()?, limits)),
            Ended::BuiltIn(_) => None,
        }
    }

    fn observed(&self) -> Option<&Observed> {
        match &self.ended {
            Ended::Program(trial, _) => trial.observed.as_ref(),
            Ended::Server(trial, _) => trial.observed.as_ref(),
            Ended::BuiltIn(_) => None,
        }
    }

    fn output(&self) -> &[u8] {
        match &self.ended {
            Ended::Program(trial, _) => &trial.finished.output,
            Ended::Server(trial, _) => trial.answer.as_deref().unwrap_or_default(),
            Ended::BuiltIn(ended) => ended.as_deref().unwrap_or_default(),
        }
    }

    fn stderr(&self) -> &[u8] {
        self.finished()
            .map_or(&[], |(finished, _)| finished.diagnostics.as_slice())
    }

    /// Returns why it did not succeed.
    fn failure(&self) -> Option<String> {
        match &self.ended {
            Ended::Program(trial, limits) => failure(trial.finished.outcome, limits),
            Ended::Server(trial, _) => trial.answer.as_ref().err().cloned(),
            Ended::BuiltIn(ended) => ended.as_ref().err().cloned(),
        }
    }

    fn outcome(&self) -> String {
        let failure = self.failure();
        failure.unwrap_or_else(|| "it succeeded".to_owned())
    }

    /// Compares the result of a tool that succeeded with its schema.
    fn result(&self) -> Option<Result<(), String>> {
        if self.failure().is_some() {
            return None;
        }
        self.tool.check_output(self.output())
    }

    fn notes(&self) -> Vec<String> {
        let mut notes = Vec::new();
        let failure = self.failure().unwrap_or_default();
        let stderr = String::from_utf8_lossy(self.stderr());
        let denied = [&stderr, failure.as_str()]
            .iter()
            .any(|text| text.contains("ermission denied"));
        if denied {
            notes.push(REACH.to_owned());
        }
        if self.observed().is_some_and(|observed| observed.lost_signal) {
            notes.push(LOST_SIGNAL.to_owned());
        }
        if self.left_out > 0 {
            notes.push(format!(
                "{} links, files with several names, fifos, sockets or devices were not copied",
                self.left_out
            ));
        }
        notes
    }

    fn text(&self, notes: &[String]) -> String {
        let mut lines = vec![format!("tool      {} {}", self.tool.name(), self.args)];
        lines.push(format!("outcome   {}", self.outcome()));
        if let Some((finished, limits)) = self.finished() {
            lines.push(format!(
                "used      {} ms of {} ms; processor {} ms of {} ms; output {} of {} bytes",
                finished.wall_ms,
                limits.wall_ms,
                finished.cpu_ms,
                limits.cpu_ms_max,
                self.output().len(),
                limits.output_bytes_max
            ));
        }
        lines.push("arguments they fit `input_schema`".to_owned());
        lines.push(match self.result() {
            Some(Ok(())) => "result    it fits `output_schema`".to_owned(),
            Some(Err(problem)) => format!("result    it does not fit `output_schema` {problem}"),
            None if self.failure().is_some() => "result    none".to_owned(),
            None => "result    the entry has no `output_schema` to compare it with".to_owned(),
        });
        lines.extend(self.files());
        lines.extend(self.refused());
        lines.extend(shown("output", self.output()));
        if self.finished().is_some() {
            lines.extend(shown("stderr", self.stderr()));
        }
        lines.extend(notes.iter().map(|note| format!("note      {note}")));
        lines.join("\n")
    }

    fn files(&self) -> Vec<String> {
        let FileChanges {
            created,
            changed,
            removed,
        } = &self.changes;
        let of = |word: &'static str, files: &[ChangedFile]| -> Vec<String> {
            let lines = files.iter();
            lines
                .map(|file| format!("{word} {} ({} bytes)", file.path, file.bytes))
                .collect()
        };
        let all = [
            of("created", created),
            of("changed", changed),
            of("removed", removed),
        ]
        .concat();
        let more = all.len().saturating_sub(NAMED_MAX);
        let mut some: Vec<String> = all.into_iter().take(NAMED_MAX).collect();
        if more > 0 {
            some.push(format!("and {more} more"));
        }
        labelled("files", some, "no change")
    }

    fn refused(&self) -> Vec<String> {
        if self.finished().is_none() {
            return Vec::new();
        }
        match self.observed() {
            Some(observed) => {
                let said = observed.calls.iter().map(ToString::to_string);
                labelled("refused", said.collect(), "no system call")
            }
            None => vec![format!("refused   {UNTRACED}")],
        }
    }
}

impl RefusedCall {
    fn of(call: &AskedCall) -> Self {
        Self {
            call: call.name(),
            times: call.times,
            error: call.error(),
            text: call.to_string(),
        }
    }
}

impl ShownBytes {
    fn of(bytes: &[u8]) -> Self {
        let text = std::str::from_utf8(bytes).ok();
        Self {
            bytes: bytes.len(),
            text: text.map(str::to_owned),
            base64: text.is_none().then(|| BASE64.encode(bytes)),
        }
    }
}

/// Puts the label before the first line, and aligns the others.
fn labelled(label: &str, lines: Vec<String>, none: &str) -> Vec<String> {
    if lines.is_empty() {
        return vec![format!("{label:<9} {none}")];
    }
    let labels = std::iter::once(label).chain(std::iter::repeat(""));
    labels
        .zip(lines)
        .map(|(label, line)| format!("{label:<9} {line}"))
        .collect()
}

/// Shows bytes as text, or says why not.
fn shown(label: &str, bytes: &[u8]) -> Vec<String> {
    if bytes.is_empty() {
        return vec![format!("{label:<9} nothing")];
    }
    let size = bytes.len();
    match text(bytes) {
        Ok(text) => {
            let indented = text.lines().map(|line| format!("  {line}"));
            std::iter::once(format!("{label:<9} {size} bytes"))
                .chain(indented)
                .collect()
        }
        Err(why) => vec![format!("{label:<9} {size} bytes {why}; see `--json`")],
    }
}

/// Returns why a program did not succeed, with the limit that ended it.
fn failure(outcome: Outcome, limits: &Limits) -> Option<String> {
    let bound = |what: &str, limit: &str, value: Value| {
        Some(format!("it was ended: {what} (`{limit}`, {value})"))
    };
    match outcome {
        Outcome::Succeeded => None,
        Outcome::Failed { code } => {
            // A shell adds 128 to the signal that ended its program.
            let limit = match code {
                152 => " (a shell says so of a program that exceeded `cpu_ms_max`)",
                153 => " (a shell says so of a program that exceeded `file_bytes_max`)",
                _ => "",
            };
            Some(format!("the program ended with code {code}{limit}"))
        }
        Outcome::TimedOut => bound("it took too long", "wall_ms", json!(limits.wall_ms)),
        Outcome::OutputExceeded => bound(
            "it wrote more output than its limit",
            "output_bytes_max",
            json!(limits.output_bytes_max),
        ),
        Outcome::ProcessesExceeded => bound(
            "it had more processes than its limit",
            "processes_max",
            json!(limits.processes_max),
        ),
        Outcome::AddedExceeded(Added::Bytes) => bound(
            "the folders that it may write grew by more bytes than its limit, or it hid them",
            "added_bytes_max",
            json!(limits.added_bytes_max),
        ),
        Outcome::AddedExceeded(Added::Files) => bound(
            "the folders that it may write grew by more files than its limit",
            "added_files_max",
            json!(limits.added_files_max),
        ),
        Outcome::NoRoom => Some(
            "it was ended: the volume of the temporary folder is nearly full; free some space".to_owned(),
        ),
        Outcome::Killed { signal: 24 } => bound(
            "it used too much processor time",
            "cpu_ms_max",
            json!(limits.cpu_ms_max),
        ),
        Outcome::Killed { signal: 25 } => bound(
            "it wrote a larger file than its limit",
            "file_bytes_max",
            json!(limits.file_bytes_max),
        ),
        Outcome::Killed { signal: 31 } => Some(
            "it was ended: it made a system call of another kind of processor, which the cage does not permit".to_owned(),
        ),
        Outcome::Killed { signal } => Some(format!("the program was ended by signal {signal}")),
    }
}
