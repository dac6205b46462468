//! Makes entries of kind `http` of the operations of an OpenAPI document (3.0 and 3.1).

mod answer;
mod document;
mod inputs;
mod operation;
mod schemas;

pub(crate) use self::document::{Document, Operation};
pub(crate) use self::operation::Target;
