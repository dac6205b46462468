//! The devices that speak for the owner: their rights, their end, and their last answer.

use bus_schema::{DeviceOnRecord, DeviceRefused, DeviceRole};
use maud::{Markup, html};
use page::{Place, Text};

use super::main_part::Page;
use crate::{
    parts::{Badge, command, empty, time},
    strings,
    view::View,
};

/// The time before the end of a device in which the page says so: 14 days.
const SOON_MS: u64 = 14 * 86_400_000;
/// Characters of a key that are shown: enough to compare with the device by eye.
const KEY_CHARS: usize = 16;

pub(super) fn page(view: &View<'_>) -> Page {
    let mut devices = view.record.devices.newest();
    devices.sort_by_key(|one| one.check(view.now).is_err());
    let main = html! {
        section id="devices" {
            h1 { (strings::DEVICES) }
            p.lead { (strings::DEVICES_LEAD) }
            @if devices.is_empty() { (empty("no-devices", strings::NO_DEVICES, strings::NO_DEVICES_TEXT, strings::PAIR)) }
            @for device in &devices { (card(view, device)) }
            @if !devices.is_empty() {
                p { (strings::PAIR_TEXT) }
                (command(strings::PAIR))
            }
        }
    };
    Page::new(Place::Devices, main)
}

fn card(view: &View<'_>, device: &DeviceOnRecord) -> Markup {
    let endorsed = &device.endorsed;
    let key = endorsed.key.signs();
    let state = device.check(view.now);
    let (badge, note) = match state {
        Ok(()) if endorsed.expires <= view.now.plus_ms(SOON_MS) => (
            Badge::new("ask", "!", "ends soon"),
            Some(strings::DEVICE_SOON),
        ),
        Ok(()) => (Badge::new("ok", "✓", "valid"), None),
        Err(DeviceRefused::Expired) => (
            Badge::new("off", "■", "expired"),
            Some(strings::DEVICE_EXPIRED),
        ),
        Err(DeviceRefused::Revoked | DeviceRefused::Role | DeviceRefused::Unverified) => (
            Badge::new("no", "■", "revoked"),
            Some(strings::DEVICE_REVOKED),
        ),
    };
    let fingerprint: String = key.to_string().chars().take(KEY_CHARS).collect();
    html! {
        article.card id=(format!("d-{}", endorsed.device)) {
            div.head {
                h2 { (Text::Line(endorsed.name.as_str())) }
                span.mute { (endorsed.role.name()) }
                span.push { (badge) }
            }
            p { (rights(endorsed.role)) }
            @if let Some(note) = note { p { (note) } }
            dl.args {
                dt { (strings::ENDORSED) } dd { (time(device.at)) }
                dt { (strings::UNTIL_WHEN) } dd { (time(endorsed.expires)) }
                dt { (strings::LAST_ANSWER) } dd {
                    @match view.record.devices.last_answer(&key) {
                        Some(at) => (time(at)),
                        None => span.mute { (strings::NEVER_ANSWERED) },
                    }
                }
                dt { (strings::KEY) } dd { code { (fingerprint) "…" } }
            }
            @if state.is_ok() {
                details id=(format!("do-{}", endorsed.device)) {
                    summary { (strings::REVOKE_DEVICE) }
                    p { (strings::REVOKE_DEVICE_TEXT) }
                    (command(&format!("contractual device revoke {}", endorsed.device)))
                }
            }
        }
    }
}

const fn rights(role: DeviceRole) -> &'static str {
    match role {
        DeviceRole::Viewer => strings::MAY_READ,
        DeviceRole::Approver | DeviceRole::Owner => strings::MAY_ANSWER,
    }
}
