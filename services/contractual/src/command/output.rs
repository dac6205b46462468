//! `output`: prints the answer of an action, or the body of its request, checked against the verified record.

mod download;
mod file;

use std::{
    io::{self, IsTerminal as _, Write as _},
    path::{Path, PathBuf},
};

use bus_schema::{ActionId, ActionOutcome, Content, TaskId, ToolName};
use clap::Args;
use data_encoding::BASE64;
use deployment::Deployment;
use diagnostic::escaped_lines;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    Error, Output,
    ids::IdPrefix,
    recorded::{RecordedAction, RecordedTask},
    sent,
};

/// Most bytes that are shown on a terminal.
const SHOWN_BYTES_MAX: usize = 64 << 10;

/// `output …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual output 01997c2e 3 --file report.pdf\n\n\
    A terminal shows text with its control characters escaped; a pipe or a file gets the exact bytes.\n\n\
    Exit codes: 0 shown · 1 there is no output, or it cannot be shown here · 64 STEP names nothing"
)]
pub(crate) struct Arguments {
    /// The task's id or its first characters, from `contractual task list`.
    task: IdPrefix,
    /// The action: its number, the first characters of its id, or the name of its step or tool if only one action has
    /// it. Without it, the actions are listed.
    step: Option<String>,
    /// Print only what a failed program wrote to its standard error.
    #[arg(long, requires = "step")]
    stderr: bool,
    /// Print the body of the request that was sent to a host, byte for byte: it is built again from the record, and the outcome
    /// proves it.
    #[arg(long, requires = "step", conflicts_with_all = ["stderr", "download"])]
    sent: bool,
    /// Write the exact bytes into a new file, such as report.pdf.
    #[arg(long, value_name = "FILE", requires = "step")]
    file: Option<PathBuf>,
    /// Write the file that the action downloaded into a new file, such as report.pdf.
    #[arg(long, value_name = "FILE", requires = "step", conflicts_with_all = ["stderr", "file"])]
    download: Option<PathBuf>,
}

/// An action in one line.
#[derive(Debug, Serialize)]
struct Listed<'a> {
    number: usize,
    action: ActionId,
    step: &'a str,
    tool: &'a ToolName,
    state: &'static str,
    /// Size of the output.
    bytes: Option<u32>,
}

/// An output as JSON; `text` is null if it is binary, `base64` if it is not.
#[derive(Debug, Serialize)]
struct Printed<'a> {
    task: TaskId,
    number: usize,
    action: ActionId,
    step: &'a str,
    tool: &'a ToolName,
    outcome: ActionOutcome,
    /// `output`, `stderr` or `sent`.
    part: &'static str,
    bytes: usize,
    text: Option<&'a str>,
    base64: Option<String>,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let bus = deployment.bus().await?;
        let found = RecordedTask::read(deployment, &bus, &self.task).await?;
        let Some(step) = &self.step else {
            list(&found, out);
            return Ok(());
        };
        let (number, action) = found.select(step)?;
        let about = format!("action {number} ({}: {})", action.step, action.tool);
        let (outcome, output) = action
            .state
            .ended()
            .map_err(|why| Error::Refused(format!("{about} has no output: {why}")))?;
        let (part, bytes) = if self.sent {
            let body = Box::pin(sent::body(deployment, &bus, action, &output)).await;
            ("sent", body?)
        } else {
            let bytes = bus.get(action.executor, &output).await?;
            let bytes = bytes.ok_or_else(|| not_stored(&about, &output))?;
            if let Some(file) = &self.download {
                let none = format!("{about} downloaded no file; leave out `--download`");
                let named = download::named(&bytes).ok_or(Error::Refused(none))?;
                return download::write((&bus, action.executor), &named, file, out).await;
            }
            self.part(outcome, bytes)
                .map_err(|why| Error::Refused(format!("{about}: {why}")))?
        };
        if let Some(file) = &self.file {
            return write(file, &bytes, out);
        }
        if out.json() {
            let printed = printed(found.task, number, action, outcome, part, &bytes);
            out.print(&printed, String::new);
            return Ok(());
        }
        if !io::stdout().is_terminal() {
            out.bytes(&bytes);
            return Ok(());
        }
        let text = text(&bytes).map_err(|what| {
            Error::Refused(format!(
                "the {part} of {about} is not shown here: it has {} bytes {what}; write it with `--file FILE`",
                bytes.len()
            ))
        })?;
        out.line(&text);
        Ok(())
    }

    /// Returns the part of an output that is wanted, with its name.
    fn part(
        &self,
        outcome: ActionOutcome,
        output: Vec<u8>,
    ) -> Result<(&'static str, Vec<u8>), &'static str> {
        Ok(match self.stderr {
            true => ("stderr", stderr(outcome, &output)?),
            false => ("output", output),
        })
    }
}

fn not_stored(about: &str, output: &Content) -> Error {
    Error::Refused(format!(
        "the output of {about} is not stored any more, or the stored bytes are not those that the executor signed: {} bytes, \
         digest {}; the record still proves that digest",
        output.len(),
        output.digest()
    ))
}

/// Prints the actions of a task with their numbers.
fn list(found: &RecordedTask, out: &Output) {
    let actions: Vec<_> = (1..).zip(&found.actions).map(Listed::of).collect();
    out.print(&actions, || match actions.as_slice() {
        [] => format!("task {} has proposed no action yet", found.task),
        actions => actions
            .iter()
            .map(Listed::text)
            .collect::<Vec<_>>()
            .join("\n"),
    });
}

impl<'a> Listed<'a> {
    fn of((number, action): (usize, &'a RecordedAction)) -> Self {
        let ended = action.state.ended();
        Self {
            number,
            action: action.action,
            step: &action.step,
            tool: &action.tool,
            state: action.state.word(),
            bytes: ended.ok().map(|(_, output)| output.len()),
        }
    }

    fn text(&self) -> String {
        let Self {
            number,
            action,
            step,
            tool,
            state,
            bytes,
        } = self;
        let bytes = bytes.map_or_else(String::new, |bytes| format!(", {bytes} bytes"));
        format!("{number:>4}  {action}  {step}: {tool}  {state}{bytes}")
    }
}

fn printed<'a>(
    task: TaskId,
    number: usize,
    action: &'a RecordedAction,
    outcome: ActionOutcome,
    part: &'static str,
    bytes: &'a [u8],
) -> Printed<'a> {
    let text = std::str::from_utf8(bytes).ok();
    Printed {
        task,
        number,
        action: action.action,
        step: &action.step,
        tool: &action.tool,
        outcome,
        part,
        bytes: bytes.len(),
        text,
        base64: text.is_none().then(|| BASE64.encode(bytes)),
    }
}

/// Returns what a failed program wrote to its standard error, as the runner recorded it.
fn stderr(outcome: ActionOutcome, output: &[u8]) -> Result<Vec<u8>, &'static str> {
    if outcome == ActionOutcome::Succeeded {
        return Err(
            "it succeeded, and only a failed program's standard error is recorded; leave out `--stderr`",
        );
    }
    let recorded: Option<Value> = serde_json::from_slice(output).ok();
    let stderr = recorded.as_ref().and_then(|output| output.get("stderr"));
    let stderr = stderr.and_then(Value::as_str);
    stderr.map(|text| text.as_bytes().to_vec()).ok_or(
        "no standard error is recorded, because no program of it ended by itself; leave out `--stderr` to see the error",
    )
}

/// Returns the text that a terminal shows, or the reason for which it shows none.
pub(super) fn text(bytes: &[u8]) -> Result<String, String> {
    if bytes.len() > SHOWN_BYTES_MAX {
        return Err(format!(
            "and a terminal shows at most {SHOWN_BYTES_MAX} of them"
        ));
    }
    match std::str::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => {
            Ok(escaped_lines(text.strip_suffix('\n').unwrap_or(text)))
        }
        Ok(_) | Err(_) => Err("that are no text".to_owned()),
    }
}

/// Writes a new file of mode 0600, as a whole or not at all.
fn write(file: &Path, bytes: &[u8], out: &Output) -> Result<(), Error> {
    let mut opened = file::created(file)?;
    let written = opened.write_all(bytes).and_then(|()| opened.sync_all());
    if let Err(error) = written {
        std::fs::remove_file(file).ok();
        return Err(Error::io("write", file)(error));
    }
    out.print(&json!({"file": file, "bytes": bytes.len()}), || {
        format!("{}: {} bytes written", file.display(), bytes.len())
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminal_gets_no_control_character() {
        let shown = text("a\tb\r\n\u{1b}[2J\u{9b}31m\u{202e}c\u{7f}\n".as_bytes()).unwrap();
        assert_eq!(shown, "a\tb\\u{d}\n\\u{1b}[2J\\u{9b}31m\\u{202e}c\\u{7f}");
        assert_eq!(text(b"").unwrap(), "");
        assert_eq!(text("é\n\n".as_bytes()).unwrap(), "é\n");
    }

    #[test]
    fn terminal_gets_no_binary_and_no_large_output() {
        for binary in [&b"\xff\xfe"[..], b"a\0b"] {
            assert_eq!(text(binary).unwrap_err(), "that are no text");
        }
        let most = vec![b'a'; SHOWN_BYTES_MAX];
        assert!(text(&most).is_ok());
        let over = vec![b'a'; SHOWN_BYTES_MAX + 1];
        assert!(text(&over).unwrap_err().contains("at most 65536"));
    }

    #[test]
    fn standard_error_is_that_of_a_failed_program() {
        let failed = br#"{"error":"the program ended with code 3","code":3,"stderr":"no\n"}"#;
        assert_eq!(stderr(ActionOutcome::Failed, failed).unwrap(), b"no\n");
        for output in [&br#"{"error":"missing"}"#[..], b"", br#"{"stderr":1}"#] {
            assert!(stderr(ActionOutcome::TimedOut, output).is_err());
        }
        // A program that succeeds can print anything.
        assert!(stderr(ActionOutcome::Succeeded, failed).is_err());
    }

    #[test]
    fn file_is_new_and_private_or_not_written() {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("out"), folder.path().join("link"));
        let out = Output::new(true);
        write(&file, b"\x1b\0exact", &out).unwrap();
        assert_eq!(std::fs::read(&file).unwrap(), b"\x1b\0exact");
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        std::os::unix::fs::symlink(folder.path().join("target"), &link).unwrap();
        for path in [&file, &link] {
            let refused = write(path, b"other", &out).unwrap_err();
            assert_eq!(refused.exit_code(), 1);
            assert!(refused.to_string().contains("name a new file"), "{refused}");
        }
        assert_eq!(std::fs::read(&file).unwrap(), b"\x1b\0exact");
        assert!(!folder.path().join("target").exists());
    }
}
