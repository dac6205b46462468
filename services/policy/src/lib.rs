#![doc = include_str!("../README.md")]

mod bounds;
mod catalogue;
mod contract;
mod core;
mod decide;
mod envelope;
mod fix;
mod glob;
pub mod json;
mod judge;
mod ledger;
mod parse;
mod schema;
mod service;
mod state;
mod verdict;

pub use bounds::{Bound, Judgement, Operator, Scalar};
pub use catalogue::{Catalogue, CatalogueError, Effect, Integrity, Output, Secrecy, Tool};
pub use contract::{Contract, Limits, Matcher, Rule, RuleKind};
pub use core::{Fetch, Fetched, PolicyCore};
pub use decide::{Call, Code, Reserve, Task, Verdict, decide};
pub use envelope::envelope;
pub use fix::{Change, Fix};
pub use glob::{PathGlob, PathGlobError, ToolGlob};
pub use service::{Config, Policy};
pub use state::{APPROVALS_REFUSED_MAX, State};
