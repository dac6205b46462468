//! Sends the request of one call: opens the way to the host, proves it, sends once, reads.

use std::future::Future;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use bus_schema::Digest;
use contract::{HttpRequest, HttpTool, Reach};
use serde_json::{Map, Value};

use crate::answer::{self, Output};
use crate::connection::{Received, exchange};
use crate::credential::Credential;
use crate::fault::{Fault, Phase};
use crate::intake::Intake;
use crate::live::Pieces;
use crate::proxy::Proxy;
use crate::release::NoCredential;
use crate::resolve::{Resolver, name_servers};
use crate::tls::{Trust, TrustError};

/// The file of the name servers, if none are named.
const RESOLV_CONF: &str = "/etc/resolv.conf";
/// The authorities of the machine, if none are named.
const AUTHORITIES: &str = "/etc/ssl/certs/ca-certificates.crt";
/// Most bytes of an answer to a request of egress's own.
const OWN_ANSWER_BYTES_MAX: u64 = 64 << 10;
/// The time for such a request, which may outlast its call; less than the broker takes a next refresh token.
const OWN_REQUEST: Duration = Duration::from_secs(45);
/// The longest handshake.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// The means by which requests are sent.
#[derive(Debug)]
pub struct Sender {
    /// Resolves names.
    pub resolver: Resolver,
    /// The authorities of hosts.
    pub trust: Trust,
    /// The folder in which downloads wait for their end.
    pub folder: PathBuf,
    /// The proxy that connects to hosts; none if egress does.
    pub proxy: Option<Proxy>,
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
    /// The page that is read, from 1; 0 for a tool whose answer has none.
    pub page: &'a AtomicU8,
    /// SHA-256 of the body of the request, set before it is begun; nothing without a body.
    pub body: &'a OnceLock<Digest>,
    /// Most bytes of a download.
    pub granted: u64,
    /// The secret; it stands only in requests to the tool's own host.
    pub credential: Option<&'a Credential>,
    /// The way out for the pieces of an answer that is still arriving.
    pub pieces: Option<&'a Pieces>,
}

impl Sender {
    /// Makes one with these name servers and this file of authorities, or those of the machine where none are given; files of further
    /// authorities add to them. It has no proxy, and no folder for downloads.
    ///
    /// # Errors
    /// The file of authorities that cannot be used.
    pub fn of_machine(
        servers: Option<Vec<SocketAddr>>,
        authorities: Option<PathBuf>,
        further: &[PathBuf],
    ) -> Result<Self, TrustError> {
        let servers = servers.unwrap_or_else(|| name_servers(Path::new(RESOLV_CONF)));
        let of_machine = || Some(PathBuf::from(AUTHORITIES)).filter(|file| file.exists());
        let authorities = authorities.or_else(of_machine);
        let files = authorities.iter().chain(further).map(PathBuf::as_path);
        Ok(Self {
            trust: Trust::read(files)?,
            resolver: Resolver::new(&servers),
            folder: PathBuf::new(),
            proxy: None,
        })
    }

    /// Returns what is missing for every call, with what to do.
    pub(crate) const fn lack(&self) -> Option<&'static str> {
        let needs_names = match &self.proxy {
            Some(proxy) => proxy.needs_names(),
            None => true,
        };
        if needs_names && !self.resolver.has_servers() {
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
        let bounds = (wall, call.granted);
        let by = (call.credential, call.pieces);
        let intake = Intake::new(call.tool, bounds, by, &self.folder);
        let called = Box::pin(self.called(call, reach, &intake));
        let output = within(Phase::Whole, wall, called).await;
        output.map_err(|fault| fault.of_page(call.page.load(Ordering::Relaxed)))
    }

    async fn called(
        &self,
        call: &Call<'_>,
        reach: &Reach,
        intake: &Intake<'_>,
    ) -> Result<Output, Fault> {
        if let Some(pages) = call.tool.pages() {
            return self.paged((call, pages), reach, intake).await;
        }
        let request = call.tool.request(call.args)?;
        let received = self.answered(call, request, reach, intake).await?;
        answer::output(call.tool.answer(), received, call.credential)
    }

    /// Sends a request of a call, and those that its redirects lead to, and returns the last answer.
    pub(crate) async fn answered(
        &self,
        call: &Call<'_>,
        mut request: HttpRequest,
        reach: &Reach,
        intake: &Intake<'_>,
    ) -> Result<Received, Fault> {
        let (tool, credential) = (call.tool, call.credential);
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
                return Ok(received);
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

    /// Sends a request of egress's own, such as for a token, and reads an answer of at most 64 KiB, which nobody is shown. No
    /// redirect is followed.
    ///
    /// # Errors
    /// The fault, and its text without the secret.
    pub(crate) async fn asked(
        &self,
        (request, credential): (HttpRequest, Option<&Credential>),
        reach: &Reach,
        begun: &AtomicBool,
    ) -> Result<Received, (Fault, String)> {
        let intake = Intake::unseen(OWN_ANSWER_BYTES_MAX);
        let received = self.exchanged((request, credential), &intake, reach, begun);
        let received = within(Phase::Whole, OWN_REQUEST, received).await;
        received.map_err(|fault| {
            let why = actor::chain(&fault);
            let scrubbed = credential.map(|credential| credential.scrub_text(&why));
            (fault, scrubbed.unwrap_or(why))
        })
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
        let stream = Box::pin(self.way(&endpoint, reach)).await?;
        let proved = self.trust.handshake(endpoint.host(), stream);
        let stream = within(Phase::Handshake, HANDSHAKE, proved).await?;
        Box::pin(exchange(
            stream,
            &endpoint,
            (request, credential),
            intake,
            begun,
        ))
        .await
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
    let url = request
        .url
        .resolve(text)
        .map_err(|error| error.to_string())?;
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
