//! Tests the engine's core on a stream of really signed events.

#[cfg(test)]
mod attackers;
#[cfg(test)]
mod config;
#[cfg(test)]
mod dialogues;
#[cfg(test)]
mod parts;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod spoken;
#[cfg(test)]
mod stream;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod wires;
