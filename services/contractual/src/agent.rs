//! The agents that `attach` knows, the changes of their settings, and the tools that they list.

mod attachment;
mod known;
mod listing;
mod settings;
mod toml_text;

pub(crate) use self::{
    attachment::Attachment,
    known::{Agent, Homes, ServerCommand},
    listing::{Listing, list},
};
