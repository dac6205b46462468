//! Tests the pages on a stream of really signed events.

#[cfg(test)]
mod config;
#[cfg(test)]
mod devices;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod shown;
#[cfg(test)]
mod story;
#[cfg(test)]
mod world;
