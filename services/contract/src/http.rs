//! The entry `http` of a tool: the request that a call sends, and what comes back of the answer.

mod args_error;
mod body;
mod build;
mod entry;
mod method;
mod parts;
mod prices;
mod texts;

pub use args_error::HttpArgsError;
pub use build::HttpRequest;
pub use entry::{Answer, AnswerKind, HttpLimits, HttpTool};
pub use method::{Method, UnknownMethod};
pub use parts::{PARTS_BYTES_MAX, PARTS_MAX, PartsError, PartsWalk};
pub use prices::{Price, Prices, Rate};
pub use texts::{is_header_name, is_header_value, is_reserved_header, percent_encoded};
