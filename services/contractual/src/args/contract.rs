//! The arguments of what reads, compares and makes contracts, and of what works on those of a deployment.

use std::path::PathBuf;

use bus_schema::{ContractName, TaskId, Time};
use clap::Args;

use super::AsksArgument;

/// The help of `contract explain` after its arguments.
pub(super) const EXPLAIN: &str = "Example: contractual contract explain --contract contract.toml --tools tools.json \
    '{\"tool\": \"file.read\", \"args\": {\"path\": \"a.txt\"}}'\n\n\
    With -, lines as `contract decide` reads them: each call is explained as the record of its task stands by then.\n\n\
    Exit codes: 0 explained, whatever the verdict · 64 the contract, the tools or the call cannot be read";

/// The same of `contract sign`.
pub(super) const SIGN: &str = "Example: contractual contract sign contract.toml\n\n\
    It shows what becomes allowed and what no longer is against the version in force, each with a call, and how the tools \
    and the program that it is read by differ from those that were signed; on a terminal it asks before it signs.\n\n\
    Exit codes: 0 in force · 1 policy refused it, or says nothing: the runner acts under no lower version from now on, \
    until that one is signed again · 64 the contract is not valid · 130 not signed";

/// The same of `contract list`.
pub(super) const LIST: &str = "Example: contractual contract list --json\n\n\
    States: offered (policy has said nothing yet) · active · suspended (it shows what has changed: sign it again) · superseded \
    · revoked · expired · refused\n\n\
    Exit codes: 0 listed · 1 the bus does not answer";

/// The same of `contract revoke`.
pub(super) const REVOKE: &str = "Example: contractual contract revoke stocktake\n\n\
    Grants that nobody has claimed are claimed no more; what runs already runs to its end: `contractual halt` kills it.\n\n\
    Exit codes: 0 revoked · 1 no contract of that name is in force";

/// The help of `contract show` after its arguments.
pub(super) const SHOW: &str = "Example: contractual contract show contract.toml --tools tools.json\n\n\
    With --cedar, the rules as policies of Cedar; what Cedar has no words for is named beside them.\n\n\
    Exit codes: 0 shown · 1 no such contract is in force · 64 the contract or the tools cannot be read";

/// The same of `contract diff`.
pub(super) const DIFF: &str = "Example: contractual contract diff old.toml new.toml --tools tools.json\n\n\
    Each rule that differs, with calls that both versions decide: what becomes allowed, what no longer is. Comments, tests \
    and names decide nothing.\n\n\
    Exit codes: 0 both decide every call alike · 2 they differ · 64 a contract or the tools cannot be read";

/// The same of `contract replay`.
pub(super) const REPLAY: &str = "Example: contractual contract replay --contract contract.toml --task TASK\n\n\
    Each recorded verdict is decided again at its place in the record, at the time of the bus at which it was stored. With \
    --contract, that contract stands in the place of every version of its name; what is on record happened all the same. \
    The record does not hold the tool catalogue: today's is used, and a tool that has changed since shows as suspended.\n\n\
    Exit codes: 0 identical, but for what was erased · 2 some differ · 64 the contract cannot be read · 1 the bus does not \
    answer";

/// The same of `contract new`.
pub(super) const NEW: &str = "Example: contractual contract new --task-text 'Sort my inbox' --tools tools.json > contract.toml\n\
    Example: contractual contract new --from TASK --out contract.toml\n\n\
    From a text: a draft that asks about every tool. From a recorded task: what it did and nothing more; on a terminal, \
    each argument in which calls differ can then be widened (--yes keeps them exact). What the language cannot say exactly is \
    asked about; the order of the items of a list is not looked at.\n\n\
    Exit codes: 0 written · 1 there is no such task, or it did nothing · 64 the tools cannot be read";

/// `contract show …`
#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The contract (TOML), or the name or the digest of one that was signed.
    #[arg(value_name = "CONTRACT")]
    pub contract: String,
    /// The tool catalogue (JSON); the deployment's if there is none.
    #[arg(long, value_name = "FILE")]
    pub tools: Option<PathBuf>,
    /// Show its rules as policies of Cedar.
    #[arg(long)]
    pub cedar: bool,
}

/// `contract diff …`
#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The version before (TOML).
    pub old: PathBuf,
    /// The version after (TOML).
    pub new: PathBuf,
    /// The tool catalogue (JSON); the deployment's if there is none.
    #[arg(long, value_name = "FILE")]
    pub tools: Option<PathBuf>,
}

/// `contract replay …`
#[derive(Debug, Args)]
pub struct ReplayArguments {
    /// Decide by this contract (TOML) in the place of those of its name.
    #[arg(long, value_name = "FILE")]
    pub contract: Option<PathBuf>,
    /// Show only this task.
    #[arg(long)]
    pub task: Option<TaskId>,
}

/// `contract new …`
#[derive(Debug, Args)]
pub struct NewArguments {
    /// The owner's words, or a file that holds them.
    #[arg(
        long,
        value_name = "TEXT",
        required_unless_present = "from",
        conflicts_with = "from"
    )]
    pub task_text: Option<String>,
    /// The recorded task.
    #[arg(long, value_name = "TASK")]
    pub from: Option<TaskId>,
    /// The tool catalogue (JSON); the deployment's if there is none.
    #[arg(long, value_name = "FILE")]
    pub tools: Option<PathBuf>,
    /// The contract's name: lower-case letters, digits and `-`.
    #[arg(long)]
    pub name: Option<ContractName>,
    /// For how many days it is to hold.
    #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u16).range(1..=3650))]
    pub days: u16,
    /// Keep every call exact, and ask nothing.
    #[arg(long)]
    pub yes: bool,
    /// Where to write it, if there is no such file yet; standard output if left out.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `contract sign …`
#[derive(Debug, Args)]
pub struct SignArguments {
    /// The contract (TOML).
    pub file: PathBuf,
    /// Sign without asking.
    #[arg(long)]
    pub yes: bool,
    /// Do not wait for policy.
    #[arg(long)]
    pub detach: bool,
}

/// `contract explain …`
#[derive(Debug, Args)]
pub struct ExplainArguments {
    /// The contract (TOML).
    #[arg(long, value_name = "FILE")]
    pub contract: PathBuf,
    /// The tool catalogue (JSON); the deployment's if there is none.
    #[arg(long, value_name = "FILE")]
    pub tools: Option<PathBuf>,
    /// What people say to every question.
    #[arg(long, value_enum, default_value_t = AsksArgument::Approve)]
    pub asks: AsksArgument,
    /// When the calls are made, such as 2030-01-31T18:00:00Z; now if left out.
    #[arg(long, value_name = "TIME")]
    pub at: Option<Time>,
    /// The call: `{"tool", "args"}`, and what else a line of `contract decide` may hold; - reads lines of them.
    #[arg(value_name = "CALL")]
    pub call: String,
}
