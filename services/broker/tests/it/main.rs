//! Tests of the broker.

#[cfg(test)]
mod config;
mod files;
#[cfg(test)]
mod release;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod world;
