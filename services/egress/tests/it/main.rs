//! Tests requests against real name servers and real TLS servers that behave and misbehave.

#[cfg(test)]
mod any_address;
#[cfg(test)]
mod config;
#[cfg(test)]
mod device;
#[cfg(test)]
mod downloads;
#[cfg(test)]
mod frames;
#[cfg(test)]
mod http2;
#[cfg(test)]
mod left_out;
#[cfg(test)]
mod name_server;
#[cfg(test)]
mod names;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod proxy;
#[cfg(test)]
mod proxy_server;
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
mod vault;
#[cfg(test)]
mod world;
