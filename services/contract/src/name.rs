//! Names: of contracts and rules, of the built-in checks, and of principals.

use bus_schema::RuleId;

/// Longest name of a contract or rule, in bytes.
pub(crate) const NAME_BYTES_MAX: usize = 64;

/// Names of the built-in checks, which no contract may give to a rule. Together with those that begin with `limits.`
/// and `flow.`, which no rule can be called, they are every [`RuleId`] that is not a rule of a contract.
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

/// The id of a rule or check whose name was checked before.
///
/// # Panics
/// Never: names of rules are letters, digits and `-`, and the built-in ones are known.
pub fn rule_id(text: &str) -> RuleId {
    text.parse()
        .expect("the name of a rule or a built-in check is a rule id")
}

/// Whether a text can name a contract or a rule: lower-case letters, digits and `-`, a letter
/// or digit first.
pub(crate) fn is_name(text: &str) -> bool {
    let fits = |c: u8| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-';
    !text.is_empty()
        && text.len() <= NAME_BYTES_MAX
        && !text.starts_with('-')
        && text.bytes().all(fits)
}

/// Whether a text names principals: `session`, `job`, or one of them with its name or id.
pub(crate) fn is_principal(text: &str) -> bool {
    let (kind, id) = text.split_once(':').unwrap_or((text, "x"));
    let fits = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    matches!(kind, "session" | "job") && !id.is_empty() && id.len() <= 64 && id.bytes().all(fits)
}
