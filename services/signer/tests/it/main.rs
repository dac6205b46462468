//! The integration tests of the signer.

mod code;
mod page;
