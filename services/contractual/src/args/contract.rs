//! The arguments of `contract explain`, and of what works on the contracts of a deployment.

use std::path::PathBuf;

use bus_schema::Time;
use clap::Args;

use super::AsksArgument;

/// The help of `contract explain` after its arguments.
pub(super) const EXPLAIN: &str = "Example: contractual contract explain --contract contract.toml --tools tools.json \
    '{\"tool\": \"file.read\", \"args\": {\"path\": \"a.txt\"}}'\n\n\
    With -, lines as `contract decide` reads them: each call is explained as the record of its task stands by then.\n\n\
    Exit codes: 0 explained, whatever the verdict · 64 the contract, the tools or the call cannot be read";

/// The same of `contract sign`.
pub(super) const SIGN: &str = "Example: contractual contract sign contract.toml\n\n\
    It shows the lines that differ from the version in force, and on a terminal asks before it signs.\n\n\
    Exit codes: 0 in force · 1 policy refused it, and the version before stays in force, or says nothing · 64 the contract \
    is not valid · 130 not signed";

/// The same of `contract list`.
pub(super) const LIST: &str = "Example: contractual contract list --json\n\n\
    States: offered (policy has said nothing yet) · active · suspended (its tools have changed: sign it again) · superseded \
    · revoked · expired · refused\n\n\
    Exit codes: 0 listed · 1 the bus does not answer";

/// The same of `contract revoke`.
pub(super) const REVOKE: &str = "Example: contractual contract revoke stocktake\n\n\
    Grants that nobody has claimed are claimed no more; what runs already runs to its end: `contractual halt` kills it.\n\n\
    Exit codes: 0 revoked · 1 no contract of that name is in force";

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
