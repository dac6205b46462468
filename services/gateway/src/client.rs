//! The client: signs the owner's statements and sends requests to the gateway over HTTP.

mod follow;
mod page;
mod pairing;
mod session;

use std::{fmt, time::Duration};

use actor::Clock;
use bus_schema::{
    AccessStatement, ApprovalStatement, AuthorId, Content, DeploymentId, Digest, DraftGrant,
    PlanStatement, PublicKey, Salt, Sealed, Signed, Statement, TaskId, TaskStatement, TooLarge,
    wire,
};
use data_encoding::BASE64;
use ed25519_dalek::SigningKey;
use futures::{Stream, StreamExt as _};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{
    Method, Request, Response, Uri,
    body::{Bytes, Incoming},
    header,
};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::{
        Carried, CarryApproval, CarryPlan, Event, PLAYBOOK_BYTES_MAX, ProblemBody, SALT_HEADER,
        SCHEME, SubmitTask, Submitted, Task, Tasks,
    },
    record::TASK_TEXT_BYTES_MAX,
};

/// The validity of a signed access.
const ACCESS_MS: u64 = 60_000;
/// The timeout of a request.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);
/// The maximum size of a JSON response: one task with all of its events, and a margin.
const ANSWER_BYTES_MAX: usize = TASK_TEXT_BYTES_MAX + (2 << 20);

pub use follow::Followed;
pub use page::PageResponse;
pub use session::SessionCall;

/// The parts of a task that not every task has.
#[derive(Debug, Clone, Copy, Default)]
struct TaskParts<'a> {
    /// The values of the contract's slots.
    slots: Option<&'a [u8]>,
    /// The key of a session.
    session: Option<PublicKey>,
    /// The document of a dialogue.
    dialogue: Option<&'a [u8]>,
}

/// The reason for a failed request.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The URL is not a loopback address over HTTP.
    #[error("{0:?} is not the address of a gateway; give one such as http://127.0.0.1:8080")]
    Url(String),
    /// The playbook is larger than the gateway accepts.
    #[error("the playbook has {0} bytes, more than {PLAYBOOK_BYTES_MAX}; split it")]
    Playbook(usize),
    /// The bytes cannot be sealed.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The gateway does not answer.
    #[error("the gateway at {url} does not answer; is it running?")]
    Unreachable {
        /// The gateway's URL.
        url: String,
        /// The cause.
        source: legacy::Error,
    },
    /// The request timed out.
    #[error(
        "the gateway at {0} did not answer in time; check whether it did what was asked, then try again"
    )]
    Silent(String),
    /// The response ended early.
    #[error(
        "the gateway's answer ended early; check whether it did what was asked, then try again"
    )]
    BrokeOff,
    /// The bytes do not match the digest in the event.
    #[error(
        "the gateway returned other bytes than the event names: sign nothing, and check who runs it"
    )]
    NotGenuine,
    /// The gateway refused the request.
    #[error("the gateway refused ({}): {}", .0.title, .0.detail)]
    Refused(Box<ProblemBody>),
    /// The response is not a gateway's.
    #[error(
        "the server at {url} (status {status}) is not a gateway of this version; check the address"
    )]
    NotGateway {
        /// The URL.
        url: String,
        /// The HTTP status of the response.
        status: u16,
    },
}

impl Error {
    /// Returns true if the same request can succeed later.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Silent(_) | Self::BrokeOff => true,
            Self::Refused(problem) => matches!(problem.status, 408 | 429 | 503 | 504),
            Self::Url(_)
            | Self::Playbook(_)
            | Self::TooLarge(_)
            | Self::NotGenuine
            | Self::NotGateway { .. } => false,
        }
    }
}

/// The owner's client of one gateway; clones share only the key.
#[derive(Clone)]
pub struct Client {
    base: String,
    host: Option<String>,
    key: SigningKey,
    deployment: DeploymentId,
    clock: Clock,
    http: legacy::Client<HttpConnector, Full<Bytes>>,
}

impl fmt::Debug for Client {
    /// Formats the client without its key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client for plain HTTP to the gateway at `url` on this machine, such as `http://127.0.0.1:8080`.
    ///
    /// # Errors
    /// [`Error::Url`] for every other kind of address: an access must not cross a network unencrypted.
    pub fn new(
        url: &str,
        key: SigningKey,
        deployment: DeploymentId,
        clock: Clock,
    ) -> Result<Self, Error> {
        let wrong = || Error::Url(url.chars().take(200).collect());
        let base = url.strip_suffix('/').unwrap_or(url);
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
        let local = host == "localhost"
            || host
                .parse()
                .is_ok_and(|ip: std::net::IpAddr| ip.is_loopback());
        let bare = uri.path_and_query().is_none_or(|path| path.as_str() == "/");
        if uri.scheme_str() != Some("http") || !local || !bare || base.contains('@') {
            return Err(wrong());
        }
        let mut connector = HttpConnector::new();
        connector.set_connect_timeout(Some(Duration::from_secs(5)));
        // No pooling: the gateway could just have closed a pooled connection.
        let http = legacy::Client::builder(TokioExecutor::new())
            .pool_max_idle_per_host(0)
            .build(connector);
        Ok(Self {
            base: base.to_owned(),
            host: None,
            key,
            deployment,
            clock,
            http,
        })
    }

    /// Sends `host` as the header `Host`, for a gateway whose configured name differs from its address here.
    #[must_use]
    pub fn known_as(self, host: &str) -> Self {
        Self {
            host: Some(host.to_owned()),
            ..self
        }
    }

    /// Signs a task and submits it with its playbook.
    ///
    /// # Errors
    /// [`Error`]; after a transient one, [`Client::tasks`] shows whether the task was submitted.
    pub async fn submit(&self, contract: Digest, playbook: &[u8]) -> Result<Submitted, Error> {
        self.submit_filled(contract, playbook, None).await
    }

    /// Does the same for a contract with slots; `slots` are their values as canonical JSON.
    ///
    /// # Errors
    /// [`Error`]; see [`Client::submit`].
    pub async fn submit_filled(
        &self,
        contract: Digest,
        playbook: &[u8],
        slots: Option<&[u8]>,
    ) -> Result<Submitted, Error> {
        let with = TaskParts {
            slots,
            ..TaskParts::default()
        };
        self.submit_task(contract, playbook, with).await
    }

    /// Signs a dialogue and submits it: `words` are what the person wants, and `document` names the model and its tools;
    /// `slots` are the values of the contract's slots as canonical JSON.
    ///
    /// # Errors
    /// [`Error`]; see [`Client::submit`].
    pub async fn open_dialogue(
        &self,
        contract: Digest,
        (words, document): (&str, &[u8]),
        slots: Option<&[u8]>,
    ) -> Result<Submitted, Error> {
        let with = TaskParts {
            slots,
            session: None,
            dialogue: Some(document),
        };
        self.submit_task(contract, words.as_bytes(), with).await
    }

    async fn submit_task(
        &self,
        contract: Digest,
        playbook: &[u8],
        with: TaskParts<'_>,
    ) -> Result<Submitted, Error> {
        if playbook.len() > PLAYBOOK_BYTES_MAX {
            return Err(Error::Playbook(playbook.len()));
        }
        let sealed = Sealed::new(self.clock.salt(), playbook)?;
        let sealed_part = |part| Sealed::new(self.clock.salt(), part);
        let slots = with.slots.map(sealed_part).transpose()?;
        let dialogue = with.dialogue.map(sealed_part).transpose()?;
        let said = Statement::Task(TaskStatement {
            session: with.session,
            dialogue: dialogue.as_ref().map(Sealed::content),
            deployment: self.deployment,
            task: TaskId::new(self.clock.uuid()),
            contract,
            playbook: sealed.content(),
            slots: slots.as_ref().map(Sealed::content),
            at: self.clock.wall(),
        });
        let signed = Signed::new(&said, &self.key);
        self.post(
            "/v1/tasks",
            &SubmitTask {
                signed,
                playbook: sealed,
                slots,
                dialogue,
            },
        )
        .await
    }

    /// Signs an approval or a denial of exactly this draft and submits it.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn approve(&self, draft: &DraftGrant, approve: bool) -> Result<Carried, Error> {
        self.answer(draft, approve, &self.key).await
    }

    /// Signs and submits the answer of another approver.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn answer(
        &self,
        draft: &DraftGrant,
        approve: bool,
        key: &SigningKey,
    ) -> Result<Carried, Error> {
        let said = Statement::Approval(ApprovalStatement {
            deployment: self.deployment,
            task: draft.task,
            action: draft.action,
            contract: draft.contract,
            draft: draft.digest(),
            approve,
            at: self.clock.wall(),
        });
        let signed = Signed::new(&said, key);
        self.post("/v1/approvals", &CarryApproval { signed }).await
    }

    /// Signs one answer to several drafts of one task under one contract, at most [`PLAN_CALLS_MAX`], and submits it for
    /// each of them. `key` is another approver's; the owner's without. Returns the result of each.
    ///
    /// [`PLAN_CALLS_MAX`]: bus_schema::PLAN_CALLS_MAX
    pub async fn answer_all(
        &self,
        drafts: &[DraftGrant],
        approve: bool,
        key: Option<&SigningKey>,
    ) -> Vec<Result<Carried, Error>> {
        let key = key.unwrap_or(&self.key);
        let first = match drafts {
            [] => return Vec::new(),
            [only] => return vec![self.answer(only, approve, key).await],
            [first, ..] => first,
        };
        let said = Statement::Plan(PlanStatement {
            deployment: self.deployment,
            task: first.task,
            contract: first.contract,
            drafts: drafts.iter().map(DraftGrant::digest).collect(),
            approve,
            at: self.clock.wall(),
        });
        let signed = Signed::new(&said, key);
        let mut carried = Vec::new();
        for draft in drafts {
            let body = CarryPlan {
                action: draft.action,
                signed: signed.clone(),
            };
            carried.push(self.post("/v1/plans", &body).await);
        }
        carried
    }

    /// The newest tasks, in descending order.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn tasks(&self) -> Result<Tasks, Error> {
        self.json(self.get("/v1/tasks")).await
    }

    /// One task with all of its events.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn task(&self, task: TaskId) -> Result<Task, Error> {
        self.json(self.get(&format!("/v1/tasks/{task}"))).await
    }

    /// Fetches the bytes of a content and checks them against its digest; none if they were erased.
    ///
    /// # Errors
    /// [`Error`]
    pub async fn content(
        &self,
        author: AuthorId,
        content: &Content,
    ) -> Result<Option<Vec<u8>>, Error> {
        let path = format!(
            "/v1/contents/{author}/{}/{}",
            content.digest(),
            content.len()
        );
        let response = match self.send(self.get(&path), Vec::new()).await {
            Err(Error::Refused(problem)) if problem.status == 410 => return Ok(None),
            answered => answered?,
        };
        let salt = response
            .headers()
            .get(SALT_HEADER)
            .and_then(|salt| salt.to_str().ok());
        let salt: Option<Salt> = salt.and_then(|salt| salt.parse().ok());
        let bytes = self.read(response, content.len() as usize).await?;
        // Signers rely on these bytes, and the gateway is not trusted.
        let stored = salt.map(|salt| [salt.as_bytes().as_slice(), &bytes].concat());
        let genuine = stored.and_then(|stored| content.open(&stored));
        genuine.map(Some).ok_or(Error::NotGenuine)
    }

    /// The events of one task, from the first on, until it ends. Connections that end are
    /// opened again; an item that is an error is the last one.
    pub fn follow(&self, task: TaskId) -> impl Stream<Item = Result<Event, Error>> + Send + use<> {
        self.follow_live(task, false).filter_map(|followed| {
            let event = match followed {
                Ok(Followed::Event(event)) => Some(Ok(event)),
                Ok(Followed::Piece(_)) => None,
                Err(error) => Some(Err(error)),
            };
            std::future::ready(event)
        })
    }

    /// The same, with the pieces of answers that are still arriving if `pieces` is true.
    pub fn follow_live(
        &self,
        task: TaskId,
        pieces: bool,
    ) -> impl Stream<Item = Result<Followed, Error>> + Send + use<> {
        follow::Follower::new(self.clone(), task, pieces).all()
    }

    fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.base));
        match &self.host {
            Some(host) => request.header(header::HOST, host),
            None => request,
        }
    }

    /// Builds a GET request with the owner's signed access.
    fn get(&self, path: &str) -> hyper::http::request::Builder {
        let until = self.clock.wall().plus_ms(ACCESS_MS);
        let said = Statement::Access(AccessStatement {
            deployment: self.deployment,
            until,
        });
        let access = BASE64.encode(&wire::encode(&Signed::new(&said, &self.key)));
        self.request(Method::GET, path)
            .header(header::AUTHORIZATION, format!("{SCHEME} {access}"))
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Error> {
        let json = serde_json::to_vec(body).map_err(|_| Error::BrokeOff)?;
        let request = self.request(Method::POST, path);
        let request = request.header(header::CONTENT_TYPE, "application/json");
        let response = self.send(request, json).await?;
        self.parse(response).await
    }

    async fn json<T: DeserializeOwned>(
        &self,
        request: hyper::http::request::Builder,
    ) -> Result<T, Error> {
        let response = self.send(request, Vec::new()).await?;
        self.parse(response).await
    }

    async fn parse<T: DeserializeOwned>(&self, response: Response<Incoming>) -> Result<T, Error> {
        let status = response.status();
        let bytes = self.read(response, ANSWER_BYTES_MAX).await?;
        serde_json::from_slice(&bytes).map_err(|_| self.not_gateway(status.as_u16()))
    }

    /// Sends a request; a response without success is an error.
    async fn send(
        &self,
        request: hyper::http::request::Builder,
        body: Vec<u8>,
    ) -> Result<Response<Incoming>, Error> {
        let request = request
            .body(Full::from(body))
            .map_err(|_| Error::Url(self.base.clone()))?;
        let sent = tokio::time::timeout(REQUEST_TIMEOUT, self.http.request(request)).await;
        let sent = sent.map_err(|_| Error::Silent(self.base.clone()))?;
        let response = sent.map_err(|source| Error::Unreachable {
            url: self.base.clone(),
            source,
        })?;
        let status = response.status();
        if status.is_success() {
            return Ok(response);
        }
        let bytes = self.read(response, ANSWER_BYTES_MAX).await?;
        let problem = serde_json::from_slice(&bytes);
        let problem = problem.map_err(|_| self.not_gateway(status.as_u16()))?;
        Err(Error::Refused(Box::new(problem)))
    }

    async fn read(&self, response: Response<Incoming>, most: usize) -> Result<Bytes, Error> {
        let status = response.status().as_u16();
        let reading = Limited::new(response.into_body(), most).collect();
        match tokio::time::timeout(REQUEST_TIMEOUT, reading).await {
            Ok(Ok(read)) => Ok(read.to_bytes()),
            Ok(Err(error)) if error.is::<LengthLimitError>() => Err(self.not_gateway(status)),
            Ok(Err(_)) => Err(Error::BrokeOff),
            Err(_) => Err(Error::Silent(self.base.clone())),
        }
    }

    fn not_gateway(&self, status: u16) -> Error {
        Error::NotGateway {
            url: self.base.clone(),
            status,
        }
    }
}
