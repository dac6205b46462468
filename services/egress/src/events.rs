//! Reads a stream of server-sent events (the format `text/event-stream` of the HTML standard).

use serde::Serialize;

use crate::fault::Fault;

/// Most events of an answer.
const EVENTS_MAX: usize = 65_536;

/// One event. Comments, `id` and `retry` are left out: nothing is asked for again.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub(crate) struct ServerEvent {
    /// Its name; empty if it has none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) event: String,
    /// Its data.
    pub(crate) data: String,
}

/// The reader of a stream that arrives in pieces of any size.
#[derive(Debug, Default)]
pub(crate) struct Events {
    /// The bytes of a line that has not ended.
    line: Vec<u8>,
    /// True if the last byte was a carriage return, so that a line feed belongs to it.
    after_return: bool,
    next: ServerEvent,
    has_data: bool,
    lines: usize,
    count: usize,
}

impl Events {
    /// Takes the next bytes, and returns the events that have ended.
    ///
    /// # Errors
    /// [`Fault::Content`] for bytes that are no UTF-8, and for too many events.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<ServerEvent>, Fault> {
        let mut ended = Vec::new();
        for byte in bytes {
            match byte {
                b'\n' if self.after_return => self.after_return = false,
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    let line = std::mem::take(&mut self.line);
                    ended.extend(self.end_line(&line)?);
                }
                _ => {
                    self.after_return = false;
                    self.line.push(*byte);
                }
            }
        }
        Ok(ended)
    }

    /// Takes a line; an empty one ends an event that has data.
    fn end_line(&mut self, line: &[u8]) -> Result<Option<ServerEvent>, Fault> {
        let line = std::str::from_utf8(line);
        let mut line = line.map_err(|_| Fault::Content("no UTF-8".to_owned()))?;
        if self.lines == 0 {
            line = line.strip_prefix('\u{feff}').unwrap_or(line);
        }
        self.lines += 1;
        if line.is_empty() {
            let event = std::mem::take(&mut self.next);
            if !std::mem::take(&mut self.has_data) {
                return Ok(None);
            }
            self.count += 1;
            if self.count > EVENTS_MAX {
                let many = format!("a stream of more than {EVENTS_MAX} events");
                return Err(Fault::Content(many));
            }
            return Ok(Some(event));
        }
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match name {
            "event" => value.clone_into(&mut self.next.event),
            "data" => {
                if self.has_data {
                    self.next.data.push('\n');
                }
                self.next.data.push_str(value);
                self.has_data = true;
            }
            _ => {}
        }
        Ok(None)
    }
}

/// Reads a whole stream. An event that has not ended is none.
///
/// # Errors
/// [`Fault::Content`] for bytes that are no stream of events.
pub(crate) fn read(body: &[u8]) -> Result<Vec<ServerEvent>, Fault> {
    let events = Events::default().push(body)?;
    if events.is_empty() {
        return Err(Fault::Content("a stream without events".to_owned()));
    }
    Ok(events)
}
