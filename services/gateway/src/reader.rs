//! The permission of a read, and whether it still holds.

use bus_schema::{DeviceId, Time};

use crate::{app_state::AppState, sessions::SessionName, streams::CountedFor};

/// A permission to read: the owner's or a device's signed access, or the session of a browser.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reader {
    /// The end.
    pub(crate) until: Time,
    pub(crate) by: ReadBy,
}

/// The sender of a read.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ReadBy {
    Owner,
    Device(DeviceId),
    Session(SessionName, DeviceId),
}

impl Reader {
    /// Returns true if its device, and its session if it has one, count now: for reads that go on.
    pub(crate) fn holds(&self, app: &AppState) -> bool {
        match self.by {
            ReadBy::Owner => true,
            ReadBy::Device(device) => app.device(&device).is_ok(),
            ReadBy::Session(session, device) => {
                let open = app.sessions.get(&session, app.clock.wall());
                open.is_some() && app.device(&device).is_ok()
            }
        }
    }

    /// The reader whose open streams are counted together.
    pub(crate) const fn counted_for(&self) -> CountedFor {
        match self.by {
            ReadBy::Owner => CountedFor::Access(self.until),
            ReadBy::Device(device) | ReadBy::Session(_, device) => CountedFor::Device(device),
        }
    }

    /// The session with its device; none for a signed access.
    pub(crate) const fn session(&self) -> Option<(SessionName, DeviceId)> {
        match self.by {
            ReadBy::Owner | ReadBy::Device(_) => None,
            ReadBy::Session(session, device) => Some((session, device)),
        }
    }
}
