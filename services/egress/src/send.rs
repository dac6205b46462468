//! Sends the request of one call: resolves, checks, dials, proves the host, sends once, reads.

use std::future::Future;
use std::sync::OnceLock;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bus_schema::Digest;
use contract::{HttpRequest, HttpTool, Reach, StrictUrl};
use serde_json::{Map, Value};

use crate::answer::{self, Output};
use crate::connection::{Received, exchange};
use crate::credential::Credential;
use crate::dial::{Checked, connect};
use crate::fault::{Fault, Phase};
use crate::intake::Intake;
use crate::live::Pieces;
use crate::release::NoCredential;
use crate::resolve::Resolver;
use crate::tls::Trust;

/// The longest resolution of a name.
const RESOLVE: Duration = Duration::from_secs(6);
/// The longest connection, over all addresses.
const CONNECT: Duration = Duration::from_secs(10);
/// The longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The means by which requests are sent.
#[derive(Debug)]
pub struct Sender {
    /// Resolves names.
    pub resolver: Resolver,
    /// The authorities of hosts.
    pub trust: Trust,
}

/// One call of a tool.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The tool.
    pub tool: &'a HttpTool,
    /// The arguments.
    pub args: &'a Map<String, Value>,
    /// Becomes true right before the first byte of the request is sent.
    pub begun: &'a AtomicBool,
    /// SHA-256 of the body of the request, set before it is begun; nothing without a body.
    pub body: &'a OnceLock<Digest>,
    /// The secret; it stands only in requests to the tool's own host.
    pub credential: Option<&'a Credential>,
    /// The way out for the pieces of an answer that is still arriving.
    pub pieces: Option<&'a Pieces>,
}

impl Sender {
    /// Returns what is missing for every call, with what to do.
    pub(crate) const fn lack(&self) -> Option<&'static str> {
        if !self.resolver.has_servers() {
            return Some(
                "no name server is known; add `nameservers` to the configuration of egress",
            );
        }
        if self.trust.authorities() == 0 {
            return Some(
                "no authority is known, so no host can prove its name; add `authorities` to the configuration of egress",
            );
        }
        None
    }

    /// Calls a tool once, within `reach` and `wall`, and returns its output.
    ///
    /// # Errors
    /// See [`Fault`].
    pub async fn call(
        &self,
        call: &Call<'_>,
        reach: &Reach,
        wall: Duration,
    ) -> Result<Output, Fault> {
        let intake = Intake::new(call.tool, wall, call.credential, call.pieces);
        within(Phase::Whole, wall, self.called(call, reach, &intake)).await
    }

    async fn called(
        &self,
        call: &Call<'_>,
        reach: &Reach,
        intake: &Intake<'_>,
    ) -> Result<Output, Fault> {
        let (tool, credential) = (call.tool, call.credential);
        let mut request = tool.request(call.args)?;
        taken(&request, tool, credential)?;
        if let Some(body) = &request.body {
            // The body is that of every request of the call.
            call.body.set(Digest::of(&[body])).ok();
        }
        let mut left = tool.redirects();
        loop {
            let next = request.clone();
            let own = next.url.endpoint() == tool.endpoint();
            let carried = credential.filter(|_| own);
            let received = self
                .exchanged((request, carried), intake, reach, call.begun)
                .await?;
            let Some(to) = answer::target(&received) else {
                return answer::output(tool.answer(), &received);
            };
            // Before anything is cut off, and before anything is sent there.
            let shown = credential.map_or_else(|| to.to_vec(), |secret| secret.scrub(to));
            let redirect = |why| Fault::Redirect {
                code: received.code,
                to: answer::quoted(&shown),
                why,
            };
            if shown != to {
                return Err(redirect("it repeats the secret".to_owned()));
            }
            request = redirected(next, to, left, reach).map_err(redirect)?;
            left -= 1;
        }
    }

    /// Sends one request and reads its answer.
    pub(crate) async fn exchanged(
        &self,
        (request, credential): (HttpRequest, Option<&Credential>),
        intake: &Intake<'_>,
        reach: &Reach,
        begun: &AtomicBool,
    ) -> Result<Received, Fault> {
        let endpoint = request.url.endpoint().clone();
        // Before the first query: a name is a way out as well.
        if !reach.hosts.contains(&endpoint) {
            return Err(Fault::Host(endpoint));
        }
        let host = endpoint.host();
        let addresses = within(Phase::Resolve, RESOLVE, self.resolver.addresses(host)).await?;
        let checked = Checked::all(&endpoint, &addresses, reach)?;
        let stream = within(Phase::Connect, CONNECT, connect(&endpoint, &checked)).await?;
        let proved = self.trust.handshake(host, stream);
        let stream = within(Phase::Handshake, HANDSHAKE, proved).await?;
        exchange(stream, &endpoint, (request, credential), intake, begun).await
    }
}

/// Refuses a request that has something else where the secret belongs.
fn taken(
    request: &HttpRequest,
    tool: &HttpTool,
    credential: Option<&Credential>,
) -> Result<(), Fault> {
    let placed = credential.zip(tool.secret());
    let Some((credential, name)) = placed else {
        return Ok(());
    };
    let taken = credential.taken(tool.endpoint(), request);
    let refused = |taken| Fault::Secret {
        name: name.clone(),
        why: NoCredential::Taken(taken),
    };
    taken.map_or(Ok(()), |taken| Err(refused(taken)))
}

/// Returns the request that follows a redirect, without its own headers at another host; the reason that it is not
/// followed otherwise.
fn redirected(
    mut request: HttpRequest,
    to: &[u8],
    left: u8,
    reach: &Reach,
) -> Result<HttpRequest, String> {
    if left == 0 {
        return Err("no redirect is followed".to_owned());
    }
    let text = std::str::from_utf8(to).map_err(|_| "it is no text".to_owned())?;
    let here = request.url.endpoint();
    let text = match text.strip_prefix('/') {
        Some(rest) if !rest.starts_with('/') => format!("https://{here}{text}"),
        Some(_) | None => text.to_owned(),
    };
    let url = StrictUrl::new(&text).map_err(|error| error.to_string())?;
    if !reach.hosts.contains(url.endpoint()) {
        return Err(format!(
            "the contract does not name the host {}",
            url.endpoint()
        ));
    }
    if url.endpoint() != here {
        request.headers.clear();
    }
    request.url = url;
    Ok(request)
}

pub(crate) async fn within<T>(
    phase: Phase,
    limit: Duration,
    work: impl Future<Output = Result<T, Fault>>,
) -> Result<T, Fault> {
    let late = |_| Fault::Late {
        phase,
        ms: u64::try_from(limit.as_millis()).unwrap_or(u64::MAX),
    };
    tokio::time::timeout(limit, work).await.map_err(late)?
}
