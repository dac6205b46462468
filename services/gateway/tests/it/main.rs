//! Tests of the gateway over real sockets; the tests take the place of the bus.
#![expect(
    clippy::unwrap_used,
    clippy::too_many_lines,
    reason = "what goes wrong ends the test, and tables are as long as what they list"
)]

mod answered;
mod configured;
mod crowded;
mod devices;
mod documented;
mod doors;
mod followed;
mod hooked;
mod limited;
mod pages;
mod paired;
mod recorded;
mod refused;
mod said;
mod sessions;
mod shown;
mod world;
