//! `audit show`: prints the record.

use actor::StreamReader;
use bus_schema::AuditFact;
use clap::Args;
use deployment::Deployment;
use serde_json::{Value, json};

use crate::{Error, Output, command::decode::decode, ids::IdPrefix};

/// `audit show …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual audit show --from 100 --limit 20 --json")]
pub(crate) struct Arguments {
    /// The sequence number of the first message.
    #[arg(long, default_value_t = 1)]
    from: u64,
    /// The most messages to print.
    #[arg(long, default_value_t = 1000)]
    limit: u64,
    /// Print only the messages of this task: its id or the first characters, from `contractual task list`.
    #[arg(long)]
    task: Option<IdPrefix>,
}

impl Arguments {
    /// Prints messages of the stream, each with its verification result.
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let Self { from, limit, .. } = *self;
        let task = IdPrefix::optional(self.task.as_ref(), deployment).await?;
        let owner = bus_schema::public_key(&deployment.owner_key()?);
        let bus = deployment.bus().await?;
        let mut reading = StreamReader::new(owner);
        let (mut shown, mut failed) = (0, None);
        // From the start: a message is verified against all messages before it.
        bus.scan(">", 1, |stored| {
            let verdict = match reading.read::<AuditFact>(&stored) {
                Ok(verdict) => verdict,
                Err(error) => {
                    failed = Some(error);
                    return false;
                }
            };
            let wanted = stored.seq >= from
                && task.is_none_or(|task| verdict.as_ref().is_ok_and(|(meta, _)| meta.task == Some(task)));
            if wanted {
                shown += 1;
                let body = decode(&stored.body);
                let junk = verdict.as_ref().err().map(|junk| junk.to_string());
                if out.json() {
                    let line = json!({"seq": stored.seq, "stored": stored.stored, "subject": stored.subject,
                        "junk": junk, "body": body});
                    out.line(&line.to_string());
                } else {
                    let fact = body.get("fact").unwrap_or(&Value::Null);
                    let flag = junk.map_or_else(String::new, |junk| format!("JUNK ({junk}) "));
                    out.line(&format!("{:>8}  {}  {}  {flag}{fact}", stored.seq, stored.stored, stored.subject));
                }
            }
            shown < limit
        })
        .await?;
        failed.map_or(Ok(()), |error| Err(error.into()))
    }
}
