//! The integration tests of the wire contract.

mod content;
mod devices;
mod example;
mod fixture;
mod golden;
mod grant;
mod jobs;
mod malformed;
mod matrix;
mod own;
mod passkeys;
mod refuse;
mod roster;
mod roundtrip;
mod secrets;
mod starts;
mod tidy;
