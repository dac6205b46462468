//! `attach`, `detach`: an agent gets the tools of a contract in a folder, and loses its own.

use std::{
    collections::BTreeSet,
    env,
    path::{Path, PathBuf},
};

use bus_schema::Digest;
use clap::Args;
use deployment::{Deployment, Dir};
use serde::Serialize;

use crate::{
    Error, Output,
    agent::{Agent, Attachment, Homes, Listing, ServerCommand, list},
    command::contract::{self, ContractStatus},
};

/// Most rounds in which tools that a check has found are switched off.
const ROUNDS: usize = 3;

/// `attach …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual attach claude --contract contract.toml\n\n\
    It writes the agent's settings of the folder, switches the agent's own tools off, starts the agent once with a model on \
    loopback, and checks that it lists the tools of the contract alone. `detach` puts the settings back.\n\n\
    Exit codes: 0 attached · 1 the contract is not in force, or the agent does not start · 2 tools of its own stay on"
)]
pub(super) struct Arguments {
    /// The agent.
    agent: Agent,
    /// The contract: a file such as contract.toml, signed before with `contract sign`, or the name of a contract in force.
    #[arg(long, value_name = "CONTRACT")]
    contract: String,
    /// Your words for the agent: the task; bounds with `from = "task"` read it.
    #[arg(long, value_name = "TEXT")]
    task: Option<String>,
    /// The folder in which the agent works; this folder by default.
    #[arg(long, value_name = "FOLDER")]
    project: Option<PathBuf>,
    /// The agent's program, if it is not in PATH.
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// `detach …`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual detach claude")]
pub(super) struct DetachArguments {
    /// The agent.
    agent: Agent,
    /// The folder in which the agent works; this folder by default.
    #[arg(long, value_name = "FOLDER")]
    project: Option<PathBuf>,
}

/// An attached agent, as the command prints it.
#[derive(Debug, Serialize)]
struct Attached {
    agent: Agent,
    project: PathBuf,
    /// The files that were written.
    files: BTreeSet<PathBuf>,
    /// The tools of the contract, as the agent names them.
    tools: Vec<String>,
    /// The tools of its own that stay on, each with the reason.
    kept: Vec<(String, String)>,
}

impl Attached {
    fn text(&self) -> String {
        let title = self.agent.title();
        let mut lines = vec![format!("{title} is attached in {}", self.project.display())];
        let files = self.files.iter();
        lines.extend(files.map(|file| format!("  wrote {}", file.display())));
        let tools = if self.tools.is_empty() {
            "the tools of the contract after a search".to_owned()
        } else {
            self.tools.join(", ")
        };
        lines.push(format!("  it lists {tools}"));
        let kept = self.kept.iter();
        lines.extend(kept.map(|(tool, why)| format!("  its own {tool} stays on: it {why}")));
        lines.extend(self.agent.remark().map(|remark| format!("  {remark}")));
        lines.join("\n")
    }
}

impl Arguments {
    pub(super) async fn run(&self, deployment: &Deployment, out: &Output) -> Result<(), Error> {
        let dir = &deployment.dir;
        in_force(deployment, &self.contract).await?;
        let project = folder(self.project.as_deref())?;
        let homes = homes(project.clone())?;
        if let Some(before) = find(dir, self.agent, &project)? {
            before.undo(dir)?;
        }
        let mut attachment = Attachment {
            agent: self.agent,
            program: self
                .program
                .clone()
                .unwrap_or_else(|| self.agent.program().into()),
            project: project.clone(),
            changes: Vec::new(),
        };
        for setting in self.agent.settings(&homes, &self.server(dir)?) {
            attachment.changes.push(setting.apply()?);
            // Each change can be undone, also if the next one fails.
            attachment.save(dir)?;
        }
        let listing = checked(&mut attachment, (dir, &homes)).await?;
        let files = attachment.changes.iter();
        let kept = listing.others.iter().filter_map(|tool| {
            let why = self.agent.may_stay(tool)?;
            Some((tool.clone(), why.to_owned()))
        });
        let attached = Attached {
            agent: self.agent,
            files: files.map(|change| change.setting.file.clone()).collect(),
            project,
            kept: kept.collect(),
            tools: listing.ours,
        };
        out.print(&attached, || attached.text());
        Ok(())
    }

    /// The command that serves the contract.
    fn server(&self, dir: &Dir) -> Result<ServerCommand, Error> {
        let program = env::current_exe().map_err(Error::io("find", "this program"))?;
        let absolute = |path: &Path| std::path::absolute(path).map_err(Error::io("find", path));
        let text = |path: PathBuf| {
            let text = path.to_str().map(str::to_owned);
            let path = path.display().to_string();
            text.ok_or_else(|| Error::Document(format!("{path}: the path is not UTF-8; rename it")))
        };
        let mut arguments = vec!["--dir".to_owned(), text(absolute(dir.path())?)?];
        let file = Path::new(&self.contract);
        let contract = if file.exists() {
            text(absolute(file)?)?
        } else {
            self.contract.clone()
        };
        arguments.extend(["mcp".to_owned(), "--contract".to_owned(), contract]);
        if let Some(task) = &self.task {
            arguments.extend(["--task".to_owned(), task.clone()]);
        }
        Ok(ServerCommand {
            program: text(program)?,
            arguments,
        })
    }
}

impl DetachArguments {
    pub(super) fn run(&self, dir: &Dir, out: &Output) -> Result<(), Error> {
        let project = folder(self.project.as_deref())?;
        let (agent, title) = (self.agent, self.agent.title());
        let Some(attachment) = find(dir, agent, &project)? else {
            return Err(Error::Refused(format!(
                "{title} is not attached in {}; name its folder with --project",
                project.display()
            )));
        };
        for kept in attachment.undo(dir)? {
            let setting = &kept.setting;
            let (file, keys) = (setting.file.display(), setting.keys.join("."));
            out.line_for_people(&format!("{file}: `{keys}` was changed since, and stays"));
        }
        let line = format!("{title} is detached in {}", project.display());
        let data = serde_json::json!({"agent": agent, "project": project});
        out.print(&data, || line);
        Ok(())
    }
}

/// Refuses a contract that is not in force.
async fn in_force(deployment: &Deployment, named: &str) -> Result<(), Error> {
    let text = contract::text(deployment, named).await?;
    let digest = Digest::of(&[text.as_bytes()]);
    let all = contract::entries(deployment).await?;
    let mut all = all.iter();
    let is_active = all.any(|one| one.contract == digest && one.state == ContractStatus::Active);
    let refused = || {
        Error::Refused(format!(
            "{named} is not in force; sign it: contractual contract sign {named}"
        ))
    };
    is_active.then_some(()).ok_or_else(refused)
}

/// Checks an attached agent: it lists tools of the contract, and of its own only those that act nowhere.
///
/// # Errors
/// [`Error::Found`] with the tools that it lists besides, or if it lists none of the contract.
pub(crate) async fn check(attachment: &Attachment, dir: &Dir) -> Result<Listing, Error> {
    let Attachment {
        agent,
        program,
        project,
        ..
    } = attachment;
    let listing = list(*agent, (program, project), dir).await?;
    judged(attachment, listing)
}

/// Returns a listing that has tools of the contract, and of the agent's own only those that act nowhere.
///
/// # Errors
/// As [`check`].
fn judged(attachment: &Attachment, listing: Listing) -> Result<Listing, Error> {
    let Attachment { agent, project, .. } = attachment;
    let title = agent.title();
    let foreign = foreign(*agent, &listing);
    if !foreign.is_empty() {
        return Err(Error::Found(format!(
            "{title} also lists {}, which no contract binds; switch them off in its settings, and attach again",
            foreign.join(", ")
        )));
    }
    if !listing.has_ours(*agent) {
        return Err(Error::Found(format!(
            "{title} lists no tool of the contract; run `contractual mcp` with its arguments in {} to see why",
            project.display()
        )));
    }
    Ok(listing)
}

/// As [`check`]; tools that it lists besides are switched off first, as far as the agent has a setting for that.
async fn checked(
    attachment: &mut Attachment,
    (dir, homes): (&Dir, &Homes),
) -> Result<Listing, Error> {
    let agent = attachment.agent;
    for _ in 0..ROUNDS {
        let at = (attachment.program.as_path(), attachment.project.as_path());
        let listing = list(agent, at, dir).await?;
        let foreign = foreign(agent, &listing);
        let Some(deny) = agent.deny(homes, &foreign).filter(|_| !foreign.is_empty()) else {
            return judged(attachment, listing);
        };
        attachment.changes.push(deny.apply()?);
        attachment.save(dir)?;
    }
    check(attachment, dir).await
}

/// The listed tools that are neither of the contract nor may stay.
fn foreign(agent: Agent, listing: &Listing) -> Vec<String> {
    let others = listing.others.iter();
    let foreign = others.filter(|tool| agent.may_stay(tool).is_none());
    foreign.cloned().collect()
}

fn find(dir: &Dir, agent: Agent, project: &Path) -> Result<Option<Attachment>, Error> {
    let mut all = Attachment::all(dir)?.into_iter();
    Ok(all.find(|one| one.agent == agent && one.project == project))
}

fn folder(named: Option<&Path>) -> Result<PathBuf, Error> {
    let folder = named.unwrap_or_else(|| Path::new("."));
    folder.canonicalize().map_err(Error::io("find", folder))
}

fn homes(project: PathBuf) -> Result<Homes, Error> {
    let absolute = |path: &PathBuf| path.is_absolute();
    let home = env::home_dir().filter(absolute);
    let home = home.ok_or_else(|| {
        Error::Refused("the settings of agents are in your home; set HOME to its path".to_owned())
    })?;
    let codex = env::var_os("CODEX_HOME")
        .map(PathBuf::from)
        .filter(absolute);
    Ok(Homes {
        project,
        home,
        codex,
    })
}
