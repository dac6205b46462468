//! The tests of jobs and their slots.

mod cron;
mod document;
mod policies;
mod when;
