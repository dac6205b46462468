//! `model add`: makes the entry of a model, and signs it into the catalogue.

use bus_schema::SecretName;
use clap::Args;
use contract::StrictUrl;
use deployment::Deployment;
use engine::wire::Wire;

use crate::{
    Error, Output,
    command::tool,
    model::{NewModel, default_path, default_place},
    model_price::ModelPrices,
};

/// `model add …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual model add main --wire anthropic --url https://api.anthropic.com --secret anthropic --model claude-sonnet-4-5\n\n\
    A model is a tool of the catalogue, `model.NAME`, whose calls egress sends under a contract. Wires: anthropic, openai-responses, \
    and openai-chat, which Ollama, llama.cpp and vLLM take as well. A URL without a path, or with its beginning such as /v1, gets that of the wire. The command prints the rule by which \
    a contract permits the calls, and how to give the secret.\n\n\
    Exit codes: 0 signed, or nothing to sign · 1 the bus does not answer · 64 an argument is not valid · 130 not signed"
)]
pub(crate) struct Arguments {
    /// The name, such as main.
    name: String,
    /// The form in which it takes conversations: anthropic, openai-responses or openai-chat.
    #[arg(long, value_name = "WIRE")]
    wire: Wire,
    /// Its URL, such as https://api.anthropic.com.
    #[arg(long, value_name = "URL")]
    url: String,
    /// The secret with its key; left out if it needs none.
    #[arg(long, value_name = "NAME")]
    secret: Option<SecretName>,
    /// Its name at its provider.
    #[arg(long, value_name = "ID")]
    model: String,
    /// Most tokens of one answer.
    #[arg(long, value_name = "NUMBER", default_value_t = 4096, value_parser = clap::value_parser!(u32).range(1..))]
    tokens: u32,
    /// The prices of a million tokens, such as "USD input=3.00 output=15.00 cached=0.30"; what a call cost settles the budget of
    /// money. Input that the provider had kept is `cached`.
    #[arg(long, value_name = "PRICES")]
    price: Option<ModelPrices>,
    /// Take each answer as a whole, and show nothing of it before.
    #[arg(long)]
    no_stream: bool,
    /// Sign without asking.
    #[arg(long)]
    yes: bool,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let url = StrictUrl::new(&self.url)
            .map_err(|error| Error::Document(format!("--url {}: {error}", self.url)))?;
        if url.query().is_some() {
            let problem = "the URL has a query; write it without one";
            return Err(Error::Document(problem.to_owned()));
        }
        // Providers name their address up to the version.
        let (path, whole) = (url.path(), default_path(self.wire));
        let is_begin = |rest: &str| rest.starts_with('/');
        let path = match whole.strip_prefix(path.trim_end_matches('/')) {
            Some(rest) if is_begin(rest) => whole,
            Some(_) | None => path,
        };
        let secret = self.secret.as_ref().map(ToString::to_string);
        let model = NewModel {
            name: &self.name,
            wire: self.wire,
            endpoint: url.endpoint(),
            path,
            id: &self.model,
            secret: secret.as_deref(),
            tokens_max: self.tokens,
            streams: !self.no_stream,
            prices: self.price.as_ref(),
        };
        let text = model.entry().to_string();
        tool::add(deployment, ("the model", &text, &[]), self.yes, out).await?;
        let mut next = format!("\na contract permits its calls with:\n\n{}", model.rule());
        if let Some(secret) = &secret {
            let (host, place) = (url.endpoint(), default_place(self.wire));
            next.push_str(&format!(
                "\n\nits key: contractual secret set {secret} --host {host} --method POST --inject '{place}'"
            ));
        }
        out.line_for_people(&next);
        Ok(())
    }
}
