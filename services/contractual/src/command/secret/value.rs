//! Reads the value of a secret, and checks it against its terms.

use secret::{SHORT_BYTES, SecretTerms, SecretValue, VALUE_BYTES_MAX};

use crate::{Error, Output, hidden};

/// Reads a value.
///
/// # Errors
/// [`Error::Document`], which never has a part of the value.
pub(super) async fn read(out: &Output) -> Result<SecretValue, Error> {
    let value = SecretValue::new(hidden::line(VALUE_BYTES_MAX).await?);
    let value = value.map_err(|error| Error::Document(error.to_string()))?;
    if value.is_short() {
        out.line_for_people(&format!(
            "note: a value of fewer than {SHORT_BYTES} bytes is easily guessed, and is also taken out of answers where it \
             stands by chance"
        ));
    }
    Ok(value)
}

/// Checks that a value can stand where the terms say.
///
/// # Errors
/// [`Error::Document`], which never has a part of the value.
pub(super) fn fits(terms: &SecretTerms, value: &SecretValue) -> Result<(), Error> {
    let fits = terms.fits(value);
    fits.map_err(|error| Error::Document(error.to_string()))
}
