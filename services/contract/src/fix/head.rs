//! Changes of the head of a contract that permit a refused call.

use jiff::Timestamp;
use jiff::civil::Time;
use jiff::tz::Offset;

use super::refused::{Changed, Refused, Try};
use crate::contract::Header;
use crate::name::is_principal;
use crate::toml_text::{quoted, quoted_list};
use crate::verdict::{Change, Fix};

impl Refused<'_> {
    /// Extends the contract to the end of the day.
    pub(super) fn extended(&self) -> Option<Try> {
        let now = Timestamp::from_millisecond(self.case.context.view.now_ms).ok()?;
        let date = Offset::UTC.to_datetime(now).date();
        let midnight = date.tomorrow().ok()?.to_datetime(Time::midnight());
        let end = Offset::UTC.to_timestamp(midnight).ok()?;
        let expires_ms = end.as_millisecond();
        let head = Header {
            expires_ms,
            ..self.contract.head.clone()
        };
        Some(changed_head(head, format!("expires = {date}")))
    }

    /// Starts the contract at the start of the day.
    pub(super) fn begun(&self) -> Option<Try> {
        let now = Timestamp::from_millisecond(self.case.context.view.now_ms).ok()?;
        let date = Offset::UTC.to_datetime(now).date();
        let start = Offset::UTC
            .to_timestamp(date.to_datetime(Time::midnight()))
            .ok()?;
        let head = Header {
            starts_ms: Some(start.as_millisecond()),
            ..self.contract.head.clone()
        };
        Some(changed_head(head, format!("starts = {date}")))
    }

    /// Adds this principal to the contract.
    pub(super) fn also_for(&self) -> Option<Try> {
        let who = self.case.context.view.record.principal();
        let who = who
            .split_once(':')
            .filter(|(kind, _)| *kind == "session")
            .map_or(who, |(kind, _)| kind);
        if !is_principal(who) {
            return None;
        }
        let mut head = self.contract.head.clone();
        head.principals.push(who.to_owned());
        let toml = match head.principals.as_slice() {
            [one] => format!("principal = {}", quoted(one)),
            several => format!("principal = {}", quoted_list(several)),
        };
        Some(changed_head(head, toml))
    }
}

fn changed_head(head: Header, toml: String) -> Try {
    let change = Change::ChangeHead;
    let open = Vec::new();
    (Changed::Header(head), Fix { change, toml, open })
}
