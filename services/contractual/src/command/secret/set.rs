//! `secret set`: seals a value, and signs it with the hosts that it is for.

use bus_schema::SecretName;
use clap::Args;
use contract::{Endpoint, Method};
use deployment::{Deployment, owner::owner, secrets};
use secret::{Injection, SecretTerms, TokenGrant, TokenSource};

use super::{place::PlaceArguments, value, vault::VaultArguments};
use crate::{Error, Output};

/// `secret set …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual secret set crm --host api.example.com --inject 'header:authorization=Bearer {}' <key.txt\n\n\
    The value is read from standard input, or typed without being shown. It is sealed here, inside to egress and outside \
    to the broker, and nothing shows it again. A tool uses it if its `http` has \"secret\": \"crm\", under a contract whose \
    rule has `secrets = [\"crm\"]`.\n\n\
    Places: header:NAME='Bearer {}', query:NAME, cookie:NAME, basic:USER, or basic for a value `user:password`. The value \
    signs requests, and is never sent, with hmac:NAME='{hex};{body}' (`services/secret/README.md` has all forms) and with \
    sigv4:REGION/SERVICE for a value `ACCESS_KEY_ID:SECRET_ACCESS_KEY`.\n\n\
    With --vault-url, the value is the secret id of an AppRole, with which egress reads the value of requests there at each call; the \
    contract has to name that host as well.\n\n\
    The record has the sealed value, or with `--folder` a file of the broker has it, such as a secret of Docker; \
    `services/broker/README.md` says where the broker looks.\n\n\
    Exit codes: 0 signed · 1 the roster has no keys to seal to, or the bus refused it · 64 the value or the terms are not valid"
)]
pub(crate) struct Arguments {
    /// The name, such as crm.
    name: SecretName,
    /// A host that it may be sent to, such as api.example.com; repeat it for more.
    #[arg(long = "host", value_name = "HOST", required = true)]
    hosts: Vec<Endpoint>,
    /// A method of requests that may carry it, such as GET; all if left out.
    #[arg(long = "method", value_name = "METHOD")]
    methods: Vec<Method>,
    /// The place in the request, such as 'header:authorization=Bearer {}'.
    #[arg(long, value_name = "PLACE")]
    inject: Injection,
    /// The URL of a token endpoint (OAuth 2), which takes the value; requests carry its token.
    #[arg(long, value_name = "URL", requires = "client")]
    token_url: Option<String>,
    /// The client at the token endpoint.
    #[arg(long, value_name = "NAME", requires = "token_url")]
    client: Option<String>,
    /// The value: client_credentials for the secret of the client, refresh_token for a refresh token, with the secret of the client
    /// after a space if it has one.
    #[arg(
        long,
        value_name = "GRANT",
        requires = "token_url",
        default_value = "client_credentials"
    )]
    grant: TokenGrant,
    /// The scope that is asked for at the token endpoint, such as 'read write'.
    #[arg(long, value_name = "SCOPE", requires = "token_url")]
    scope: Option<String>,
    #[command(flatten)]
    vault: VaultArguments,
    #[command(flatten)]
    place: PlaceArguments,
}

impl Arguments {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let Self {
            name,
            hosts,
            mut methods,
            inject,
            token_url,
            client,
            grant,
            scope,
            vault,
            place,
        } = self;
        let source = token_url.zip(client);
        let source =
            source.map(|(url, client)| TokenSource::new(grant, &url, &client, scope.as_deref()));
        let source = source.transpose();
        let source = source.map_err(|error| Error::Document(error.to_string()))?;
        let vault = vault.source()?;
        if methods.is_empty() {
            methods = Method::ALL.to_vec();
        }
        let value = value::read(out).await?;
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        let version = found.next_version(&name);
        let terms = SecretTerms::new(name, version, hosts, methods, inject);
        let terms = terms.map_err(|error| Error::Document(error.to_string()))?;
        let terms = match vault {
            Some(vault) => terms.with_vault(Some(vault)),
            None => terms.with_token(source),
        };
        value::fits(&terms, &value)?;
        place
            .sign((&terms, &value), (deployment, &bus, &found), out)
            .await
    }
}
