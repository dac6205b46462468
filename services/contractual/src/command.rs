//! The command line. Each command is one file: its arguments and its `run`.
//!
//! To add a command:
//!
//! 1. A file `command/<name>.rs` with `Arguments` (clap's `Args`, with an example in `after_help`) and `run`. Take
//!    `command/health.rs` as the example.
//! 2. A variant in `DeploymentCommand`, whose comment is the line of `contractual --help`, and its arm in `run`.
//! 3. A row in the table of `README.md`. A test names what is missing.

mod approvals;
mod approve;
mod attach;
mod attached;
pub mod audit;
mod certs;
mod chat;
mod context;
pub mod contract;
pub mod decode;
mod demo;
mod device;
mod doctor;
mod exception;
mod halt;
mod health;
mod hook;
mod init;
mod job;
mod key;
mod mcp;
mod model;
mod open;
mod output;
mod pair;
mod playbook;
mod port_forward;
mod provision;
mod secret;
mod service;
mod stream;
mod task;
mod tool;
mod up;

use std::{path::PathBuf, process::ExitCode};

use actor::Clock;
use clap::{Parser, Subcommand};
use deployment::{DeploymentFile, Dir, relay::Relay};

use self::context::{Context, NO_FOLDER};
use crate::{Error, Output};

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 a check found a problem · 64 invalid input or configuration · 130 Ctrl-C";

/// Runs agents that act only under a contract that a person has signed.
#[derive(Debug, Parser)]
#[command(name = "contractual", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct CommandLine {
    /// The deployment's folder, such as ~/contractual.
    #[arg(long, global = true, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    #[command(flatten)]
    Deployment(DeploymentCommand),
    #[command(flatten)]
    Process(ProcessCommand),
}

/// Commands that work on a deployment.
#[derive(Debug, Subcommand)]
enum DeploymentCommand {
    /// Run an example task under a contract on this machine; show its timeline and prove its record.
    Demo(demo::Arguments),
    /// Make the keys and configuration files of a deployment; keep those that exist.
    Init(init::Arguments),
    /// Create streams and consumers on a running server, and publish the first roster.
    Provision(provision::Arguments),
    /// Run nats-server and every service as processes of this machine, until Ctrl-C.
    Up(up::Arguments),
    /// Have a model work on your words, or submit a playbook, under a signed contract, and follow it to its end.
    Run(task::run::Arguments),
    /// Talk with a model that works under a signed contract.
    Chat(chat::Arguments),
    /// Serve the tools of a signed contract to an agent, by MCP on standard input and output.
    Mcp(mcp::Arguments),
    /// Give an agent the tools of a signed contract in a folder, and switch its own off.
    Attach(attach::Arguments),
    /// Put the settings of an attached agent back.
    Detach(attach::DetachArguments),
    /// List tasks, or show one of them.
    #[command(subcommand, after_help = "Example: contractual task list")]
    Task(task::Command),
    /// Print what an action returned, or list the actions of a task.
    Output(output::Arguments),
    /// List the questions that wait for an answer.
    #[command(subcommand, after_help = "Example: contractual approvals list")]
    Approvals(approvals::Command),
    /// Approve an action that waits for approval.
    #[command(after_help = "Example: contractual approve 01997c2e")]
    Approve(approve::Arguments),
    /// Deny an action that waits for approval.
    #[command(after_help = "Example: contractual deny 01997c2e 01997c30")]
    Deny(approve::Arguments),
    /// Make a signing key for a member of a contract's `[roles]`, and print its public half.
    Key(key::Arguments),
    /// Write, check, compare and sign contracts.
    #[command(
        subcommand,
        after_help = "Example: contractual contract sign contract.toml"
    )]
    Contract(contract::Command),
    /// Add, remove, check and show the tools that the owner signs.
    #[command(
        subcommand,
        after_help = "Example: contractual tool add word-count.json"
    )]
    Tool(tool::Command),
    /// Add and list the models that work on the words of a person.
    #[command(subcommand, after_help = "Example: contractual model list")]
    Model(model::Command),
    /// Give, list and revoke the secrets that calls of tools use.
    #[command(
        subcommand,
        after_help = "Example: contractual secret set crm --host api.example.com --inject 'header:authorization=Bearer {}' <key.txt"
    )]
    Secret(secret::Command),
    /// List and revoke the devices that speak for the owner.
    #[command(subcommand, after_help = "Example: contractual device list")]
    Device(device::Command),
    /// Open the Control UI in the browser of this machine.
    Open(open::Arguments),
    /// Pair a browser or a phone, which then speaks for the owner as far as its role goes.
    Pair(pair::Arguments),
    /// Sign, list, pause and run jobs: playbooks that run by themselves at their times.
    #[command(subcommand, after_help = "Example: contractual job add job.toml")]
    Job(job::Command),
    /// Add, list and remove the webhooks whose messages start jobs.
    #[command(subcommand, after_help = "Example: contractual hook list")]
    Hook(hook::Command),
    /// Check the playbooks that tasks and jobs run, and write one from a recorded task.
    #[command(
        subcommand,
        after_help = "Example: contractual playbook check stocktake.toml"
    )]
    Playbook(playbook::Command),
    /// Kill running programs and stop all grants until `resume`; needs no gateway.
    #[command(after_help = "Example: contractual halt --dir ~/contractual")]
    Halt,
    /// Lift a halt: grants are possible again.
    #[command(after_help = "Example: contractual resume --dir ~/contractual")]
    Resume,
    /// Adopt a stream after it was restored or replaced.
    #[command(subcommand, after_help = "Example: contractual stream adopt")]
    Stream(stream::Command),
    /// Verify or print the record.
    #[command(subcommand, after_help = "Example: contractual audit verify")]
    Audit(audit::Command),
    /// Check the deployment and name the fix for each problem.
    Doctor(doctor::Arguments),
    /// List and renew certificates.
    #[command(subcommand, after_help = "Example: contractual certs show")]
    Certs(certs::Command),
    /// Allow a service to run in a container that lacks a protection, for some days.
    #[command(
        subcommand,
        after_help = "Example: contractual exception add runner read-only-root --days 3"
    )]
    Exception(exception::Command),
    /// The same as `exception add`.
    #[command(hide = true)]
    Waive(exception::Arguments),
    /// Print the health of a service.
    Health(health::Arguments),
    /// Forward loopback ports of this machine to a deployment in containers, until Ctrl-C.
    #[command(visible_alias = "relay")]
    PortForward(port_forward::Arguments),
}

/// Commands that need no deployment, or become another process.
#[derive(Debug, Subcommand)]
enum ProcessCommand {
    /// Run one service in the foreground.
    Service(service::Arguments),
    /// Read one message from standard input and print it as JSON, for `nats … --translate`.
    Decode(decode::Arguments),
    /// Run a program that dies with the process that started it.
    #[command(hide = true)]
    Attached(attached::Arguments),
    /// Be the world of `demo --net`.
    #[command(hide = true)]
    DemoWorld(demo::world::Arguments),
}

impl CommandLine {
    /// Runs the command.
    #[must_use]
    pub fn run(self) -> ExitCode {
        let Self { dir, json, command } = self;
        let out = Output::new(json);
        let is_named = dir.is_some();
        let dir = dir.or_else(default_dir).map(Dir::new);
        let command = match command {
            Command::Process(command) => return command.run(dir.as_ref(), &out),
            Command::Deployment(command) => command,
        };
        actor::log("warn");
        actor::hardening::harden();
        // A command that reads nothing of a deployment needs no name for its folder.
        let unused = || command.needs_no_folder().then(|| Dir::new(".".into()));
        let Some(dir) = dir.or_else(unused) else {
            out.error(NO_FOLDER);
            return ExitCode::from(64);
        };
        let context = Context {
            dir,
            is_named,
            out,
            clock: Clock::system(),
        };
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let ran = runtime
            .map_err(Error::io("start", "the runtime"))
            .and_then(|runtime| {
                let ran = runtime.block_on(Box::pin(command.reach(context)));
                // Ctrl-C may leave a prompt that still reads: do not wait for it.
                runtime.shutdown_background();
                ran
            });
        match ran {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                out.error(&actor::chain(&error));
                ExitCode::from(error.exit_code())
            }
        }
    }
}

impl ProcessCommand {
    fn run(self, dir: Option<&Dir>, out: &Output) -> ExitCode {
        match self {
            Self::Service(arguments) => arguments.run(dir, out),
            Self::Decode(arguments) => arguments.run(out),
            Self::Attached(arguments) => arguments.run(),
            Self::DemoWorld(arguments) => arguments.run(),
        }
    }
}

impl DeploymentCommand {
    /// Returns true if the command works without the containers of a deployment.
    fn is_local(&self) -> bool {
        matches!(
            self,
            Self::Init(_)
                | Self::Demo(_)
                | Self::Key(_)
                | Self::Detach(_)
                | Self::Open(_)
                | Self::Hook(_)
        ) || matches!(self, Self::Contract(command) if command.is_local())
            || matches!(self, Self::Tool(command) if command.is_local())
    }

    /// Returns true if the command reads nothing of a deployment, or makes one in a temporary folder.
    const fn needs_no_folder(&self) -> bool {
        match self {
            Self::Demo(_) | Self::Key(_) => true,
            Self::Contract(command) => command.needs_no_folder(),
            Self::Health(arguments) => arguments.needs_no_folder(),
            Self::Tool(command) => command.needs_no_folder(),
            Self::Init(_)
            | Self::Provision(_)
            | Self::Up(_)
            | Self::Run(_)
            | Self::Chat(_)
            | Self::Mcp(_)
            | Self::Attach(_)
            | Self::Detach(_)
            | Self::Task(_)
            | Self::Output(_)
            | Self::Approvals(_)
            | Self::Approve(_)
            | Self::Deny(_)
            | Self::Model(_)
            | Self::Secret(_)
            | Self::Device(_)
            | Self::Open(_)
            | Self::Pair(_)
            | Self::Job(_)
            | Self::Hook(_)
            | Self::Playbook(_)
            | Self::Halt
            | Self::Resume
            | Self::Stream(_)
            | Self::Audit(_)
            | Self::Doctor(_)
            | Self::Certs(_)
            | Self::Exception(_)
            | Self::Waive(_)
            | Self::PortForward(_) => false,
        }
    }

    /// Runs the command, through `docker exec` if the deployment is in containers.
    async fn reach(self, context: Context) -> Result<(), Error> {
        let file = if self.is_local() {
            None
        } else {
            DeploymentFile::read(&context.dir).ok()
        };
        let containers = file.as_ref().and_then(|file| file.containers.clone());
        let (Some(file), Some(containers)) = (file, containers) else {
            return Box::pin(self.run(context)).await;
        };
        let ports = if let Self::PortForward(arguments) = &self {
            arguments.ports()
        } else {
            (0, 0)
        };
        let relay = Relay::open(&containers, &file, ports).await?;
        let dir = context.dir.clone().through(relay.route()?);
        tokio::select! {
            done = Box::pin(self.run(Context { dir, ..context })) => done,
            () = relay.run() => Ok(()),
        }
    }

    async fn run(self, context: Context) -> Result<(), Error> {
        let Context {
            dir,
            is_named,
            out,
            clock,
        } = &context;
        let open = || context.deployment();
        match self {
            Self::Demo(arguments) => {
                let dir = is_named.then(|| dir.clone());
                arguments.run(dir, out, clock).await
            }
            Self::Init(arguments) => arguments.run(dir, out, clock),
            Self::Provision(arguments) => arguments.run(&open()?, out).await,
            Self::Up(arguments) => arguments.run(&open()?, out).await,
            Self::Run(arguments) => arguments.run(&open()?, out).await,
            Self::Chat(arguments) => arguments.run(&open()?, out).await,
            Self::Mcp(arguments) => arguments.run(&open()?).await,
            Self::Attach(arguments) => arguments.run(&open()?, out).await,
            Self::Detach(arguments) => arguments.run(dir, out),
            Self::Task(command) => command.run(&open()?, out).await,
            Self::Output(arguments) => arguments.run(&open()?, out).await,
            Self::Approvals(command) => command.run(&open()?, out).await,
            Self::Approve(arguments) => arguments.run(true, &open()?, out).await,
            Self::Deny(arguments) => arguments.run(false, &open()?, out).await,
            Self::Key(arguments) => arguments.run(out),
            Self::Contract(command) => command.run(&context).await,
            Self::Tool(command) => command.run(&context).await,
            Self::Model(command) => command.run(&open()?, out).await,
            Self::Secret(command) => command.run(&open()?, out).await,
            Self::Device(command) => command.run(&open()?, out).await,
            Self::Open(arguments) => {
                arguments.run(&DeploymentFile::read(dir)?, out);
                Ok(())
            }
            Self::Pair(arguments) => arguments.run(&open()?, out).await,
            Self::Playbook(command) => command.run(&open()?, out).await,
            Self::Job(command) => command.run(&open()?, out).await,
            Self::Hook(command) => command.run(&open()?, out).await,
            Self::Halt => halt::halt(&open()?, out).await,
            Self::Resume => halt::resume(&open()?, out).await,
            Self::Stream(command) => command.run(&open()?, out).await,
            Self::Audit(command) => command.run(&open()?, out).await,
            Self::Doctor(arguments) => arguments.run(dir, out, clock).await,
            Self::Certs(command) => command.run(dir, out),
            Self::Exception(exception::Command::Add(arguments)) | Self::Waive(arguments) => {
                arguments.run(&open()?, out)
            }
            Self::Health(arguments) => arguments.run(dir, out, clock),
            Self::PortForward(arguments) => arguments.run(&open()?, out).await,
        }
    }
}

fn default_dir() -> Option<PathBuf> {
    // A relative path is invalid there, and ignored.
    let absolute = |path: &PathBuf| path.is_absolute();
    let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
    let data = data.filter(absolute).or_else(|| {
        let home = std::env::home_dir().filter(absolute)?;
        Some(home.join(".local/share"))
    })?;
    Some(data.join("contractual"))
}
