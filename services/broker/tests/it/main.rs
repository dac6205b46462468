//! Tests of the broker.

#[cfg(test)]
mod config;
#[cfg(test)]
mod files;
#[cfg(test)]
mod release;
#[cfg(test)]
mod renewal;
#[cfg(test)]
mod world;
