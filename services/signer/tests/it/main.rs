//! The integration tests of the signer.

#[cfg(test)]
mod code;
#[cfg(test)]
mod page;
