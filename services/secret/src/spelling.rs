//! The spelling of rules: the names in them, and the reasons that a text is none.

use contract::{is_header_name, is_reserved_header};

/// Longest name or template, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 256;

/// The reason that a text is no injection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InjectionError {
    /// Another form.
    #[error(
        "write header:NAME='Bearer {{}}', query:NAME, cookie:NAME, basic:USER, basic for a value `user:password`, \
         hmac:NAME='{{hex}};{{body}}', or sigv4:REGION/SERVICE"
    )]
    Form,
    /// A name of a header that cannot be one, or that egress writes itself.
    #[error("this header cannot carry a secret; write a name such as authorization or x-api-key")]
    Header,
    /// A template without exactly one place for the value.
    #[error(
        "the header's value needs exactly one {{}} for the secret, and visible ASCII around it"
    )]
    Template,
    /// A name of a parameter, a cookie or a user with a character that would end it.
    #[error(
        "the name has a character that does not belong there; write letters, digits, `-`, `_` and `.`"
    )]
    Name,
    /// A signature in another form.
    #[error(
        "write hmac:NAME=VALUE;TEXT, or hmac:NAME=VALUE;TEXT;TIME_HEADER: VALUE has {{hex}} or {{base64}} once, and {{time}} if \
         the host wants it there; TEXT is what is signed, of {{method}}, {{host}}, {{path}}, {{body}}, {{time}} and {{line}}"
    )]
    Hmac,
    /// A signed text that does not cover the request.
    #[error("the signed text covers neither {{path}} nor {{body}}; add what the host signs")]
    Uncovered,
    /// Not a region with a service.
    #[error("write sigv4:REGION/SERVICE, such as sigv4:eu-central-1/s3")]
    Scope,
}

/// Reads the name of a header that egress does not write itself; in lower case.
pub(crate) fn header_name(text: &str) -> Result<String, InjectionError> {
    let name = text.to_ascii_lowercase();
    let fits = !name.is_empty() && name.len() <= TEXT_BYTES_MAX && is_header_name(&name);
    // The body is the tool's.
    if !fits || is_reserved_header(&name) || name == "content-encoding" {
        return Err(InjectionError::Header);
    }
    Ok(name)
}

/// Reads a name of a parameter, a cookie, or a part of a scope.
pub(crate) fn plain_name(text: &str) -> Result<String, InjectionError> {
    let is_plain = |c: u8| c.is_ascii_alphanumeric() || b"-_.".contains(&c);
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(is_plain);
    fits.then(|| text.to_owned()).ok_or(InjectionError::Name)
}

/// Reads the name of a user.
pub(crate) fn user(text: &str) -> Result<String, InjectionError> {
    let is_plain = |c: u8| c.is_ascii_graphic() && c != b':';
    let fits = !text.is_empty() && text.len() <= TEXT_BYTES_MAX && text.bytes().all(is_plain);
    fits.then(|| text.to_owned()).ok_or(InjectionError::Name)
}
