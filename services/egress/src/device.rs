//! The device authorization grant of OAuth 2 (RFC 8628): a person approves in a browser, and the program that asked gets a refresh
//! token.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bus_schema::Time;
use contract::{Endpoint, Reach, StrictUrl};
use secret::{SecretTerms, SecretValue, TokenSource, VALUE_BYTES_MAX};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::connection::Received;
use crate::fault::Fault;
use crate::polling::Polling;
use crate::send::Sender;
use crate::tokens::{TokenForm, joined, known_error};

/// The grant in requests to the token endpoint.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";
/// Most bytes of a user code.
const USER_CODE_BYTES_MAX: usize = 128;
/// Most bytes of a verification URI.
const URI_BYTES_MAX: usize = 2048;

/// A login of a person whose refresh token becomes the value of a secret.
#[derive(Debug, Clone, Copy)]
pub struct DeviceLogin<'a> {
    /// The device authorization endpoint.
    pub url: &'a StrictUrl,
    /// The terms of the secret, whose source of tokens names the token endpoint.
    pub terms: &'a SecretTerms,
    /// The secret of the client; none for a public client.
    pub client_secret: Option<&'a SecretValue>,
    /// Both endpoints, and the networks in which private addresses are permitted.
    pub reach: &'a Reach,
    /// The time of the login.
    pub at: Time,
}

/// The answer of a device authorization endpoint, as far as a person sees it: visible ASCII of bounded length.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceCode {
    /// The code that the person types.
    pub user_code: String,
    /// The page on which it is typed.
    pub uri: String,
    /// The page that has the code already.
    pub complete: Option<String>,
    /// The time for it, in seconds.
    pub expires_in: u32,
}

/// The reason that a login gave no refresh token. No text has a part of a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoLogin {
    /// The terms name no token endpoint.
    #[error("the secret has no token endpoint; name it with `--token-url`")]
    Source,
    /// The value is no secret of a client.
    #[error("the secret of the client is not valid: give visible ASCII without spaces")]
    ClientSecret,
    /// An endpoint was not reached, or its answer was cut off or is too large.
    #[error("no answer of {0} can be used: {1}; check the URL, and run this again")]
    Unreached(Endpoint, String),
    /// An endpoint answered with another type.
    #[error("{0} answered with a content of another type than application/json; check the URL")]
    Kind(Endpoint),
    /// An answer that no device authorization endpoint gives.
    #[error(
        "the answer of {0} is not that of a device authorization endpoint (RFC 8628); check `--device-url`"
    )]
    DeviceAnswer(Endpoint),
    /// An answer that no token endpoint gives.
    #[error("the answer of {0} is not that of a token endpoint (RFC 6749); check `--token-url`")]
    TokenAnswer(Endpoint),
    /// An endpoint refused.
    #[error("{0} refused: it answered with the code {1}{2}; check the client and the scope")]
    Refused(Endpoint, u16, String),
    /// The person refused.
    #[error("the login was refused in the browser, so nothing was sealed")]
    Denied,
    /// The code expired.
    #[error("the code expired before the login was approved; run this again")]
    Expired,
    /// No refresh token.
    #[error(
        "{0} gave an access token but no refresh token; ask for one with its scope, which is often `--scope offline_access`"
    )]
    NoRefresh(Endpoint),
}

#[derive(Deserialize)]
struct DeviceAnswer {
    device_code: Option<String>,
    user_code: Option<String>,
    // Some servers have the older name.
    #[serde(alias = "verification_url")]
    verification_uri: Option<String>,
    verification_uri_complete: Option<String>,
    expires_in: Option<u32>,
    interval: Option<u32>,
    error: Option<String>,
}

#[derive(Deserialize)]
struct PollAnswer {
    access_token: Option<String>,
    refresh_token: Option<String>,
    error: Option<String>,
}

/// An answer to one poll that does not end the login.
enum Polled {
    Ended(SecretValue),
    Pending,
    SlowDown,
    /// The connection failed, which passes.
    Silent,
}

impl Sender {
    /// Logs in: shows the code by `shown`, and polls with `pause` before each request until the person has approved. Returns the
    /// refresh token, with the secret of the client after a space if there is one.
    ///
    /// # Errors
    /// [`NoLogin`]
    pub async fn login<P: Future<Output = ()>>(
        &self,
        login: &DeviceLogin<'_>,
        shown: impl FnOnce(&DeviceCode),
        pause: impl Fn(Duration) -> P,
    ) -> Result<SecretValue, NoLogin> {
        let source = login.terms.token().ok_or(NoLogin::Source)?;
        let (code, shows, mut polling) = self.device_code(login, source).await?;
        shown(&shows);
        let limit = Duration::from_secs(shows.expires_in.into());
        let polled = async {
            loop {
                pause(polling.next().ok_or(NoLogin::Expired)?).await;
                match self.poll(login, source, &code).await? {
                    Polled::Ended(value) => return Ok(value),
                    Polled::Pending => {}
                    Polled::SlowDown => polling.slow_down(),
                    Polled::Silent => polling.back_off(),
                }
            }
        };
        let ended = tokio::time::timeout(limit, polled).await;
        ended.unwrap_or(Err(NoLogin::Expired))
    }

    async fn device_code(
        &self,
        login: &DeviceLogin<'_>,
        source: &TokenSource,
    ) -> Result<(Zeroizing<String>, DeviceCode, Polling), NoLogin> {
        let mut form = TokenForm::new();
        form.add("client_id", source.client());
        if let Some(scope) = source.scope() {
            form.add("scope", scope);
        }
        let endpoint = login.url.endpoint();
        let sent = self
            .posted(login, source, (login.url.clone(), form))
            .await?;
        let unreached = |(_, why)| NoLogin::Unreached(endpoint.clone(), why);
        let received = sent.map_err(unreached)?;
        let code = received.code;
        let answer: Option<DeviceAnswer> = read(endpoint, received)?;
        let said = answer.as_ref().and_then(|answer| answer.error.as_deref());
        refused(endpoint, code, said)?;
        let wrong = || NoLogin::DeviceAnswer(endpoint.clone());
        let answer = answer.ok_or_else(wrong)?;
        let (interval, expires_in) = (answer.interval, answer.expires_in);
        let expires_in = expires_in.filter(|it| *it > 0).ok_or_else(wrong)?;
        let polling = Polling::new(interval, expires_in);
        let code = answer.device_code.map(Zeroizing::new);
        let code = code
            .filter(|code| !code.is_empty() && code.len() <= VALUE_BYTES_MAX && is_visible(code));
        let fits = |code: &String| {
            !code.trim().is_empty() && code.len() <= USER_CODE_BYTES_MAX && is_shown(code)
        };
        let complete = answer.verification_uri_complete;
        if complete.as_ref().is_some_and(|uri| !is_page(uri)) {
            return Err(wrong());
        }
        let shows = DeviceCode {
            user_code: answer.user_code.filter(fits).ok_or_else(wrong)?,
            uri: answer
                .verification_uri
                .filter(|uri| is_page(uri))
                .ok_or_else(wrong)?,
            complete,
            expires_in: polling.expires_in(),
        };
        Ok((code.ok_or_else(wrong)?, shows, polling))
    }

    async fn poll(
        &self,
        login: &DeviceLogin<'_>,
        source: &TokenSource,
        device_code: &str,
    ) -> Result<Polled, NoLogin> {
        let endpoint = source.endpoint();
        let url = StrictUrl::new(source.url()).map_err(|_| NoLogin::Source)?;
        let mut form = TokenForm::new();
        form.add("grant_type", GRANT);
        form.add("device_code", device_code);
        if login.client_secret.is_none() {
            form.add("client_id", source.client());
        }
        let received = match self.posted(login, source, (url, form)).await? {
            Ok(received) => received,
            Err((fault, _)) if fault.passes() => return Ok(Polled::Silent),
            Err((_, why)) => return Err(NoLogin::Unreached(endpoint.clone(), why)),
        };
        let code = received.code;
        let answer: Option<PollAnswer> = read(endpoint, received)?;
        match answer.as_ref().and_then(|answer| answer.error.as_deref()) {
            Some("authorization_pending") => return Ok(Polled::Pending),
            Some("slow_down") => return Ok(Polled::SlowDown),
            Some("access_denied") => return Err(NoLogin::Denied),
            Some("expired_token") => return Err(NoLogin::Expired),
            said => refused(endpoint, code, said)?,
        }
        let wrong = || NoLogin::TokenAnswer(endpoint.clone());
        let answer = answer.ok_or_else(wrong)?;
        let access = answer.access_token.map(Zeroizing::new);
        if access.is_none_or(|token| token.is_empty()) {
            return Err(wrong());
        }
        let refresh = answer.refresh_token.map(Zeroizing::new);
        let refresh = refresh.ok_or_else(|| NoLogin::NoRefresh(endpoint.clone()))?;
        let is_token = !refresh.is_empty() && is_visible(&refresh);
        let value = is_token.then(|| joined(&refresh, login.client_secret));
        let value = value.and_then(Result::ok).ok_or_else(wrong)?;
        Ok(Polled::Ended(value))
    }

    /// Posts a form as the client.
    async fn posted(
        &self,
        login: &DeviceLogin<'_>,
        source: &TokenSource,
        (url, form): (StrictUrl, TokenForm),
    ) -> Result<Result<Received, (Fault, String)>, NoLogin> {
        let by = login.client_secret.map(|secret| {
            let by = (login.terms, secret.clone(), login.at);
            crate::tokens::client(source, url.endpoint(), by)
        });
        let by = by.transpose().map_err(|_| NoLogin::ClientSecret)?;
        let begun = AtomicBool::new(false);
        let asked = (url, form, by.as_ref());
        Ok(self.form(asked, login.reach, &begun).await)
    }
}

/// Reads an answer in JSON; none if it is none.
fn read<T: DeserializeOwned>(
    endpoint: &Endpoint,
    received: Received,
) -> Result<Option<T>, NoLogin> {
    // A page of an error or of a redirect has its own type; its code says more.
    if received.code == 200 && !received.is_json() {
        return Err(NoLogin::Kind(endpoint.clone()));
    }
    let body = Zeroizing::new(received.body);
    Ok(serde_json::from_slice(&body).ok())
}

/// Refuses every answer but one of success.
fn refused(endpoint: &Endpoint, code: u16, said: Option<&str>) -> Result<(), NoLogin> {
    let said = match said {
        None if code == 200 => return Ok(()),
        None => String::new(),
        Some(said) => format!(" and {}", known_error(said)),
    };
    Err(NoLogin::Refused(endpoint.clone(), code, said))
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_graphic())
}

fn is_shown(text: &str) -> bool {
    text.bytes().all(|c| c.is_ascii_graphic() || c == b' ')
}

/// Returns true for a page that a browser opens over TLS.
fn is_page(uri: &str) -> bool {
    uri.starts_with("https://") && uri.len() <= URI_BYTES_MAX && is_visible(uri)
}
