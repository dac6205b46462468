//! `open`: opens the Control UI in the browser of this machine.

use std::process::{Command, Stdio};

use clap::Args;
use deployment::DeploymentFile;
use serde_json::json;

use crate::Output;

/// The programs that open an address in the person's browser.
const OPENERS: [&str; 2] = ["xdg-open", "open"];

/// `open`
#[derive(Debug, Args)]
#[command(after_help = "Example: contractual open")]
pub(crate) struct Arguments {
    /// Only print the address.
    #[arg(long)]
    print: bool,
}

impl Arguments {
    pub(super) fn run(&self, file: &DeploymentFile, out: &Output) {
        let address = format!("{}/", file.gateway_origin());
        let is_open = !self.print && OPENERS.iter().any(|program| starts(program, &address));
        out.print(&json!({"address": address, "opened": is_open}), || {
            address.clone()
        });
        if !is_open && !self.print {
            out.line_for_people("no browser could be opened here: open the address yourself");
        }
    }
}

/// Returns true if the program exists; whether it opens a browser is not known.
fn starts(program: &str, address: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(address);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().is_ok()
}
