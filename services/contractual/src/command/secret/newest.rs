//! The newest version of a named secret.

use bus_schema::{SecretName, SecretOnRecord};
use deployment::secrets::SecretsInStream;

use crate::Error;

/// Returns the newest version of a secret.
pub(super) fn newest<'s>(
    found: &'s SecretsInStream,
    name: &SecretName,
) -> Result<&'s SecretOnRecord, Error> {
    found.secrets.get(name).ok_or_else(|| {
        Error::Refused(format!(
            "there is no secret `{name}`: see `contractual secret list`, or give it with `contractual secret set`"
        ))
    })
}
