//! Access tokens of OAuth 2: gets them from the token endpoint that the terms of a secret name, and keeps them until they expire.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bus_schema::{SecretName, Time};
use contract::{Endpoint, HttpRequest, Method, Reach, StrictUrl, percent_encoded};
use secret::{
    Injection, SecretTerms, SecretValue, TokenGrant, TokenSource, VALUE_BYTES_MAX, ValueError,
};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::{OwnedMutexGuard, oneshot};
use tokio::task::JoinSet;
use zeroize::Zeroizing;

use crate::connection::Received;
use crate::credential::Credential;
use crate::fault::Fault;
use crate::no_token::NoToken;
use crate::release::{NoCredential, Opened};
use crate::send::Sender;

/// A token is not used in the last part of its time, in milliseconds.
const MARGIN_MS: u64 = 30_000;
/// Longest time for which a token is kept, in seconds.
const KEPT_S_MAX: u64 = 86_400;

/// The access tokens by the name of their secret. One request for each secret is in flight at a time.
#[derive(Debug, Default)]
pub struct Tokens {
    slots: Mutex<BTreeMap<SecretName, Slot>>,
    /// The exchanges under way, which go on without the calls that began them.
    running: Mutex<JoinSet<()>>,
}

type Slot = Arc<tokio::sync::Mutex<Option<Known>>>;

/// The last exchange of a secret.
#[derive(Debug)]
struct Known {
    terms: SecretTerms,
    /// The value on record that the exchange was for.
    given: SecretValue,
    /// The value that is valid since, or that the endpoint refused.
    value: SecretValue,
    /// True if the value is on record.
    is_kept: bool,
    state: Exchange,
}

#[derive(Debug)]
enum Exchange {
    /// A token that may be used until then.
    Token(SecretValue, Time),
    /// A token that was used.
    Used,
    /// The endpoint does not take the value any more.
    Dead(NoToken),
}

/// The answer of a token endpoint.
#[derive(Debug)]
struct Given {
    token: SecretValue,
    /// In seconds; 0 for one use.
    lifetime: u64,
    /// The next refresh token.
    refresh: Option<SecretValue>,
}

#[derive(Deserialize)]
struct TokenAnswer {
    access_token: Option<String>,
    token_type: Option<String>,
    /// Seconds; some endpoints send a text.
    expires_in: Option<Value>,
    refresh_token: Option<String>,
    error: Option<String>,
}

/// The beginning of an exchange.
#[derive(Debug)]
enum Newest {
    /// A token that may be used.
    Token(SecretValue),
    /// The value to exchange, and true if it is on record.
    Value(SecretValue, bool),
}

/// An exchange under way; no other one of its secret begins before its end.
struct Exchanging {
    sender: Arc<Sender>,
    reach: Reach,
    source: TokenSource,
    opened: Opened,
    newest: SecretValue,
    is_kept: bool,
    last: OwnedMutexGuard<Option<Known>>,
}

impl Tokens {
    /// Makes the credential of a call: of the value, or of a token for it if its terms name a token endpoint. A refresh token that
    /// takes the place of the value is handed to `keep` before its access token is used. An exchange whose request was begun
    /// goes on if the call is dropped, because the endpoint takes each value once.
    ///
    /// # Errors
    /// [`NoCredential`]; nothing was sent to the tool's host then.
    pub async fn credential<K>(
        &self,
        sender: &Arc<Sender>,
        opened: Opened,
        reach: &Reach,
        keep: impl FnOnce(SecretTerms, SecretValue) -> K + Send + 'static,
    ) -> Result<Credential, NoCredential>
    where
        K: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (terms, at) = (opened.terms.clone(), opened.at);
        let Some(source) = terms.token() else {
            return Ok(Credential::new(terms, opened.value, at)?);
        };
        let last = self.slot(terms.name()).lock_owned().await;
        let token = match newest(last.as_ref(), &opened)? {
            Newest::Token(token) => token,
            Newest::Value(newest, is_kept) => {
                let exchanging = Exchanging {
                    sender: Arc::clone(sender),
                    reach: reach.clone(),
                    source: source.clone(),
                    opened,
                    newest,
                    is_kept,
                    last,
                };
                let ended = self.start(exchanging, keep).await;
                let broken = |_| NoToken::Broken(source.endpoint().clone());
                ended.map_err(broken)??
            }
        };
        Ok(Credential::new(terms, token, at)?)
    }

    /// Runs an exchange beside the call that waits for its token.
    fn start<K>(
        &self,
        exchanging: Exchanging,
        keep: impl FnOnce(SecretTerms, SecretValue) -> K + Send + 'static,
    ) -> oneshot::Receiver<Result<SecretValue, NoCredential>>
    where
        K: Future<Output = Result<(), String>> + Send + 'static,
    {
        let (mut reply, answer) = oneshot::channel();
        let exchange = async move {
            let begun = AtomicBool::new(false);
            let ended = {
                let unwanted = async {
                    reply.closed().await;
                    if begun.load(Ordering::Relaxed) {
                        std::future::pending::<()>().await;
                    }
                };
                tokio::select! {
                    biased;
                    () = unwanted => return,
                    ended = exchanging.run(&begun, keep) => ended,
                }
            };
            if let Err(Err(why)) = reply.send(ended) {
                let error = actor::chain(&why);
                tracing::warn!(error, "a call ended, and its exchange of a token failed");
            }
        };
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        while running.try_join_next().is_some() {}
        running.spawn(exchange);
        answer
    }

    fn slot(&self, name: &SecretName) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(name.clone()).or_default())
    }

    /// Forgets the token of a secret, because a host did not take it: the next call gets another one.
    pub fn forget(&self, name: &SecretName) {
        let slot = {
            let slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
            slots.get(name).map(Arc::clone)
        };
        // While it is locked, a call gets another one.
        if let Some(slot) = slot
            && let Ok(mut last) = slot.try_lock()
            && let Some(Known { state, .. }) = last.as_mut()
            && matches!(state, Exchange::Token(..))
        {
            *state = Exchange::Used;
        }
    }
}

/// Returns the token of the last exchange, or the value to exchange.
fn newest(last: Option<&Known>, opened: &Opened) -> Result<Newest, NoToken> {
    let Opened { terms, value, at } = opened;
    let on_record = || Ok(Newest::Value(value.clone(), true));
    let Some(known) = last.filter(|known| known.terms == *terms) else {
        return on_record();
    };
    match &known.state {
        Exchange::Token(token, until) if at < until => Ok(Newest::Token(token.clone())),
        Exchange::Dead(why) if [&known.value, &known.given].contains(&value) => Err(why.clone()),
        Exchange::Dead(_) => on_record(),
        // An endpoint takes each value once, and the record may be behind.
        Exchange::Token(..) | Exchange::Used => {
            Ok(Newest::Value(known.value.clone(), known.is_kept))
        }
    }
}

impl Exchanging {
    /// Exchanges the value, and has the one kept that takes its place; returns the token.
    async fn run<K>(
        mut self,
        begun: &AtomicBool,
        keep: impl FnOnce(SecretTerms, SecretValue) -> K,
    ) -> Result<SecretValue, NoCredential>
    where
        K: Future<Output = Result<(), String>>,
    {
        let Opened { terms, value, at } = self.opened;
        let (source, newest, mut is_kept) = (&self.source, self.newest, self.is_kept);
        let asked = (&terms, &newest, at);
        let given = self.sender.token(source, asked, &self.reach, begun).await;
        let given = match given {
            Ok(given) => given,
            Err(NoCredential::Token(why @ NoToken::Dead(..))) => {
                *self.last = Some(Known {
                    terms,
                    given: value,
                    value: newest,
                    is_kept,
                    state: Exchange::Dead(why.clone()),
                });
                return Err(why.into());
            }
            Err(other) => return Err(other),
        };
        let next = next(source, &newest, given.refresh.as_ref())?;
        is_kept &= next.is_none();
        let newest = next.unwrap_or(newest);
        // Before it is on record, so that a used value is not sent again if that fails.
        let known = self.last.insert(Known {
            terms: terms.clone(),
            given: value,
            value: newest.clone(),
            is_kept,
            state: Exchange::Used,
        });
        if !is_kept {
            let kept = keep(terms, newest).await;
            kept.map_err(|why| NoToken::Unkept(source.endpoint().clone(), why))?;
            known.is_kept = true;
        }
        let usable_ms = (given.lifetime * 1000).saturating_sub(MARGIN_MS);
        if usable_ms > 0 {
            known.state = Exchange::Token(given.token.clone(), at.plus_ms(usable_ms));
        }
        Ok(given.token)
    }
}

impl Sender {
    /// Asks for a token. The value of the secret stands only in this request: the secret of a client in the header
    /// `authorization`, a refresh token in the body.
    async fn token(
        &self,
        source: &TokenSource,
        (terms, value, at): (&SecretTerms, &SecretValue, Time),
        reach: &Reach,
        begun: &AtomicBool,
    ) -> Result<Given, NoCredential> {
        let endpoint = source.endpoint();
        if !reach.hosts.contains(endpoint) {
            return Err(NoToken::Host(endpoint.clone()).into());
        }
        let url = StrictUrl::new(source.url()).map_err(|_| NoToken::Url)?;
        let (client_secret, refresh) = parts(source, value)?;
        let mut form = TokenForm::new();
        form.add("grant_type", source.grant().word());
        if let Some(refresh) = &refresh {
            form.add("refresh_token", refresh.expose());
        }
        if client_secret.is_none() {
            form.add("client_id", source.client());
        }
        if let Some(scope) = source.scope() {
            form.add("scope", scope);
        }
        let client = client_secret.map(|secret| client(source, endpoint, (terms, secret, at)));
        let client = client.transpose()?;
        let received = self.form((url, form, client.as_ref()), reach, begun).await;
        let received = received.map_err(|(_, why)| NoToken::Unreached(endpoint.clone(), why))?;
        Ok(read(source, received)?)
    }

    /// Posts a form, as the client if there is one.
    ///
    /// # Errors
    /// See [`Sender::asked`].
    pub(crate) async fn form(
        &self,
        (url, form, client): (StrictUrl, TokenForm, Option<&Credential>),
        reach: &Reach,
        begun: &AtomicBool,
    ) -> Result<Received, (Fault, String)> {
        let header = |name: &str, text: &str| (name.to_owned(), text.to_owned());
        let request = HttpRequest {
            method: Method::Post,
            url,
            headers: vec![
                header("accept", "application/json"),
                header("content-type", "application/x-www-form-urlencoded"),
            ],
            body: Some(form.0.as_bytes().to_vec()),
        };
        self.asked((request, client), reach, begun).await
    }
}

/// The body of a request to an endpoint of OAuth 2.
pub(crate) struct TokenForm(Zeroizing<String>);

impl TokenForm {
    pub(crate) fn new() -> Self {
        // Of its largest size, so that no copy stays behind.
        Self(Zeroizing::new(String::with_capacity(4 * VALUE_BYTES_MAX)))
    }

    pub(crate) fn add(&mut self, name: &str, text: &str) {
        if !self.0.is_empty() {
            self.0.push('&');
        }
        self.0.push_str(name);
        self.0.push('=');
        self.0.push_str(&Zeroizing::new(percent_encoded(text)));
    }
}

/// Returns the secret of the client and the refresh token that a value consists of.
fn parts(
    source: &TokenSource,
    value: &SecretValue,
) -> Result<(Option<SecretValue>, Option<SecretValue>), NoToken> {
    if source.grant() == TokenGrant::ClientCredentials {
        return Ok((Some(value.clone()), None));
    }
    let part = |text: &str| {
        let fits = text.bytes().all(|c| c.is_ascii_graphic());
        let bytes = Zeroizing::new(text.as_bytes().to_vec());
        let value = SecretValue::new(bytes).ok().filter(|_| fits);
        value.ok_or(NoToken::Value)
    };
    match value.expose().split_once(' ') {
        Some((refresh, secret)) => Ok((Some(part(secret)?), Some(part(refresh)?))),
        None => Ok((None, Some(part(value.expose())?))),
    }
}

/// Returns the value that takes the place of this one, if the endpoint gave another refresh token.
fn next(
    source: &TokenSource,
    value: &SecretValue,
    refresh: Option<&SecretValue>,
) -> Result<Option<SecretValue>, NoToken> {
    let (secret, before) = parts(source, value)?;
    let (Some(before), Some(refresh)) = (before, refresh) else {
        return Ok(None);
    };
    if before == *refresh {
        return Ok(None);
    }
    let next = joined(refresh.expose(), secret.as_ref());
    let next = next.map_err(|_| NoToken::Answer(source.endpoint().clone()))?;
    parts(source, &next).map_err(|_| NoToken::Answer(source.endpoint().clone()))?;
    Ok(Some(next))
}

/// Joins a refresh token and the secret of the client to a value.
///
/// # Errors
/// [`ValueError`] if both are too long together.
pub(crate) fn joined(
    refresh: &str,
    secret: Option<&SecretValue>,
) -> Result<SecretValue, ValueError> {
    let mut text = Zeroizing::new(Vec::with_capacity(2 * VALUE_BYTES_MAX));
    text.extend_from_slice(refresh.as_bytes());
    if let Some(secret) = secret {
        text.push(b' ');
        text.extend_from_slice(secret.expose().as_bytes());
    }
    SecretValue::new(text)
}

/// Makes the credential of the client itself at an endpoint (RFC 6749, 2.3.1).
pub(crate) fn client(
    source: &TokenSource,
    endpoint: &Endpoint,
    (terms, value, at): (&SecretTerms, SecretValue, Time),
) -> Result<Credential, NoCredential> {
    let hosts = vec![endpoint.clone()];
    let inject = Injection::Basic(Some(percent_encoded(source.client())));
    let name = terms.name().clone();
    let client = SecretTerms::new(name, terms.version(), hosts, vec![Method::Post], inject);
    let client = client.map_err(|_| NoToken::Url)?;
    let escaped = Zeroizing::new(percent_encoded(value.expose()).into_bytes());
    let value = SecretValue::new(escaped).unwrap_or(value);
    Ok(Credential::new(client, value, at)?)
}

/// Returns an error of RFC 6749 as it stands; only these cannot repeat a secret.
pub(crate) fn known_error(said: &str) -> &'static str {
    let known = [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ];
    let found = known.into_iter().find(|known| *known == said);
    found.unwrap_or("another error")
}

fn read(source: &TokenSource, received: Received) -> Result<Given, NoToken> {
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
            let said = known_error(other);
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
    let value = |text: String| SecretValue::new(Zeroizing::new(text.into_bytes()));
    let token = value(token).map_err(|_| wrong())?;
    let refresh = answer.refresh_token.map(value).transpose();
    let lifetime = match answer.expires_in {
        Some(Value::Number(seconds)) => seconds.as_u64(),
        Some(Value::String(seconds)) => seconds.parse().ok(),
        _ => None,
    };
    Ok(Given {
        token,
        lifetime: lifetime.unwrap_or(0).min(KEPT_S_MAX),
        refresh: refresh.map_err(|_| wrong())?,
    })
}
