#![doc = include_str!("../README.md")]

mod address;
mod admission;
mod after;
pub mod batch;
mod bound;
mod catalogue;
mod catalogue_error;
mod cedar;
mod check;
mod combine;
mod contract;
mod dead;
mod decide;
mod determined;
mod diff;
mod draft;
mod envelope;
mod explain;
mod filled;
mod fit;
mod fix;
mod flow;
mod history_needs;
mod http;
mod known;
mod labels;
mod limits;
mod links;
mod matcher;
mod money;
mod name;
mod offer;
mod otherwise;
mod parse;
mod pattern;
mod pins;
mod question;
mod quota;
mod reach;
mod record;
mod repeat;
mod repeat_check;
mod rule;
mod schema;
mod seen;
mod show;
mod slot;
mod slot_rule;
mod slot_values;
mod test_call;
mod toml_text;
mod usage;
mod valid_call;
mod verdict;
mod when;
mod why;
mod words;

pub use admission::TasksExceeded;
pub use after::After;
pub use bound::{Bound, Predicate, matching::Match};
pub use catalogue::{CATALOGUE_BYTES_MAX, Catalogue, Effect, Effects, Risk, Tool};
pub use catalogue_error::{CatalogueError, UNREAD, UNSIGNED, unusable};
pub use cedar::{CONDITION_BYTES_MAX, Condition, ConditionError};
pub use contract::{Contract, LANGUAGE, Role};
pub use decide::{ARGUMENTS_BYTES_MAX, decide};
pub use diff::{ChangeKind, ChangedCall, Diff, Difference, TestVerdict, diff};
pub use draft::{
    DraftHeader, DraftScope, ModelRule, Recorded, draft_in_scope, draft_of_calls, draft_of_text,
};
pub use envelope::envelope;
pub use explain::{RuleExplanation, RuleResult, explain};
pub use filled::SlotError;
pub use history_needs::{CallParts, HistoryNeeds};
pub use http::{
    Answer, AnswerKind, HttpArgsError, HttpLimits, HttpRequest, HttpTool, Method, NextPage,
    NoWhole, PARTS_BYTES_MAX, PARTS_MAX, PageFault, PageWalk, Pages, PartsError, PartsWalk, Price,
    Prices, Rate, UnknownMethod, header_parameter, is_header_name, is_header_value,
    is_reserved_header, percent_encoded,
};
pub use labels::{FlowAction, Integrity, Labels, OutputLabels, Secrecy};
pub use limits::{Limits, PeriodLimits};
pub use matcher::{Choice, Matcher};
pub use name::rule_id;
pub use offer::{Offer, offer};
pub use pattern::{PathGlob, PathGlobError, ToolGlob, is_plain_name};
pub use pins::{
    Drift, Drifted, ReadNow, catalogue_changes, drift, entries, is_read_as_signed, pins,
};
pub use quota::{Quota, Quotas, Spend, SpendCurrency, SpentArgument};
pub use reach::{
    Endpoint, EndpointError, Network, NetworkError, PathFault, Reach, RefusedAddress, StrictUrl,
    UrlError, admit,
};
pub use record::{Record, Started, View};
pub use repeat::Repeats;
pub use rule::{Escalation, OWNER, Question, Rule, RuleKind};
pub use show::powers::powers;
pub use show::{Section, Sentence, Shown, show};
pub use slot::Slot;
pub use slot_values::SlotValues;
pub use test_call::{Earlier, TestCall};
pub use usage::{Allowance, ContractTotals, Period, RuleTotals, Spent, Totals, Under};
pub use verdict::{Call, Change, Code, Fix, Verdict};
pub use when::{End, When};
