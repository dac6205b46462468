//! Tests of the whole system from outside: real server, real processes, real keys.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "what a test cannot have ends it"
)]

mod accounts;
mod adopt;
mod agents;
mod attacks;
mod browser;
mod by_hand;
mod canary;
mod chromium;
mod cli;
mod confined;
mod contract_commands;
mod contracts;
mod demo;
mod devices;
mod door;
mod egress;
#[path = "../executable.rs"]
mod executable;
mod findings;
mod folders;
mod halt;
mod hardening;
mod heads;
mod hooks;
mod job_times;
mod jobs;
mod junk;
mod kill;
mod layout;
mod lines;
mod lying;
mod main_job;
mod mcp;
mod model_streams;
mod models;
mod nats_cli;
mod net_demo;
mod npm;
mod openapi;
mod output;
mod own_tool;
mod page_browser;
mod pages;
mod parts;
mod path;
mod permissions;
mod places;
mod playbooks;
mod programs;
mod projections;
mod reflect;
mod renewal;
mod replay;
mod rollback;
mod scene;
mod secret_calls;
mod secret_kills;
mod secret_terms;
mod secrets;
mod servers;
mod session;
mod shelf;
mod shelf_programs;
mod shell;
mod skew;
mod slots;
mod stolen;
mod stolen_secrets;
mod stopping;
mod talks;
mod tamper;
mod task;
mod terminal;
mod together;
mod tool_errors;
mod tool_try;
mod tools;
mod twins;
mod upgrade;
mod versions;
mod workspace;
