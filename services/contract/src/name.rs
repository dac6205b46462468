//! Names of contracts, rules, built-in checks and principals.

use bus_schema::RuleId;

/// Maximum length of a name of a contract or rule, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// Names of the built-in checks, reserved: no rule may have one. Each [`RuleId`] that is not a rule of a contract
/// is one of these or begins with `limits.`, `flow.` or `task.`.
pub(crate) const RESERVED: [&str; 9] = [
    "action",
    "arguments",
    "catalogue",
    "contract",
    "default",
    "expired",
    "principal",
    "schema",
    "starts",
];

/// Returns the id of a rule or check whose name is already validated.
///
/// # Panics
/// Never: names of rules are letters, digits and `-`, and the built-in ones are known.
pub fn rule_id(text: &str) -> RuleId {
    text.parse()
        .expect("the name of a rule or a built-in check is a rule id")
}

/// Returns true if `text` is a valid name of a contract or rule: lower-case letters, digits and `-`, a letter
/// or digit first.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && !text.starts_with('-')
        && text.bytes().all(fits)
}

/// Returns true if `text` names principals: `session`, `job`, or one of them with its name or id.
pub(crate) fn is_principal(text: &str) -> bool {
    let (kind, id) = text.split_once(':').unwrap_or((text, "x"));
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    matches!(kind, "session" | "job") && !id.is_empty() && id.len() <= 64 && id.bytes().all(fits)
}
