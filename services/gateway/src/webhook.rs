//! Webhooks: the signatures of requests from programs outside, and the keys that prove them.

use std::{collections::BTreeMap, str::FromStr};

use axum::http::{HeaderMap, HeaderName};
use bus_schema::{Digest, JobName, Time};
use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use ring::hmac;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::access;

/// Largest body of a webhook, in bytes; a message of the stream has 64 KiB with its headers.
pub(crate) const BODY_BYTES_MAX: usize = 60 << 10;
/// Largest number of webhooks.
pub const HOOKS_MAX: usize = 64;
/// Longest difference between the time that was signed and the gateway's, in milliseconds, in both directions.
const WINDOW_MS: u64 = 300_000;
/// Most signatures of one request: a sender with two keys signs with both.
const SIGNATURES_MAX: usize = 16;
/// Shortest and longest key, in bytes.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;
/// Longest id that a sender signs.
const ID_BYTES_MAX: usize = 128;
/// The prefix of keys of Standard Webhooks; base64 follows.
const STANDARD_KEY: &str = "whsec_";

static STANDARD_ID: HeaderName = HeaderName::from_static("webhook-id");
static STANDARD_TIME: HeaderName = HeaderName::from_static("webhook-timestamp");
static STANDARD: HeaderName = HeaderName::from_static("webhook-signature");
static GITHUB: HeaderName = HeaderName::from_static("x-hub-signature-256");
static STRIPE: HeaderName = HeaderName::from_static("stripe-signature");

/// The form of a signature: HMAC-SHA256 over a text, in a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SignatureForm {
    /// Standard Webhooks: `webhook-signature: v1,BASE64` over `ID.TIME.BODY`; the key is `whsec_` and base64, or base64 alone.
    Standard,
    /// GitHub, Gitea, Forgejo: `x-hub-signature-256: sha256=HEX` over the body.
    Github,
    /// Stripe: `stripe-signature: t=TIME,v1=HEX` over `TIME.BODY`.
    Stripe,
}

impl FromStr for SignatureForm {
    type Err = InvalidWebhook;
    fn from_str(text: &str) -> Result<Self, InvalidWebhook> {
        match text {
            "standard" => Ok(Self::Standard),
            "github" => Ok(Self::Github),
            "stripe" => Ok(Self::Stripe),
            _ => Err(InvalidWebhook::Form),
        }
    }
}

/// A webhook: the form of its signatures, and the key that sender and gateway share.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// The form of its signatures.
    pub signature: SignatureForm,
    key: Zeroizing<String>,
}

impl std::fmt::Debug for Webhook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut shown = f.debug_struct("Webhook");
        shown
            .field("signature", &self.signature)
            .finish_non_exhaustive()
    }
}

/// The webhooks of a deployment, by name: the content of `hooks.toml`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Webhooks(BTreeMap<JobName, Webhook>);

/// A webhook is not valid. No error quotes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidWebhook {
    /// The length or the characters of the key.
    #[error(
        "a key has 16 to 256 printable ASCII characters; take it as the sender shows it, or let it be made with --generate"
    )]
    Key,
    /// The base64 of the key.
    #[error(
        "the key of a Standard Webhook is `whsec_` and base64 of at least 16 bytes; take it as the sender shows it"
    )]
    Base64,
    /// The form of signatures.
    #[error("a signature has the form standard, github or stripe; choose one")]
    Form,
    /// The number of webhooks.
    #[error("a deployment has at most {HOOKS_MAX} webhooks; remove one first")]
    TooMany,
    /// The text of `hooks.toml`.
    #[error("`hooks.toml` is not valid; remove it, and add each webhook again")]
    File,
}

impl Webhook {
    /// A webhook with this key.
    ///
    /// # Errors
    /// [`InvalidWebhook::Key`] or [`InvalidWebhook::Base64`].
    pub fn new(signature: SignatureForm, key: Zeroizing<String>) -> Result<Self, InvalidWebhook> {
        let is_plain = key
            .bytes()
            .all(|byte| byte == b' ' || byte.is_ascii_graphic());
        if !KEY_BYTES.contains(&key.len()) || !is_plain {
            return Err(InvalidWebhook::Key);
        }
        let webhook = Self { signature, key };
        webhook.secret().map(|_| webhook)
    }

    /// The bytes of the key.
    fn secret(&self) -> Result<Zeroizing<Vec<u8>>, InvalidWebhook> {
        match self.signature {
            SignatureForm::Standard => {
                let text = self.key.strip_prefix(STANDARD_KEY).unwrap_or(&self.key);
                let bytes = BASE64.decode(text.as_bytes()).map(Zeroizing::new);
                let bytes = bytes.map_err(|_| InvalidWebhook::Base64)?;
                let is_long = bytes.len() >= *KEY_BYTES.start();
                is_long.then_some(bytes).ok_or(InvalidWebhook::Base64)
            }
            SignatureForm::Github | SignatureForm::Stripe => {
                Ok(Zeroizing::new(self.key.as_bytes().to_vec()))
            }
        }
    }

    /// Checks the signature of a request, and returns the id of its message: equal for requests that say the same.
    /// None if the key did not sign it, or if the time that was signed is too far away.
    pub(crate) fn verify(&self, headers: &HeaderMap, body: &[u8], now: Time) -> Option<String> {
        let one = |name| access::only(headers, name).ok().flatten();
        let of_body = || format!("sha256-{}", Digest::of(&[body]));
        let (text, tags, id) = match self.signature {
            SignatureForm::Standard => {
                let (id, at) = (one(&STANDARD_ID)?, one(&STANDARD_TIME)?);
                let is_plain = id.bytes().all(|byte| byte.is_ascii_graphic());
                if !is_plain || !(1..=ID_BYTES_MAX).contains(&id.len()) || !is_near(at, now) {
                    return None;
                }
                let signatures = one(&STANDARD)?.split(' ');
                let tags = signatures.filter_map(|each| each.strip_prefix("v1,"));
                let tags = tags.filter_map(|tag| BASE64.decode(tag.as_bytes()).ok());
                let text = [id.as_bytes(), b".", at.as_bytes(), b".", body].concat();
                (text, firsts(tags), id.to_owned())
            }
            SignatureForm::Github => {
                let tag = one(&GITHUB)?.strip_prefix("sha256=")?;
                let tag = HEXLOWER_PERMISSIVE.decode(tag.as_bytes()).ok();
                (body.to_vec(), firsts(tag.into_iter()), of_body())
            }
            SignatureForm::Stripe => {
                let said = one(&STRIPE)?;
                let values = |key| {
                    said.split(',')
                        .filter_map(move |part| part.strip_prefix(key))
                };
                let at = values("t=").next().filter(|at| is_near(at, now))?;
                let tags = values("v1=");
                let tags = tags.filter_map(|tag| HEXLOWER_PERMISSIVE.decode(tag.as_bytes()).ok());
                let text = [at.as_bytes(), b".", body].concat();
                (text, firsts(tags), of_body())
            }
        };
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.secret().ok()?);
        let is_signed = tags
            .iter()
            .any(|tag| hmac::verify(&key, &text, tag).is_ok());
        is_signed.then_some(id)
    }
}

fn firsts(tags: impl Iterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    tags.take(SIGNATURES_MAX).collect()
}

/// Returns true if a Unix time in seconds is near to now.
fn is_near(seconds: &str, now: Time) -> bool {
    let is_number =
        (1..=12).contains(&seconds.len()) && seconds.bytes().all(|b| b.is_ascii_digit());
    let Some(said) = seconds.parse::<u64>().ok().filter(|_| is_number) else {
        return false;
    };
    let now_ms = u64::try_from(now.ns() / 1_000_000).unwrap_or_default();
    said.saturating_mul(1000).abs_diff(now_ms) <= WINDOW_MS
}

impl Webhooks {
    /// Reads `hooks.toml`.
    ///
    /// # Errors
    /// [`InvalidWebhook`].
    pub fn read(text: &str) -> Result<Self, InvalidWebhook> {
        let all: Self = toml::from_str(text).map_err(|_| InvalidWebhook::File)?;
        if all.0.len() > HOOKS_MAX {
            return Err(InvalidWebhook::TooMany);
        }
        for webhook in all.0.values() {
            Webhook::new(webhook.signature, webhook.key.clone())?;
        }
        Ok(all)
    }

    /// The text of `hooks.toml`.
    ///
    /// # Errors
    /// [`InvalidWebhook::File`].
    pub fn text(&self) -> Result<Zeroizing<String>, InvalidWebhook> {
        let text = toml::to_string(self).map(Zeroizing::new);
        text.map_err(|_| InvalidWebhook::File)
    }

    /// The webhook of this name.
    #[must_use]
    pub fn get(&self, name: &JobName) -> Option<&Webhook> {
        self.0.get(name)
    }

    /// The webhooks, in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&JobName, &Webhook)> {
        self.0.iter()
    }

    /// Adds a webhook, or replaces the one of this name. Returns true if there was one.
    ///
    /// # Errors
    /// [`InvalidWebhook::TooMany`].
    pub fn add(&mut self, name: JobName, webhook: Webhook) -> Result<bool, InvalidWebhook> {
        if !self.0.contains_key(&name) && self.0.len() >= HOOKS_MAX {
            return Err(InvalidWebhook::TooMany);
        }
        Ok(self.0.insert(name, webhook).is_some())
    }

    /// Removes a webhook. Returns false if there is none.
    pub fn remove(&mut self, name: &JobName) -> bool {
        self.0.remove(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn webhook(form: SignatureForm, key: &str) -> Webhook {
        Webhook::new(form, Zeroizing::new(key.to_owned())).unwrap()
    }

    fn headers(all: &[(&'static str, &str)]) -> HeaderMap {
        let named = all
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap()));
        named.collect()
    }

    fn at(seconds: i64) -> Time {
        Time::from_ns(seconds * 1_000_000_000)
    }

    #[test]
    fn the_published_example_of_standard_webhooks_is_valid_for_five_minutes() {
        let own = webhook(
            SignatureForm::Standard,
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        );
        let body = br#"{"test": 2432232314}"#;
        let id = "msg_p5jXN8AQM9LWM0D4loKWxJek";
        let signed =
            "v1a,bm90IHRoaXM= v1,bm90IHRoaXM= v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        let said = |id, at, signed| {
            headers(&[
                ("webhook-id", id),
                ("webhook-timestamp", at),
                ("webhook-signature", signed),
            ])
        };
        let good = said(id, "1614265330", signed);
        assert_eq!(
            own.verify(&good, body, at(1_614_265_330)).as_deref(),
            Some(id)
        );
        for now in [1_614_265_030, 1_614_265_630] {
            assert!(own.verify(&good, body, at(now)).is_some(), "{now}");
        }
        for now in [1_614_265_029, 1_614_265_631, 0, i64::from(i32::MAX)] {
            assert!(own.verify(&good, body, at(now)).is_none(), "{now}");
        }
        let now = at(1_614_265_330);
        for wrong in [
            said("msg_other", "1614265330", signed),
            said(id, "1614265331", signed),
            said(id, "+1614265330", signed),
            said(id, "1614265330", "v1,"),
            said(id, "1614265330", ""),
            said("", "1614265330", signed),
            headers(&[("webhook-signature", signed)]),
        ] {
            assert!(own.verify(&wrong, body, now).is_none(), "{wrong:?}");
        }
        assert!(own.verify(&good, b"{}", now).is_none());
        let mut twice = good.clone();
        twice.append(&STANDARD_ID, id.parse().unwrap());
        assert!(own.verify(&twice, body, now).is_none());
        let other = webhook(SignatureForm::Standard, "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSx");
        assert!(other.verify(&good, body, now).is_none());
    }

    #[test]
    fn the_published_example_of_github_is_valid() {
        let own = webhook(SignatureForm::Github, "It's a Secret to Everybody");
        let signed = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17";
        let good = headers(&[("x-hub-signature-256", signed)]);
        let id = own.verify(&good, b"Hello, World!", Time::default());
        assert_eq!(id, own.verify(&good, b"Hello, World!", at(5)));
        assert!(id.is_some());
        assert!(
            own.verify(&good, b"Hello, World", Time::default())
                .is_none()
        );
        for wrong in [&signed[7..], "sha256=", "sha256=zz", &signed[..70]] {
            let wrong = headers(&[("x-hub-signature-256", wrong)]);
            assert!(
                own.verify(&wrong, b"Hello, World!", at(5)).is_none(),
                "{wrong:?}"
            );
        }
    }

    #[test]
    fn a_signature_of_stripe_is_over_time_and_body() {
        let key = "whsec_0123456789abcdef";
        let own = webhook(SignatureForm::Stripe, key);
        let signs = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
        let tag = hmac::sign(&signs, b"1614265330.{}");
        let hex = HEXLOWER_PERMISSIVE.encode(tag.as_ref());
        let now = at(1_614_265_330);
        let said = |text: String| own.verify(&headers(&[("stripe-signature", &text)]), b"{}", now);
        assert!(said(format!("t=1614265330,v1=00,v1={hex},v0=ab")).is_some());
        for wrong in [
            format!("v1={hex}"),
            format!("t=1614265331,v1={hex}"),
            format!("t=1614265331,t=1614265330,v1={hex}"),
            format!("t=1614265330,v0={hex}"),
            String::new(),
        ] {
            assert!(said(wrong.clone()).is_none(), "{wrong}");
        }
    }

    #[test]
    fn keys_have_bounds_and_are_in_no_text() {
        for (form, key) in [
            (SignatureForm::Github, "short"),
            (SignatureForm::Github, "with a\nline break in it"),
            (SignatureForm::Standard, "whsec_not base64 at all"),
            (SignatureForm::Standard, "whsec_AAAAAAAAAAAAAAAA"),
        ] {
            let error = Webhook::new(form, Zeroizing::new(key.to_owned())).unwrap_err();
            assert!(!error.to_string().contains(key), "{error}");
        }
        let long = Zeroizing::new("k".repeat(257));
        assert_eq!(
            Webhook::new(SignatureForm::Stripe, long),
            Err(InvalidWebhook::Key)
        );
        let shown = format!("{:?}", webhook(SignatureForm::Github, "a-key-of-a-webhook"));
        assert!(!shown.contains("a-key"), "{shown}");
    }

    #[test]
    fn the_file_is_read_as_it_is_written() {
        let mut all = Webhooks::default();
        for (n, key) in ["quotes \" and \\ in it", "0123456789abcdef"]
            .iter()
            .enumerate()
        {
            let name: JobName = format!("hook-{n}").parse().unwrap();
            assert_eq!(
                all.add(name.clone(), webhook(SignatureForm::Github, key)),
                Ok(false)
            );
            assert_eq!(all.add(name, webhook(SignatureForm::Github, key)), Ok(true));
        }
        assert_eq!(Webhooks::read(&all.text().unwrap()), Ok(all.clone()));
        for n in 2..HOOKS_MAX {
            let name = format!("hook-{n}").parse().unwrap();
            all.add(name, webhook(SignatureForm::Stripe, "0123456789abcdef"))
                .unwrap();
        }
        let one_more = all.add(
            "more".parse().unwrap(),
            webhook(SignatureForm::Stripe, "0123456789abcdef"),
        );
        assert_eq!(one_more, Err(InvalidWebhook::TooMany));
        for wrong in [
            "[x]\nsignature = \"github\"",
            "[x]\nsignature = \"md5\"\nkey = \"0123456789abcdef\"",
            "[X]",
        ] {
            assert_eq!(Webhooks::read(wrong), Err(InvalidWebhook::File), "{wrong}");
        }
    }
}
