//! The tests of jobs and their slots.

#[cfg(test)]
mod cron;
#[cfg(test)]
mod document;
#[cfg(test)]
mod messages;
#[cfg(test)]
mod policies;
#[cfg(test)]
mod rules;
#[cfg(test)]
mod when;
