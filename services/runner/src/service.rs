//! Opens the workspace and the cage, and makes an executor of them.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use actor::{Context, Error, Places, chain};
use bus_schema::{DraftGrant, FolderName};
use executor::{Done, Execute, Stops, Troubles};
use serde::Deserialize;
use tokio::sync::watch;

use crate::cage::Cage;
use crate::exec::ExecError;
use crate::execution::Runner;
use crate::folders::Folders;
use crate::installed::{Installed, Tool, keep_out, read_tools};
use crate::mcp::Servers;
use crate::probe::ProbeError;

/// Programs at once, if the configuration leaves them out.
const PROGRAMS: u16 = 8;
/// Largest number of programs at once.
const PROGRAMS_MAX: u16 = 64;

/// The interval at which the workspace's place is checked for the health, in addition to the check before each action.
const LOOK_AGAIN: Duration = Duration::from_secs(2);

/// The table `[service]` of the configuration. Relative paths start at the file's folder.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The folder that file tools and programs see under a contract that names no other: the workspace `main`.
    pub workspace: PathBuf,
    /// Further workspaces by name, of which contracts name one; at most 16.
    #[serde(default)]
    pub workspaces: BTreeMap<FolderName, PathBuf>,
    /// Folders by name that contracts may let their calls read; at most 16.
    #[serde(default)]
    pub folders: BTreeMap<FolderName, PathBuf>,
    /// A program that runs the stages of the cage; this program, if left out.
    #[serde(default = "this_program")]
    pub launcher: PathBuf,
    /// The folder of programs' temporary directories; a folder of the state, if left out.
    pub scratch: Option<PathBuf>,
    /// Programs at once, 1 to 64; 8 if left out.
    #[serde(default = "programs")]
    pub programs: u16,
}

fn this_program() -> PathBuf {
    PathBuf::from("/proc/self/exe")
}

const fn programs() -> u16 {
    PROGRAMS
}

impl Execute for Runner {
    type Me = bus_schema::Runner;
    type Tool = Tool;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<Self, Error> {
        if !(1..=PROGRAMS_MAX).contains(&config.programs) {
            return Err(Error::Service(format!(
                "`programs` is {}; choose 1 to {PROGRAMS_MAX}",
                config.programs
            )));
        }
        let workspace = context.folder.join(&config.workspace);
        let scratch = match config.scratch {
            Some(scratch) => context.folder.join(scratch),
            None => context.state.join("scratch"),
        };
        let scratch = private(&scratch)?;
        let own = [
            context.state.clone(),
            context.folder.clone(),
            scratch.clone(),
        ];
        let below = |folders: BTreeMap<FolderName, PathBuf>| {
            let folders = folders.into_iter();
            folders.map(|(name, path)| (name, context.folder.join(path)))
        };
        let (workspaces, read) = (below(config.workspaces), below(config.folders));
        let folders = Folders::open(&workspace, &workspaces.collect(), &read.collect(), &own)
            .map_err(|error| Error::Service(chain(&error)))?;
        let cage = Cage::new(context.folder.join(config.launcher)).scratch(scratch.clone());
        let cage = cage
            .keep_out(&folders.written(), &own)
            .map_err(|error| unusable("configuration", &context.folder, &error))?;
        Ok(Self {
            folders: Arc::new(folders),
            cage,
            servers: Servers::default(),
            clock: context.clock.clone(),
            programs: usize::from(config.programs),
        })
    }

    fn programs_max(&self) -> usize {
        self.programs
    }

    fn is_program(tool: &Tool) -> bool {
        match tool {
            Tool::Exec(_) | Tool::Mcp(_) => true,
            Tool::File(_) | Tool::Now => false,
        }
    }

    /// Tests the cage. The kernel features that it needs also protect file tools, so no tool runs without them.
    async fn probe(&self) -> Result<(), &'static str> {
        probe(&self.cage).await
    }

    fn read(&self, document: Option<&[u8]>) -> Installed {
        keep_out(read_tools(document), &self.cage.kept_out)
    }

    async fn call(
        &self,
        tool: &Tool,
        grant: &DraftGrant,
        places: &Places,
        args: &[u8],
        stops: &Stops,
    ) -> Option<Done> {
        self.perform(tool, grant, &places.folders, args, stops)
            .await
    }

    async fn attend(
        runner: Arc<Self>,
        troubles: Troubles<Tool>,
        stop: watch::Receiver<bool>,
    ) -> Result<(), Error> {
        let folders = Arc::clone(&runner.folders);
        let look = || lost(Arc::clone(&folders));
        let swept = sweep(runner, stop.clone());
        tokio::try_join!(troubles.watch(look, LOOK_AGAIN, stop), swept).map(drop)
    }
}

/// Returns the folder that is lost, with what to do; none if all are in place.
async fn lost(folders: Arc<Folders>) -> Result<Option<String>, Error> {
    // A network file system may take its time.
    let place = tokio::task::spawn_blocking(move || folders.are_in_place());
    let place = place
        .await
        .map_err(|error| Error::Service(error.to_string()))?;
    Ok(place.err().map(|lost| lost.to_string()))
}

/// Stops MCP servers that are idle, and all of them when the runner stops.
async fn sweep(runner: Arc<Runner>, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            stopping = stop.wait_for(|stop| *stop) => {
                drop(stopping);
                break;
            }
        }
        runner.servers.sweep().await;
    }
    runner.servers.end().await;
    Ok(())
}

async fn probe(cage: &Cage) -> Result<(), &'static str> {
    let error = match Box::pin(cage.probe()).await {
        Ok(_) => return Ok(()),
        Err(error) => error,
    };
    tracing::error!(
        error = chain(&error),
        "the cage's self-test failed; all grants are declined"
    );
    Err(match error {
        ProbeError::Exec(ExecError::Refused(refusal)) => refusal.missing.as_str(),
        ProbeError::Exec(
            ExecError::Args(_)
            | ExecError::Changed(_)
            | ExecError::Path(_)
            | ExecError::Folder(_)
            | ExecError::Launch(_)
            | ExecError::Lost(_),
        )
        | ProbeError::Silent(_) => "the cage's self-test did not run; check the launcher",
        ProbeError::Scratch(_) => {
            "the scratch directory or the launcher cannot be used; check both paths"
        }
        ProbeError::Open(_) => "the cage does not hold; run no programs on this machine",
    })
}

fn unusable(what: &str, path: &Path, error: &dyn std::error::Error) -> Error {
    let error = chain(error);
    Error::Service(format!("cannot use the {what} {}: {error}", path.display()))
}

/// Creates a folder that only this uid can read.
fn private(path: &Path) -> Result<PathBuf, Error> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .and_then(|()| path.canonicalize())
        .map_err(|error| unusable("scratch folder", path, &error))
}
