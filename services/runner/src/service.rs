//! Connects the core to the bus, the workspace and the cage.

use std::collections::BTreeMap;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use actor::{BackgroundTasks, Bus, Claim, Context, Error, Service, chain};
use bus_schema::{AuthorId, Content, FolderName, Halt, Halted, Runner as Me};
use serde::Deserialize;
use tokio::sync::{mpsc, watch};

use crate::cage::Cage;
use crate::core::{Effect, Input, RunnerCore};
use crate::exec::ExecError;
use crate::execution::Execution;
use crate::folders::Folders;
use crate::halt::Order;
use crate::installed::Installed;
use crate::mcp::Servers;
use crate::probe::ProbeError;

/// Programs at once, if the configuration leaves them out.
const PROGRAMS: u16 = 8;
/// Largest number of programs at once.
const PROGRAMS_MAX: u16 = 64;
/// Backoff before a fetch of arguments is retried.
const ASK_AGAIN: Duration = Duration::from_millis(500);

/// The interval at which the workspace's place is checked for the health, in addition to the check before each action.
const LOOK_AGAIN: Duration = Duration::from_secs(2);
/// The interval at which tools that cannot be executed are checked again.
const INSTALL_AGAIN: Duration = Duration::from_secs(10);

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

/// The service.
#[derive(Debug)]
pub struct Runner {
    execution: Execution,
    halt: Arc<Order>,
}

impl Service for Runner {
    type Core = RunnerCore;
    type Config = Config;

    fn open(config: Config, context: &Context) -> Result<(Self, RunnerCore), Error> {
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
        let (core, gate) = RunnerCore::new(context.owner, usize::from(config.programs));
        let execution = Execution {
            folders: Arc::new(folders),
            cage,
            servers: Servers::default(),
            installed: RwLock::default(),
            gate,
            stop: context.stop.clone(),
            clock: context.clock.clone(),
        };
        let halt = Arc::new(Order::open(&context.state)?);
        Ok((Self { execution, halt }, core))
    }

    fn start(service: &Arc<Self>, beside: &mut BackgroundTasks<Self>) -> Result<(), Error> {
        let order = Arc::clone(&service.halt);
        let (input, gate) = (beside.input.clone(), service.execution.gate.clone());
        if let Some(at) = order.kept() {
            // The channel is empty at the start.
            input.try_send(Input::Halt(at)).ok();
        }
        let bus = beside.bus.clone();
        beside.spawn(async move {
            bus.serve(move |halt: Halt| {
                order.keep(halt.at);
                // The caller repeats the order until it has been applied.
                input.try_send(Input::Halt(halt.at)).ok();
                Halted {
                    halted: gate.borrow().halted,
                    running: order.running(),
                }
            })
            .await;
            Ok(())
        });
        let folders = Arc::clone(&service.execution.folders);
        beside.spawn(watch(folders, beside.input.clone(), beside.stop.clone()));
        let (input, stop) = (beside.input.clone(), beside.stop.clone());
        beside.spawn(reinstall(Arc::clone(service), input, stop));
        beside.spawn(sweep(Arc::clone(service), beside.stop.clone()));
        Ok(())
    }

    async fn perform(service: Arc<Self>, effect: Effect, bus: Bus<Me>) -> Input {
        match effect {
            Effect::Probe => Input::Probed(probe(&service.execution.cage).await),
            Effect::Fetch { action, by, args } => match bus.get(by, &args).await {
                Ok(bytes) => Input::Args(action, bytes),
                Err(error) => {
                    tracing::warn!(error = chain(&error), "cannot read arguments; retrying");
                    tokio::time::sleep(ASK_AGAIN).await;
                    Input::Unanswered
                }
            },
            Effect::Install { catalogue } => install(&service, catalogue, &bus).await,
            Effect::Run(claim) => Box::pin(act(&service, *claim, &bus)).await,
        }
    }
}

/// Tells the core whenever a folder is lost, or in place again.
async fn watch(
    folders: Arc<Folders>,
    input: mpsc::Sender<Input>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    let mut told = Ok(());
    loop {
        let looked = Arc::clone(&folders);
        // A network file system may take its time.
        let place = tokio::task::spawn_blocking(move || looked.are_in_place());
        let place = place
            .await
            .map_err(|error| Error::Service(error.to_string()))?;
        if place != told {
            match &place {
                Ok(()) => tracing::info!("the folders are in place again"),
                Err(lost) => tracing::error!(error = chain(lost), "nothing is read or written"),
            }
            told.clone_from(&place);
            // A core that has ended needs no news.
            input.send(Input::Workspace(place)).await.ok();
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            stopping = stop.wait_for(|stop| *stop) => {
                drop(stopping);
                return Ok(());
            }
        }
    }
}

/// Checks the tools of a signed catalogue, and has later actions executed with them.
async fn install(service: &Runner, catalogue: Content, bus: &Bus<Me>) -> Input {
    let document = match bus.get(AuthorId::Owner, &catalogue).await {
        Ok(document) => document,
        Err(error) => {
            tracing::warn!(error = chain(&error), "cannot read the catalogue; retrying");
            tokio::time::sleep(ASK_AGAIN).await;
            return Input::Unanswered;
        }
    };
    let kept_out = service.execution.cage.kept_out.clone();
    // It digests the files of every program.
    let reading = tokio::task::spawn_blocking(move || {
        Installed::read(document.as_deref()).keep_out(&kept_out)
    });
    let installed = match reading.await {
        Ok(installed) => Arc::new(installed),
        Err(error) => {
            tracing::error!(error = chain(&error), "cannot check the tools; retrying");
            tokio::time::sleep(ASK_AGAIN).await;
            return Input::Unanswered;
        }
    };
    let before = service.execution.installed();
    if !installed.faults().eq(before.faults()) {
        for problem in installed.faults() {
            tracing::error!(problem, "a tool cannot be executed");
        }
    }
    service.execution.install(Arc::clone(&installed));
    Input::Installed(catalogue, installed)
}

/// Has tools that cannot be executed checked again from time to time: their files may have been put in place.
async fn reinstall(
    service: Arc<Runner>,
    input: mpsc::Sender<Input>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(INSTALL_AGAIN) => {}
            stopping = stop.wait_for(|stop| *stop) => {
                drop(stopping);
                return Ok(());
            }
        }
        if service.execution.installed().trouble().is_some() {
            // A core that has ended needs no news.
            input.send(Input::Reinstall).await.ok();
        }
    }
}

/// Stops MCP servers that are idle, and all of them when the runner stops.
async fn sweep(service: Arc<Runner>, mut stop: watch::Receiver<bool>) -> Result<(), Error> {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_AGAIN) => {}
            stopping = stop.wait_for(|stop| *stop) => {
                drop(stopping);
                break;
            }
        }
        service.execution.servers.sweep().await;
    }
    service.execution.servers.end().await;
    Ok(())
}

async fn act(service: &Runner, claim: Claim<Me>, bus: &Bus<Me>) -> Input {
    let action = claim.draft().action;
    let done = {
        let _running = service.halt.run();
        let execution = &service.execution;
        execution
            .perform(claim.draft(), claim.folders(), claim.args())
            .await
    };
    if let Some(done) = done {
        match bus.seal(&done.output) {
            // A runner that stops before the outcome is stored leaves it unknown to every reader.
            Ok(output) => drop(
                bus.settle(claim.settle(done.outcome, done.usage, output))
                    .await,
            ),
            Err(error) => tracing::error!(error = chain(&error), "cannot store the output"),
        }
    }
    Input::Ran(action)
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
