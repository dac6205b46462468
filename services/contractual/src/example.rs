//! The example that ships with the program: `demo` runs it, and `init` takes its tools.

use crate::Error;

/// `deploy/examples/stocktake/tools.json`, without digests.
pub const TOOLS: &str = include_str!("../../../deploy/examples/stocktake/tools.json");
/// `deploy/examples/stocktake/contract.toml`.
pub const CONTRACT: &str = include_str!("../../../deploy/examples/stocktake/contract.toml");
/// `deploy/examples/stocktake/playbook.toml`.
pub const PLAYBOOK: &str = include_str!("../../../deploy/examples/stocktake/playbook.toml");
/// `deploy/examples/stocktake/invoices`: names and texts of the files.
pub const INVOICES: &[(&str, &str)] = &[
    (
        "2026-09-brandt-printing.txt",
        include_str!("../../../deploy/examples/stocktake/invoices/2026-09-brandt-printing.txt"),
    ),
    (
        "2026-09-kessel-heating.txt",
        include_str!("../../../deploy/examples/stocktake/invoices/2026-09-kessel-heating.txt"),
    ),
    (
        "2026-09-nordlicht-paper.txt",
        include_str!("../../../deploy/examples/stocktake/invoices/2026-09-nordlicht-paper.txt"),
    ),
    (
        "2026-10-baltic-hosting.txt",
        include_str!("../../../deploy/examples/stocktake/invoices/2026-10-baltic-hosting.txt"),
    ),
    (
        "2026-10-hofmann-translations.txt",
        include_str!(
            "../../../deploy/examples/stocktake/invoices/2026-10-hofmann-translations.txt"
        ),
    ),
    (
        "2026-10-lindgren-coffee.txt",
        include_str!("../../../deploy/examples/stocktake/invoices/2026-10-lindgren-coffee.txt"),
    ),
];

/// `deploy/examples/customer/tools.json`, with the port 8443 of its hosts.
pub const CUSTOMER_TOOLS: &str = include_str!("../../../deploy/examples/customer/tools.json");
/// `deploy/examples/customer/contract.toml`, with the port 8443 of its hosts.
pub const CUSTOMER_CONTRACT: &str = include_str!("../../../deploy/examples/customer/contract.toml");
/// `deploy/examples/customer/playbook.toml`.
pub const CUSTOMER_PLAYBOOK: &str = include_str!("../../../deploy/examples/customer/playbook.toml");

/// Returns a catalogue with the digests of its programs on this machine.
///
/// # Errors
/// [`Error::Document`] for an invalid catalogue, or a program that this machine lacks.
pub fn pinned(tools: &str) -> Result<String, Error> {
    let pinned = runner::pin(tools, false);
    Ok(pinned
        .map_err(|error| Error::Document(actor::chain(&error)))?
        .text)
}
