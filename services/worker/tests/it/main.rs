//! Tests playbooks, and the worker's core on a stream of really signed events.

#[cfg(test)]
mod config;
#[cfg(test)]
mod core;
#[cfg(test)]
mod deadlines;
#[cfg(test)]
mod decide;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod draft;
#[cfg(test)]
mod errors;
#[cfg(test)]
mod flow;
#[cfg(test)]
mod inputs;
#[cfg(test)]
mod memory;
#[cfg(test)]
mod random;
#[cfg(test)]
mod record;
#[cfg(test)]
mod references;
#[cfg(test)]
mod run;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod together;
