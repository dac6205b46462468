//! `secret test`: has one call of a tool carry a secret to its host, and says what came of it.

use actor::BusClient;
use bus_schema::{ActionId, ActionOutcome, Digest, ExecutorFact, SecretName, TaskId};
use clap::Args;
use contract::{Method, Tool};
use deployment::{Deployment, owner::owner, secrets};
use serde_json::{Map, Value, json};

use super::newest::newest;
use crate::{
    Error, Output,
    command::{
        contract::{ContractEntry, chosen},
        tool::signed,
    },
    follower::{Answer, Follower},
    recorded::RecordedTask,
    timeline::Timeline,
};

/// `secret test …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual secret test crm --arg customer=42\n\n\
    Runs a task of one call under a contract in force, so everything that stands between a secret and its host is tested: \
    policy grants, egress claims, the broker releases, egress sends. Without `--tool`, a tool that reads (GET, HEAD) is \
    called. The answer is not shown; `contractual output` shows it, without the value.\n\n\
    Exit codes: 0 the host took it · 1 it was not sent, or the host refused it · 64 the arguments are not valid"
)]
pub(crate) struct Arguments {
    /// The name, such as crm.
    name: SecretName,
    /// The tool that is called, such as crm.customer.
    #[arg(long, value_name = "TOOL")]
    tool: Option<String>,
    /// The contract under which it is called, such as support.
    #[arg(long, value_name = "NAME")]
    contract: Option<String>,
    /// An argument of the call, such as customer=42; repeat it for each.
    #[arg(long = "arg", value_name = "NAME=VALUE")]
    args: Vec<String>,
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let name = &self.name;
        let bus = deployment.bus().await?;
        let found = secrets::read(&bus, owner(&deployment.dir)?).await?;
        newest(&found, name)?;
        let catalogue = signed(deployment, &bus).await?.catalogue;
        let tool = self.tool(catalogue.tools())?;
        let contract = self.contract(deployment, tool).await?;
        let args = args(tool, &self.args)?;
        let step = json!({"id": "test", "tool": tool.name(), "args": args});
        let playbook = json!({
            "playbook": "secret-test",
            "purpose": format!("Tests the secret {name}."),
            "step": [step],
        });
        let playbook = toml::to_string(&playbook);
        let playbook = playbook.map_err(|error| Error::Document(error.to_string()))?;
        let client = crate::client(deployment)?;
        let task = client.submit(contract, playbook.as_bytes()).await?.task;
        let follower = Follower {
            deployment,
            client: &client,
            out,
            live: false,
        };
        let mut timeline = Timeline::new();
        follower.follow(task, Answer::Asked, &mut timeline).await?;
        let ended = ended(deployment, &bus, task).await?;
        let version = released(deployment, &bus, ended.action, name).await?;
        let to = tool.http().map(|http| http.endpoint().to_string());
        let to = to.unwrap_or_default();
        match (version, ended.error) {
            (Some(version), None) => {
                let end = json!({"name": name, "version": version, "host": to, "task": task});
                out.print(&end, || {
                    format!("{name} version {version}: sent to {to}, which took it (task {task})")
                });
                Ok(())
            }
            (Some(version), Some(error)) => Err(Error::Refused(format!(
                "{name} version {version} was released for {to}, and the call failed: {error}"
            ))),
            (None, error) => Err(Error::Refused(format!(
                "{name} was not released: {}",
                error.unwrap_or_else(|| "the call did not need it".to_owned())
            ))),
        }
    }

    /// Chooses the tool: the named one, or the only one that reads.
    fn tool<'t>(&self, tools: impl Iterator<Item = &'t Tool>) -> Result<&'t Tool, Error> {
        let name = &self.name;
        let uses = |tool: &&Tool| tool.http().and_then(|http| http.secret()) == Some(name);
        let all: Vec<&Tool> = tools.filter(uses).collect();
        let reads = |tool: &&&Tool| {
            let method = tool.http().map(|http| http.method());
            matches!(method, Some(Method::Get | Method::Head))
        };
        let fitting: Vec<&Tool> = match &self.tool {
            Some(named) => {
                let named = all.iter().filter(|tool| tool.name().as_str() == named);
                named.copied().collect()
            }
            None => all.iter().filter(reads).copied().collect(),
        };
        match fitting.as_slice() {
            [only] => Ok(only),
            _ if all.is_empty() => Err(Error::Refused(format!(
                "no tool uses the secret `{name}`: add one whose `http` has \"secret\": \"{name}\""
            ))),
            _ => {
                let names: Vec<&str> = all.iter().map(|tool| tool.name().as_str()).collect();
                Err(Error::Document(format!(
                    "name the tool with `--tool`, one of: {}",
                    names.join(", ")
                )))
            }
        }
    }

    /// Chooses the contract: the named one, or the only one in force that names tool and secret.
    async fn contract(&self, deployment: &Deployment, tool: &Tool) -> Result<Digest, Error> {
        let name = &self.name;
        let fits = |one: &ContractEntry| {
            one.envelope.secrets.contains(name)
                && one.envelope.tools.iter().any(|it| it.name == *tool.name())
        };
        let none = || {
            format!(
                "no contract in force names the tool `{}` and the secret `{name}`: sign one that does",
                tool.name()
            )
        };
        let found = chosen(deployment, self.contract.as_deref(), fits, none).await?;
        Ok(found.contract)
    }
}

/// Reads the arguments by the tool's schema.
fn args(tool: &Tool, given: &[String]) -> Result<Map<String, Value>, Error> {
    let schema = tool.input_schema();
    let mut args = Map::new();
    for one in given {
        let (name, text) = one
            .split_once('=')
            .ok_or_else(|| Error::Document(format!("write `--arg NAME=VALUE`, not `{one}`")))?;
        let kind = schema.pointer(&format!("/properties/{name}/type"));
        let value = match kind.and_then(Value::as_str) {
            Some("string") | None => Value::String(text.to_owned()),
            Some(kind) => serde_json::from_str(text).map_err(|_| {
                Error::Document(format!("the argument `{name}` has to be of type {kind}"))
            })?,
        };
        args.insert(name.to_owned(), value);
    }
    let required = tool.required();
    let missing: Vec<&str> = required.filter(|name| !args.contains_key(*name)).collect();
    if missing.is_empty() {
        return Ok(args);
    }
    Err(Error::Document(format!(
        "the tool `{}` needs the arguments {}: give each with `--arg NAME=VALUE`",
        tool.name(),
        missing.join(", ")
    )))
}

/// The end of the one call.
struct CallEnd {
    action: ActionId,
    /// The reason that it did not succeed.
    error: Option<String>,
}

/// Reads the end of the call from the record.
async fn ended(deployment: &Deployment, bus: &BusClient, task: TaskId) -> Result<CallEnd, Error> {
    let typed = task.to_string().parse();
    let typed = typed.map_err(|error: String| Error::Document(error))?;
    let recorded = RecordedTask::read(deployment, bus, &typed).await?;
    let none = || {
        Error::Refused(format!(
            "the task was not admitted: see `contractual task show {task}`"
        ))
    };
    let action = recorded.actions.first().ok_or_else(none)?;
    let error = match action.state.ended() {
        Err(why) => Some(why),
        Ok((ActionOutcome::Succeeded, _)) => None,
        Ok((_, output)) => {
            let bytes = bus.get(action.executor, &output).await?.unwrap_or_default();
            let said: Value = serde_json::from_slice(&bytes).unwrap_or_default();
            let error = said.get("error").and_then(Value::as_str);
            let error = error.map(str::to_owned);
            Some(error.unwrap_or_else(|| format!("see `contractual output {task} test`")))
        }
    };
    let action = action.action;
    Ok(CallEnd { action, error })
}

/// Returns the version that the broker released for the action.
async fn released(
    deployment: &Deployment,
    bus: &BusClient,
    action: ActionId,
    name: &SecretName,
) -> Result<Option<u32>, Error> {
    let mut version = None;
    bus.each_fact(owner(&deployment.dir)?, |fact: ExecutorFact| {
        if let ExecutorFact::SecretReleased(_, fact) = fact
            && fact.action == action
            && fact.name == *name
        {
            version = Some(fact.version);
        }
        true
    })
    .await?;
    Ok(version)
}
