//! The gateway over real sockets; the tests stand where the bus stands.

mod configured;
mod documented;
mod followed;
mod limited;
mod recorded;
mod refused;
mod shown;
mod world;
