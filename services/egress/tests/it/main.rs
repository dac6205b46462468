//! Tests requests against real name servers and real TLS servers that behave and misbehave.

#[cfg(test)]
mod any_address;
#[cfg(test)]
mod config;
#[cfg(test)]
mod left_out;
#[cfg(test)]
mod requests;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod servers;
#[cfg(test)]
mod streams;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod world;
