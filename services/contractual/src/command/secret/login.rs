//! `secret login`: has a person approve in a browser, and seals the refresh token.

use std::{net::SocketAddr, path::PathBuf};

use bus_schema::SecretName;
use clap::Args;
use contract::{Endpoint, Method, Network, Reach, StrictUrl};
use deployment::{Deployment, owner::owner, secrets};
use egress::{DeviceCode, DeviceLogin, Sender};
use secret::{Injection, SecretTerms, TokenGrant, TokenSource};

use super::{place, value};
use crate::{Error, Output};

/// `secret login …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual secret login mail --device-url https://login.example.com/device --token-url \
    https://login.example.com/token --client my-client --scope offline_access --host mail.example.com\n\n\
    Asks the server for a code (OAuth 2 device flow, RFC 8628), prints the page on which you type it, and waits until you have \
    approved, at most as long as the code is valid. Ctrl-C ends it, and nothing is signed then. The refresh token is sealed here \
    as `secret set` seals one, and is never shown. The requests are sent from this machine, over TLS, and follow no \
    redirect.\n\n\
    Exit codes: 0 signed · 1 the login failed, or the bus refused it · 64 the arguments are not valid"
)]
pub(crate) struct Arguments {
    /// The name, such as mail.
    name: SecretName,
    /// The URL of the device authorization endpoint.
    #[arg(long, value_name = "URL")]
    device_url: String,
    /// The URL of the token endpoint, which calls ask for access tokens as well.
    #[arg(long, value_name = "URL")]
    token_url: String,
    /// The client at both endpoints.
    #[arg(long, value_name = "NAME")]
    client: String,
    /// Read the secret of the client from standard input; a public client has none.
    #[arg(long)]
    client_secret: bool,
    /// The scope that is asked for, such as 'offline_access mail.read'.
    #[arg(long, value_name = "SCOPE")]
    scope: Option<String>,
    /// A host that the access token may be sent to, such as mail.example.com; repeat it for more.
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<Endpoint>,
    /// A method of requests that may carry it, such as GET; all if left out.
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<Method>,
    /// The place of the access token in the request.
    #[arg(
        long,
        value_name = "PLACE",
        default_value = "header:authorization=Bearer {}"
    )]
    inject: Injection,
    /// A file of authorities (PEM) that are trusted for the login besides those of this machine.
    #[arg(long, value_name = "FILE")]
    authority: Vec<PathBuf>,
    /// A network in which the endpoints may have private addresses, such as 10.0.0.0/8; none if left out.
    #[arg(long = "network", value_name = "NETWORK")]
    networks: Vec<Network>,
    /// A name server for the login, such as 10.0.0.1:53; those of this machine if left out.
    #[arg(long = "nameserver", value_name = "ADDRESS:PORT")]
    nameservers: Vec<SocketAddr>,
}

impl Arguments {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let document = |error: &dyn std::error::Error| Error::Document(error.to_string());
        let url = StrictUrl::new(&self.device_url)
            .map_err(|error| Error::Document(format!("the device URL is not valid: {error}")))?;
        let (client, scope) = (self.client, self.scope);
        let grant = TokenGrant::RefreshToken;
        let source = TokenSource::new(grant, &self.token_url, &client, scope.as_deref());
        let source = source.map_err(|error| document(&error))?;
        let mut methods = self.methods;
        if methods.is_empty() {
            methods = Method::ALL.to_vec();
        }
        // Before anybody approves anything, so that no token is lost.
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        let version = found.next_version(&self.name);
        let terms = SecretTerms::new(self.name, version, self.hosts, methods, self.inject);
        let terms = terms.map_err(|error| document(&error))?;
        let reach = Reach {
            hosts: vec![url.endpoint().clone(), source.endpoint().clone()],
            networks: self.networks,
        };
        let terms = terms.with_token(Some(source));
        found.can_seal()?;
        let servers = Some(self.nameservers).filter(|servers| !servers.is_empty());
        let sender = Sender::of_machine(servers, None, &self.authority);
        let sender = sender.map_err(|error| document(&error))?;
        let client_secret = match self.client_secret {
            true => Some(value::read(out).await?),
            false => None,
        };
        let login = DeviceLogin {
            url: &url,
            terms: &terms,
            client_secret: client_secret.as_ref(),
            reach: &reach,
            at: deployment.clock.wall(),
        };
        let shown = |code: &DeviceCode| out.line_for_people(&text(code));
        let given = Box::pin(sender.login(&login, shown, tokio::time::sleep)).await;
        let given = given.map_err(|error| Error::Refused(error.to_string()))?;
        let seq = secrets::sign(deployment, &bus, &found, (&terms, &given), None).await?;
        place::signed(&terms, seq, (out, false));
        Ok(())
    }
}

/// Says what the person does now.
fn text(code: &DeviceCode) -> String {
    let complete = code.complete.as_ref();
    let complete = complete.map(|uri| format!("\nor open   {uri}"));
    format!(
        "open      {}\ncode      {}{}\nwaiting for your approval, at most {} s; Ctrl-C ends it",
        code.uri,
        code.user_code,
        complete.unwrap_or_default(),
        code.expires_in
    )
}
