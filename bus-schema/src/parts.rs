//! Arguments in parts: those of an earlier call of the task come first, and are named by their content.

/// The member of the arguments that names the earlier ones. No argument has this name.
pub const AFTER: &str = "$after";
/// The built-in rule that refuses arguments because they are in parts; the same ones may be sent whole.
pub const PARTS_RULE: &str = "parts";
