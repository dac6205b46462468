//! Tests of the broker.

mod config;
mod release;
mod world;
