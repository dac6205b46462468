//! The arguments of every command, with an example in each help.

mod contract;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use bus_schema::{ActionId, AuthorId, ContractName, Property, TaskId, Time};
use clap::{Args, Parser, Subcommand};

pub use self::contract::{
    DiffArguments, ExplainArguments, NewArguments, ReplayArguments, ShowArguments, SignArguments,
};

const EXIT_CODES: &str = "Exit codes: 0 done · 1 failed · 2 a check found something · 64 wrong input or configuration · 130 stopped";

const ADOPT: &str = "Example: contractual stream adopt\n\n\
    It shows which executor stood where and since when it doubts, insists that audit's log covers the end of the stream, \
    and asks before it signs. What was granted before is never claimed.\n\n\
    Exit codes: 0 adopted, or nothing to adopt · 1 audit does not agree, or the bus refused it · 130 not signed";

/// Runs agents that can act only under a contract that a person has signed.
#[derive(Debug, Parser)]
#[command(name = "contractual", version, after_help = EXIT_CODES, max_term_width = 100)]
pub struct Arguments {
    /// The state directory: identities, configuration and volumes of one deployment.
    #[arg(long, global = true, value_name = "DIR")]
    pub dir: Option<PathBuf>,
    /// Print data as JSON.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a real task under a contract on this machine, show it as it happens, and prove it.
    #[command(after_help = "Example: contractual demo ~/invoices --yes")]
    Demo {
        /// The folder to take stock of; the invoices that ship with the program if there is none.
        folder: Option<PathBuf>,
        /// Sign what the contract asks for; without it, the answer is read from standard input, and its end is a no.
        #[arg(long)]
        yes: bool,
    },
    /// Make the identities and configurations of a deployment; keeps what exists.
    #[command(after_help = "Example: contractual init --dir ~/contractual --workspace ~/work")]
    Init(InitArguments),
    /// Create streams and consumers on a running server, and append the first roster.
    #[command(after_help = "Example: contractual provision --dir ~/contractual")]
    Provision,
    /// Run nats-server and every actor as processes of this machine, until Ctrl-C.
    #[command(after_help = "Example: contractual up --dir ~/contractual")]
    Up,
    /// Hand in a task: a playbook under a signed contract; follow it to its end.
    #[command(
        after_help = "Example: contractual run --contract contract.toml --playbook playbook.toml"
    )]
    Run(RunArguments),
    /// List tasks, or show one.
    #[command(subcommand, after_help = "Example: contractual task list")]
    Task(TaskCommand),
    /// Sign a yes to an action that the contract asks about.
    #[command(after_help = "Example: contractual approve TASK ACTION")]
    Approve {
        /// The task.
        task: TaskId,
        /// The action.
        action: ActionId,
        /// The key of somebody else whom the contract names; the owner's if left out.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Sign a no to an action that the contract asks about.
    #[command(after_help = "Example: contractual deny TASK ACTION")]
    Deny {
        /// The task.
        task: TaskId,
        /// The action.
        action: ActionId,
        /// The key of somebody else whom the contract names; the owner's if left out.
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
    },
    /// Make a key for somebody whom contracts name under `[roles]`, and print its public half.
    #[command(after_help = "Example: contractual key ~/finance.pem")]
    Key {
        /// Where; a key that is there already is kept.
        file: PathBuf,
    },
    /// Check and sign contracts.
    #[command(
        subcommand,
        after_help = "Example: contractual contract sign contract.toml"
    )]
    Contract(ContractCommand),
    /// Kill what runs and grant nothing more; works without the gateway.
    #[command(after_help = "Example: contractual halt --dir ~/contractual")]
    Halt,
    /// Lift a halt.
    #[command(after_help = "Example: contractual resume --dir ~/contractual")]
    Resume,
    /// Say as the owner how executors stand to the stream.
    #[command(subcommand, after_help = "Example: contractual stream adopt")]
    Stream(StreamCommand),
    /// Verify the record, or show it.
    #[command(subcommand, after_help = "Example: contractual audit verify")]
    Audit(AuditCommand),
    /// Read one message on standard input and print it as JSON, for `nats … --translate`.
    #[command(
        after_help = "Example: nats --context audit-reader stream view AUDIT --translate 'contractual decode'"
    )]
    Decode,
    /// Check everything that can be checked, and name the fix for each finding.
    #[command(after_help = "Example: contractual doctor --dir ~/contractual")]
    Doctor {
        /// Check serve.json and policy.hujson in this folder, also before there is a sidecar.
        #[arg(long, value_name = "FOLDER")]
        tailscale: Option<PathBuf>,
    },
    /// Show and renew the certificates of a deployment.
    #[command(subcommand, after_help = "Example: contractual certs show")]
    Certs(CertsCommand),
    /// Sign that a service may work in a container that lacks something, for some days.
    #[command(after_help = "Example: contractual waive runner read-only-root --days 3")]
    Waive {
        /// Which service.
        service: AuthorId,
        /// What it may do without: own-user, capabilities, no-new-privileges, seccomp, read-only-root, core, dumpable, landlock.
        #[arg(required = true)]
        properties: Vec<Property>,
        /// For how many days.
        #[arg(long, default_value_t = 7)]
        days: u16,
    },
    /// Run one service in the foreground.
    #[command(
        after_help = "Example: contractual service policy --config /etc/contractual/policy.toml"
    )]
    Service {
        /// Which.
        name: AuthorId,
        /// Its configuration; the one in the state directory if there is none.
        #[arg(long, value_name = "FILE")]
        config: Option<PathBuf>,
        /// Stop after reading the configuration.
        #[arg(long)]
        check: bool,
    },
    /// Say whether a service can do its job.
    #[command(after_help = "Example: contractual health policy --dir ~/contractual")]
    Health {
        /// Which.
        name: AuthorId,
        /// The service's state folder; the one in the state directory if there is none.
        #[arg(long, value_name = "FOLDER")]
        state: Option<PathBuf>,
    },
    /// Keep the way to a deployment in containers open on this machine's loopback, until Ctrl-C.
    #[command(after_help = "Example: contractual relay --dir ~/contractual")]
    Relay {
        /// The port for the bus; 0 is any that is free.
        #[arg(long, default_value_t = crate::containers::RELAYED, value_name = "PORT")]
        bus: u16,
        /// The port for the gateway; 0 is any that is free.
        #[arg(long, default_value_t = 0, value_name = "PORT")]
        gateway: u16,
    },
    /// Run a program that dies with the process that started it.
    #[command(hide = true)]
    Attached {
        /// The process id of the one that starts it.
        parent: u32,
        /// The program.
        program: PathBuf,
        /// Its arguments.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

/// `init …`
#[derive(Debug, Args)]
pub struct InitArguments {
    /// The folder that tools work in.
    #[arg(long, default_value = "workspace")]
    pub workspace: PathBuf,
    /// The tool catalogue; the one of the example if there is none.
    #[arg(long, value_name = "FILE")]
    pub catalogue: Option<PathBuf>,
    /// Where nats-server listens.
    #[arg(long, default_value = "127.0.0.1:4222", value_name = "ADDRESS")]
    pub bus: SocketAddr,
    /// Where the gateway listens.
    #[arg(long, default_value = "127.0.0.1:8480", value_name = "ADDRESS")]
    pub gateway: SocketAddr,
    /// When nats-server syncs to disk: always, or an interval such as 2m.
    #[arg(long, default_value = "always")]
    pub sync: String,
    /// Keep no copy of the record for the `nats` command line: saves as much disk space as the record takes.
    #[arg(long)]
    pub no_copy: bool,
    /// Make it for the containers of `deploy/docker-compose.yml`; needs root, to give each container its files.
    #[arg(long, conflicts_with_all = ["bus", "gateway"])]
    pub containers: bool,
    /// With --containers: a file that holds the auth key for the tailnet; it is copied for the sidecar.
    #[arg(long, requires = "containers", value_name = "FILE")]
    pub authkey: Option<PathBuf>,
    /// With --containers: the gateway's name in the tailnet, such as contractual.tail1234.ts.net.
    #[arg(long, requires = "containers", value_name = "NAME")]
    pub tailnet_name: Option<String>,
}

/// `run …`
#[derive(Debug, Args)]
pub struct RunArguments {
    /// The contract (TOML), signed before with `contract sign`.
    #[arg(long, value_name = "FILE")]
    pub contract: PathBuf,
    /// The playbook (TOML).
    #[arg(long, value_name = "FILE")]
    pub playbook: PathBuf,
    /// Sign what the contract asks for; without it, the answer is read from standard input, and its end is a no.
    #[arg(long)]
    pub yes: bool,
    /// Do not follow it; `contractual approve` answers what is asked.
    #[arg(long)]
    pub detach: bool,
}

/// `task …`
#[derive(Debug, Subcommand)]
pub enum TaskCommand {
    /// The newest tasks.
    #[command(after_help = "Example: contractual task list --json")]
    List,
    /// One task with its timeline.
    #[command(after_help = "Example: contractual task show TASK")]
    Show {
        /// The task.
        task: TaskId,
    },
}

/// `contract …`
#[derive(Debug, Subcommand)]
pub enum ContractCommand {
    /// Read a contract as policy does, and run its tests.
    #[command(after_help = "Example: contractual contract check contract.toml --tools tools.json")]
    Check {
        /// The contract (TOML).
        file: PathBuf,
        /// The tool catalogue; the deployment's if there is none.
        #[arg(long, value_name = "FILE")]
        tools: Option<PathBuf>,
    },
    /// Say what policy would say to calls, with no deployment: a JSON line each in, a JSON line each out.
    #[command(
        after_help = "Example: contractual contract decide --contract contract.toml --tools tools.json < calls.jsonl\n\n\
            A call: {\"task\", \"call\", \"tool\", \"args\"}, and if known \"output\" (its labels) and \"result\" (what it \
            returned). The owner's words, before a task's calls: {\"task\", \"text\"}.\n\
            A verdict: {\"task\", \"call\", \"verdict\": \"granted\" | \"refused\" | \"ask\", \"rule\", \"why\", \"fix\"}."
    )]
    Decide {
        /// The contract (TOML).
        #[arg(long, value_name = "FILE")]
        contract: PathBuf,
        /// The tool catalogue (JSON).
        #[arg(long, value_name = "FILE")]
        tools: PathBuf,
        /// What people say to every question.
        #[arg(long, value_enum, default_value_t = AsksArgument::Approve)]
        asks: AsksArgument,
        /// When the calls are made, such as 2030-01-31T18:00:00Z; now if left out.
        #[arg(long, value_name = "TIME")]
        at: Option<Time>,
    },
    /// Say what policy would say to one call, and what every rule about its tool says of it; needs no deployment.
    #[command(after_help = contract::EXPLAIN)]
    Explain(ExplainArguments),
    /// Say in plain sentences what a contract allows, asks, forbids and limits.
    #[command(after_help = contract::SHOW)]
    Show(ShowArguments),
    /// Say what another version of a contract makes allowed and what it no longer allows, each with a call.
    #[command(after_help = contract::DIFF)]
    Diff(DiffArguments),
    /// Decide the recorded history again: identical verdicts, or exactly the differences.
    #[command(after_help = contract::REPLAY)]
    Replay(ReplayArguments),
    /// Write a contract: a draft for a task, or what a recorded task did and nothing more.
    #[command(after_help = contract::NEW)]
    New(NewArguments),
    /// Check a contract, put the owner's signature under it, and wait for what policy says to it.
    #[command(after_help = contract::SIGN)]
    Sign(SignArguments),
    /// Every contract that was signed: where it stands, until when, and how many tasks ran under it.
    #[command(after_help = contract::LIST)]
    List,
    /// Say as the owner that nothing more is granted or claimed under a contract.
    #[command(after_help = contract::REVOKE)]
    Revoke {
        /// The contract's name.
        name: ContractName,
    },
}

/// What people say to every question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AsksArgument {
    /// Yes.
    Approve,
    /// No.
    Deny,
}

impl From<AsksArgument> for policy::batch::Asks {
    fn from(asks: AsksArgument) -> Self {
        match asks {
            AsksArgument::Approve => Self::Approve,
            AsksArgument::Deny => Self::Deny,
        }
    }
}

/// `certs …`
#[derive(Debug, Subcommand)]
pub enum CertsCommand {
    /// Make new keys and certificates; what runs takes them up by itself.
    #[command(after_help = "Example: contractual certs renew --service policy")]
    Renew {
        /// Whose: a service, `nats`, or another user of the bus; everybody's if left out.
        #[arg(long, value_name = "NAME")]
        service: Option<String>,
        /// For how many days they are valid.
        #[arg(long, default_value_t = crate::certs::LEAF_DAYS)]
        days: u32,
    },
    /// Who has a certificate, and until when.
    #[command(after_help = "Example: contractual certs show --json")]
    Show,
    /// Make a new authority that signs from now on; the one before is trusted beside it until it is retired.
    #[command(after_help = "Example: contractual certs authority, then: contractual certs renew")]
    Authority {
        /// Trust the newest authority alone, once every certificate is signed by it.
        #[arg(long)]
        retire: bool,
    },
}

/// `stream …`
#[derive(Debug, Subcommand)]
pub enum StreamCommand {
    /// Let executors go on in a stream that is not the one they stood in: restored, replaced or made again.
    #[command(after_help = ADOPT)]
    Adopt {
        /// Sign without asking.
        #[arg(long)]
        yes: bool,
    },
}

/// `audit …`
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Verify every signature, chain, leaf and root; names the first bad place.
    #[command(after_help = "Example: contractual audit verify --offline")]
    Verify {
        /// Check the log's files alone, with no service running.
        #[arg(long)]
        offline: bool,
    },
    /// Print the record, oldest first.
    #[command(after_help = "Example: contractual audit show --from 100 --limit 20 --json")]
    Show {
        /// The first message's place in the stream.
        #[arg(long, default_value_t = 1)]
        from: u64,
        /// How many messages at most.
        #[arg(long, default_value_t = 1000)]
        limit: u64,
        /// Only this task's.
        #[arg(long)]
        task: Option<TaskId>,
    },
}
