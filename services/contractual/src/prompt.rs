//! The question to the person at the terminal.

use std::io::{BufRead as _, Write as _};

/// Asks until the answer is yes or no; returns none at EOF.
pub(crate) async fn sign_it() -> Option<bool> {
    let asking = tokio::task::spawn_blocking(|| {
        let mut terminal = std::io::stderr();
        loop {
            // A closed terminal cannot answer either.
            write!(terminal, "  sign it? [yes/no] ").ok();
            terminal.flush().ok();
            let mut line = String::new();
            match std::io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
            match line.trim() {
                "yes" | "y" => return Some(true),
                "no" | "n" => return Some(false),
                _ => {}
            }
        }
    });
    asking.await.unwrap_or_default()
}
