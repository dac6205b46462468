//! `hook`: the webhooks of the gateway. Their keys lie in a file that the gateway alone reads; no command shows a key of before.

use std::path::PathBuf;

use actor::files;
use bus_schema::JobName;
use clap::{Args, Subcommand};
use data_encoding::BASE64;
use deployment::Deployment;
use gateway::{
    hooks::HOOKS_FILE,
    webhook::{InvalidWebhook, SignatureForm, Webhook, Webhooks},
};
use serde_json::json;
use zeroize::Zeroizing;

use crate::{Error, Output, hidden};

/// Longest key that is read, in bytes.
const KEY_BYTES_MAX: usize = 256;

/// `hook …`
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Add a webhook, or give it another key.
    Add(AddArguments),
    /// List the webhooks, without their keys.
    #[command(
        after_help = "Example: contractual hook list\n\nExit codes: 0 listed · 1 the file cannot be read: in containers run it with sudo"
    )]
    List,
    /// Remove a webhook: its key signs nothing any more.
    Remove(RemoveArguments),
}

/// `hook add …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual hook add github --signature github <key.txt\n\n\
    The sender posts JSON to https://GATEWAY/hooks/NAME, at most 60 KiB, and signs it with the key. Jobs with \
    `trigger = \"hook.NAME\"` under `[when]` start. The body is data from outside: nothing in it is your word.\n\n\
    The key is read from standard input, or typed without being shown. With --generate it is made here, and printed once.\n\n\
    Forms: standard (Standard Webhooks), github (also Gitea and Forgejo), stripe. A request of github has no time: one that was \
    recorded and is sent again says the same, and starts nothing.\n\n\
    Exit codes: 0 added · 1 the file cannot be written: in containers run it with sudo · 64 the key is not valid"
)]
pub(super) struct AddArguments {
    /// The name, such as github.
    name: JobName,
    /// The form of its signatures: standard, github or stripe.
    #[arg(long, value_name = "FORM")]
    signature: SignatureForm,
    /// Make the key, and print it once.
    #[arg(long)]
    generate: bool,
}

/// `hook remove …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual hook remove github\n\n\
    Exit codes: 0 removed · 1 there is none of this name, or the file cannot be written: in containers run it with sudo")]
pub(super) struct RemoveArguments {
    /// The name, such as github.
    name: JobName,
}

impl Command {
    pub(super) async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        match self {
            Self::Add(arguments) => arguments.run(deployment, out).await,
            Self::List => list(deployment, out),
            Self::Remove(arguments) => arguments.run(deployment, out),
        }
    }
}

impl AddArguments {
    async fn run(self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let Self {
            name,
            signature,
            generate,
        } = self;
        let key = if generate {
            generated(deployment, signature)
        } else {
            let bytes = hidden::line(KEY_BYTES_MAX).await?;
            let text = std::str::from_utf8(&bytes).map_err(|_| invalid(InvalidWebhook::Key))?;
            Zeroizing::new(text.to_owned())
        };
        let webhook = Webhook::new(signature, key.clone()).map_err(invalid)?;
        let mut all = read(deployment)?;
        let was_there = all.add(name.clone(), webhook).map_err(invalid)?;
        write(deployment, &all)?;
        let url = format!("{}/hooks/{name}", deployment.file.gateway_origin());
        let shown = generate.then(|| key.as_str());
        out.print(
            &json!({ "name": name, "url": url, "replaced": was_there, "key": shown }),
            || {
                let done = if was_there {
                    "has another key"
                } else {
                    "is added"
                };
                let key = shown.map(|key| {
                    format!("\nkey: {key}\nGive it to the sender; it is not shown again.")
                });
                format!("{name} {done}: POST {url}{}", key.unwrap_or_default())
            },
        );
        Ok(())
    }
}

impl RemoveArguments {
    fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let mut all = read(deployment)?;
        if !all.remove(&self.name) {
            return Err(Error::Refused(format!(
                "there is no webhook {}; see `contractual hook list`",
                self.name
            )));
        }
        write(deployment, &all)?;
        out.print(&json!({ "name": self.name }), || {
            format!("{} is removed: its key signs nothing any more", self.name)
        });
        Ok(())
    }
}

fn list(deployment: &Deployment, out: &Output) -> Result<(), Error> {
    let all = read(deployment)?;
    let origin = deployment.file.gateway_origin();
    let listed: Vec<_> = all
        .iter()
        .map(|(name, webhook)| {
            json!({ "name": name, "signature": webhook.signature, "url": format!("{origin}/hooks/{name}") })
        })
        .collect();
    out.print(&listed, || {
        if listed.is_empty() {
            return "there are no webhooks; add one with `contractual hook add`".to_owned();
        }
        let line = |one: &serde_json::Value| {
            let text = |key: &str| one[key].as_str().unwrap_or_default().to_owned();
            format!("{}  {}  {}", text("name"), text("signature"), text("url"))
        };
        listed.iter().map(line).collect::<Vec<_>>().join("\n")
    });
    Ok(())
}

/// A key of 32 random bytes, as senders of this form take it.
fn generated(deployment: &Deployment, signature: SignatureForm) -> Zeroizing<String> {
    let salt = Zeroizing::new(*deployment.clock.salt().as_bytes());
    let text = Zeroizing::new(BASE64.encode(&salt[..]));
    Zeroizing::new(match signature {
        SignatureForm::Standard => format!("whsec_{}", *text),
        SignatureForm::Github | SignatureForm::Stripe => text.to_string(),
    })
}

fn path(deployment: &Deployment) -> PathBuf {
    deployment.dir.of("gateway").join(HOOKS_FILE)
}

fn read(deployment: &Deployment) -> Result<Webhooks, Error> {
    match files::read_secret(&path(deployment)) {
        Ok(bytes) => {
            let text = std::str::from_utf8(&bytes).map_err(|_| invalid(InvalidWebhook::File))?;
            Webhooks::read(text).map_err(invalid)
        }
        Err(files::Error::Missing { .. }) => Ok(Webhooks::default()),
        Err(error) => Err(deployment::Error::from(error).into()),
    }
}

fn write(deployment: &Deployment, all: &Webhooks) -> Result<(), Error> {
    let text = all.text().map_err(invalid)?;
    let written = files::replace(&path(deployment), text.as_bytes());
    written.map_err(|error| deployment::Error::from(error).into())
}

fn invalid(error: InvalidWebhook) -> Error {
    Error::Document(error.to_string())
}
