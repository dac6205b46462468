//! Tests of the library.

#[cfg(test)]
mod given;
#[cfg(test)]
mod injections;
#[cfg(test)]
mod scrubs;
#[cfg(test)]
mod seals;
#[cfg(test)]
mod signatures;
#[cfg(test)]
mod vaults;
