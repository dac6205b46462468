//! The place of a sealed value: the record, or a file of the broker.

use std::path::PathBuf;

use actor::BusClient;
use bus_schema::SecretName;
use clap::Args;
use deployment::{
    Deployment,
    secrets::{self, SecretsInStream},
};
use secret::{SecretTerms, SecretValue, TokenGrant, TokenSource};
use serde_json::json;

use super::show::ShownTerms;
use crate::{Error, Output};

/// The place of a sealed value.
#[derive(Debug, Args)]
pub(super) struct PlaceArguments {
    /// Keep the sealed value as the file NAME.VERSION in this folder, such as DIR/broker/secrets, and not in the record.
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,
}

impl PlaceArguments {
    /// Checks that a new value has the place of the one before.
    ///
    /// # Errors
    /// [`Error::Document`] if the one before is in a file, and no folder is given.
    pub(super) fn stays(&self, name: &SecretName, is_in_file: bool) -> Result<(), Error> {
        if is_in_file && self.folder.is_none() {
            return Err(Error::Document(format!(
                "the value of `{name}` is kept in a file: name its folder with `--folder`, or move it to the record with \
                 `contractual secret set`"
            )));
        }
        Ok(())
    }

    /// Seals a value at its place, signs it, and says so.
    ///
    /// # Errors
    /// The error of [`secrets::sign`], or [`Error::Document`] for a refresh token in a file.
    pub(super) async fn sign(
        &self,
        (terms, value): (&SecretTerms, &SecretValue),
        (deployment, bus, found): (&Deployment, &BusClient, &SecretsInStream),
        out: &Output,
    ) -> Result<(), Error> {
        let folder = self.folder.as_deref();
        let grant = terms.token().map(TokenSource::grant);
        if folder.is_some() && grant == Some(TokenGrant::RefreshToken) {
            return Err(Error::Document(
                "a refresh token may be replaced at each use, and a file is written once: leave `--folder` out".to_owned(),
            ));
        }
        let seq = secrets::sign(deployment, bus, found, (terms, value), folder).await?;
        signed(terms, seq, (out, folder.is_some()));
        Ok(())
    }
}

/// Says what was signed.
pub(super) fn signed(terms: &SecretTerms, seq: u64, (out, is_in_file): (&Output, bool)) {
    let shown = ShownTerms::of(terms, is_in_file);
    out.print(&json!({ "seq": seq, "terms": shown }), || {
        format!(
            "{} version {}: sealed, and signed as message {seq}\n{}",
            terms.name(),
            terms.version(),
            shown.text()
        )
    });
}
