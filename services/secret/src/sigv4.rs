//! AWS Signature Version 4: signs requests with a key of AWS, which never leaves.

use std::fmt;
use std::str::FromStr;

use bus_schema::{Digest, Time};
use contract::{is_header_value, percent_encoded};
use data_encoding::HEXLOWER;
use zeroize::Zeroizing;

use crate::mac::mac;
use crate::outgoing::{Injected, Outgoing, Place, Unfit};
use crate::spelling::{InjectionError, plain_name};
use crate::value::SecretValue;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// The service whose paths are escaped once, not twice.
const ONCE: &str = "s3";
const BODY: &str = "x-amz-content-sha256";
const DATE: &str = "x-amz-date";
const TOKEN: &str = "x-amz-security-token";

/// `sigv4:REGION/SERVICE`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigV4 {
    region: String,
    service: String,
}

/// A key of AWS.
struct AwsKey<'v> {
    id: &'v str,
    secret: &'v str,
    token: Option<&'v str>,
}

impl SigV4 {
    /// The places that it writes.
    pub(crate) fn places() -> Vec<Place> {
        let names = ["authorization", BODY, DATE, TOKEN].into_iter();
        names.map(|name| Place::Header(name.to_owned())).collect()
    }

    /// The parts of a value that are secret, each by itself.
    pub(crate) fn texts(value: &SecretValue) -> Vec<&str> {
        let key = AwsKey::of(value).ok();
        let parts = key.map(|key| [Some(key.secret), key.token]);
        parts.into_iter().flatten().flatten().collect()
    }

    /// Signs a request.
    ///
    /// # Errors
    /// [`Unfit::AwsKey`]
    pub(crate) fn sign(
        &self,
        value: &SecretValue,
        request: &Outgoing<'_>,
    ) -> Result<Vec<Injected>, Unfit> {
        let key = AwsKey::of(value)?;
        let date = date(request.at);
        let body = Digest::of(&[request.body]).to_string();
        let mut headers = vec![("host", request.host), (BODY, &body), (DATE, &date)];
        headers.extend(request.content_type.map(|kind| ("content-type", kind)));
        headers.extend(key.token.map(|token| (TOKEN, token)));
        headers.sort_unstable();
        let signature = self.signed(&key, request, &headers, (&body, &date));
        let names = names(&headers);
        let scope = self.scope(&date);
        let id = key.id;
        let authorization = format!(
            "{ALGORITHM} Credential={id}/{scope}, SignedHeaders={names}, Signature={signature}"
        );
        let token = key
            .token
            .map(|token| Injected::header(TOKEN, token.to_owned()));
        let others = [
            Injected::header("authorization", authorization),
            Injected::header(BODY, body.clone()),
            Injected::header(DATE, date.clone()),
        ];
        Ok(others.into_iter().chain(token).collect())
    }

    /// Returns the signature over a request and exactly these of its headers, which are sorted by name.
    ///
    /// # Errors
    /// [`Unfit::AwsKey`]
    pub fn signature(
        &self,
        value: &SecretValue,
        request: &Outgoing<'_>,
        headers: &[(&str, &str)],
    ) -> Result<String, Unfit> {
        let key = AwsKey::of(value)?;
        let body = Digest::of(&[request.body]).to_string();
        Ok(self.signed(&key, request, headers, (&body, &date(request.at))))
    }

    fn signed(
        &self,
        key: &AwsKey<'_>,
        request: &Outgoing<'_>,
        headers: &[(&str, &str)],
        (body, date): (&str, &str),
    ) -> String {
        let lines = headers.iter().map(|(name, value)| {
            let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
            format!("{name}:{}\n", words.join(" "))
        });
        let lines = Zeroizing::new(lines.collect::<String>());
        let method = request.method;
        let path = self.canonical_path(request.path);
        let query = canonical_query(request.query.unwrap_or_default());
        let names = names(headers);
        let canonical = Zeroizing::new(format!(
            "{method}\n{path}\n{query}\n{}\n{names}\n{body}",
            *lines
        ));
        let scope = self.scope(date);
        let digest = Digest::of(&[canonical.as_bytes()]);
        let signed = format!("{ALGORITHM}\n{date}\n{scope}\n{digest}");
        let day = scope.split('/').next().unwrap_or_default();
        let first = Zeroizing::new(format!("AWS4{}", key.secret));
        let mut derived = mac(first.as_bytes(), &[day.as_bytes()]);
        for part in [&self.region, &self.service, "aws4_request"] {
            derived = mac(&derived[..], &[part.as_bytes()]);
        }
        let signature = mac(&derived[..], &[signed.as_bytes()]);
        HEXLOWER.encode(&signature[..])
    }

    fn scope(&self, date: &str) -> String {
        let day = date.split('T').next().unwrap_or_default();
        format!("{day}/{}/{}/aws4_request", self.region, self.service)
    }

    /// Escapes a path once more, which is escaped already; for S3 only what is not escaped yet.
    fn canonical_path(&self, path: &str) -> String {
        let escaped = |text: &str| {
            let parts = text.split('/').map(percent_encoded);
            parts.collect::<Vec<_>>().join("/")
        };
        if self.service == ONCE {
            let parts = path.split('%').map(escaped);
            return parts.collect::<Vec<_>>().join("%");
        }
        escaped(path)
    }
}

/// Sorts the parameters of a query, and escapes what is not escaped yet.
fn canonical_query(query: &str) -> String {
    let escaped = |text: &str| {
        let parts = text.split('%').map(percent_encoded);
        parts.collect::<Vec<_>>().join("%")
    };
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    let pairs = pairs.map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (escaped(name), escaped(value))
    });
    let mut pairs: Vec<_> = pairs.collect();
    pairs.sort_unstable();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

fn names(headers: &[(&str, &str)]) -> String {
    let names = headers.iter().map(|(name, _)| *name);
    names.collect::<Vec<_>>().join(";")
}

/// The time in the form of AWS: `20150830T123600Z`.
fn date(at: Time) -> String {
    let seconds = Time::from_ns(at.ns() - at.ns().rem_euclid(1_000_000_000)).to_string();
    let seconds = seconds.replace(['-', ':'], "");
    format!("{}Z", seconds.split('.').next().unwrap_or_default())
}

impl<'v> AwsKey<'v> {
    fn of(value: &'v SecretValue) -> Result<Self, Unfit> {
        let mut parts = value.expose().splitn(3, ':');
        let mut next = || {
            let part = parts.next()?;
            let fits = !part.is_empty() && !part.contains([' ', ',']) && is_header_value(part);
            Some(fits.then_some(part).ok_or(Unfit::AwsKey))
        };
        let key = Self {
            id: next().ok_or(Unfit::AwsKey)??,
            secret: next().ok_or(Unfit::AwsKey)??,
            token: next().transpose()?,
        };
        Ok(key)
    }
}

impl FromStr for SigV4 {
    type Err = InjectionError;

    /// Reads what stands after `sigv4:`.
    fn from_str(text: &str) -> Result<Self, InjectionError> {
        let wrong = InjectionError::Scope;
        let (region, service) = text.split_once('/').ok_or(wrong)?;
        let part = |text: &str| plain_name(text).map_err(|_| wrong);
        Ok(Self {
            region: part(region)?,
            service: part(service)?,
        })
    }
}

impl fmt::Display for SigV4 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.region, self.service)
    }
}
