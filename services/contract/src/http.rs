//! The entry `http` of a tool: the request that a call sends, and what comes back of the answer.

mod answer;
mod args_error;
mod body;
mod build;
mod entry;
mod header_text;
mod method;
mod page_walk;
mod pages;
mod parts;
mod prices;
mod texts;

pub use answer::{Answer, AnswerKind};
pub use args_error::HttpArgsError;
pub use build::HttpRequest;
pub use entry::{HttpLimits, HttpTool};
pub use header_text::header_parameter;
pub use method::{Method, UnknownMethod};
pub use page_walk::{PageFault, PageWalk};
pub use pages::{NextPage, Pages};
pub use parts::{NoWhole, PARTS_BYTES_MAX, PARTS_MAX, PartsError, PartsWalk};
pub use prices::{Price, Prices, Rate};
pub use texts::{is_header_name, is_header_value, is_reserved_header, percent_encoded};
