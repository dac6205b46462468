//! Access tokens of OAuth 2: gets them from the token endpoint that the terms of a secret name, and keeps them until they expire.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use bus_schema::{SecretName, Time};
use contract::{HttpRequest, Method, Reach, StrictUrl, percent_encoded};
use secret::{Injection, SecretTerms, SecretValue, TokenSource};
use serde::Deserialize;
use serde_json::Value;
use zeroize::Zeroizing;

use crate::connection::Received;
use crate::credential::Credential;
use crate::no_token::NoToken;
use crate::release::{NoCredential, Opened};
use crate::send::Sender;

/// Most bytes of an answer of a token endpoint.
const ANSWER_BYTES_MAX: u64 = 64 << 10;
/// A token is not used in the last part of its time, in milliseconds.
const MARGIN_MS: u64 = 30_000;
/// Longest time for which a token is kept, in seconds.
const KEPT_S_MAX: u64 = 86_400;

/// The access tokens by the name of their secret. One request for each secret is in flight at a time.
#[derive(Debug, Default)]
pub struct Tokens(Mutex<BTreeMap<SecretName, Slot>>);

type Slot = Arc<tokio::sync::Mutex<Option<AccessToken>>>;

#[derive(Debug)]
struct AccessToken {
    /// The terms of the secret that it was given for.
    terms: SecretTerms,
    token: SecretValue,
    until: Time,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    token_type: Option<String>,
    /// Seconds; some endpoints send a text.
    expires_in: Option<Value>,
    error: Option<String>,
}

impl Tokens {
    /// Makes the credential of a call: of the value, or of a token for it if its terms name a token endpoint.
    ///
    /// # Errors
    /// [`NoCredential`]; nothing was sent to the tool's host then.
    pub async fn credential(
        &self,
        sender: &Sender,
        opened: Opened,
        reach: &Reach,
    ) -> Result<Credential, NoCredential> {
        let Opened { terms, value, at } = opened;
        let Some(source) = terms.token() else {
            return Ok(Credential::new(terms, value, at)?);
        };
        let slot = {
            let mut slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(slots.entry(terms.name().clone()).or_default())
        };
        let mut kept = slot.lock().await;
        let fits = kept
            .as_ref()
            .filter(|kept| kept.terms == terms && at < kept.until);
        if let Some(kept) = fits {
            return Ok(Credential::new(terms, kept.token.clone(), at)?);
        }
        *kept = None;
        let (token, lifetime) = sender.token(source, (&terms, value, at), reach).await?;
        let usable_ms = (lifetime * 1000).saturating_sub(MARGIN_MS);
        if usable_ms > 0 {
            *kept = Some(AccessToken {
                terms: terms.clone(),
                token: token.clone(),
                until: at.plus_ms(usable_ms),
            });
        }
        Ok(Credential::new(terms, token, at)?)
    }

    /// Forgets the token of a secret, because a host did not take it: the next call gets another one.
    pub async fn forget(&self, name: &SecretName) {
        let slot = {
            let slots = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get(name).map(Arc::clone)
        };
        if let Some(slot) = slot {
            *slot.lock().await = None;
        }
    }
}

impl Sender {
    /// Asks for a token; returns it with its lifetime in seconds, 0 if it is for one use. The value of the secret stands only
    /// in the header `authorization` of this request.
    async fn token(
        &self,
        source: &TokenSource,
        (terms, value, at): (&SecretTerms, SecretValue, Time),
        reach: &Reach,
    ) -> Result<(SecretValue, u64), NoCredential> {
        let endpoint = source.endpoint();
        if !reach.hosts.contains(endpoint) {
            return Err(NoToken::Host(endpoint.clone()).into());
        }
        let url = StrictUrl::new(source.url()).map_err(|_| NoToken::Url)?;
        let mut form = "grant_type=client_credentials".to_owned();
        if let Some(scope) = source.scope() {
            form.push_str(&format!("&scope={}", percent_encoded(scope)));
        }
        let header = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let request = HttpRequest {
            method: Method::Post,
            url,
            headers: vec![
                header("accept", "application/json"),
                header("content-type", "application/x-www-form-urlencoded"),
            ],
            body: Some(form.into_bytes()),
        };
        let client = client(source, (terms, value, at))?;
        let asked = (request, Some(&client));
        // A token request changes nothing at the tool's host.
        let begun = AtomicBool::new(false);
        let received = self.exchanged(asked, ANSWER_BYTES_MAX, reach, &begun).await;
        let received = received.map_err(|fault| {
            let why = client.scrub_text(&actor::chain(&fault));
            NoToken::Unreached(endpoint.clone(), why)
        })?;
        Ok(read(source, received)?)
    }
}

/// Makes the credential of the client itself (RFC 6749, 2.3.1).
fn client(
    source: &TokenSource,
    (terms, value, at): (&SecretTerms, SecretValue, Time),
) -> Result<Credential, NoCredential> {
    let hosts = vec![source.endpoint().clone()];
    let inject = Injection::Basic(Some(percent_encoded(source.client())));
    let name = terms.name().clone();
    let client = SecretTerms::new(name, terms.version(), hosts, vec![Method::Post], inject);
    let client = client.map_err(|_| NoToken::Url)?;
    let escaped = Zeroizing::new(percent_encoded(value.expose()).into_bytes());
    let value = SecretValue::new(escaped).unwrap_or(value);
    Ok(Credential::new(client, value, at)?)
}

fn read(source: &TokenSource, received: Received) -> Result<(SecretValue, u64), NoToken> {
    let endpoint = source.endpoint().clone();
    let code = received.code;
    let body = Zeroizing::new(received.body);
    let answer = serde_json::from_slice::<TokenAnswer>(&body).ok();
    let error = answer.as_ref().and_then(|answer| answer.error.as_deref());
    match error {
        // Only these say that the secret itself is of no use.
        Some("invalid_client") => return Err(NoToken::Dead(endpoint, "invalid_client")),
        Some("invalid_grant") => return Err(NoToken::Dead(endpoint, "invalid_grant")),
        Some(other) => {
            let is_plain =
                other.len() <= 64 && other.bytes().all(|c| c.is_ascii_lowercase() || c == b'_');
            let said = if is_plain { other } else { "another error" };
            return Err(NoToken::Refused(endpoint, code, format!(" and {said}")));
        }
        None => {}
    }
    if code != 200 {
        return Err(NoToken::Refused(endpoint, code, String::new()));
    }
    let wrong = || NoToken::Answer(source.endpoint().clone());
    let answer = answer.ok_or_else(wrong)?;
    let kind = answer.token_type.as_deref();
    if !kind.is_none_or(|kind| kind.eq_ignore_ascii_case("bearer")) {
        return Err(wrong());
    }
    let token = answer.access_token.ok_or_else(wrong)?;
    let token = SecretValue::new(Zeroizing::new(token.into_bytes())).map_err(|_| wrong())?;
    let lifetime = match answer.expires_in {
        Some(Value::Number(seconds)) => seconds.as_u64(),
        Some(Value::String(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    Ok((token, lifetime.unwrap_or(0).min(KEPT_S_MAX)))
}
