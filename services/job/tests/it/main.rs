//! The tests of jobs and their slots.

mod cron;
mod document;
mod messages;
mod policies;
mod rules;
mod when;
