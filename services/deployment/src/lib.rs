#![doc = include_str!("../README.md")]

pub mod catalogue;
pub mod certs;
pub mod containers;
mod deployment;
pub mod devices;
mod dir;
pub mod disk_space;
mod error;
mod file;
pub mod fleet;
pub mod init;
pub mod jobs;
pub mod layout;
mod lock;
pub mod log_file;
pub mod nats_server;
pub mod owner;
pub mod pki;
pub mod provision;
pub mod relay;
mod report;
pub mod secrets;
mod sync;
pub mod tailnet;
mod text;
pub mod watch;

pub use deployment::Deployment;
pub use dir::{Dir, Route};
pub use error::Error;
pub use file::{Containers, DeploymentFile};
pub use lock::Lock;
pub use report::InitReport;
pub use sync::Sync;
pub use text::{read_catalogue_text, read_text};
