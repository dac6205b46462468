//! `tool try`: runs a tool in the cage without a contract, on scratch data.

mod copy;
mod report;
mod words;

use std::path::{Path, PathBuf};

use bus_schema::{AuthorId, ToolName};
use clap::Args;
use contract::{Catalogue, Tool};
use deployment::read_catalogue_text;
use runner::{
    Cage, ExecError, ExecTool, ExecToolEntry, McpPath, McpTool, McpToolEntry, Workspace,
    try_built_in, try_program, try_server,
};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use self::{
    copy::Files,
    report::{Attempt, Ended},
};
use super::{change::signed, entry, ground::Ground, programs::Programs};
use crate::{
    Error,
    command::{context::Context, up::Interrupt},
};

/// `tool try …`
#[derive(Debug, Args)]
#[command(
    after_help = "Example: contractual tool try word.count path=letter.txt --file word-count.json --workspace ~/letters\n\n\
    Runs the tool of the signed catalogue, or of --file, which needs no signature and no deployment. The cage is that of a \
    real call. The tool works on an empty folder, or on a copy of --workspace: never on the folder itself. Nothing is kept. An MCP \
    server is started, called once, and ended.\n\n\
    The report says how the tool ended, what it used of its limits, if arguments and result fit its schemas, which files it \
    changed, and which system calls the cage refused. The cage does not say which files it refused. Programs run a little \
    slower than in a real call.\n\n\
    Exit codes: 0 it succeeded · 1 nothing ran · 2 it failed, or its result does not fit its schema · 64 the tool or its \
    arguments are not valid · 130 Ctrl-C"
)]
pub(crate) struct Arguments {
    /// The tool's name, such as word.count.
    tool: ToolName,
    /// Its arguments: name=value for each, and once more for each further element of a list; or one JSON object.
    #[arg(value_name = "ARGS")]
    words: Vec<String>,
    /// A folder of which the tool sees a copy, of at most 10,000 files and folders and 64 MiB.
    #[arg(long, value_name = "DIR")]
    workspace: Option<PathBuf>,
    /// One tool, or a list of tools, such as word-count.json, instead of the signed catalogue.
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
}

/// A tool, and the folders that a real call keeps its files out of.
struct Chosen {
    tool: Tool,
    /// Folders that tools can write.
    written: Vec<PathBuf>,
    /// Folders of the runner.
    own: Vec<PathBuf>,
}

impl Arguments {
    /// Returns true if it reads nothing of a deployment.
    pub(super) const fn names_a_file(&self) -> bool {
        self.file.is_some()
    }

    pub(super) async fn run(&self, context: &Context) -> Result<(), Error> {
        // Listen before there is anything to clean up.
        let mut interrupt = Interrupt::listen()?;
        let Chosen { tool, written, own } = match &self.file {
            Some(file) => self.of_file(file)?,
            None => self.of_catalogue(context).await?,
        };
        let args = words::arguments(&tool, &self.words)?;
        let runs = Runs::of(&tool)?;
        let ground = Ground::lay()?;
        let workspace = ground.workspace();
        let of = self.workspace.as_deref();
        let copied = of.map(|of| copy::copy(of, &workspace)).transpose()?;
        if let Runs::Server(_, paths) = &runs {
            ground.furnish(paths)?;
        }
        let before = Files::of(&workspace)?;
        let opened = Workspace::open(&workspace).map_err(Error::io("open", &workspace))?;
        let cage = || {
            let cage = Cage::new(PathBuf::from("/proc/self/exe")).scratch(ground.scratch());
            let cage = cage.keep_out(&written, &own);
            cage.map_err(Error::io("look at", "a folder of the deployment"))
        };
        let ended = match &runs {
            Runs::Program(program) => {
                let tried = try_program(&cage()?, program, &args, &opened, interrupt.came()).await;
                let tried = tried.map_err(|error| refused(&error))?;
                Ended::Program(tried.ok_or(Error::Interrupted)?, program.limits())
            }
            Runs::Server(tool, _) => {
                let args = args.as_object().cloned().unwrap_or_default();
                let tried = try_server(&cage()?, tool, args, &opened, interrupt.came()).await;
                let tried = tried.map_err(|error| not_here(self.tool.as_str(), &error))?;
                Ended::Server(tried.ok_or(Error::Interrupted)?, tool.limits())
            }
            Runs::BuiltIn => Ended::BuiltIn(self.built_in(&tool, &args, &opened, context)?),
        };
        let after = Files::of(&workspace)?;
        let attempt = Attempt {
            tool: &tool,
            args: &args,
            ended,
            changes: before.changes(&after),
            left_out: copied.unwrap_or_default().left_out,
        };
        attempt.print(&context.out);
        attempt.verdict()
    }

    /// Reads the tool from a file and checks it fully.
    fn of_file(&self, file: &Path) -> Result<Chosen, Error> {
        let text = read_catalogue_text(file)?;
        let shown = file.display().to_string();
        let workspace = self.workspace.as_deref();
        let workspace = workspace.and_then(|workspace| workspace.canonicalize().ok());
        let (names, programs) = ([self.tool.to_string()], Programs::Here(workspace.clone()));
        let entries = entry::read(&shown, &text, &names, &programs, &|_| false);
        let entries = entries.map_err(|found| Error::Document(found.to_string()))?;
        let entry = entries.iter().map(|entry| entry.value.to_string()).next();
        let catalogue = Catalogue::parse(format!("[{}]", entry.unwrap_or_default()).as_bytes());
        let catalogue = catalogue.map_err(|error| Error::Document(error.to_string()))?;
        let tool = catalogue.into_tools().next();
        Ok(Chosen {
            tool: tool.ok_or_else(|| Error::Document(format!("{shown} has no tool")))?,
            written: workspace.into_iter().collect(),
            own: Vec::new(),
        })
    }

    async fn of_catalogue(&self, context: &Context) -> Result<Chosen, Error> {
        let deployment = context.deployment()?;
        let bus = deployment.bus().await?;
        let signed = signed(&deployment, &bus).await?;
        let mut tools = signed.catalogue.into_tools();
        let tool = tools.find(|tool| *tool.name() == self.tool);
        let tool = tool.ok_or_else(|| {
            Error::Refused(format!(
                "the signed catalogue has no tool `{}`: see `contractual tool list`, or name a file with `--file`",
                self.tool
            ))
        })?;
        let state = deployment.dir.state(AuthorId::Runner);
        let folder = state.parent().map(Path::to_owned);
        let config = deployment.dir.config(AuthorId::Runner);
        let config = actor::config::read::<runner::Config>(&config).ok();
        let further = config.map(|(_, config)| config.workspaces);
        let further = further.into_iter().flatten().map(|(_, folder)| folder);
        Ok(Chosen {
            tool,
            // Those of a container are not on this machine.
            written: std::iter::once(deployment.file.workspace.clone())
                .chain(further.filter(|folder| folder.exists()))
                .collect(),
            // A runner that has never started has none.
            own: folder
                .into_iter()
                .chain([state])
                .filter(|folder| folder.exists())
                .collect(),
        })
    }

    fn built_in(
        &self,
        tool: &Tool,
        args: &Value,
        workspace: &Workspace,
        context: &Context,
    ) -> Result<Result<Vec<u8>, String>, Error> {
        let args = bus_schema::json::canonical(args);
        let built_in = runner::Tool::built_in(tool.name().as_str());
        let ended = built_in
            .and_then(|built_in| try_built_in(&built_in, &args, workspace, context.clock.wall()));
        ended.ok_or_else(|| {
            Error::Refused(format!(
                "`{}` is no tool that this program can run: it has neither `exec` nor `mcp`, and is not built in",
                self.tool
            ))
        })
    }
}

/// The part of a tool's entry that runs.
enum Runs {
    Program(ExecTool),
    /// With the part of the workspace that it sees.
    Server(McpTool, Vec<McpPath>),
    BuiltIn,
}

impl Runs {
    /// Reads it, and compares its files with their digests.
    fn of(tool: &Tool) -> Result<Self, Error> {
        let name = tool.name().as_str();
        if let Some(exec) = tool.exec() {
            let entry: ExecToolEntry = member(name, "exec", exec)?;
            let program = ExecTool::try_from(entry).map_err(|error| not_here(name, &error))?;
            return Ok(Self::Program(program));
        }
        if let Some(mcp) = tool.mcp() {
            let entry: McpToolEntry = member(name, "mcp", mcp)?;
            let paths = entry.server.paths.clone();
            let tool = McpTool::check(entry).map_err(|error| not_here(name, &error))?;
            return Ok(Self::Server(tool, paths));
        }
        Ok(Self::BuiltIn)
    }
}

fn member<T: DeserializeOwned>(
    tool: &str,
    key: &str,
    value: &Map<String, Value>,
) -> Result<T, Error> {
    let read = serde_json::from_value(Value::Object(value.clone()));
    read.map_err(|error| Error::Document(format!("`{key}` of `{tool}`: {error}; correct it")))
}

fn not_here(tool: &str, error: &(dyn std::error::Error + 'static)) -> Error {
    let why = actor::chain(error);
    Error::Refused(format!("`{tool}` cannot be run on this machine: {why}"))
}

/// Tells wrong arguments from a machine that cannot run the tool.
fn refused(error: &ExecError) -> Error {
    let text = actor::chain(error);
    match error {
        ExecError::Args(_) | ExecError::Path(_) => Error::Document(text),
        ExecError::Refused(_)
        | ExecError::Folder(_)
        | ExecError::Changed(_)
        | ExecError::Launch(_)
        | ExecError::Lost(_) => Error::Refused(text),
    }
}
