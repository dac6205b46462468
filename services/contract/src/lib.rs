#![doc = include_str!("../README.md")]

mod after;
mod asks;
pub mod batch;
mod bounds;
mod budget;
mod catalogue;
mod cedar;
mod check;
mod contract;
mod decide;
mod diff;
mod draft;
mod envelope;
mod explain;
mod fix;
mod flow;
mod glob;
pub mod json;
mod limits;
mod money;
mod name;
mod origin;
mod parse;
mod pins;
mod quota;
mod recall;
mod record;
mod rule;
mod schema;
mod show;
mod test_call;
mod toml_text;
mod verdict;
mod weigh;

pub use after::After;
pub use bounds::{
    Address, Bound, EmailBound, End, HostPattern, Judgement, Number, Operator, Relation, Scalar,
    UrlBound, UrlPath, When,
};
pub use budget::{Period, Reserve, Shared, Spent, Used, UsedByRule};
pub use catalogue::{Catalogue, CatalogueError, Effect, Effects, Risk, Tool};
pub use cedar::{CONDITION_BYTES_MAX, Condition, ConditionError};
pub use contract::{Contract, LANGUAGE, Role};
pub use decide::{ARGUMENTS_BYTES_MAX, decide};
pub use diff::{ChangedCall, Diff, Entry, Outcome, Turn, diff};
pub use draft::{DraftHeader, Recorded, draft_of_calls, draft_of_text};
pub use envelope::envelope;
pub use explain::{Considered, Says, explain};
pub use flow::{Integrity, Labels, Passage, Secrecy};
pub use glob::{PathGlob, PathGlobError, TextGlob, ToolGlob};
pub use limits::{Caps, Limits};
pub use name::rule_id;
pub use origin::{FieldPath, Origin};
pub use pins::{Drift, Drifted, ReadNow, drift, entries, is_read_as_signed, pins};
pub use quota::{Quota, Quotas, Spend, SpendCurrency};
pub use recall::{Need, Recall};
pub use record::{Record, Started, View};
pub use rule::{Escalation, Matcher, OWNER, Question, Rule, RuleKind};
pub use show::{Section, Sentence, Shown, show};
pub use test_call::{Earlier, TestCall};
pub use verdict::{Call, Change, Code, Fix, Verdict};
