#![doc = include_str!("../README.md")]

mod after;
mod asks;
pub mod batch;
mod bounds;
mod budget;
mod catalogue;
mod cedar;
mod contract;
mod core;
mod decide;
mod diff;
mod envelope;
mod explain;
mod fix;
mod flow;
mod generalise;
mod glob;
pub mod json;
mod judge;
mod limits;
mod money;
mod origin;
mod parse;
mod past;
mod pins;
mod quota;
mod recall;
mod record;
mod replay;
mod rule;
mod schema;
mod service;
mod show;
mod state;
mod verdict;
mod weigh;

pub use after::After;
pub use bounds::{
    Address, Bound, EmailBound, End, HostPattern, Judgement, Number, Operator, Relation, Scalar,
    UrlBound, UrlPath, When,
};
pub use budget::{Period, Reserve, Shared, Spent, Used, UsedByRule};
pub use catalogue::{Catalogue, CatalogueError, Effect, Effects, Risk, Tool};
pub use cedar::{Beyond, CONDITION_BYTES_MAX, Condition, ConditionError, Lowered, lower};
pub use contract::{Contract, LANGUAGE, Role};
pub use core::{Fetch, Fetched, PolicyCore};
pub use decide::{Call, Code, Verdict, decide};
pub use diff::{Diff, Earlier, Entry, Example, Outcome, Tried, Turn, diff};
pub use envelope::envelope;
pub use explain::{Considered, Says, explain};
pub use fix::{Change, Fix};
pub use flow::{Integrity, Labels, Passage, Secrecy};
pub use generalise::{Above, Choice, Generalised, Offer, Recorded, draft};
pub use glob::{PathGlob, PathGlobError, TextGlob, ToolGlob};
pub use limits::{Caps, Limits};
pub use origin::{FieldPath, Origin};
pub use past::Half;
pub use pins::{Drift, Drifted, ReadNow, drift, entries, pins};
pub use quota::{Quota, Quotas, Spend, SpendCurrency};
pub use record::{Record, Started, View};
pub use replay::{Compared, Redecided, Replay, Step, Within, Word};
pub use rule::{Escalation, Matcher, OWNER, Question, Rule, RuleKind};
pub use service::{Config, Policy};
pub use show::{Section, Sentence, Shown, show};
pub use state::{APPROVALS_REFUSED_MAX, State};
